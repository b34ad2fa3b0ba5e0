"""`Opening`: finds and reads cases beside the window; no voxel is touched in the window's own thread."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from qtpy.QtCore import QObject, Signal

from napari_brainseg.base.progress import Progress
from napari_brainseg.cases.case import BRATS_CHANNELS, LGG_CHANNELS, SKIP, Case, Naming
from napari_brainseg.cases.reading import CaseFiles, OpenOptions, find_cases, read_case
from napari_brainseg.plugin.widgets.background import BackgroundTask, run_in_background


class Opening(QObject):
    """The list of cases found and the one that is read; a newer request drops an older one.

    Signals:
        busy(str): What is being read.
        cases_found(object, int): The `CaseFiles` found, and which of them is opened.
        case_read(object): A `Case`, newly opened.
        case_changed(object): The open `Case` with something changed: labels, a channel, the spacing.
        failed(str): Why, in one sentence.
    """

    busy = Signal(str)
    cases_found = Signal(object, int)
    case_read = Signal(object)
    case_changed = Signal(object)
    failed = Signal(str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.files: list[CaseFiles] = []
        self.index = 0
        self._options = OpenOptions()
        self._task: BackgroundTask | None = None

    @property
    def current(self) -> CaseFiles | None:
        """The files of the case that was opened last, read or not."""
        return self.files[self.index] if self.index < len(self.files) else None

    def open_paths(self, paths: Sequence[Path], options: OpenOptions | None = None) -> None:
        """Find the cases in `paths` and open the first; `options` count for that one."""
        self._options = options or OpenOptions()
        names = paths[0].name if len(paths) == 1 else f"{len(paths)} files"
        self.busy.emit(f"Looking into {names} …")
        self._run(_find(paths), self._on_found)

    def open_index(self, index: int) -> None:
        """Open another of the cases found; out of range does nothing."""
        if 0 <= index < len(self.files) and index != self.index:
            self._options = OpenOptions()
            self._read(index)

    def read_with_channels(self, chosen: Mapping[str, object]) -> None:
        """Read the case again with this assignment of files or positions to channels."""
        files = self.current
        if files is not None:
            self._options = replace(self._options, channels=as_option(files, chosen))
            self._read(self.index)

    def change(self, case: Case, work: Callable[[Case], Case], message: str) -> None:
        """Turn the open case into a changed one: labels attached or read otherwise, a channel resampled."""
        self.busy.emit(message)
        self._run(_changed(case, work), self.case_changed.emit)

    def close(self) -> None:
        """Drop what is still being read."""
        if self._task is not None:
            self._task.cancel()

    def _on_found(self, found: list[CaseFiles]) -> None:
        self.files = found
        self._read(0)

    def _read(self, index: int) -> None:
        self.index = index
        self.cases_found.emit(self.files, index)
        files = self.files[index]
        self.busy.emit(f"Reading {files.id} …")
        self._run(_changed(files, partial(read_case, options=self._options)), self.case_read.emit)

    def _run(self, task: Generator[Progress, None, Any], returned: Callable[[Any], None]) -> None:
        if self._task is not None:
            self._task.cancel()
        self._task = run_in_background(task, returned=returned, errored=self.failed.emit)


def channel_options(files: CaseFiles) -> tuple[dict[str, object], dict[str, object]]:
    """Return what can be chosen as a channel (text to value), and the value of each channel as it is now.

    The values are files or, where all channels share their files, the position of a volume or colour, from 0.
    """
    sources = {paths[0] for paths in files.channels.values() if paths}
    if len(sources) == 1 and len(files.channels) > 1:
        word = "colour" if files.naming is Naming.LGG else "volume"
        options: dict[str, object] = {f"{word} {n + 1}": n for n in range(len(files.channels))}
        return options, {name: n for n, name in enumerate(files.channels)}
    chosen: dict[str, object] = {name: paths[0] for name, paths in files.channels.items() if paths}
    every = [*(path for path in chosen.values() if isinstance(path, Path)), *files.undecided]
    return {path.name: path for path in every}, chosen


def expected_channels(files: CaseFiles) -> tuple[str, ...]:
    """Return the channel names to choose for."""
    return LGG_CHANNELS if files.naming is Naming.LGG else BRATS_CHANNELS


def as_option(files: CaseFiles, chosen: Mapping[str, object]) -> Mapping[str, str | Path] | tuple[str, ...]:
    """Return a choice per channel as the option that reading takes: files by name, or names in order."""
    positions = {value: name for name, value in chosen.items() if isinstance(value, int)}
    if positions:
        return tuple(positions.get(n, SKIP) for n in range(len(files.channels)))
    return {name: value for name, value in chosen.items() if isinstance(value, Path)}


def _find(paths: Sequence[Path]) -> Generator[Progress, None, list[CaseFiles]]:
    yield Progress(0, 0, "looking")
    return find_cases(paths)


def _changed(given: Any, work: Callable[[Any], Case]) -> Generator[Progress, None, Case]:
    yield Progress(0, 0, "reading")
    return work(given)
