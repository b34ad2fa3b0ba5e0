"""`Described`: what the files of a model of another program say of it. Only JSON is read here; nothing is loaded."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from napari_brainseg.base.errors import ModelError
from napari_brainseg.cases.labels import LabelScheme
from napari_brainseg.model_store.external import External


@dataclass(frozen=True)
class Described:
    """What was found out.

    Attributes:
        title: One line on what it is.
        channel_words: The images that it takes, in order, as its files call them.
        scheme: What its labels mean.
        external: Where it lies and how it is run, without what runs it.
        orientation_from: Where the order of axes was learnt; empty where nothing tells it.
    """

    title: str
    channel_words: tuple[str, ...]
    scheme: LabelScheme
    external: External
    orientation_from: str = ""


@dataclass(frozen=True)
class AddSettings:
    """What a person says of a model in the place of its files.

    Attributes:
        name: What to call it; empty for a name made from its folder's.
        channels: The images that it takes, in order; empty for what its files say.
        scheme: Whose values on disk its label values are; None for what its files say.
        orientation: The order of axes of the files that it gets, `file` for that of each case, or empty for what was
            found out.
        folds: nnU-Net's folds; empty for all.
        checkpoint: nnU-Net's file of weights in each fold.
        allow_code: Whether code that comes with the model may run.
        replace: Whether an external model of this name may be replaced.
    """

    name: str = ""
    channels: tuple[str, ...] = ()
    scheme: LabelScheme | None = None
    orientation: str = ""
    folds: tuple[str, ...] = ()
    checkpoint: str = "checkpoint_final.pth"
    allow_code: bool = False
    replace: bool = False


def read_description(path: Path) -> Mapping[str, Any]:
    """Return what a JSON file says; raise `ModelError` where it cannot be read or says something else."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ModelError(f"{path} cannot be read ({error.strerror}). Choose another folder.") from error
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{path} is no JSON file ({error}). Choose another folder.") from error
    if not isinstance(found, dict):
        raise ModelError(f"{path} does not describe a model. Choose another folder.")
    return found


def group(facts: Mapping[str, Any], *names: str) -> Mapping[str, Any]:
    """Return the group that lies below these names in a description; empty where there is none."""
    for name in names:
        found = facts.get(name)
        facts = found if isinstance(found, dict) else {}
    return facts


def in_order(numbered: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the words of `{"0": "T1", "1": "FLAIR"}` in the order of their numbers."""
    return tuple(str(numbered[key]) for key in sorted(numbered, key=lambda key: (len(key), key)))


def values_of_scheme(scheme: LabelScheme, values: Iterable[int]) -> dict[int, int]:
    """Return the program value of each of these values on disk; raise `LabelError` for one that the scheme lacks."""
    several: Sequence[int] = list(values)
    program = scheme.from_disk(np.array(several, np.int64))
    return {value: int(own) for value, own in zip(several, program, strict=True)}
