import math

import pytest

from napari_brainseg.base.progress import Progress
from napari_brainseg.plugin.widgets.learn_panel import LearnPanel
from napari_brainseg.plugin.widgets.loss_curve import DICE, HELD_OUT, LOSS, LossCurve, smoothed
from napari_brainseg.training.finetune_settings import FinetuneSettings
from napari_brainseg.training.finetuning import FinetuneReport
from napari_brainseg.training.seat_belt import Kind, Scored, SeatBelt


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
    assert panel.form.isVisible()
    panel.form.steps.setValue(12)
    panel.row.start_button.click()

    assert asked[1] == FinetuneSettings(steps=12)


def test_progress_moves_the_bar_and_the_curve(panel):
    panel.show_running()
    assert panel.row.running
    assert panel.curve.isVisible()

    panel.show_progress(Progress(0, 0, "reading the corrected cases"))
    panel.show_progress(FinetuneReport(1, 40, "step 1 of 40", 1.5, 0.2))
    panel.show_progress(FinetuneReport(2, 40, "step 2 of 40", 1.25, 0.3, 0.4))

    assert panel.row.bar.value() == 2
    assert panel.curve.losses == (1.5, 1.25)
    assert panel.curve.held_out == {2: 0.4}


def test_cancel_is_asked_for_and_said(panel):
    asked = []
    panel.cancel_requested.connect(lambda: asked.append(1))
    panel.show_running()

    panel.row.cancel_button.click()
    panel.show_idle()
    panel.show_outcome("Cancelled. Nothing was kept.")

    assert asked == [1]
    assert not panel.row.running
    assert panel.outcome.text() == "Cancelled. Nothing was kept."


def test_a_model_that_waits_holds_the_next_run(panel):
    panel.show_confirmed("1 slice in 1 case confirmed", "lgg", "lgg labels in LGG.")
    panel.show_undecided()

    assert not panel.row.start_button.isEnabled()
    assert panel.state.text() == "Accept or discard the new model first."
    assert panel.fit.isHidden()


def test_what_of_the_classes_fits_is_said(panel):
    panel.show_confirmed("1 slice in 1 case confirmed", "lgg", "lgg labels in LGG.")
    assert (panel.fit.text(), panel.fit.isVisible()) == ("lgg labels in LGG.", True)

    panel.show_confirmed("", "lgg", "lgg needs pre, so it cannot learn from this case.")
    assert panel.state.text() == ""
    assert not panel.row.start_button.isEnabled()


def test_an_error_goes_away_with_the_next_run(panel):
    panel.show_error("The disk is full.")
    assert panel.error.isVisible()

    panel.show_running()

    assert not panel.error.isVisible()


def test_no_text_widens_the_panel(panel):
    panel.show_error("/a/very/long/path" * 30)
    scored = tuple(
        Scored(kind, "slice 61", dict.fromkeys(("WT", "TC", "ET"), 0.5), dict.fromkeys(("WT", "TC", "ET"), 0.75))
        for kind in Kind
    )
    panel.box.show_candidate(SeatBelt(scored, "2 of 9 slices: 61, 62"), ["/a/very/long/path" * 30])
    panel.box.show_difference(12345678, shown=True)
    panel.box.show_take(100, 155, 12345678)
    panel.form.show()

    assert panel.minimumSizeHint().width() <= 320


def is_near(pixel, colour):
    pairs = zip(pixel.getRgb()[:3], colour.getRgb()[:3], strict=True)
    return max(abs(mine - wanted) for mine, wanted in pairs) < 40


def test_the_curve_paints_falling_loss_and_rising_dice(qtbot):
    curve = LossCurve()
    qtbot.addWidget(curve)
    curve.resize(200, 84)
    for step in range(10):
        curve.add(10, 1.0 - step / 10, step / 10, 0.5 if step in (2, 7) else math.nan)
    curve.add(10, math.nan, math.nan)

    image = curve.grab().toImage()

    def height_of(colour, share):
        x = int(share * image.width())
        near = [y for y in range(image.height() // 4, image.height()) if is_near(image.pixelColor(x, y), colour)]
        return sum(near) / len(near)

    assert len(curve.losses) == 10
    assert height_of(HELD_OUT, 2 / 9) == pytest.approx(height_of(HELD_OUT, 7 / 9), abs=1)
    assert height_of(LOSS, 0.2) < height_of(LOSS, 0.8)
    assert height_of(DICE, 0.2) > height_of(DICE, 0.8)


def test_the_trend_of_a_constant_is_that_constant():
    assert smoothed([2.0, 2.0, 2.0]) == pytest.approx([2.0, 2.0, 2.0])
    assert smoothed([1.0, 0.0])[1] == pytest.approx(0.7 / 1.7)
