"""Model cards: README.md of a model folder, written from its own record."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from napari_brainseg.cases.labels import scheme_by_id
from napari_brainseg.model_store.store import ModelRecord


def training_card(record: ModelRecord) -> str:
    """Return the card of a model trained from scratch, Markdown."""
    settings = record.training.get("settings", {})
    scheme = scheme_by_id(record.scheme_id)
    misses = (
        f"Trained with {', '.join(record.trained_to_miss)} left out at times: a case may lack some of them."
        if record.trained_to_miss
        else "Not trained for missing channels: a case that lacks one gets a doubtful result."
    )
    phantoms = settings.get("phantoms", 0)
    parts = [
        f"# {record.name}",
        f"{record.title}. **For research use, not for diagnosis.**",
        "## What it takes and gives",
        f"Channels {', '.join(record.channels)}; labels of {scheme.title} ("
        + ", ".join(f"{c.disk} {c.long_name}" for c in scheme.classes)
        + f"). Network `{record.network['name']}`, {record.spatial_dims}-D. {misses}",
        "## Data and licence",
        (str(settings.get("source", "")).strip() or "Not recorded.")
        + (f" Mixed with {phantoms} synthetic cases made by this program." if phantoms else ""),
        f"Split by patient: `{settings.get('split')}`, part `{settings.get('split_name')}`. "
        "No patient is on both sides.",
        "## Scores",
        "Dice of whole patients of the validation part, which also chose the best epoch: expect a little less "
        "elsewhere.",
        scores_table(record.scores.get("validation", {})),
        "## How it was trained",
        f"`{record.training.get('command', '')}` (needs the data folder). Settings and versions are in model.json.",
        "## Limits",
        "Learned from few cases of adult glioma before treatment. Not tried on other diseases, on children or after "
        "surgery. Look at every slice: small and faint lesions are missed, and bright vessels or artefacts "
        "can be taken for tumour.",
    ]
    return "\n\n".join(parts) + "\n"


def score_line(record: ModelRecord) -> str:
    """Return a model's scores in one line: of validation, or before and after a fine-tuning; empty without scores."""
    validation = record.scores.get("validation", {}).get("mean", {})
    if validation:
        return "validation Dice " + ", ".join(f"{name} {value:.3f}" for name, value in validation.items())
    for kind, words in (
        ("held_out", "what was held out"),
        ("learnt", "what it learnt"),
        ("confirmed", "its confirmed slices"),
    ):
        changes = ", ".join(_changes(record.scores.get(kind)))
        if changes:
            return f"from {record.parent_display_name}; Dice on {words} {changes}"
    return ""


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


def scores_table(scores: Mapping[str, Mapping[str, object]]) -> str:
    """Return a Markdown table of scores per case, the mean first; `scores` has `mean` and `cases`."""
    mean = scores.get("mean", {})
    if not mean:
        return "None recorded."
    lines = ["| case | " + " | ".join(mean) + " |", "|---|" + "---|" * len(mean)]
    rows: list[tuple[str, Mapping[str, float]]] = [("**mean**", mean), *scores.get("cases", {}).items()]  # type: ignore[list-item]
    lines += [f"| {name} | " + " | ".join(f"{row[r]:.3f}" for r in mean) + " |" for name, row in rows]
    return "\n".join(lines)
