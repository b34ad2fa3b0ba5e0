"""`SlicePlaces`: where to look next in the open case, found beside the window and walked through with N."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QObject, QTimer, Signal

from napari_brainseg.annotation.case_worklist import Outlook
from napari_brainseg.annotation.slice_suspicion import Evidence
from napari_brainseg.annotation.worklist import Place, expected_error, rank_signs, signs_of
from napari_brainseg.base.errors import LabelError
from napari_brainseg.base.progress import Progress
from napari_brainseg.cases.case import Case
from napari_brainseg.cases.labels import LabelArray, LabelScheme
from napari_brainseg.cases.segmentation import Segmentation
from napari_brainseg.plugin.widgets.background import BackgroundTask, run_in_background
from napari_brainseg.plugin.widgets.confirmations import Confirmations
from napari_brainseg.plugin.widgets.editing_bridge import EditingBridge
from napari_brainseg.plugin.widgets.segment_control import go_to_slice

# The labels are looked at again once the hand rests this long.
REST_MS = 700


@dataclass(frozen=True, eq=False)
class _Answer:
    """What models gave: labels, how unsure they were, and what another model had given before."""

    labels: LabelArray
    scheme: LabelScheme
    model: str
    doubt: NDArray[np.float16] | None
    former: tuple[LabelArray, LabelScheme] | None = None


class SlicePlaces(QObject):
    """Ranks the axial slices of the working labels and shows one after another.

    Signals:
        changed(): The places, or which of them were shown, are others now.
        looked(object, object): The `Case`, and what its labels look like now (`Outlook`).
        said(str): Which place is shown and why.
    """

    changed = Signal()
    looked = Signal(object, object)
    said = Signal(str)

    def __init__(
        self, viewer: Any, bridge: EditingBridge, confirmations: Confirmations, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._viewer, self._bridge, self._confirmations = viewer, bridge, confirmations
        self._answer: _Answer | None = None
        self._signs: dict[str, Evidence] = {}
        self._confirmed: frozenset[int] = frozenset()
        self._visited: list[Place] = []
        self._position = -1
        self._task: BackgroundTask | None = None
        self.places: list[Place] = []
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(REST_MS)
        self._timer.timeout.connect(self._look)
        bridge.edited.connect(self._on_edited)
        bridge.working_changed.connect(self._on_working_changed)
        confirmations.changed.connect(self._on_confirmed)

    @property
    def here(self) -> Place | None:
        """The place that was shown last, while it still is one."""
        return self._visited[self._position] if self._position >= 0 else None

    @property
    def next_places(self) -> list[Place]:
        """The places that have not been shown yet in this round, the most promising first."""
        seen = {place.index for place in self._visited}
        return [place for place in self.places if place.index not in seen]

    def take_answer(self, result: Segmentation, slice: int | None) -> None:
        """Remember what a model gave and where it was unsure, of the whole case or of one slice along Z."""
        former, doubt, labels = self._answer, result.uncertainty, result.labels
        before = None
        if slice is not None:
            if former is None or former.scheme != result.scheme or former.doubt is None or doubt is None:
                return  # what is known of one slice alone would outweigh all others
            labels, whole = former.labels.copy(), former.doubt.copy()
            labels[slice], whole[slice] = result.labels[slice], doubt[slice]
            doubt, before = whole, former.former
        elif former is not None and former.model != result.model:
            before = (former.labels, former.scheme)
        self._answer = _Answer(labels, result.scheme, result.model, doubt, before)
        self._begin_round()
        self._timer.start(0)

    def forget_answer(self) -> None:
        """Work goes on from labels that no model of this window gave."""
        self._answer = None
        self._begin_round()
        self._timer.start(0)

    def forget(self) -> None:
        """Let go of the case."""
        self._stop()
        self._answer = None
        self._clear()

    def go_next(self) -> None:
        """Show the next place to look at, and say why; after the last one begin again."""
        ahead = [i for i in range(self._position + 1, len(self._visited)) if self._is_place(self._visited[i])]
        if ahead:
            self._show(ahead[0])
            return
        waiting = self.next_places
        if not waiting and self.places:
            self._begin_round()
            waiting = self.next_places
        if not waiting:
            self.said.emit(self._why_none())
            return
        self._visited.append(waiting[0])
        self._show(len(self._visited) - 1)

    def go_back(self) -> None:
        """Show the place that was shown before this one."""
        before = [i for i in range(self._position) if self._is_place(self._visited[i])]
        if before:
            self._show(before[-1])
        else:
            self.said.emit("There is no earlier place to look at.")

    def go_to(self, place: Place) -> None:
        """Show a place out of its turn."""
        self._visited = self._visited[: self._position + 1]
        self._visited.append(place)
        self._show(len(self._visited) - 1)

    def close(self) -> None:
        """Stop and disconnect."""
        self._stop()
        self._bridge.edited.disconnect(self._on_edited)
        self._bridge.working_changed.disconnect(self._on_working_changed)
        self._confirmations.changed.disconnect(self._on_confirmed)

    def _on_edited(self) -> None:
        self._timer.start(REST_MS)

    def _on_working_changed(self, layer: Any) -> None:
        self._stop()
        self._clear()
        if layer is not None:
            self._timer.start(0)

    def _on_confirmed(self) -> None:
        confirmed = self._confirmations.confirmed_along(0)
        if confirmed != self._confirmed:
            self._confirmed = confirmed
            self._rank()

    def _look(self) -> None:
        """Look at the labels in a thread; the places there are stay until others are known."""
        case, labels, scheme = self._confirmations.case, self._bridge.labels, self._bridge.scheme
        if case is None or labels is None or scheme is None or self._bridge.filling:
            return  # the end of a run is told as an edit
        self._stop()
        self._task = run_in_background(
            _signs(labels.copy(), scheme, self._answer),
            returned=partial(self._on_looked, case, scheme),
            errored=self.said.emit,
        )

    def _on_looked(self, case: Case, scheme: LabelScheme, signs: dict[str, Evidence]) -> None:
        self._signs = signs
        self._rank()
        counts = signs["area"].by_class.sum(axis=0)
        voxels = int(counts[list(scheme.regions[0].values)].sum())
        volume = case.geometry.voxel_volume
        ml = None if volume is None else voxels * volume / 1000
        self.looked.emit(case, Outlook(expected_error(signs), voxels, ml))

    def _rank(self) -> None:
        self.places = rank_signs(self._signs, self._confirmed)
        self.changed.emit()

    def _show(self, position: int) -> None:
        case = self._confirmations.case
        if case is None:
            return
        self._position = position
        dims, index = self._viewer.dims, self._visited[position].index
        if dims.ndisplay != 2 or dims.ndim - 3 in dims.displayed:
            dims.ndisplay = 2
            dims.order = tuple(range(dims.ndim))
        go_to_slice(self._viewer, case, index)
        self.changed.emit()
        # The words as they are now: the labels may have changed since this place was first shown.
        place = next((place for place in self.places if place.index == index), self._visited[position])
        self.said.emit(f"Slice {index}: {place.reason}.")

    def _is_place(self, place: Place) -> bool:
        return any(place.index == other.index for other in self.places)

    def _begin_round(self) -> None:
        self._visited, self._position = [], -1

    def _clear(self) -> None:
        self._begin_round()
        self._signs, self.places = {}, []
        self.changed.emit()

    def _stop(self) -> None:
        self._timer.stop()
        if self._task is not None:
            self._task.cancel()

    def _why_none(self) -> str:
        if self._bridge.layer is None:
            return "There are no working labels yet. Segment the case, or start from labels."
        return "No slice looks wrong that is not confirmed already."


def _signs(
    labels: LabelArray, scheme: LabelScheme, answer: _Answer | None
) -> Generator[Progress, None, dict[str, Evidence]]:
    yield Progress(0, 0, "looking at the slices")
    if answer is None:
        return signs_of(labels, scheme)
    predicted = _converted((answer.labels, answer.scheme), scheme)
    doubt = answer.doubt
    if doubt is not None and predicted is not None:
        # What a person has changed is no longer the model's to doubt.
        doubt = np.where(labels == predicted, doubt, np.float16(0))
    return signs_of(labels, scheme, uncertainty=doubt, other=_converted(answer.former, scheme))


def _converted(labels: tuple[LabelArray, LabelScheme] | None, scheme: LabelScheme) -> LabelArray | None:
    try:
        return None if labels is None else labels[1].convert(labels[0], scheme)
    except LabelError:
        return None
