"""Model cards: README.md of a model folder, written from its records alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from napari_brainseg.base.errors import ModelError
from napari_brainseg.base.local_time import local_time
from napari_brainseg.model_store.card_facts import (
    COMPARED,
    CROSS_VALIDATION,
    HOLD_OUT,
    ROBUSTNESS,
    VALIDATION,
    read_facts,
)
from napari_brainseg.model_store.card_tables import (
    calibration_table,
    case_table,
    dice_table,
    mean_tables,
    robustness_table,
    sequence_table,
    table,
)
from napari_brainseg.model_store.ensembles import EARLIER, Training, trainings_of
from napari_brainseg.model_store.folders import DIAGRAM
from napari_brainseg.model_store.lineage import learnt_cases, slices_in_words
from napari_brainseg.model_store.store import ModelRecord

NOT_MEASURED = "Not measured."
_NOTICE = "**For research use, not for diagnosis.**"
_LIMITS = (
    "Learned from few cases of adult glioma before treatment. Not tried on other diseases, on children or after "
    "surgery. Look at every slice: small and faint lesions are missed, and bright vessels or artefacts can be taken "
    "for tumour."
)
# Settings that tell how a network learnt; the others are in model.json.
_TOLD = (
    *("start_from", "options", "preprocessing", "augmentation", "phantoms", "sampling", "size", "data_share"),
    *("empty_share", "oversample", "epochs", "batch", "accumulate", "loss", "optimizer", "optimizer_options"),
    *("schedule", "rate", "weight_decay", "clip", "average", "monitor", "choose", "patience", "seed", "precision"),
)
_KINDS = {"held_out": "held out", "learnt": "learnt", "earlier": "earlier corrections", "phantom": "phantoms"}
_DEFINITIONS = (
    "Dice of all voxels; surface Dice, the share of both borders within 1 mm (1 pixel where the spacing is unknown) of "
    "the other; border Dice, of the voxels at most 3 pixels from the true border. Means with 95 % confidence intervals "
    "(bootstrap over patients). In slices: Dice with slices that are rightly empty counted 1, Dice of tumour slices "
    "alone, and false alarms, the share of the slices without tumour in which more than 50 pixels were found."
)


def model_card(record: ModelRecord, facts: Mapping[str, Any] | None = None) -> str:
    """Return the card of a model, Markdown; the same records give the same card.

    Args:
        record: The model, trained or fine-tuned.
        facts: What was taken into its folder, see `card_facts`.
    """
    facts = facts or {}
    about = _taught(record) if record.parent is not None else _trained(record, facts)
    measured = {
        "Validation": _scored(record, facts, VALIDATION),
        "Cross-validation": _scored(record, facts, CROSS_VALIDATION),
        "Cases that it never saw": _hold_out(record, facts),
        "What was tried and lost": _compared(facts),
        "Missing sequences": _sequences(record, facts),
        "Changed images": _robustness(facts),
        "Calibration": _calibration(record),
    }
    if record.parent is not None:  # its own scores are those of its corrections
        measured = {title: text for title, text in measured.items() if text not in ([NOT_MEASURED], [])}
    parts = [f"# {record.name}", f"{record.title}. {_NOTICE}" if record.title else _NOTICE]
    for title, lines in {**about, **measured, "Limits": _limits(record)}.items():
        if lines:
            parts += [f"## {title}", *lines]
    return "\n\n".join(parts) + "\n"


def _trained(record: ModelRecord, facts: Mapping[str, Any]) -> dict[str, list[str]]:
    settings, trainings = record.training.get("settings", {}), trainings_of(record)
    source, phantoms = str(settings.get("source", "")).strip() or "Not recorded.", settings.get("phantoms", 0)
    mixed = f" Mixed with {phantoms} synthetic cases made by this program." if phantoms else ""
    return {
        "What it is for": [
            "To mark tumours in research data as a draft that a person looks through and corrects, and as a start for "
            "a model of one's own that is taught from the corrections."
        ],
        "What it takes and gives": [_takes(record)],
        "Data and licence": [source + mixed + _imagenet(trainings)],
        "Cases": _cases(record, trainings),
        "How it was trained": _recipe(record, trainings),
    }


def _imagenet(trainings: tuple[Training, ...]) -> str:
    begun = [one for one in trainings if one.imagenet]
    if not begun:
        return ""
    which = "The encoder" if len(begun) == len(trainings) else "The encoder of `efficientnet_unet`"
    return (
        f" {which} began with the weights of EfficientNet-Lite0 (Google, Apache License 2.0), which learned from the "
        "photographs of ImageNet."
    )


def _takes(record: ModelRecord) -> str:
    scheme, missed = record.scheme, ", ".join(record.trained_to_miss)
    classes = ", ".join(f"{c.disk} {c.long_name}" for c in scheme.classes)
    misses = (
        f"Trained with {missed} left out at times: a case may lack some of them."
        if missed
        else "Not trained for missing channels: a case that lacks one gets a doubtful result."
    )
    return (
        f"Channels {', '.join(record.channels)}; labels of {scheme.title} ({classes}). {_network(record)}, "
        f"{record.spatial_dims}-D. {misses}"
    )


def _network(record: ModelRecord) -> str:
    options = record.network.get("options", {})
    if record.network["name"] == "ensemble":
        of = options.get("of", "unext")
        if isinstance(of, str):
            return f"The mean of {options.get('members', 5)} networks `{of}`"
        return "The mean of the networks " + ", ".join(f"`{one['name']}`" for one in of)
    return f"Network `{record.network['name']}`"


def _cases(record: ModelRecord, trainings: tuple[Training, ...]) -> list[str]:
    """Return which cases learned, validated and were tested; of an ensemble by member."""
    split = record.training.get("settings", {}).get("split")
    names = ", ".join(dict.fromkeys(one.split_name for one in trainings if one.split_name))
    lines = [f"Split by patient: `{split}`, {names}. No patient is on both sides." if split else "Split not recorded."]
    if not all(one.cases for one in trainings):
        return [*lines, "Which cases these are is not recorded in the model."]
    if len(trainings) == 1:
        return [*lines, *_parts(trainings[0])]
    every = {case for one in trainings for case in one.cases.get("validation", ())}
    others = all({*one.cases.get("train", ())} == every - {*one.cases.get("validation", ())} for one in trainings)
    rows = [
        [
            f"{number} ({one.split_name})" if one.split_name else str(number),
            f"the other {len(one.cases.get('train', ()))} of these cases" if others else _listed(one, "train"),
            _listed(one, "validation"),
        ]
        for number, one in enumerate(trainings, start=1)
    ]
    tested = dict.fromkeys(case for one in trainings for case in one.cases.get("test", ()))
    kept = [f"Kept back for the test ({len(tested)}): {', '.join(tested)}."] if tested else []
    return [*lines, table(["member", "learned from", "validated on"], rows), *kept]


def _parts(training: Training) -> Iterator[str]:
    words = {
        "train": "Learned from",
        EARLIER: "Learned from before, by the model that it began with",
        "validation": "Validated on",
        "test": "Kept back for the test",
    }
    for part, said in words.items():
        if cases := training.cases.get(part):
            again = part == EARLIER and set(cases) == set(training.cases.get("train", ()))
            yield f"{said} ({len(cases)}): {'the same' if again else _listed(training, part)}."


def _listed(training: Training, part: str) -> str:
    return ", ".join(training.cases.get(part, ())) or "none"


def _recipe(record: ModelRecord, trainings: tuple[Training, ...]) -> list[str]:
    commands = list(dict.fromkeys(one.command for one in trainings if one.command))
    lines = ["\n".join(f"`{command}`  " for command in commands)] if commands else ["The command is not recorded."]
    settings = record.training.get("settings", {})
    told = [f"{name} {_said(settings[name])}" for name in _TOLD if settings.get(name) not in (None, "", {}, [])]
    versions = [f"{name} {record.training[name]}" for name in ("napari-brainseg", "torch") if name in record.training]
    if told:
        lines.append(f"{'; '.join(told)}.")
    if versions:
        lines.append(f"Made with {', '.join(versions)}. All settings are in model.json.")
    return lines


def _said(value: Any) -> str:
    if isinstance(value, Mapping):
        return "(" + ", ".join(f"{name} {_said(one)}" if one != {} else str(name) for name, one in value.items()) + ")"
    if isinstance(value, list | tuple):
        return " × ".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _scored(record: ModelRecord, facts: Mapping[str, Any], kind: str) -> list[str]:
    """Return the scores of the validation or the cross-validation: as they were taken, else as training found them."""
    members = len(trainings_of(record)) > 1
    folds, last = kind == CROSS_VALIDATION, record.training.get("settings", {}).get("choose") == "last"
    found = facts.get(kind)
    if found is not None:
        who = "each segmented by the model of the fold that did not learn from it"
        if not folds:
            who = "which did not teach the model" + (
                "" if last else ", but chose its best epoch: expect a little less elsewhere"
            )
        return [f"{_counted(found)}, {who}. {_DEFINITIONS}", *mean_tables(found), case_table(found)]
    own = record.scores.get(kind, {})
    if own.get("mean"):
        whose = "each by the member that did not learn from it" if folds else "of the validation part"
        epoch = "After the last epoch." if last else "They also chose the best epoch: expect a little less elsewhere."
        return [f"Dice of whole cases, {whose}. {epoch}", dice_table(own)]
    # A model of folds has no validation part of its own; where cases are held out, those are what is looked for.
    return [] if kind == VALIDATION and (members or HOLD_OUT in facts) else [NOT_MEASURED]


def _counted(found: Mapping[str, Any]) -> str:
    """Return how many cases were scored, and by which command."""
    cases, patients, models = len(found["cases"]), found.get("patients"), found.get("models", ())
    which = "MODEL" if len(models) == 1 else "FOLDS…"
    test = " --part test --final" if found.get("part") == "test" else ""
    command = f"--model {which} --cases FOLDER --split FILE{test}" if models else "MASKS FOLDER"
    made = "".join(f"; {one['name']} {one['version']}, {one['split_name']}" for one in models)
    counted = f"{cases} {'case' if cases == 1 else 'cases'} of {patients} {'patient' if patients == 1 else 'patients'}"
    return f"{counted} (`brainseg evaluate {command}`{made})"


def _hold_out(record: ModelRecord, facts: Mapping[str, Any]) -> list[str]:
    found = facts.get(HOLD_OUT)
    if found is not None:
        return [
            f"Scores of these weights on {_counted(found)}, of which the model neither learnt nor chose anything. "
            f"{_DEFINITIONS}",
            *mean_tables(found),
            case_table(found),
        ]
    trainings = trainings_of(record)
    if not all(one.cases for one in trainings):
        return [NOT_MEASURED]
    seen = {case for one in trainings for part in ("train", "validation") for case in one.cases.get(part, ())}
    kept = {case for one in trainings for case in one.cases.get("test", ())} - seen
    if kept:
        counted = "1 case was" if len(kept) == 1 else f"{len(kept)} cases were"
        return [f"{counted} kept back (see Cases), but these weights have not been scored there."]
    return ["There is no score of these weights on unseen cases: all cases of the split were used to make them."]


def _compared(facts: Mapping[str, Any]) -> list[str]:
    found = facts.get(COMPARED)
    return [table(found["columns"], found["rows"])] if found else [NOT_MEASURED]


def _sequences(record: ModelRecord, facts: Mapping[str, Any]) -> list[str]:
    found = facts.get(ROBUSTNESS, {})
    if not found.get("groups", {}).get("sequences"):
        return [NOT_MEASURED]
    said = f"Mean Dice for every combination of sequences, and the difference to all of them; {_measured_on(found)}"
    return [said, sequence_table(found, record.channels)]


def _robustness(facts: Mapping[str, Any]) -> list[str]:
    found = facts.get(ROBUSTNESS, {})
    if not found.get("groups", {}).get("robustness"):
        return [NOT_MEASURED]
    return [f"Mean Dice, and the difference to the cases as they are; {_measured_on(found)}", robustness_table(found)]


def _measured_on(found: Mapping[str, Any]) -> str:
    who = "these weights" if found.get("own") else "the models of the folds, each on cases it did not learn from"
    command = f" (`{found['command']}`)" if found.get("command") else ""
    return f"{found['plain']['cases']} cases, {who}{command}."


def _calibration(record: ModelRecord) -> list[str]:
    found = record.scores.get("calibration")
    if not found:
        return [NOT_MEASURED]
    judged = (
        "each judged at the temperatures that the cases of the other folds gave"
        if found["cross_fitted"]
        else "the same on which the temperatures were fitted, so that the error after it is a little too small"
    )
    kept = ", which changes no label" if len(record.preprocessing.planes) == 1 else ""
    return [
        f"The last layer's weights are divided by a temperature for each output (Guo 2017){kept}. "
        f"Expected calibration error over the voxels in the brain of {len(found['scored'])} cases, {judged}:",
        calibration_table(found["regions"], record.training.get("temperature", {})),
        f"![Reliability before and after: the true share of voxels against their predicted probability]({DIAGRAM})",
    ]


def _limits(record: ModelRecord) -> list[str]:
    if record.parent is not None:
        return [
            "Scores on what it learnt from say how well it took that up; those of what was held out, how it does "
            f"elsewhere on such cases. It may do worse on other cases than {record.parent} does."
        ]
    domain = record.training.get("domain")
    looks = (
        f"What its {domain['cases']} training cases look like is recorded in model.json; before a case is segmented, "
        "the program says how it is unlike them."
        if isinstance(domain, Mapping)
        else "What its training cases look like is not recorded, so that the program cannot say when a case is unlike "
        "them."
    )
    return [_LIMITS, looks]


def _taught(record: ModelRecord) -> dict[str, list[str]]:
    """Return what is to be told of a fine-tuned model: its parent, its corrections and what they changed."""
    told, settings, scores = record.training, record.training.get("settings", {}), record.scores
    when = f"; made on {local_time(str(told['date']))}" if told.get("date") else ""
    version = told.get("parent", {}).get("version", "")
    given = [f"- {case}: {slices_in_words(slices)}" for case, slices in learnt_cases(record).items()]
    held = scores.get("held_out_words")
    lines = ["\n".join(given)] if given else []
    lines.append(f"Held out, and not learnt from: {held}." if held else "Nothing was held out.")
    if settings:
        layers = "all weights" if settings.get("layers", "all") == "all" else "the decoder's weights alone"
        lines.append(
            f"{settings.get('steps')} steps of AdamW at a rate of {_said(settings.get('rate'))}, {layers}, seed "
            f"{settings.get('seed')}; the old model's own answers repeated with a weight of "
            f"{_said(settings.get('replay', 0))}; {float(told.get('kept', 0)):.0%} of the old weights kept."
        )
    rows = [
        [f"{words}, {region}", *(f"{pair[when]:.3f}" for when in ("before", "after"))]
        for kind, words in _KINDS.items()
        for region, pair in _pairs(scores.get(kind))
    ]
    advice = f"Recommendation: {scores['recommendation']} ({scores['reason']})." if "reason" in scores else ""
    return {
        "Where it comes from": [
            f"Fine-tuned from **{record.parent}** (version {version}) on slices that a person confirmed{when}."
        ],
        "Corrections that it was given": lines,
        "Scores": [
            "Dice, mean of the slices or cases of a kind:",
            table(["on what", "before", "after"], rows) if rows else NOT_MEASURED,
            *([advice] if advice else []),
        ],
    }


def _pairs(scores: object) -> Iterable[tuple[str, Mapping[str, float]]]:
    return scores.items() if isinstance(scores, Mapping) else ()


def score_line(record: ModelRecord) -> str:
    """Return a model's scores in one line: of validation, or before and after a fine-tuning; empty without any.

    A cross-validation that its card holds counts before the scores of the training: it is of more cases.
    """
    known = {kind: record.scores.get(kind, {}).get("mean", {}) for kind in (VALIDATION, CROSS_VALIDATION)}
    taken = _cross_validated(record)
    for words, means in (
        ("validation", {} if taken else known[VALIDATION]),
        ("cross-validation", taken or known[CROSS_VALIDATION]),
    ):
        if means:
            return f"{words} Dice " + ", ".join(f"{name} {value:.3f}" for name, value in means.items())
    for kind, words in (
        ("held_out", "what was held out"),
        ("learnt", "what it learnt"),
        ("confirmed", "its confirmed slices"),
    ):
        changes = ", ".join(_changes(record.scores.get(kind)))
        if changes:
            return f"from {record.parent_display_name}; Dice on {words} {changes}"
    return ""


def _cross_validated(record: ModelRecord) -> Mapping[str, float]:
    """Return mean Dice by output where the card of the model holds a cross-validation."""
    try:
        scores = read_facts(record.folder)[CROSS_VALIDATION]["set"] if record.folder else {}
        return {name: scores[name]["dice"]["mean"] for name in record.outputs if name in scores}
    except (ModelError, KeyError, TypeError):
        return {}


def _changes(scores: object) -> Iterator[str]:
    """Yield `WT 0.512 → 0.623` for each region that was scored before and after."""
    if not isinstance(scores, Mapping):
        return
    if isinstance(scores.get("before"), Mapping) and isinstance(scores.get("after"), Mapping):
        # Models that were taught before anything was held out have their regions within.
        pairs = {
            name: {"before": value, "after": scores["after"].get(name)} for name, value in scores["before"].items()
        }
        yield from _changes(pairs)
        return
    for name, pair in scores.items():
        if isinstance(pair, Mapping) and all(isinstance(pair.get(when), int | float) for when in ("before", "after")):
            yield f"{name} {pair['before']:.3f} → {pair['after']:.3f}"
