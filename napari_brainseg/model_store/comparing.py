"""Two models side by side: what they take and give, what they come from and learnt from, and their scores. No torch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from napari_brainseg.base.local_time import local_time
from napari_brainseg.model_store.lineage import Lineage, learnt_cases, slices_in_words
from napari_brainseg.model_store.store import ModelRecord

NOTHING = "–"
_CASES = "cases"


@dataclass(frozen=True)
class ComparedFact:
    """One row: a fact of both models in words, `–` where one has none.

    Attributes:
        title: What it is, such as `network` or `validation mean WT`.
        first: The first model's.
        second: The second model's.
        change: How much more the second's is, for numbers that both have.
    """

    title: str
    first: str
    second: str
    change: float | None = None

    @property
    def same(self) -> bool:
        """Whether both read the same."""
        return self.first == self.second


@dataclass(frozen=True)
class Comparison:
    """Two models side by side.

    Attributes:
        first: The first model's name as people see it.
        second: The second model's.
        relation: In one sentence, which of them comes from which.
        notes: Sentences on what their scores cannot say.
        facts: What they are, take and give.
        settings: How they were trained or fine-tuned.
        data: What they learnt from; of fine-tuned models case by case.
        scores: All scores that are no case's own.
        case_scores: Scores of single cases.
    """

    first: str
    second: str
    relation: str
    notes: tuple[str, ...]
    facts: tuple[ComparedFact, ...]
    settings: tuple[ComparedFact, ...]
    data: tuple[ComparedFact, ...]
    scores: tuple[ComparedFact, ...]
    case_scores: tuple[ComparedFact, ...]


def compare(first: ModelRecord, second: ModelRecord, records: Iterable[ModelRecord] = ()) -> Comparison:
    """Put two models side by side; `records` are further models, through which one may come from the other."""
    models = (first, second)
    scores = [dict(_numbers(model.scores)) for model in models]
    by_case = [{k: v for k, v in one.items() if _CASES in k[:-1]} for one in scores]
    overall = [{k: v for k, v in one.items() if _CASES not in k[:-1]} for one in scores]
    return Comparison(
        first.display_name,
        second.display_name,
        _relation(first, second, Lineage((*models, *records))),
        tuple(_notes(first, second)),
        _side_by_side(*(_facts(model) for model in models)),
        _side_by_side(*({k: _said(v) for k, v in _settings(model)} for model in models)),
        _side_by_side(*(_data(model) for model in models)),
        _scores_side_by_side(*overall),
        _scores_side_by_side(*by_case),
    )


def _facts(model: ModelRecord) -> dict[str, str]:
    date = model.training.get("date")
    return {
        "for": model.title,
        "version": model.version,
        "fine-tuned from": model.parent_display_name or NOTHING,
        "made on": local_time(date) if isinstance(date, str) and date else NOTHING,
        "network": _said(model.network.get("name")),
        "options": _said(model.network.get("options", {})) or NOTHING,
        "axes": f"{model.spatial_dims}-D" + (f", windows of {_said(model.window)}" if model.window else ""),
        "channels": ", ".join(model.channels),
        "may lack": ", ".join(model.trained_to_miss) or NOTHING,
        "labels": model.scheme.title,
        "outputs": ", ".join(model.outputs),
        "preprocessing": _said(asdict(model.preprocessing)),
        "recommended rules": _said(model.post_processing) or NOTHING,
        "weights": _weights(model),
    }


def _weights(model: ModelRecord) -> str:
    if model.external is not None:
        return model.external.in_words
    try:
        size = f"{model.weights_path.stat().st_size / 1e6:.1f} MB"
    except OSError:
        size = "not there"
    return f"{size}, SHA-256 {model.weights_sha256[:12]}" if model.weights_sha256 else size


def _settings(model: ModelRecord) -> Iterator[tuple[str, Any]]:
    settings = model.training.get("settings")
    for name, value in (settings if isinstance(settings, Mapping) else {}).items():
        # These are the model's facts; a group of settings is a row for each.
        if name in ("name", "title", "channels", "scheme", "outputs", "network", "options", "preprocessing", "source"):
            continue
        if isinstance(value, Mapping):
            yield from ((f"{name}.{key}", one) for key, one in value.items())
        else:
            yield str(name), value


def _data(model: ModelRecord) -> dict[str, str]:
    settings = model.training.get("settings")
    source = settings.get("source") if isinstance(settings, Mapping) else None
    told = {"source": str(source).strip()} if source else {}
    return {**told, **{case: slices_in_words(slices) for case, slices in learnt_cases(model).items()}}


def _numbers(scores: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], float]]:
    """Yield every number of nested groups with its path."""
    for name, value in scores.items():
        if isinstance(value, Mapping):
            yield from _numbers(value, (*path, str(name)))
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield (*path, str(name)), value


def _scores_side_by_side(
    first: Mapping[tuple[str, ...], float], second: Mapping[tuple[str, ...], float]
) -> tuple[ComparedFact, ...]:
    rows = []
    for path in dict.fromkeys((*first, *second)):
        one, other = first.get(path), second.get(path)
        change = None if one is None or other is None else other - one
        title = " ".join(part for part in path if part != _CASES)
        rows.append(ComparedFact(title, _number(one), _number(other), change))
    return tuple(rows)


def _number(value: float | None) -> str:
    if value is None:
        return NOTHING
    return str(value) if isinstance(value, int) else f"{value:.3f}"


def _side_by_side(first: Mapping[str, str], second: Mapping[str, str]) -> tuple[ComparedFact, ...]:
    titles = dict.fromkeys((*first, *second))
    return tuple(ComparedFact(title, first.get(title, NOTHING), second.get(title, NOTHING)) for title in titles)


def _said(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_said(one)}" for name, one in value.items() if one != {})
    if isinstance(value, list | tuple):
        if value and all(isinstance(one, Mapping) for one in value):  # such as the members of an ensemble
            return "; ".join(map(_said, value))
        return " × ".join(map(str, value)) if all(isinstance(one, int) for one in value) else ", ".join(map(str, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _relation(first: ModelRecord, second: ModelRecord, lineage: Lineage) -> str:
    if first.weights_sha256 and first.weights_sha256 == second.weights_sha256:
        return "Their weights are the same."
    lines = [lineage.ancestors(model) for model in (first, second)]
    for older, younger, line in ((first, second, lines[1]), (second, first, lines[0])):
        folders = [one.folder for one in line]
        if older.folder in folders:
            between = ", ".join(one.display_name for one in reversed(line[: folders.index(older.folder)]))
            return f"{younger.display_name} was fine-tuned from {older.display_name}{between and ', over ' + between}."
    there = [one.folder for one in lines[1]]
    shared = next((one for one in lines[0] if one.folder in there), None)
    if shared is not None:
        return f"Both come from {shared.display_name}."
    return "As far as is known here, neither comes from the other."


def _notes(first: ModelRecord, second: ModelRecord) -> Iterator[str]:
    if first.outputs != second.outputs or first.scheme_id != second.scheme_id:
        yield "They give other labels, so scores of one name can mean different things."
    for kind in first.scores:
        groups = all(isinstance(model.scores.get(kind), Mapping) for model in (first, second))
        if groups and _scored_on(first, kind) != _scored_on(second, kind):
            yield f"Their {kind} scores are of different cases or slices, so a difference says little."


def _scored_on(model: ModelRecord, kind: str) -> object:
    """Return what tells on which data the scores of a kind were made: its cases, or what the model learnt from."""
    cases = model.scores[kind].get(_CASES)
    return sorted(cases) if isinstance(cases, Mapping) else learnt_cases(model)
