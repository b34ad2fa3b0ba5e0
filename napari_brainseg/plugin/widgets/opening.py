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
from napari_brainseg.cases.rereading import read_again
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
        self._name: str | None = None  # of the case that is wanted among those that are looked for
        self._open: tuple[CaseFiles, Case] | None = None  # what is open, which may not be what was asked for last
        self._task: BackgroundTask | None = None

    @property
    def current(self) -> CaseFiles | None:
        """The files of the case that was opened last, read or not."""
        return self.files[self.index] if self.index < len(self.files) else None

    def open_paths(self, paths: Sequence[Path], options: OpenOptions | None = None, name: str | None = None) -> None:
        """Find the cases in `paths` and open the one called `name`, else the first; `options` count for that one."""
        self._options, self._name = options or OpenOptions(), name
        names = paths[0].name if len(paths) == 1 else f"{len(paths)} files"
        self.busy.emit(f"Looking into {names} …")
        self._run(_find(paths), self._on_found)

    def open_found(self, files: Sequence[CaseFiles], index: int) -> None:
        """Open one of cases that were found before, and go on with these as the list."""
        self.files, self._options = list(files), OpenOptions()
        self._read(index)

    def open_index(self, index: int) -> None:
        """Open another of the cases found; out of range does nothing."""
        if 0 <= index < len(self.files) and index != self.index:
            self._options = OpenOptions()
            self._read(index)

    def read_with_channels(self, chosen: Mapping[str, object]) -> None:
        """Read the case again with this assignment of files or positions to channels."""
        files = self.current
        if files is None:
            return
        former = None if self._open is None or self._open[0] is not files else self._open[1]
        count = len(files.channels) if former is None else len(former.order)
        self._options = replace(self._options, channels=as_option(chosen, count))
        self._read(self.index, former)

    def channel_choice(self, case: Case) -> tuple[dict[str, object], dict[str, object]]:
        """Return what can be chosen as a channel of the open case (text to value), and what each was really read from.

        There is no choice while the open case is not the one that was asked for last.
        """
        files = self.current
        if files is None or self._open is None or self._open[0] is not files:
            return {}, {}
        if case.order:
            read = {*case.channels, *case.off_grid}
            return _places(case.naming, len(case.order)), {n: i for i, n in enumerate(case.order) if n in read}
        options, _ = channel_options(files)
        now: dict[str, object] = {name: paths[0] for name, paths in case.paths.items() if paths}
        return options | {path.name: path for path in now.values() if isinstance(path, Path)}, now

    def change(self, case: Case, work: Callable[[Case], Case], message: str) -> None:
        """Turn the open case into a changed one: labels attached or read otherwise, a channel resampled."""
        self.busy.emit(message)
        self._run(_changed(case, work), self._on_changed)

    def close(self) -> None:
        """Drop what is still being read."""
        if self._task is not None:
            self._task.cancel()

    def _on_found(self, found: list[CaseFiles]) -> None:
        self.files = found
        self._read(next((n for n, files in enumerate(found) if files.id == self._name), 0))

    def _on_changed(self, case: Case) -> None:
        if self._open is not None:
            self._open = (self._open[0], case)
        self.case_changed.emit(case)

    def _on_read(self, files: CaseFiles, case: Case) -> None:
        self._open = (files, case)
        self.case_read.emit(case)

    def _read(self, index: int, former: Case | None = None) -> None:
        self.index = index
        self.cases_found.emit(self.files, index)
        files = self.files[index]
        self.busy.emit(f"Reading {files.id} …")
        again = partial(read_case if former is None else partial(read_again, former=former), options=self._options)
        self._run(_changed(files, again), partial(self._on_read, files))

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
        return _places(files.naming, len(files.channels)), {name: n for n, name in enumerate(files.channels)}
    chosen: dict[str, object] = {name: paths[0] for name, paths in files.channels.items() if paths}
    every = [*(path for path in chosen.values() if isinstance(path, Path)), *files.undecided]
    return {path.name: path for path in every}, chosen


def expected_channels(files: CaseFiles) -> tuple[str, ...]:
    """Return the channel names to choose for."""
    return LGG_CHANNELS if files.naming is Naming.LGG else BRATS_CHANNELS


def as_option(chosen: Mapping[str, object], count: int) -> Mapping[str, str | Path] | tuple[str, ...]:
    """Return a choice per channel as the option that reading takes: files by name, or the names of `count` volumes."""
    positions = {value: name for name, value in chosen.items() if isinstance(value, int)}
    if positions:
        return tuple(positions.get(n, SKIP) for n in range(count))
    return {name: value for name, value in chosen.items() if isinstance(value, Path)}


def _places(naming: Naming, count: int) -> dict[str, object]:
    word = "colour" if naming is Naming.LGG else "volume"
    return {f"{word} {n + 1}": n for n in range(count)}


def _find(paths: Sequence[Path]) -> Generator[Progress, None, list[CaseFiles]]:
    yield Progress(0, 0, "looking")
    return find_cases(paths)


def _changed(given: Any, work: Callable[[Any], Case]) -> Generator[Progress, None, Case]:
    yield Progress(0, 0, "reading")
    return work(given)
