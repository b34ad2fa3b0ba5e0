import numpy as np
import pytest
from qtpy.QtCore import QCoreApplication, QEvent
from qtpy.QtGui import QCloseEvent
from qtpy.QtWidgets import QWidget

from napari_brainseg.plugin.widgets.closing import Answer, Closing


@pytest.fixture
def window(qtbot):
    window = QWidget()
    qtbot.addWidget(window)
    window.show()
    return window


def _close(window):
    event = QCloseEvent()
    event.accept()
    assert event.type() == QEvent.Type.Close
    QCoreApplication.sendEvent(window, event)
    return event.isAccepted()


@pytest.mark.parametrize(
    ("answer", "saves", "closes"),
    [(Answer.SAVE, True, True), (Answer.SAVE, False, False), (Answer.LEAVE, False, True), (Answer.STAY, False, False)],
)
def test_unsaved_work_is_named_and_the_answer_counts(window, answer, saves, closes):
    unsaved, asked, heard = ["The labels of c1 are"], [], []

    def ask(_, what):
        asked.append(what)
        return answer

    closing = Closing(window, lambda: unsaved[0], ask)
    closing.save_requested.connect(lambda: unsaved.__setitem__(0, "" if saves else unsaved[0]))
    closing.closing.connect(lambda: heard.append("closing"))

    assert _close(window) is closes
    assert asked == ["The labels of c1 are"]
    assert heard == (["closing"] if closes else [])


def test_saved_work_closes_without_a_question(window):
    closing = Closing(window, str, lambda *_: pytest.fail("asked"))

    assert _close(window)
    closing.close()


def test_the_workbench_saves_into_the_project_and_the_next_start_goes_on(opened, monkeypatch, qtbot):
    opened.segment_control.start_from(opened.segment_panel.start_box.itemData(0))
    painted = opened.bridge.layer.data.copy()
    painted[1, 2:4, 2:4] = 1
    opened.bridge.apply(painted, "brush")
    monkeypatch.setattr(opened.closing, "_ask", lambda *_: Answer.SAVE)
    assert "Brats18_Test_1_1" in opened._unsaved()
    assert opened.folds["Correct"].summary.full_text == "segmentation, unsaved"
    assert not opened.save_button.isHidden()

    opened.save_button.click()
    assert not opened.bridge.dirty
    assert opened._unsaved() == ""
    assert opened.folds["Correct"].summary.full_text == "working on: segmentation"

    files = opened.case_control.opening.current
    opened.viewer.layers.clear()
    opened.open_paths([files.folder])
    qtbot.waitUntil(lambda: opened.bridge.layer is not None, timeout=20_000)
    np.testing.assert_array_equal(opened.bridge.layer.data, painted)


def test_unsaved_work_of_a_crash_comes_back(make_napari_viewer, opened, own_home, qtbot):
    from napari_brainseg.plugin.widgets.workbench import Workbench

    opened.segment_control.start_from(opened.segment_panel.start_box.itemData(0))
    painted = opened.bridge.layer.data.copy()
    painted[1, 2:4, 2:4] = 1
    opened.bridge.apply(painted, "brush")
    opened.recovery.write().result(10)
    opened.close_down()

    viewer = make_napari_viewer()
    workbench = Workbench(viewer)
    viewer.window.add_dock_widget(workbench, name="Brain segmentation", area="right")
    offers = workbench.recovery_offer.recoveries
    assert [offer.note.case_id for offer in offers] == ["Brats18_Test_1_1"]

    workbench.recovery_offer.restore_requested.emit(offers[0])
    qtbot.waitUntil(lambda: workbench.bridge.layer is not None, timeout=20_000)
    np.testing.assert_array_equal(workbench.bridge.layer.data, painted)
    assert workbench.recovery_offer.recoveries == ()
    workbench.close_down()
