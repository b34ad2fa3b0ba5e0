from types import SimpleNamespace

import numpy as np
import pytest
from qtpy.QtWidgets import QWidget

from napari_brainseg.annotation.journal import list_journals
from napari_brainseg.plugin.widgets.closing import Answer, Closing


@pytest.fixture
def clean_window(make_napari_viewer):
    """A window of its own, since it is closed here."""
    return make_napari_viewer()


@pytest.fixture
def window(qtbot):
    window = QWidget()
    qtbot.addWidget(window)
    window.show()
    return window


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

    assert window.close() is closes
    assert asked == ["The labels of c1 are"]
    assert heard == (["closing"] if closes else [])


def test_saved_work_closes_without_a_question(window):
    closing = Closing(window, str, lambda *_: pytest.fail("asked"))

    assert window.close()
    closing.close()


def found_in(workbench):
    """The journals in the workbench's project."""
    return list_journals(workbench.project_control.project.journal_folders())[0]


class _AsksItself(QWidget):
    """As napari's window, which asks in its own `closeEvent`."""

    stays = True

    def closeEvent(self, event):
        event.setAccepted(not self.stays)


def test_a_close_that_napari_calls_off_is_no_close(qtbot):
    window, heard = _AsksItself(), []
    qtbot.addWidget(window)
    window.show()
    closing = Closing(window, str)
    closing.may_close.connect(lambda: heard.append("may close"))
    closing.closing.connect(lambda: heard.append("closing"))

    assert not window.close()
    assert heard == ["may close"]
    window.stays = False
    assert window.close()
    assert heard == ["may close", "may close", "closing"]


def test_a_window_that_a_script_never_showed_closes_too(qtbot):
    window, heard = QWidget(), []
    qtbot.addWidget(window)
    closing = Closing(window, str)
    closing.closing.connect(lambda: heard.append("closing"))

    window.close()
    assert heard == ["closing"]


def test_the_workbench_outlives_a_close_that_was_called_off(
    make_napari_viewer, case_folder, own_home, monkeypatch, qtbot
):
    from napari._qt.qt_main_window import ConfirmCloseDialog
    from napari.settings import get_settings
    from qtpy.QtWidgets import QDialog

    from napari_brainseg.plugin.widgets.canvas import main_window
    from napari_brainseg.plugin.widgets.workbench import Workbench

    viewer = make_napari_viewer(show=True)
    workbench = Workbench(viewer)
    viewer.window.add_dock_widget(workbench, name="Brain segmentation", area="right")
    workbench.open_paths([case_folder])
    qtbot.waitUntil(lambda: workbench.case is not None, timeout=20_000)
    workbench.segment_control.start_from(workbench.segment_panel.start_box.itemData(0))
    workbench.bridge.layer.paint((1, 10, 10), 1)
    monkeypatch.setattr(workbench.closing, "_ask", lambda *_: Answer.LEAVE)
    monkeypatch.setattr(ConfirmCloseDialog, "exec_", lambda _: QDialog.DialogCode.Rejected)
    monkeypatch.setattr(get_settings().application, "confirm_close_window", True)
    window = main_window(viewer)
    # As the X of the window does: napari asks only where the system closes it.
    monkeypatch.setattr(type(window), "closeEvent", _spontaneously(type(window).closeEvent))

    assert not window.close()
    assert len(found_in(workbench)) == 1
    assert workbench.bridge.layer is not None
    workbench.close_down()


@pytest.mark.usefixtures("own_home")
@pytest.mark.parametrize(("answer", "versions"), [(Answer.SAVE, 1), (Answer.LEAVE, 0)])
def test_closing_the_dock_asks_too(make_napari_viewer, case_folder, monkeypatch, qtbot, answer, versions):
    from napari_brainseg.plugin.widgets.workbench import Workbench

    viewer = make_napari_viewer(show=True)
    workbench = Workbench(viewer)
    viewer.window.add_dock_widget(workbench, name="Brain segmentation", area="right")
    workbench.open_paths([case_folder])
    qtbot.waitUntil(lambda: workbench.case is not None, timeout=20_000)
    workbench.segment_control.start_from(workbench.segment_panel.start_box.itemData(0))
    workbench.bridge.layer.paint((1, 10, 10), 1)
    asked = []
    monkeypatch.setattr(workbench.closing, "_ask", lambda _, what, may_stay: asked.append((what, may_stay)) or answer)
    project = workbench.project_control.project.folder

    viewer.window.remove_dock_widget(workbench)

    assert asked == [("The labels of Brats18_Test_1_1 are", False)]
    assert len(list(project.glob("cases/*/labels-*.nii.gz"))) == versions
    assert workbench.bridge.layer is None


def _spontaneously(close_event):
    def close(window, event):
        seen = SimpleNamespace(spontaneous=lambda: True, ignore=event.ignore, accept=event.accept)
        return close_event(window, seen)

    return close


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
    opened.close_down()

    viewer = make_napari_viewer()
    workbench = Workbench(viewer)
    viewer.window.add_dock_widget(workbench, name="Brain segmentation", area="right")
    qtbot.waitUntil(lambda: bool(workbench.recovery_offer.journals), timeout=20_000)
    offers = workbench.recovery_offer.journals
    assert [offer.note.case_id for offer in offers] == ["Brats18_Test_1_1"]

    workbench.recovery_offer.restore_requested.emit(offers[0])
    qtbot.waitUntil(lambda: workbench.bridge.layer is not None, timeout=20_000)
    np.testing.assert_array_equal(workbench.bridge.layer.data, painted)
    assert workbench.recovery_offer.journals == ()
    workbench.close_down()
