import math

import pytest

from napari_brainseg.base.progress import Progress
from napari_brainseg.plugin.widgets.learn_panel import LearnPanel
from napari_brainseg.plugin.widgets.loss_curve import DICE, LOSS, LossCurve, smoothed
from napari_brainseg.training.finetune_settings import FinetuneSettings
from napari_brainseg.training.finetuning import FinetuneReport


@pytest.fixture
def panel(qtbot):
    made = LearnPanel()
    qtbot.addWidget(made)
    made.resize(340, 400)
    made.show()
    return made


def test_says_what_to_do_while_nothing_is_confirmed(panel):
    panel.show_confirmed("", "lgg")

    assert not panel.row.start_button.isEnabled()
    assert panel.state.text() == "Correct a slice, then confirm it with K. One is enough to start."


def test_asks_for_a_model(panel):
    panel.show_confirmed("7 slices in 1 case confirmed", "")

    assert not panel.row.start_button.isEnabled()
    assert panel.state.text() == "7 slices in 1 case confirmed. Choose a model under Segment first."


def test_the_button_asks_with_what_the_form_says(panel, qtbot):
    panel.show_confirmed("1 slice in 1 case confirmed", "lgg")
    asked = []
    panel.finetune_requested.connect(asked.append)
    panel.row.start_button.click()
    assert asked == [FinetuneSettings()]

    panel.advanced.click()
    assert panel.layers.isVisible()
    panel.layers.setCurrentText("decoder only")
    panel.steps.setValue(12)
    panel.rate.setCurrentText("gentle, 0.0001")
    panel.row.start_button.click()

    assert asked[1] == FinetuneSettings(steps=12, rate=1e-4, layers="decoder")


def test_progress_moves_the_bar_and_the_curve(panel):
    panel.show_running()
    assert panel.row.running
    assert panel.curve.isVisible()

    panel.show_progress(Progress(0, 0, "reading the corrected cases"))
    panel.show_progress(FinetuneReport(1, 40, "step 1 of 40", 1.5, 0.2))
    panel.show_progress(FinetuneReport(2, 40, "step 2 of 40", 1.25, 0.3))

    assert panel.row.bar.value() == 2
    assert panel.curve.losses == (1.5, 1.25)


def test_cancel_is_asked_for_and_said(panel):
    asked = []
    panel.cancel_requested.connect(lambda: asked.append(1))
    panel.show_running()

    panel.row.cancel_button.click()
    panel.show_idle()
    panel.show_cancelled()

    assert asked == [1]
    assert not panel.row.running
    assert panel.outcome.text() == "Cancelled. Nothing was kept."


def test_the_table_compares_before_and_after(panel):
    panel.show_result("brats-2", {"WT": 0.5, "TC": 0.25, "ET": 0.75}, {"WT": 0.625, "TC": 0.25, "ET": 0.5})
    panel.show_result("lgg-2", {"WT": 0.5}, {"WT": 0.625})

    assert panel.outcome.text().startswith("lgg-2 is ready")
    assert panel.table_text() == [["", "before", "after", "change"], ["WT", "0.500", "0.625", "+0.125"]]
    panel.show_running()
    assert not panel.outcome.isVisible()


def test_an_error_goes_away_with_the_next_run(panel):
    panel.show_error("The disk is full.")
    assert panel.error.isVisible()

    panel.show_running()

    assert not panel.error.isVisible()


def test_no_text_widens_the_panel(panel):
    panel.show_error("/a/very/long/path" * 30)
    panel.show_result("x" * 20, {"WT": 0.5, "TC": 0.5, "ET": 0.5}, {"WT": 0.5, "TC": 0.5, "ET": 0.5})

    assert panel.minimumSizeHint().width() <= 320


def is_near(pixel, colour):
    pairs = zip(pixel.getRgb()[:3], colour.getRgb()[:3], strict=True)
    return max(abs(mine - wanted) for mine, wanted in pairs) < 40


def test_the_curve_paints_falling_loss_and_rising_dice(qtbot):
    curve = LossCurve()
    qtbot.addWidget(curve)
    curve.resize(200, 84)
    for step in range(10):
        curve.add(10, 1.0 - step / 10, step / 10)
    curve.add(10, math.nan, math.nan)

    image = curve.grab().toImage()

    def height_of(colour, share):
        x = int(share * image.width())
        near = [y for y in range(image.height() // 4, image.height()) if is_near(image.pixelColor(x, y), colour)]
        return sum(near) / len(near)

    assert len(curve.losses) == 10
    assert height_of(LOSS, 0.2) < height_of(LOSS, 0.8)
    assert height_of(DICE, 0.2) > height_of(DICE, 0.8)


def test_the_trend_of_a_constant_is_that_constant():
    assert smoothed([2.0, 2.0, 2.0]) == pytest.approx([2.0, 2.0, 2.0])
    assert smoothed([1.0, 0.0])[1] == pytest.approx(0.7 / 1.7)
