"""`FinetuneForm`: the settings of a fine-tuning, with defaults that nobody has to change."""

from __future__ import annotations

from qtpy.QtWidgets import QCheckBox, QComboBox, QDoubleSpinBox, QFormLayout, QSpinBox, QWidget

from napari_brainseg.training.finetune_settings import FinetuneSettings

LAYERS = (("all weights", "all"), ("decoder only", "decoder"))
_GENTLE, _STRONG = 1e-4, 1e-3


class FinetuneForm(QWidget):
    """Yields `FinetuneSettings`; the device is chosen under Segment."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        usual = FinetuneSettings()
        self.steps, self.seed, self.keep = QSpinBox(), QSpinBox(), QSpinBox()
        self.steps.setRange(1, 2000)
        self.steps.setValue(usual.steps)
        self.steps.setToolTip("More steps learn more from what is confirmed, and take longer")
        self.rate = QComboBox()
        for text, number in _rates(usual.rate):
            self.rate.addItem(text, number)
        self.rate.setCurrentIndex(self.rate.findData(usual.rate))
        self.rate.setToolTip("How far each step goes; a strong one forgets more")
        self.layers = QComboBox()
        for text, value in LAYERS:
            self.layers.addItem(text, value)
        self.layers.setCurrentIndex(self.layers.findData(usual.layers))
        self.layers.setToolTip("Which weights may change")
        self.replay = QDoubleSpinBox()
        self.replay.setRange(0, 5)
        self.replay.setSingleStep(0.25)
        self.replay.setValue(usual.replay)
        self.replay.setToolTip(
            "How much each step also repeats the old model's own answers, against forgetting; 0 is off"
        )
        self.keep.setRange(0, 99)
        self.keep.setSuffix(" %")
        self.keep.setValue(round(100 * usual.keep))
        self.keep.setToolTip("How much of the old weights stays in the new ones in the end, against forgetting")
        self.seed.setRange(0, 2**31 - 1)
        self.seed.setValue(usual.seed)
        self.seed.setToolTip("The same seed gives the same model on the same machine")
        self.hold_out = QCheckBox("hold a part out to judge by")
        self.hold_out.setChecked(usual.hold_out)
        self.hold_out.setToolTip("A part of what is confirmed is not learnt from; both models are scored on it")
        self._lay_out()

    @property
    def settings(self) -> FinetuneSettings:
        """What the form says."""
        return FinetuneSettings(
            steps=self.steps.value(),
            rate=self.rate.currentData(),
            layers=self.layers.currentData(),
            replay=self.replay.value(),
            keep=self.keep.value() / 100,
            hold_out=self.hold_out.isChecked(),
            seed=self.seed.value(),
        )

    def _lay_out(self) -> None:
        rows = QFormLayout(self)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.addRow("Steps", self.steps)
        rows.addRow("Rate", self.rate)
        rows.addRow("Layers", self.layers)
        rows.addRow("Repeat old answers", self.replay)
        rows.addRow("Keep of old weights", self.keep)
        rows.addRow("Seed", self.seed)
        rows.addRow(self.hold_out)


def _rates(usual: float) -> list[tuple[str, float]]:
    rates = sorted({_GENTLE, usual, _STRONG})
    words = {rate: "gentle" if rate < usual else "strong" for rate in rates} | {usual: "usual"}
    return [(f"{words[rate]}, {rate:g}", rate) for rate in rates]
