import pytest

from napari_brainseg.base.progress import Progress
from napari_brainseg.plugin.widgets.task_row import TaskRow, time_left


@pytest.mark.parametrize(
    ("elapsed", "done", "text"),
    [(10, 50, "10 s left"), (1, 0, ""), (600, 50, "10 min left"), (0.1, 50, ""), (10, 100, "")],
)
def test_time_left_is_proportional_and_silent_while_unknown(elapsed, done, text):
    assert time_left(elapsed, Progress(done, 100)) == text


def test_cancel_stands_in_the_place_of_the_button(qtbot):
    row = TaskRow("Segment")
    qtbot.addWidget(row)
    row.show()
    row.show_running("loading")
    assert row.running
    assert not row.start_button.isVisible()
    assert row.cancel_button.isVisible()

    row.show_progress(Progress(61, 137, "slices 61 of 137"))
    assert (row.bar.value(), row.bar.maximum()) == (61, 137)
    assert row.label.text().startswith("slices 61 of 137")
    with qtbot.waitSignal(row.cancel_requested):
        row.cancel_button.click()

    row.show_idle()
    assert row.start_button.isVisible()
    assert not row.cancel_button.isVisible()


def test_loading_does_not_count_for_the_time_left(qtbot, monkeypatch):
    now = [0.0]
    monkeypatch.setattr("napari_brainseg.plugin.widgets.task_row.time.monotonic", lambda: now[0])
    row = TaskRow("Segment")
    qtbot.addWidget(row)
    row.show_running("starting")
    now[0] = 100.0
    row.show_progress(Progress(0, 0, "loading the model"))
    now[0] = 110.0
    row.show_progress(Progress(5, 10, "slices 5 of 10"))
    assert row.label.text() == "slices 5 of 10 · 10 s left"
