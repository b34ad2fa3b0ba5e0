"""`Predictor`: from prepared images to probabilities, over the members of an ensemble and mirrored copies."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, combinations
from threading import get_ident

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from napari_brainseg.base.errors import ModelError
from napari_brainseg.base.progress import CancelToken
from napari_brainseg.inference.decoding import probability_names, to_probabilities
from napari_brainseg.inference.devices import autocast_in
from napari_brainseg.inference.memory import ran_out_of_memory
from napari_brainseg.inference.pixel_size import UNCHANGED, Zoom, seen_at
from napari_brainseg.inference.planning import Plan, tuple_of
from napari_brainseg.inference.uncertainty import variance_of_sums
from napari_brainseg.inference.windows import Size, Window, window_content
from napari_brainseg.model_store.model import Model
from napari_brainseg.model_store.planes import turned, turned_shape
from napari_brainseg.model_store.preprocessing import stacked


@dataclass(frozen=True, eq=False)
class Member:
    """A model and the images (C, z, y, x) of the box as it wants them; slices of them it sees `zoom` as large."""

    model: Model
    images: NDArray[np.float32]
    zoom: Zoom = UNCHANGED


class Predictor:
    """Computes the mean of the members' probabilities.

    Args:
        members: One model or more, of the same outputs, with images of the same box.
        token: Cancelling it stops a computation at the network's next layer.
        flips: Also average over every mirrored copy.
    """

    def __init__(self, members: Sequence[Member], token: CancelToken, *, flips: bool = False) -> None:
        self.members = members
        self.token = token
        self._flips = flips
        self.outputs = members[0].model.record.outputs
        self.regions = len(probability_names(self.outputs))
        # With more than one answer for each voxel, how far they differ comes as one more map.
        self.varies = flips or len(members) > 1

    @property
    def maps(self) -> int:
        """How many maps there are for each voxel: the probabilities and, where there is one, the variance."""
        return self.regions + self.varies

    @property
    def enlarged(self) -> float:
        """How many times the voxels of a slice a network sees at most, along any plane."""
        return max(max(1.0, z * y, z * x, y * x) for z, y, x in (m.zoom for m in self.members))

    @property
    def shape(self) -> Size:
        """Of the images, (z, y, x)."""
        return tuple_of(self.members[0].images.shape[1:])

    def seen_along(self, plane: str, extent: range) -> Predictor:
        """Return one whose slices follow a plane, of the axial slices in the extent alone."""
        inside = slice(extent.start, extent.stop)
        members = [
            Member(m.model, turned(m.images[:, inside], plane), turned_shape(m.zoom, plane)) for m in self.members
        ]
        return Predictor(members, self.token, flips=self._flips)

    def holds(self, place: Window) -> bool:
        """Whether there is anything in this part of the images."""
        return any(bool(member.images[(slice(None), *place)].any()) for member in self.members)

    def move(self, plan: Plan) -> None:
        """Put the networks on the plan's device, in the memory layout that is fast there."""
        for member in self.members:
            self.token.raise_if_cancelled()
            dims = member.model.record.spatial_dims
            member.model.network.to(plan.device, memory_format=_layout(dims, plan))  # type: ignore[call-overload]

    def slices(self, places: Sequence[int], plan: Plan) -> Tensor:
        """Return maps (R, N, y, x) of slices, fp32 on the plan's device for results."""
        contents = [
            torch.from_numpy(stacked(m.images, places, m.model.record.preprocessing.neighbours)) for m in self.members
        ]
        return self._mean(contents, plan).transpose(0, 1)

    def windows(self, places: Sequence[Window], size: Size, plan: Plan) -> Tensor:
        """Return maps (N, R, *size) of windows, fp32 on the plan's device for results."""
        contents = [torch.stack([window_content(m.images, p, size) for p in places]) for m in self.members]
        return self._mean(contents, plan)

    def part(self, place: Window, plan: Plan) -> Tensor:
        """Return maps of a part of the images, for a network of either kind: of its first slice or of all of it."""
        if self.members[0].model.record.spatial_dims == 3:
            return self.windows([place], tuple_of(s.stop - s.start for s in place), plan)
        contents = [
            torch.from_numpy(
                stacked(m.images[:, :, *place[1:]], [place[0].start], m.model.record.preprocessing.neighbours)
            )
            for m in self.members
        ]
        return self._mean(contents, plan)

    def _mean(self, contents: Sequence[Tensor], plan: Plan) -> Tensor:
        """Return maps (N, R or R + 1, *spatial) for each member's images (N, C, *spatial)."""
        # inference_mode must not be held across a yield: it would leak to the caller.
        with torch.inference_mode():
            total = squares = None
            count = 0
            for member, images in zip(self.members, contents, strict=True):
                for axes in self._mirrors(images.ndim):
                    maps = self._forward(member, images, axes, plan).to(plan.results)
                    count += 1
                    if not self.varies:
                        return maps
                    total = maps.clone() if total is None else total.add_(maps)
                    squares = maps.square() if squares is None else squares.addcmul_(maps, maps)
            assert total is not None
            assert squares is not None
            return torch.cat([total / count, variance_of_sums(total, squares, count)[:, None]], 1)

    def _mirrors(self, ndim: int) -> list[tuple[int, ...]]:
        """Return the sets of axes that are mirrored, the empty one first."""
        if not self._flips:
            return [()]
        axes = range(2, ndim)
        return list(chain.from_iterable(combinations(axes, n) for n in range(len(axes) + 1)))

    def _forward(self, member: Member, images: Tensor, axes: tuple[int, ...], plan: Plan) -> Tensor:
        given = images.flip(axes) if axes else images
        given = given.to(plan.device, memory_format=_layout(images.ndim - 2, plan))
        with autocast_in(plan.device, plan.half), self._stopping(member.model.network):
            maps = to_probabilities(seen_at(member.model.network, given, member.zoom[1:]), self.outputs)
        return maps.flip(axes) if axes else maps

    @contextmanager
    def _stopping(self, network: nn.Module) -> Generator[None, None, None]:
        """Stop at the next layer when the run is cancelled; turn torch's errors into ours, but for those of memory."""
        # A cancelled run may still be at its last layer when the next one starts on the same warm network.
        mine = get_ident()

        def check(*_: object) -> None:
            if get_ident() == mine:
                self.token.raise_if_cancelled()

        hooks = [m.register_forward_pre_hook(check) for m in network.modules() if not list(m.children())]
        try:
            yield
        except RuntimeError as error:
            if ran_out_of_memory(error):
                raise
            name, first = self.members[0].model.record.name, str(error).splitlines()[0]
            raise ModelError(f"The model {name} failed: {first}. Choose another model.") from error
        finally:
            for hook in hooks:
                hook.remove()


def _layout(spatial_dims: int, plan: Plan) -> torch.memory_format:
    """Return the memory layout of images and weights that convolutions are fast in."""
    if spatial_dims == 2:
        return torch.channels_last
    fast = plan.device.type == "cpu" or (plan.device.type == "cuda" and plan.half is not None)
    return torch.channels_last_3d if fast else torch.contiguous_format
