"""`Workbench`: the dock widget; it owns the panels and what works behind them, and alone knows them all."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import napari.viewer
from qtpy.QtCore import QEvent, QSize, QTimer
from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_brainseg.cases.case import Case
from napari_brainseg.cases.reading import OpenOptions
from napari_brainseg.plugin.widgets.canvas import focus_canvas, main_window
from napari_brainseg.plugin.widgets.case_control import CaseControl
from napari_brainseg.plugin.widgets.case_layers import CaseLayers, largest_slice
from napari_brainseg.plugin.widgets.case_panel import CasePanel
from napari_brainseg.plugin.widgets.closing import Closing
from napari_brainseg.plugin.widgets.confirm_control import ConfirmControl
from napari_brainseg.plugin.widgets.confirmations import Confirmations
from napari_brainseg.plugin.widgets.confirmed_strip import ConfirmedStrip, follow
from napari_brainseg.plugin.widgets.correct_panel import CorrectPanel
from napari_brainseg.plugin.widgets.display import Display
from napari_brainseg.plugin.widgets.editing_bridge import EditingBridge
from napari_brainseg.plugin.widgets.export_control import ExportControl
from napari_brainseg.plugin.widgets.export_panel import ExportPanel
from napari_brainseg.plugin.widgets.file_start import FileStart
from napari_brainseg.plugin.widgets.fold import Fold
from napari_brainseg.plugin.widgets.footer import Footer
from napari_brainseg.plugin.widgets.journal_keeper import JournalKeeper
from napari_brainseg.plugin.widgets.kept_work import KeptWork
from napari_brainseg.plugin.widgets.keys import ShortcutActions
from napari_brainseg.plugin.widgets.learn_controller import LearnController, LearnSources
from napari_brainseg.plugin.widgets.learn_panel import LearnPanel
from napari_brainseg.plugin.widgets.model_control import ModelControl
from napari_brainseg.plugin.widgets.mouse import Mouse
from napari_brainseg.plugin.widgets.new_answer import NewAnswer
from napari_brainseg.plugin.widgets.project_control import ProjectControl
from napari_brainseg.plugin.widgets.reader_patterns import PatternsRow
from napari_brainseg.plugin.widgets.recovery_control import RecoveryControl
from napari_brainseg.plugin.widgets.recovery_offer import RecoveryOffer
from napari_brainseg.plugin.widgets.scroll_column import ScrollColumn
from napari_brainseg.plugin.widgets.segment_control import SegmentControl, go_to_slice
from napari_brainseg.plugin.widgets.segment_panel import SegmentPanel
from napari_brainseg.plugin.widgets.shortcuts import Shortcuts
from napari_brainseg.plugin.widgets.shortcuts_dialog import ShortcutsDialog
from napari_brainseg.plugin.widgets.strip_place import StripPlace
from napari_brainseg.plugin.widgets.style import PANEL_WIDTH, link, sheet
from napari_brainseg.plugin.widgets.view_switches import ViewSwitches
from napari_brainseg.plugin.widgets.wheel_guard import WheelGuard
from napari_brainseg.plugin.widgets.window_level import WindowLevel
from napari_brainseg.plugin.widgets.working_labels import NewLabels, WorkingLabels
from napari_brainseg.plugin.widgets.worklist_control import WorklistControl
from napari_brainseg.plugin.widgets.worklist_panel import WorklistPanel

# torch is loaded when the window has settled; a person needs longer than this to open a case.
IDLE_MS = 1500


class _Closable(Protocol):
    def close(self) -> None: ...


class Workbench(QWidget):
    """Open a case, segment, correct, learn and export, in one column."""

    def __init__(self, viewer: napari.viewer.Viewer, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        # From its menu napari hands over a proxy, whose layers are never identical to those in the viewer.
        viewer = getattr(viewer, "__wrapped__", viewer)
        self.viewer = viewer
        self.setObjectName("brainsegWorkbench")
        self._docked = self._closed = False
        self.bridge = EditingBridge(viewer, self)
        self.layers = CaseLayers(viewer, self)
        self.working = WorkingLabels(self.layers, self.bridge, viewer, self)
        self.display = Display(viewer, self)
        self.window_level = WindowLevel(viewer, self)
        self.mouse = Mouse(viewer, self.window_level, self)
        self._make_panels()
        self._lay_out()
        self._connect()
        self.shortcuts = Shortcuts(viewer, main_window(viewer), self._actions())
        self.closing = Closing(main_window(viewer), self._unsaved, parent=self)
        self.closing.save_requested.connect(self._save_if_dirty)
        self.closing.save_requested.connect(self.learn_controller.save_again)
        self.closing.may_close.connect(self.journal.flush)
        self.closing.closing.connect(self.close_down)
        self._idle = QTimer(self)
        self._idle.setSingleShot(True)
        self._idle.setInterval(IDLE_MS)
        self._idle.timeout.connect(self.segment_control.segmenting.ask_for_devices)
        self.project_control.open()
        self.layers.take_what_is_there()

    @property
    def case(self) -> Case | None:
        """The open case, or None."""
        return self.layers.case

    def open_paths(self, paths: list[Path], options: OpenOptions | None = None) -> None:
        """Open files and folders as cases; `options` count for the first."""
        self.case_control.open_paths(paths, options)

    def sizeHint(self) -> QSize:
        """Ask for the panel's width and any height."""
        return QSize(PANEL_WIDTH, 800)

    def showEvent(self, event: QShowEvent | None) -> None:
        """Load the heavy packages once the window is idle."""
        super().showEvent(event)
        self._idle.start()

    def event(self, event: QEvent | None) -> bool:
        """Close down when the dock lets go of the workbench."""
        if event is not None and event.type() == QEvent.Type.ParentChange:
            if self.parent() is not None:
                self._docked = True
            elif self._docked:
                self.closing.ask_on_removal()
                self.close_down()
        return bool(super().event(event))

    def close_down(self) -> None:
        """Keep what is unsaved for the next start, disconnect everything and put back what was changed, once."""
        if self._closed:
            return
        self._closed = True
        self._idle.stop()
        self.viewer.events.theme.disconnect(self._on_theme)
        self.closing.close()
        self.shortcuts.close()
        # The window would keep its child, and with it everything that the keys call.
        self.shortcuts.setParent(None)
        self.journal.close()
        self.recovery_control.close()
        self.worklist.close()
        self.confirmations.close()
        self.strip_place.close()
        self.correct_panel.close_down()
        learn, segment, opening = self.learn_controller, self.segment_control, self.case_control
        controls: tuple[_Closable, ...] = (learn, segment, opening, self.model_control, self.file_start)
        for part in (*controls, self.export_control, self.project_control, self.bridge, self.layers, self.mouse):
            part.close()
        self.display.close()

    def press(self, name: str) -> None:
        """Do what the button of this name does, or say why it cannot be pressed now; menus call this."""
        fold, button, why = {
            "Segment": ("Segment", self.segment_panel.task.start_button, self.segment_panel.next_step),
            "Export": ("Export", self.export_panel.labels_button, self.export_panel.next_step),
            "Confirm": ("Correct", self.correct_panel.confirm_row.confirm_button, self.correct_panel.next_step),
            "CSV": ("Export", self.export_panel.csv_button, self.export_panel.next_step),
        }[name]
        self.folds[fold].set_open(True)
        if button.isEnabled() and button.isVisibleTo(self.folds[fold]):
            button.click()
        else:
            self._say(why.text())

    def _make_panels(self) -> None:
        self.case_panel, self.segment_panel, self.export_panel = CasePanel(), SegmentPanel(), ExportPanel()
        self.correct_panel, self.learn_panel = CorrectPanel(self.viewer, self.bridge), LearnPanel()
        self.correct_panel.working_line.hide()  # the header of the panel says it
        self.strip, self.switches = ConfirmedStrip(), ViewSwitches()
        self.strip.hide()
        self.footer = Footer(self.switches)
        self.confirmations = Confirmations(self.viewer, self.bridge, self)
        self.confirm_control = ConfirmControl(self.correct_panel.confirm_row, self.confirmations, self)
        self.strip_place = StripPlace(self.viewer, self.strip, self)
        correct: list[QWidget] = [self.correct_panel]
        if not self.strip_place.put():
            correct.append(self.strip)
        self.patterns_row, self.recovery_offer = PatternsRow(), RecoveryOffer()
        self.case_control = CaseControl(self.viewer, self.case_panel, self.layers, self)
        self.segment_control = SegmentControl(
            self.viewer, self.segment_panel, self.layers, self.working, self.bridge, self
        )
        self.model_control = ModelControl(self.segment_panel, lambda: self.segment_control.model_folders, self)
        self.worklist_panel = WorklistPanel()
        self.worklist = WorklistControl(
            self.viewer, self.worklist_panel, self.confirmations, self.bridge, self.case_control.opening, self
        )
        self.file_start = FileStart(self.segment_control, self.segment_panel, self.layers, self)
        self.export_control = ExportControl(self.export_panel, self.layers, self.bridge, self)
        self.project_control = ProjectControl(self.case_panel.project_row, self)
        self.kept_work = KeptWork(self.project_control, self.confirmations, self.working, self.bridge, self)
        self.journal = JournalKeeper(self.bridge, self)
        self.journal.open_case = lambda: self.case
        self.journal.open_project = lambda: self.project_control.project
        self.recovery_control = RecoveryControl(self.recovery_offer, self.journal, self.working, self.bridge, self)
        sources = LearnSources(
            project=lambda: self.project_control.project,
            model=lambda: self.segment_panel.model,
            device=lambda: str(self.segment_panel.device_box.currentData()),
        )
        answer = NewAnswer(self.viewer, self.layers, self.working, self.confirmations, self.bridge, self)
        self.learn_controller = LearnController(self.learn_panel, answer, sources, self)
        self.save_button = link("save")
        self.save_button.setToolTip("Save the labels as a new version in the project")
        self.save_button.hide()
        self.folds = {
            "Case": Fold("Case", self.case_panel),
            "Worklist": Fold("Worklist", self.worklist_panel),
            "Segment": Fold("Segment", self.segment_panel),
            "Correct": Fold("Correct", _stacked(*correct), corner=self.save_button),
            "Learn": Fold("Learn", self.learn_panel),
            "Export": Fold("Export", self.export_panel),
        }

    def _lay_out(self) -> None:
        column = QWidget()
        stack = QVBoxLayout(column)
        stack.setContentsMargins(0, 0, 0, 0)
        stack.setSpacing(0)
        for fold in self.folds.values():
            stack.addWidget(fold)
        stack.insertWidget(0, self.recovery_offer)
        stack.insertWidget(2, self.patterns_row)
        stack.addStretch(1)
        area = ScrollColumn(column)
        panel = self.learn_panel
        self.learn_controller.candidates.asked.connect(lambda: area.keep_in_view(panel.row, panel.box.accept_button))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(area, 1)
        layout.addWidget(self.footer)
        self.setMinimumWidth(PANEL_WIDTH)
        self._wheel_guard = WheelGuard(self)
        self._on_theme()

    def _connect(self) -> None:
        self.viewer.events.theme.connect(self._on_theme)
        self.footer.keys_requested.connect(lambda: ShortcutsDialog(self).show())
        self.footer.types_requested.connect(self.patterns_row.show_in_use)
        self.case_control.leaving.connect(self._on_leaving)
        self.case_control.opened.connect(self._on_opened)
        self.case_control.changed.connect(self._on_changed)
        self.project_control.project_changed.connect(self._on_project_changed)
        self.kept_work.said.connect(self._say)
        self.project_control.said.connect(self._say)
        self.bridge.working_changed.connect(self._on_working_changed)
        self.recovery_control.open_requested.connect(self.open_paths)
        self.recovery_control.said.connect(self._say)
        self.case_control.opening.failed.connect(lambda _: self.recovery_control.give_up())
        self.segment_control.predicted.connect(self._on_predicted)
        self.switches.neurological_requested.connect(self.display.set_neurological)
        self.switches.colour_blind_requested.connect(self.display.set_colour_blind)
        self.switches.napari_wheel_requested.connect(self.mouse.set_napari_wheel)
        self.model_control.models_changed.connect(self.segment_control.refresh_models)
        self.segment_control.answered.connect(self.worklist.take_answer)
        self.learn_controller.answered.connect(self.worklist.take_answer)
        self.working.began.connect(self.worklist.went_on_from)
        self.worklist.headline_changed.connect(self.folds["Worklist"].set_summary)
        self.worklist.said.connect(self._say)
        self._connect_correcting()

    def _connect_correcting(self) -> None:
        correct, confirmations, learn = self.correct_panel, self.confirmations, self.learn_controller
        follow(self.strip, confirmations)
        correct.headline_changed.connect(self._on_headline)
        correct.split.changed.connect(self._bind_keys)
        confirmations.said.connect(self._say)
        self.journal.problem_changed.connect(correct.show_problem)
        self.save_button.clicked.connect(self._save_if_dirty)
        learn.model_made.connect(lambda record: self.segment_control.refresh_models(record.name))
        learn.said.connect(self._say)
        learn.save_failed.connect(self._say)
        for source in (learn.contradicted, confirmations.contradicted):
            source.connect(correct.show_said)
        self.segment_panel.model_changed.connect(learn.refresh)

    def _actions(self) -> ShortcutActions:
        """What the keys do; the table of keys is `KEYS`."""
        return ShortcutActions(
            select_class=self.correct_panel.select_class,
            draw_polygon=self.correct_panel.draw_polygon,
            undo=self.bridge.undo,
            redo=self.bridge.redo,
            confirm=self.confirmations.confirm_slice,
            take_back=self.confirmations.take_back,
            next_place=self.worklist.places.go_next,
            previous_place=self.worklist.places.go_back,
            hold_overlay=self.display.hold_overlay,
            toggle_outline=self.display.outline_toggle,
            toggle_smooth=self.display.smooth_toggle,
            show_channel=self.display.show_channel,
            hold_window_level=self.window_level.hold,
            next_case=lambda: self.worklist.cases.step(1),
            previous_case=lambda: self.worklist.cases.step(-1),
        )

    def _on_leaving(self) -> None:
        """Keep what was done on the case that another one replaces."""
        self.segment_control.cancel()
        self._save_if_dirty()
        self.learn_controller.leave_case()
        self.bridge.detach()
        self.worklist.leave_case()
        self.confirmations.end()

    def _on_opened(self, case: Case) -> None:
        self.folds["Case"].set_summary(case.id)
        self.viewer.reset_view()
        self._go_to_start(case)
        self.working.resume(case)
        self.kept_work.begin(case)
        self._show_everywhere(case)
        self.recovery_control.show_case(case)
        focus_canvas(self.viewer)

    def _on_changed(self, case: Case) -> None:
        self.working.respace(case)
        self.journal.begin_again()
        self.confirmations.update_case(case)
        self._show_everywhere(case)

    def _show_everywhere(self, case: Case) -> None:
        self.display.show_case(case)
        self.segment_control.show_case(case)
        self.correct_panel.show_case(case)
        self.export_control.show_case(case)
        self.worklist.show_case(case)
        self.learn_controller.refresh()

    def _on_project_changed(self, project: Any) -> None:
        self.worklist.cases.show_project(project)
        self.segment_control.model_folders = () if project is None else (project.models,)
        self.export_control.model_folders = self.segment_control.model_folders
        self.segment_control.refresh_models()
        self.learn_controller.save_again()
        self.learn_controller.refresh()
        self.journal.begin_again()
        self.recovery_control.look(project)
        folder = self.project_control.project
        if folder is not None and self.export_panel.place.folder is None:
            self.export_panel.place.show_folder(folder.folder / "exports")

    def _on_working_changed(self, layer: Any) -> None:
        self._bind_keys()
        self.confirmations.shown_changed.emit()
        self.export_control.show_working(layer)
        self.strip.setVisible(layer is not None)
        self.segment_control.refresh_starts()

    def _bind_keys(self) -> None:
        if not self._closed:
            self.shortcuts.set_working_layer(self.bridge.layer, self.correct_panel.split.layers)

    def _on_predicted(self, new: NewLabels, model: str) -> None:
        """Remember what the model gave, so that a correction knows what was changed."""
        self.confirmations.set_prediction(new.labels, new.scheme, model, new.slice)

    def _on_headline(self, headline: str) -> None:
        # With the link to save beside it there is room for the layer's name alone.
        dirty = f"{headline.removeprefix('working on: ')}, unsaved"
        self.folds["Correct"].set_summary(dirty if self.bridge.dirty else headline)
        self.save_button.setVisible(self.bridge.dirty)

    def _unsaved(self) -> str:
        """Name the unsaved work, or return an empty text."""
        labels = [f"the labels of {self.case.id}"] if self.bridge.dirty and self.case is not None else []
        work = [*labels, *(f"the confirmed slices of {case_id}" for case_id in self.learn_controller.unsaved())]
        return f"T{' and '.join(work)[1:]} are" if work else ""

    def _save_if_dirty(self) -> None:
        case, labels, scheme = self.case, self.bridge.settled, self.bridge.scheme
        if self.bridge.dirty and case is not None and labels is not None and scheme is not None:
            revision = self.bridge.revision
            if self.project_control.save(case, labels, scheme, ""):
                self.bridge.mark_saved(revision)

    def _go_to_start(self, case: Case) -> None:
        """Show the slice with most tumour, else the middle one."""
        largest = None if case.labels is None else largest_slice(case.labels.volume.data)
        go_to_slice(self.viewer, case, case.geometry.shape[0] // 2 if largest is None else largest)

    def _on_theme(self, event: Any = None) -> None:
        self.setStyleSheet(sheet(self.viewer.theme))

    def _say(self, sentence: str) -> None:
        self.viewer.status = sentence


def _stacked(*widgets: QWidget) -> QWidget:
    column = QWidget()
    layout = QVBoxLayout(column)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(6)
    for widget in widgets:
        layout.addWidget(widget)
    return column
