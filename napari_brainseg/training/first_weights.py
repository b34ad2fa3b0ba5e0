"""The weights that a run begins with: those of another model, also of one with other sequences or other outputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from torch import Tensor, nn

from napari_brainseg.base.errors import TrainingError
from napari_brainseg.model_store.model import load_model
from napari_brainseg.model_store.store import ModelRecord

# The LGG set calls T1 before and after contrast agent by when they were taken.
_ALSO = {"pre": "t1", "post": "t1ce"}


def load_first_weights(network: nn.Module, record: ModelRecord, model: str) -> None:
    """Give a network the weights of a model, as far as they mean the same.

    Where the two take other channels or give other outputs, the first layer is taken channel by channel and the last
    one output by output, by their names; what has no counterpart stays as it is. T1 and T1ce have one in the LGG set's
    pre and post.

    Args:
        network: Of the run, new; is changed.
        record: Of the run's model.
        model: Name or folder of the other.

    Raises:
        TrainingError: The two networks differ in more than that.
        ModelError: There is no such model.
    """
    given = load_model(model)
    own, theirs = network.state_dict(), given.network.state_dict()
    channels = _Counterparts.of(_known(given.record.channels), _known(record.channels))
    outputs = _Counterparts.of(given.record.outputs, record.outputs)
    layers = [name for name, weight in own.items() if weight.ndim > 1]
    last = layers[-1].rpartition(".")[0]
    # Of nearly all networks the first layer alone sees the image, and the last one has an output for each class.
    seeing: Mapping[str, tuple[int, int]] = getattr(network, "channel_inputs", {layers[0]: (0, 1)})
    each: int = getattr(network, "outputs_of_each", 1)
    try:
        for name in own.keys() & theirs.keys():
            if name in seeing:
                theirs[name] = channels.taken(own[name], theirs[name], 1, *seeing[name])
            elif name.rpartition(".")[0] == last or own[name].shape != theirs[name].shape:
                theirs[name] = outputs.taken(own[name], theirs[name], 0, 0, each)
        network.load_state_dict(theirs)
    except RuntimeError as error:
        raise TrainingError(
            f"The weights of {model} do not fit the network of this run. Give it the same network and options."
        ) from error


@dataclass(frozen=True)
class _Counterparts:
    """Where the names that two models share are in either."""

    theirs: list[int]
    own: list[int]
    counts: tuple[int, int]

    @classmethod
    def of(cls, theirs: Sequence[str], own: Sequence[str]) -> Self:
        both = [name for name in own if name in theirs]
        return cls([theirs.index(n) for n in both], [own.index(n) for n in both], (len(theirs), len(own)))

    def taken(self, own: Tensor, theirs: Tensor, axis: int, first: int, each: int) -> Tensor:
        """Return a weight with what is shared along an axis from theirs; theirs where the axis is of something else.

        The axis has `first` places of something else, which are theirs, and then `each` for every name.
        """
        if (theirs.shape[axis], own.shape[axis]) != tuple(first + each * count for count in self.counts):
            return theirs
        result = own.clone()
        places = [
            list(range(first)) + [first + n * each + k for n in of for k in range(each)]
            for of in (self.own, self.theirs)
        ]
        result.movedim(axis, 0)[places[0]] = theirs.movedim(axis, 0)[places[1]].to(own)
        return result


def _known(channels: Sequence[str]) -> list[str]:
    return [_ALSO.get(name, name) for name in channels]
