"""Which corrected cases of a project go into one data set, with which channels and classes; no image is read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from napari_brainseg.annotation.case_state import CaseState, read_state
from napari_brainseg.annotation.correction_files import read_facts
from napari_brainseg.annotation.project import Project
from napari_brainseg.base.errors import BrainsegError, InputError
from napari_brainseg.cases.labels import BRATS2017, BRATS2023, LGG, MSD, LabelScheme


@dataclass(frozen=True)
class ExportSettings:
    """What goes into a data set.

    Attributes:
        channels: Its channels in their order; by default all that such exams have.
        cases: Ids of the cases, or names of their folders in the project; by default all with something confirmed.
        overwrite: Whether an older data set in the same place is replaced.
    """

    channels: tuple[str, ...] = ()
    cases: tuple[str, ...] = ()
    overwrite: bool = False


@dataclass(frozen=True)
class PlannedCase:
    """One case of a data set: its folder in the project, what the project knows of it, and the scheme of its labels."""

    folder: Path
    state: CaseState
    scheme: LabelScheme

    @property
    def name(self) -> str:
        """The name in the data set; unlike the case's id, no other case has it, and every file system takes it."""
        return self.folder.name


@dataclass(frozen=True)
class ExportPlan:
    """What a data set will hold.

    Attributes:
        cases: Those that have every channel.
        channels: The channels, in their order.
        scheme: The scheme whose program values are written, 0 to K-1.
        left_out: One sentence for each case that was wanted and cannot be taken.
    """

    cases: tuple[PlannedCase, ...]
    channels: tuple[str, ...]
    scheme: LabelScheme
    left_out: tuple[str, ...] = ()


def plan_export(project: Project, settings: ExportSettings) -> ExportPlan:
    """Choose cases, channels and classes.

    Raises:
        InputError: Nothing is confirmed, a case that was named is not there, the cases are of kinds that share no
            channels or no classes, or none has every channel.
    """
    left_out: list[str] = []
    found = list(_corrected(project, settings.cases, left_out))
    if not found:
        reason = f" {left_out[0]}" if left_out else ""
        raise InputError(f"Nothing in {project.folder} is confirmed, so there is nothing to export.{reason}")
    channels = settings.channels or _channels_of(found)
    fitting = [case for case in found if set(channels) <= set(case.state.source.expected)]
    if not fitting:
        raise InputError(f"No case of {project.folder} can have the channels {', '.join(channels)}. Choose others.")
    complete = []
    for case in fitting:
        absent = [name for name in channels if name not in case.state.source.files]
        if absent:
            left_out.append(
                f"{case.state.source.id} has no {' and no '.join(absent)}, and every case of a data set has the same "
                f"channels. Choose fewer (--channels) to take it along."
            )
        else:
            complete.append(case)
    if not complete:
        raise InputError(f"No case has every channel: {left_out[-1]}")
    return ExportPlan(tuple(complete), channels, common_scheme(case.scheme for case in complete), tuple(left_out))


def common_scheme(schemes: Iterable[LabelScheme]) -> LabelScheme:
    """Return the scheme that holds the classes of all `schemes`, and whose numbering nnU-Net's users know.

    The three-class BraTS schemes become `msd`, as in nnU-Net's own conversions of BraTS; others stay what they are.

    Raises:
        InputError: No scheme holds them all.
    """
    distinct = {MSD if scheme in (BRATS2017, BRATS2023) else scheme for scheme in schemes}
    if len(distinct) == 1:
        return distinct.pop()
    for target in (MSD, LGG):
        if all(target.counterpart(c) is not None for scheme in distinct for c in scheme.classes):
            return target
    titles = " and ".join(sorted(scheme.title for scheme in distinct))
    raise InputError(f"No one set of classes holds those of {titles}. Choose cases of one kind with --cases.")


def _corrected(project: Project, wanted: Sequence[str], left_out: list[str]) -> Iterable[PlannedCase]:
    """Yield the cases with something confirmed; each of `wanted` that cannot be had is told in `left_out`."""
    known: set[str] = set()
    for folder in project.case_folders():
        try:
            state = read_state(folder)
            names = {state.source.id, folder.name}
            known |= names
            if wanted and not names & set(wanted):
                continue
            facts = None if state.correction is None else read_facts(folder / "corrections", state.correction)
        except BrainsegError as error:
            left_out.append(str(error))
            continue
        if facts is not None and facts.voxels:
            yield PlannedCase(folder, state, facts.scheme)
        elif wanted:
            left_out.append(f"Nothing of {state.source.id} is confirmed.")
    absent = [name for name in wanted if name not in known]
    if absent:
        raise InputError(f"{project.folder} has no case {absent[0]}. It has {', '.join(sorted(known)) or 'none'}.")


def _channels_of(cases: Sequence[PlannedCase]) -> tuple[str, ...]:
    kinds: dict[tuple[str, ...], PlannedCase] = {}
    for case in cases:
        kinds.setdefault(case.state.source.expected, case)
    if len(kinds) == 1:
        return next(iter(kinds))
    listed = "; ".join(f"{', '.join(channels)} (as {case.state.source.id})" for channels, case in kinds.items())
    raise InputError(
        f"The confirmed cases have different channels, which one data set cannot hold: {listed}. "
        f"Choose with --channels, as in --channels {','.join(next(iter(kinds)))}."
    )
