"""Looking at the data before training on them: every case is read once, one at a time, and only facts are kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Sequence
from pathlib import Path

from napari_brainseg.base.errors import InputError
from napari_brainseg.base.progress import Progress
from napari_brainseg.cases.labels import scheme_by_id
from napari_brainseg.cases.reading import CaseFiles, find_cases
from napari_brainseg.training.exploring.findings import CaseFacts, Findings, Kind, Oddity, Repeat
from napari_brainseg.training.exploring.known_labels import open_case
from napari_brainseg.training.exploring.repeats import SliceIndex, by_cases, thumbnails
from napari_brainseg.training.exploring.samples import draw, draw_repeats, odd_wanted, overlays_wanted
from napari_brainseg.training.exploring.statistics import case_facts
from napari_brainseg.training.exploring.suspicion import background_and_brightness
from napari_brainseg.training.splits import read_splits


def explore(folder: Path, split: Path | None = None, scheme: str | None = None) -> Generator[Progress, None, Findings]:
    """Read every case of a folder and return what was found; a case that cannot be read is named among it.

    Args:
        folder: Folder of cases.
        split: JSON file of splits, whose parts are compared.
        scheme: Id of the scheme of the labels; told by names and values by default.

    Raises:
        InputError: The folder holds no case.
        LabelError: There is no such scheme.
        TrainingError: The file holds no splits, or has a patient on two sides.
    """
    splits = read_splits(split) if split is not None else {}
    if scheme is not None:
        scheme_by_id(scheme)
    files = _by_name(find_cases(folder), folder)
    cases, oddities, repeats = yield from _read(files, scheme)
    overlays = yield from draw(overlays_wanted(cases), files, scheme)
    odd_pictures = yield from draw(odd_wanted(oddities), files, scheme)
    repeat_pictures = yield from draw_repeats(repeats, files)
    return Findings(
        folder=folder.resolve().name,
        files=files,
        cases=tuple(cases),
        oddities=(*oddities, *_repeated(repeats)),
        repeats=tuple(repeats),
        splits=splits,
        overlays=overlays,
        odd_pictures=odd_pictures,
        repeat_pictures=repeat_pictures,
    )


def _by_name(found: Sequence[CaseFiles], folder: Path) -> dict[str, CaseFiles]:
    """Return cases by name; those of one name get the folder that they lie in behind it."""
    counts = Counter(files.id for files in found)
    root = folder.absolute()

    def name_of(files: CaseFiles) -> str:
        place = files.folder.absolute()
        return f"{files.id} in {place.relative_to(root) if place.is_relative_to(root) else place}"

    return {files.id if counts[files.id] == 1 else name_of(files): files for files in found}


def _read(
    files: dict[str, CaseFiles], scheme: str | None
) -> Generator[Progress, None, tuple[list[CaseFacts], list[Oddity], list[Repeat]]]:
    cases: list[CaseFacts] = []
    oddities: list[Oddity] = []
    index = SliceIndex()
    for number, (name, case_files) in enumerate(files.items()):
        yield Progress(number, len(files), f"reading {name}")
        try:
            case, known = open_case(case_files, scheme)
        except InputError as error:
            oddities.append(Oddity(Kind.UNREADABLE, name, str(error).replace(f"{case_files.folder}/", "")))
            continue
        facts, odd = case_facts(name, case, known)
        cases.append(facts)
        oddities += odd
        image = case.channels[case.grid_channel].data
        index.add(name, thumbnails(image, background_and_brightness(image)[1]))
    yield Progress(len(files), len(files), "comparing slices")
    return cases, oddities, index.repeats()


def _repeated(repeats: Sequence[Repeat]) -> list[Oddity]:
    """Return one oddity for every two cases that share slices."""
    odd = []
    for (first, second), group in by_cases(repeats).items():
        ordered = sorted(group, key=lambda r: r.first[1])
        pairs = ", ".join(f"{r.first[1]} = {r.second[1]}" for r in ordered[:5])
        more = f" and {len(group) - 5} more" if len(group) > 5 else ""
        where = "within the case" if first == second else f"with {second}"
        count = "1 slice" if len(group) == 1 else f"{len(group)} slices"
        slices = tuple(r.first[1] for r in ordered)
        odd.append(Oddity(Kind.REPEATED, first, f"{count} {where}: {pairs}{more}", slices))
    return odd
