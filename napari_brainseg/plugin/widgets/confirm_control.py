"""`ConfirmControl`: joins the buttons that confirm with the confirmations."""

from __future__ import annotations

from qtpy.QtCore import QObject

from napari_brainseg.plugin.widgets.confirm_row import Confirmable, ConfirmRow, Several
from napari_brainseg.plugin.widgets.confirmations import Confirmations


class ConfirmControl(QObject):
    """Does what the row asks for, and shows in it what is confirmed."""

    def __init__(self, row: ConfirmRow, confirmations: Confirmations, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._row, self._confirmations = row, confirmations
        row.confirm_requested.connect(confirmations.confirm_slice)
        row.unconfirm_requested.connect(confirmations.take_back)
        row.range_requested.connect(confirmations.confirm_range)
        row.range_back_requested.connect(confirmations.take_back_range)
        row.several_requested.connect(self._on_several_requested)
        confirmations.changed.connect(self.show)
        confirmations.shown_changed.connect(self.show)
        confirmations.seen.changed.connect(self.show)
        self.show()

    def show(self) -> None:
        """Show the present state."""
        known = self._confirmations
        shown = known.shown
        self._row.show_confirmable(
            Confirmable(
                words="" if known.case is None else known.count_text,
                confirmed=known.is_confirmed(),
                here=None if shown is None else shown.index,
                length=0 if shown is None else known.length,
                seen=0 if shown is None else len(known.seen_unchanged()),
                last=len(known.last),
                anything=known.mask is not None and bool(known.mask.any()),
            )
        )

    def _on_several_requested(self, what: Several) -> None:
        known = self._confirmations
        {
            Several.SEEN: known.confirm_seen,
            Several.CASE: known.confirm_case,
            Several.LAST_BACK: known.take_back_last,
            Several.ALL_BACK: known.take_back_case,
        }[what]()
