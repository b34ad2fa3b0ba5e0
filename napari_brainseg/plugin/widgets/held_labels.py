"""`HeldLabels`: what is known, and said, of the working labels: layer, scheme, volumes, whether they are saved."""

from __future__ import annotations

from typing import Any

import numpy as np
from napari.layers import Labels
from numpy.typing import NDArray
from qtpy.QtCore import QObject, Signal

from napari_brainseg.annotation.editing import ForeignValues, LabelEditor
from napari_brainseg.annotation.edits import Edit
from napari_brainseg.annotation.run_ledger import RunLedger
from napari_brainseg.annotation.volumes import VolumeRow, measure_volumes
from napari_brainseg.cases.labels import LabelScheme
from napari_brainseg.cases.volume import Spacing
from napari_brainseg.plugin.widgets.edit_place import go_to_slice


class HeldLabels(QObject):
    """The working labels as others read them; `EditingBridge` changes them.

    Attributes:
        spacing_changed: The size of a voxel is another, or is known now.
        dirty_changed: The labels are unsaved, or are saved again (bool).
        kept: A whole step in terms of `EditingBridge.settled`, the labels without what a running model has delivered
            (`Edit`): what is worth keeping.
        foreign_found: A change brought values outside the scheme (`ForeignValues`).
        said: A sentence for the person at the screen.
    """

    spacing_changed = Signal()
    dirty_changed = Signal(bool)
    kept = Signal(object)
    foreign_found = Signal(object)
    said = Signal(str)

    def __init__(self, viewer: Any, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._layer: Labels | None = None
        self._editor: LabelEditor | None = None
        self._spacing: Spacing | None = None
        self._run: RunLedger | None = None
        self._stroke: list[Edit] | None = None
        self._dirty = False
        self._revision = 0

    @property
    def layer(self) -> Labels | None:
        """The working layer."""
        return self._layer

    @property
    def dims(self) -> Any:
        """The viewer's dims: which axes are shown, and painted."""
        return self._viewer.dims

    @property
    def scheme(self) -> LabelScheme | None:
        """What the labels mean."""
        return None if self._editor is None else self._editor.scheme

    @property
    def spacing(self) -> Spacing | None:
        """mm along (Z, Y, X), or None where unknown."""
        return self._spacing

    @property
    def filling(self) -> bool:
        """Whether a model run is filling in the labels; what it delivers counts as a change once it is over."""
        return self._run is not None

    @property
    def stroking(self) -> bool:
        """Whether a stroke goes on, which becomes a step at its end."""
        return self._stroke is not None

    @property
    def counts(self) -> NDArray[np.int64]:
        """How many voxels hold each value, 0 to 255; zeros without a working layer."""
        return np.zeros(256, np.int64) if self._editor is None else self._editor.counts

    @property
    def foreign(self) -> dict[int, int]:
        """How many voxels hold each value outside the scheme."""
        return {} if self._editor is None else self._editor.foreign

    @property
    def dirty(self) -> bool:
        """Whether the labels hold changes that are not saved."""
        return self._dirty

    @property
    def revision(self) -> int:
        """A number that grows with every change; give it to `mark_saved` to say which labels were saved."""
        return self._revision

    def volumes(self) -> tuple[VolumeRow, ...]:
        """Return the volumes of classes, regions and foreign values."""
        if self._editor is None:
            return ()
        mm3 = None if self._spacing is None else float(np.prod(self._spacing))
        return measure_volumes(self._editor.counts, self._editor.scheme, mm3)

    @property
    def locked(self) -> frozenset[int]:
        """Values of the locked classes."""
        return frozenset() if self._editor is None else self._editor.locked

    def set_spacing(self, spacing: Spacing | None) -> None:
        """Say how large a voxel is, mm along (Z, Y, X); history and labels stay as they are."""
        if spacing != self._spacing:
            self._spacing = spacing
            self.spacing_changed.emit()

    def mark_saved(self, revision: int | None = None) -> None:
        """Say that the labels are saved, unless they have changed since `revision`."""
        if revision is None or revision == self._revision:
            self._set_dirty(False)

    def mark_unsaved(self) -> None:
        """Say that the labels differ from what is saved, as after restoring unsaved work."""
        self._set_dirty(True)

    def go_to_foreign(self) -> None:
        """Go to the first slice that holds a value outside the scheme."""
        z = None if self._editor is None else self._editor.foreign_slice()
        if z is not None:
            go_to_slice(self._viewer, self._layer, z)

    def refuse_class(self, value: int) -> None:
        """Say that the scheme has no class `value`."""
        if self._editor is not None:
            self._say(f"{self._editor.scheme.title} has no class {value}.")

    def _tell_of_foreign(self, z: int) -> None:
        if self.foreign:
            self.foreign_found.emit(ForeignValues(self.foreign, z))

    def _say(self, sentence: str) -> None:
        self._viewer.status = sentence
        self.said.emit(sentence)

    def _say_refused(self, voxels: int) -> None:
        self._say(f"{voxels:,} voxels of locked classes were left as they are.")

    def _set_dirty(self, dirty: bool) -> None:
        if dirty != self._dirty:
            self._dirty = dirty
            self.dirty_changed.emit(dirty)
