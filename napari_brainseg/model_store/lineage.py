"""Which model was fine-tuned from which: parents, children, the way back, and the next name of a line. No torch."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_brainseg.annotation.corrections import PLANE_NAMES, ConfirmedSlice, describe_slices
from napari_brainseg.base.errors import ModelError
from napari_brainseg.base.local_time import local_time
from napari_brainseg.model_store.store import ModelRecord, list_models, model_places


@dataclass(frozen=True)
class Origin:
    """What `model.json` says of the model that one was fine-tuned from; version and sha256 may be empty."""

    name: str
    version: str = ""
    sha256: str = ""


class Lineage:
    """The families among some models, such as those of `list_models`."""

    def __init__(self, records: Iterable[ModelRecord]) -> None:
        self.records = tuple(records)
        self._parents = {_key(record): self._find_parent(record) for record in self.records}

    def parent(self, record: ModelRecord) -> ModelRecord | None:
        """Return the model that `record` was fine-tuned from, or None where there is none or it is not here.

        It is known by its weights, whatever it is called now; by name alone where no SHA-256 was written down.
        """
        key = _key(record)
        return self._parents[key] if key in self._parents else self._find_parent(record)

    def children(self, record: ModelRecord) -> tuple[ModelRecord, ...]:
        """Return the models that were fine-tuned from `record`, in the order of the models."""
        parents = ((one, self.parent(one)) for one in self.records)
        return tuple(one for one, parent in parents if parent is not None and _key(parent) == _key(record))

    def ancestors(self, record: ModelRecord) -> tuple[ModelRecord, ...]:
        """Return the parent, its parent and so on, as far as they are here."""
        found: list[ModelRecord] = []
        told = {_key(record)}
        parent = self.parent(record)
        while parent is not None and _key(parent) not in told:  # descriptions can be written by hand, in a circle too
            found.append(parent)
            told.add(_key(parent))
            parent = self.parent(parent)
        return tuple(found)

    def generation(self, record: ModelRecord) -> int:
        """Return 1 for a model without a parent here, one more for each ancestor."""
        return 1 + len(self.ancestors(record))

    def in_families(self) -> Iterator[ModelRecord]:
        """Yield every model once, each directly followed by its descendants; otherwise in the order of the models."""
        told: set[Path | str] = set()
        starts = [one for one in self.records if self.parent(one) is None]
        for start in (*starts, *self.records):  # those of a circle have no start
            waiting = [start]
            while waiting:
                record = waiting.pop()
                if _key(record) not in told:
                    told.add(_key(record))
                    yield record
                    waiting += reversed(self.children(record))

    def roll_back(self, record: ModelRecord) -> ModelRecord:
        """Return the parent that a person goes back to; raise `ModelError` that says why there is none."""
        origin, shown = origin_of(record), record.display_name
        if origin is None:
            raise ModelError(f"{shown} was not fine-tuned from another model, so there is nothing to go back to.")
        parent = self.parent(record)
        if parent is not None:
            return parent
        if any(one.name == origin.name and _key(one) != _key(record) for one in self.records):
            raise ModelError(
                f"The weights of {origin.name} are no longer those that {shown} was fine-tuned from. Import a zip file "
                "of the former ones, or choose a model yourself."
            )
        raise ModelError(
            f"{origin.name}, from which {shown} was fine-tuned, is not there any more. Import a zip file of it, or "
            "choose a model yourself."
        )

    def _find_parent(self, record: ModelRecord) -> ModelRecord | None:
        origin = origin_of(record)
        if origin is None:
            return None
        fitting = [one for one in self.records if _key(one) != _key(record) and _is_origin(one, origin)]
        # Copies of one model have the same weights: the one that still has the name comes first.
        return max(fitting, key=lambda one: one.name == origin.name, default=None)


def origin_of(record: ModelRecord) -> Origin | None:
    """Return what is written down of the model that this one was fine-tuned from, or None where it was not."""
    if record.parent is None:
        return None
    told = record.training.get("parent")
    if not isinstance(told, Mapping):
        return Origin(record.parent)
    return Origin(record.parent, str(told.get("version", "")), str(told.get("sha256", "")))


def free_name(record: ModelRecord, places: Iterable[Path]) -> str:
    """Return the next name of a model's line that no place holds: `lgg-2` after `lgg`, `lgg-3` after `lgg-2`.

    A name that a model gives as its parent's is not used again, though that parent may be gone.
    """
    found = re.fullmatch(r"(.+)-(\d+)", record.name) if record.parent is not None else None
    line, number = (record.name, 2) if found is None else (found[1], int(found[2]) + 1)
    places = tuple(places)
    every = model_places(places)
    named = {one.parent for one in list_models(places)}
    while f"{line}-{number}" in named or any((place / f"{line}-{number}").exists() for place in every):
        number += 1
    return f"{line}-{number}"


def learnt_from(record: ModelRecord) -> str:
    """Return what a fine-tuned model learnt from in words, `3 slices in 1 case`; empty where that is not recorded."""
    data = learnt_cases(record)
    if not data:
        return ""
    count = sum(len(slices) for slices in data.values())
    cases = "1 case" if len(data) == 1 else f"{len(data)} cases"
    return cases if not count else f"{'1 slice' if count == 1 else f'{count} slices'} in {cases}"


def learnt_cases(record: ModelRecord) -> dict[str, tuple[str, ...]]:
    """Return the slices that a fine-tuned model learnt from, in words, by case; empty where that is not recorded."""
    data, found = record.training.get("data"), dict[str, tuple[str, ...]]()
    for one in data if isinstance(data, list) else []:
        if isinstance(one, Mapping) and "case" in one:
            case = str(one["case"])
            found[case] = (*found.get(case, ()), *_texts(one.get("slices")))
    return found


def slices_in_words(told: Iterable[str]) -> str:
    """Return slices as `model.json` tells them in few words, neighbours joined: `axial slices 3 and 5 to 9`.

    What is told otherwise is kept as it is; without any slice it was a mask that fills none.
    """
    known, other = [], []
    for one in told:
        found = re.fullmatch(rf"({'|'.join(PLANE_NAMES)}) slice (\d+)", one)
        if found is None:
            other.append(one)
        else:
            known.append(ConfirmedSlice(PLANE_NAMES.index(found[1]), int(found[2])))
    words = describe_slices(known)
    return ", ".join([*([words] if words else []), *other]) or "a mask"


def history_line(record: ModelRecord, parent: ModelRecord | None = None) -> str:
    """Return how a fine-tuned model came about in one sentence; empty for others.

    Args:
        record: The model.
        parent: The model it was fine-tuned from where that is known, which may have another name now.
    """
    if record.parent is None:
        return ""
    when, what = record.training.get("date"), learnt_from(record)
    words = [f"Fine-tuned from {record.parent_display_name if parent is None else parent.display_name}"]
    if isinstance(when, str) and when:
        words.append(f"on {local_time(when)}")
    if what:
        words.append(f"with {what}")
    return f"{' '.join(words)}."


def _is_origin(one: ModelRecord, origin: Origin) -> bool:
    if origin.sha256:
        return one.weights_sha256 == origin.sha256
    return one.name == origin.name and origin.version in ("", one.version)


def _key(record: ModelRecord) -> Path | str:
    return record.name if record.folder is None else record.folder.absolute()


def _texts(slices: Any) -> tuple[str, ...]:
    return tuple(str(one) for one in slices) if isinstance(slices, list) else ()
