"""`HeldLabels`: what is known of the working labels: layer, scheme, counts, volumes, and whether they are saved."""

from __future__ import annotations

import numpy as np
from napari.layers import Labels
from numpy.typing import NDArray
from qtpy.QtCore import QObject, Signal

from napari_brainseg.annotation.editing import LabelEditor
from napari_brainseg.annotation.run_ledger import RunLedger
from napari_brainseg.annotation.volumes import VolumeRow, measure_volumes
from napari_brainseg.cases.labels import LabelArray, LabelScheme
from napari_brainseg.cases.volume import Spacing
from napari_brainseg.plugin.widgets.layer_watch import OUTSIDE


class HeldLabels(QObject):
    """The working labels as others read them; `EditingBridge` changes them.

    Attributes:
        spacing_changed: The size of a voxel is another, or is known now.
        dirty_changed: The labels are unsaved, or are saved again (bool).
    """

    spacing_changed = Signal()
    dirty_changed = Signal(bool)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._layer: Labels | None = None
        self._editor: LabelEditor | None = None
        self._spacing: Spacing | None = None
        self._run: RunLedger | None = None
        self._dirty = False
        self._revision = 0

    def sync(self, source: str = OUTSIDE) -> None:
        """Look for changes that nothing has told of."""
        raise NotImplementedError

    @property
    def layer(self) -> Labels | None:
        """The working layer."""
        return self._layer

    @property
    def scheme(self) -> LabelScheme | None:
        """What the labels mean."""
        return None if self._editor is None else self._editor.scheme

    @property
    def spacing(self) -> Spacing | None:
        """mm along (Z, Y, X), or None where unknown."""
        return self._spacing

    @property
    def labels(self) -> LabelArray | None:
        """The working labels, read-only uint8 (Z, Y, X), after looking for changes that nothing has told of.

        They follow later changes: what goes to a thread or is kept must be a copy.
        """
        self.sync()
        return None if self._editor is None else self._editor.labels

    @property
    def filling(self) -> bool:
        """Whether a model run is filling in the labels; what it delivers counts as a change once it is over."""
        return self._run is not None

    @property
    def edited_in_run(self) -> bool:
        """Whether a person has changed the labels while a run was filling them in."""
        self.sync()
        return self._run is not None and self._run.touched

    @property
    def settled(self) -> LabelArray | None:
        """The labels without what a model run that is not over has delivered: what is worth saving."""
        labels = self.labels
        return labels if self._run is None else self._run.without

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

    def _set_dirty(self, dirty: bool) -> None:
        if dirty != self._dirty:
            self._dirty = dirty
            self.dirty_changed.emit(dirty)
