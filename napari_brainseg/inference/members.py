"""The models of a run: chosen, loaded, seen to fit together, and given the images of one common box."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_brainseg.base.errors import ModelError
from napari_brainseg.base.progress import CancelToken, Progress
from napari_brainseg.cases.case import Case
from napari_brainseg.inference.memory import free_memory, require_memory
from napari_brainseg.inference.pixel_size import zoom_for
from napari_brainseg.inference.planning import CPU, tuple_of
from napari_brainseg.inference.predictor import Member
from napari_brainseg.inference.remembered import key_of_network
from napari_brainseg.model_store.model import Model, load_model
from napari_brainseg.model_store.planes import usable
from napari_brainseg.model_store.preprocessing import Box, Preprocessing, brain_box, head_box, prepare
from napari_brainseg.model_store.store import ModelRecord, default_model_for, find_model, list_models, why_not_ours

Choice = Model | ModelRecord | str | Path
_ALIKE = {"outputs": "outputs", "scheme_id": "label schemes", "spatial_dims": "numbers of axes"}
_COARSEST = 32  # voxels that the coarsest networks for slices make one of
_SCALING = 16  # bytes for each voxel that scaling a channel takes, beside its result


@dataclass(frozen=True, eq=False)
class Chosen:
    """A loaded model and the key by which what is learned of it is remembered."""

    model: Model
    key: str


def choices_of(case: Case, choice: Choice | Sequence[Choice] | None) -> list[Model | ModelRecord]:
    """Return the models of a run, found but not loaded; by default the one made for such cases.

    Raises:
        ModelError: There is no such model.
    """
    if choice is None:
        return [_default(case)]
    choices = [choice] if isinstance(choice, (Model, ModelRecord, str, Path)) else choice
    if not choices:
        raise ModelError("An ensemble needs at least one model.")
    return [find_model(one) if isinstance(one, (str, Path)) else one for one in choices]


def external_among(choices: Sequence[Model | ModelRecord]) -> ModelRecord | None:
    """Return the only model where it runs in another environment, None where all run here.

    Raises:
        ModelError: One of several runs in another environment.
    """
    external = [one for one in choices if isinstance(one, ModelRecord) and one.external is not None]
    if external and len(choices) > 1:
        raise ModelError(why_not_ours(external[0]))
    return external[0] if external else None


def chosen_models(choices: Sequence[Model | ModelRecord], token: CancelToken) -> list[Chosen]:
    """Return the models of a run, loaded.

    Raises:
        ModelError: One cannot be loaded, or several do not give the same outputs.
        Cancelled: The token was cancelled meanwhile.
    """
    chosen = []
    for one in choices:
        chosen.append(_loaded(one))
        token.raise_if_cancelled()
    first = chosen[0].model.record
    for other in (c.model.record for c in chosen[1:]):
        for what, words in _ALIKE.items():
            ours, theirs = getattr(first, what), getattr(other, what)
            if ours != theirs:
                raise ModelError(
                    f"{first.name} and {other.name} cannot be averaged: their {words} differ "
                    f"({_in_words(ours)} and {_in_words(theirs)}). Choose models of one kind."
                )
    return chosen


def prepared_members(case: Case, models: Sequence[Model]) -> Generator[Progress, None, tuple[list[Member], Box]]:
    """Return each model with its images, all of one box of the case's grid; reports between models.

    Raises:
        InputError: The case has none of a model's channels, or too little memory is free.
    """
    made: dict[tuple[tuple[str, ...], Preprocessing], tuple[NDArray[np.float32], Box]] = {}
    for model in models:
        how = model.record.channels, model.record.preprocessing
        if how not in made:
            _require_memory(case, *how)
            made[how] = _without_margins(case, model.record, *prepare(case, *how))
            yield Progress(0, 0, "preparing the images")
    boxes = [box for _, box in made.values()]
    common = tuple_of(slice(min(s.start for s in a), max(s.stop for s in a)) for a in zip(*boxes, strict=True))
    placed = {how: _placed(images, box, common) for how, (images, box) in made.items()}
    members = [
        Member(
            m,
            placed[m.record.channels, m.record.preprocessing],
            zoom_for(m.record, case.geometry.spacing, case.geometry.shape),
        )
        for m in models
    ]
    return members, common


def _without_margins(
    case: Case, record: ModelRecord, images: NDArray[np.float32], box: Box
) -> tuple[NDArray[np.float32], Box]:
    """Return images of the head alone where a network sees whole axial slices: beyond it there is no tumour."""
    if record.spatial_dims != 2 or record.preprocessing.crop or record.preprocessing.planes != ("axial",):
        return images, box
    head = head_box([case.channels[name].data for name in record.channels if name in case.channels], _COARSEST)
    return images[:, *head], head


def common_planes(records: Sequence[ModelRecord], case: Case) -> tuple[str, ...]:
    """Return the planes along which all of the models see the case; axial ones where they have none in common."""
    planes = [p for p in records[0].preprocessing.planes if all(p in r.preprocessing.planes for r in records)]
    return usable(planes or ("axial",), case.geometry.spacing)


def _placed(images: NDArray[np.float32], box: Box, common: Box) -> NDArray[np.float32]:
    """Return images (C, z, y, x) of a box as those of a larger one, 0 around them."""
    around = [(b.start - c.start, c.stop - b.stop) for b, c in zip(box, common, strict=True)]
    return np.pad(images, [(0, 0), *around]) if any(n for pair in around for n in pair) else images


def _require_memory(case: Case, channels: Sequence[str], settings: Preprocessing) -> None:
    """Raise `InputError` with numbers where preparing the images would take more memory than is free."""
    present = [case.channels[name].data for name in channels if name in case.channels]
    if not present:
        return  # `prepare` says it
    each = 4 * len(channels) + _SCALING
    voxels = prod(case.geometry.shape)
    if settings.crop and each * voxels > free_memory(CPU):
        # Asked only here, since looking for the box takes time too.
        voxels = prod(s.stop - s.start for s in brain_box(present, settings.margin))
    require_memory(each * voxels, f"{case.id}, {' × '.join(map(str, case.geometry.shape))} voxels,")


def _default(case: Case) -> ModelRecord:
    record = default_model_for(case, list_models())
    if record is None:
        raise ModelError(f"No model takes the channels of {case.id} ({', '.join(case.expected)}). Choose a model.")
    return record


def _loaded(choice: Model | ModelRecord) -> Chosen:
    if isinstance(choice, Model):
        return Chosen(choice, key_of_network(choice.network))
    model = load_model(choice)
    digest = str(model.record.training.get("sha256", ""))[:16]
    return Chosen(model, f"{model.record.name} {digest}" if digest else key_of_network(model.network))


def _in_words(value: Any) -> str:
    return ", ".join(value) if isinstance(value, tuple) else str(value)
