"""`ModelControl`: compares, renames, passes on and deletes models, beside the window where files are copied."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from qtpy.QtCore import QObject, Signal
from qtpy.QtWidgets import QFileDialog

from napari_brainseg.base.errors import BrainsegError
from napari_brainseg.base.paths import user_data
from napari_brainseg.base.progress import Progress
from napari_brainseg.model_store.adding import add_model, describe_model
from napari_brainseg.model_store.comparing import compare
from napari_brainseg.model_store.consent import allow, what_runs
from napari_brainseg.model_store.described import AddSettings
from napari_brainseg.model_store.folders import delete_model, own_folder, rename_model
from napari_brainseg.model_store.lineage import Lineage, learnt_cases
from napari_brainseg.model_store.model_zip import export_model, import_model
from napari_brainseg.model_store.store import ModelRecord, list_models
from napari_brainseg.plugin.widgets.background import BackgroundTask, run_in_background
from napari_brainseg.plugin.widgets.comparison_dialog import ComparisonDialog
from napari_brainseg.plugin.widgets.model_menu import ModelAct, ModelFacts
from napari_brainseg.plugin.widgets.segment_panel import SegmentPanel

_ZIP = "Models (*.zip)"


class ModelControl(QObject):
    """Does what the menu beside the chosen model asks for.

    Args:
        panel: The Segment panel with the chosen model and its menu.
        places: Returns the models folders of the project, the first of which takes what is imported.

    Signals:
        models_changed(str): Lists should be read again, and the model of this name chosen; empty for whichever fits.
    """

    models_changed = Signal(str)

    def __init__(
        self, panel: SegmentPanel, places: Callable[[], tuple[Path, ...]], parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._panel, self._places = panel, places
        self._task: BackgroundTask | None = None
        self._acts = {
            ModelAct.ROLL_BACK: self._roll_back,
            ModelAct.RENAME: self._ask_name,
            ModelAct.EXPORT: self._export,
            ModelAct.IMPORT: self._import,
            ModelAct.ADD: self._describe,
            ModelAct.DELETE: self._ask_delete,
        }
        panel.model_menu.opening.connect(self._on_opening)
        panel.model_menu.requested.connect(self._on_requested)
        panel.model_menu.compare_requested.connect(self._on_compare)
        panel.model_changed.connect(panel.ask_row.withdraw)

    def close(self) -> None:
        """Wait for nothing; what is being written is finished or leaves nothing behind."""
        if self._task is not None:
            self._task.cancel()

    def _on_opening(self) -> None:
        record = self._panel.model
        records = [] if record is None else list_models(self._places())
        facts = ModelFacts()
        if record is not None:
            parent = Lineage(records).parent(record)
            others = [one for one in records if one.name != record.name and one != parent]
            facts = ModelFacts(
                record,
                record.parent_display_name if parent is None else parent.display_name,
                self._why_not_own(record),
                others if parent is None else [parent, *others],
            )
        self._panel.model_menu.show_facts(facts)

    def _why_not_own(self, record: ModelRecord) -> str:
        try:
            own_folder(record, self._places())
        except BrainsegError as error:
            return str(error)
        return ""

    def _on_requested(self, act: ModelAct) -> None:
        self._panel.show_error("")
        self._panel.show_outcome("")
        self._acts[act]()

    def _on_compare(self, other: ModelRecord) -> None:
        record, records = self._panel.model, list_models(self._places())
        if record is None:
            return
        # The older one first, so that a change says what fine-tuning has brought.
        pair = (record, other) if record in Lineage(records).ancestors(other) else (other, record)
        ComparisonDialog(compare(*pair, records), self._panel).show()

    def _roll_back(self) -> None:
        record = self._panel.model
        if record is None:
            return
        try:
            parent = Lineage(list_models(self._places())).roll_back(record)
        except BrainsegError as error:
            self._panel.show_error(str(error))
            return
        self.models_changed.emit(parent.name)
        self._panel.show_outcome(f"{parent.display_name} is chosen again. {record.display_name} stays in the list.")

    def _ask_name(self) -> None:
        record = self._panel.model
        if record is not None:
            words = f"A new name for {record.display_name}, which is also that of its folder:"
            self._panel.ask_row.ask(words, "Rename", partial(self._rename, record), record.name)

    def _rename(self, record: ModelRecord, name: str) -> None:
        def told(renamed: ModelRecord) -> tuple[str, str]:
            return renamed.name, f"{record.display_name} is called {renamed.display_name} now."

        self._run(lambda: told(rename_model(record, name, self._places())))

    def _ask_delete(self) -> None:
        record = self._panel.model
        if record is not None:
            words = f"Delete {record.display_name} with its folder {record.folder}? This cannot be undone."
            self._panel.ask_row.ask(words, "Delete", partial(self._delete, record))

    def _delete(self, record: ModelRecord, _text: str) -> None:
        def told() -> tuple[str, str]:
            places = self._places()
            parent = Lineage(list_models(places)).parent(record)
            delete_model(record, places)
            return "" if parent is None else parent.name, f"{record.display_name} is deleted."

        self._run(told)

    def _export(self) -> None:
        record = self._panel.model
        if record is None:
            return
        chosen, _ = QFileDialog.getSaveFileName(self._panel, "Export the model", f"{record.name}.zip", _ZIP)
        if not chosen:
            return
        path = Path(chosen if chosen.lower().endswith(".zip") else f"{chosen}.zip")

        def told() -> tuple[str, str]:
            # The dialog has asked about a file that exists, but only under the name that was entered.
            written = export_model(record, path, overwrite=str(path) == chosen)
            names = list(learnt_cases(record))
            cases = f"{', '.join(names[:3])}{' …' if len(names) > 3 else ''}"
            note = (
                f" It names what the model learnt from ({cases}): see whether that may be passed on." if names else ""
            )
            return record.name, f"Wrote {written}.{note}"

        self._run(told)

    def _import(self) -> None:
        chosen, _ = QFileDialog.getOpenFileName(self._panel, "Import a model", filter=_ZIP)
        if not chosen:
            return

        def told() -> tuple[str, str]:
            places = self._places()
            record = import_model(Path(chosen), places[0] if places else user_data() / "models", places=places)
            return record.name, f"{record.display_name} is imported into {record.folder}."

        self._run(told)

    def _describe(self) -> None:
        """Ask for a folder and its environment, and say what would run before anything is added."""
        folder = QFileDialog.getExistingDirectory(self._panel, "Results folder of nnU-Net v2, or MONAI bundle")
        python = folder and QFileDialog.getExistingDirectory(self._panel, "Python environment with nnunetv2 or monai")
        if not python:
            return
        self._start(
            lambda: describe_model(Path(folder), Path(python), AddSettings()),
            lambda found: self._ask_add(found[0]),
        )

    def _ask_add(self, record: ModelRecord) -> None:
        if record.external is not None:
            words = f"{what_runs(record.external)} Add {record.title} and allow it? It is called:"
            self._panel.ask_row.ask(words, "Add and allow", partial(self._add, record), record.name)

    def _add(self, record: ModelRecord, name: str) -> None:
        def told() -> tuple[str, str]:
            places = self._places()
            added = add_model(
                replace(record, name=name or record.name), places[0] if places else user_data() / "models", places
            )
            allow(added)
            return added.name, f"{added.name} is added. It takes {', '.join(added.channels)}."

        self._run(told)

    def _run(self, work: Callable[[], tuple[str, str]]) -> None:
        """Do something with files beside the window; it returns the model to choose and what to say."""
        self._start(work, self._on_done)

    def _start(self, work: Callable[[], Any], then: Callable[[Any], None]) -> None:
        self._panel.model_menu.setEnabled(False)
        self._task = run_in_background(
            _done(work),
            returned=then,
            errored=self._panel.show_error,
            finished=lambda: self._panel.model_menu.setEnabled(True),
        )

    def _on_done(self, told: tuple[str, str]) -> None:
        name, words = told
        self.models_changed.emit(name)
        self._panel.show_outcome(words)


def _done(work: Callable[[], Any]) -> Generator[Any, None, Any]:
    result = work()
    yield Progress(1, 1, "done")
    return result
