"""`brainseg segment`: segment one case or many and write their masks in the style of their source."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from napari_brainseg.base.errors import BrainsegError, OutputError
from napari_brainseg.base.progress import Progress, run_to_end
from napari_brainseg.cases.labels import LabelScheme, scheme_by_id
from napari_brainseg.cases.reading import CaseFiles, find_cases, read_case
from napari_brainseg.cases.segmentation import Segmentation
from napari_brainseg.cases.writing import output_paths, write_outputs
from napari_brainseg.cli.opening import add_opening_arguments, opening_options
from napari_brainseg.inference.settings import SegmentSettings
from napari_brainseg.model_store.store import default_model_for, find_model, fit_in_words, list_models


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the verb."""
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="case folder, folder of cases, or files")
    add_opening_arguments(parser)
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the masks")
    parser.add_argument("--model", help="name or folder of the model (default: the one made for such cases)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps (default: auto)")
    parser.add_argument("--write-scheme", metavar="SCHEME", help="label scheme to write (default: the source's own)")
    parser.add_argument("--probabilities", action="store_true", help="write the probability maps too")
    parser.add_argument("--overwrite", action="store_true", help="replace masks that exist already")


def run(args: argparse.Namespace) -> int:
    """Segment every case; one that fails is reported at the end and does not stop the others."""
    scheme = scheme_by_id(args.write_scheme) if args.write_scheme else None
    if args.model:
        find_model(args.model)  # a wrong name is said before the first case is read
    cases = find_cases(args.paths)
    folders = output_folders(cases, args.out)
    failed: list[str] = []
    for number, (files, folder) in enumerate(zip(cases, folders, strict=True), start=1):
        label = f"[{number}/{len(cases)}] {files.id}" if len(cases) > 1 else files.id
        try:
            print(f"{label}: {_segment(files, args, scheme, folder)}", flush=True)
        except BrainsegError as error:
            failed.append(f"{files.id}: {error}")
            print(f"{label}: failed", flush=True)
    for sentence in failed:
        print(f"brainseg: {sentence}", file=sys.stderr)
    return 2 if failed else 0


def output_folders(cases: Sequence[CaseFiles], out: Path) -> list[Path]:
    """Return the folder that each case is written to: `out` or, for cases of one name, one below it for each.

    Two patients' `baseline` become `out/p1` and `out/p2`, so that neither takes the other's file.
    """
    namesakes: dict[str, list[Path]] = {}
    for files in cases:
        namesakes.setdefault(files.id.casefold(), []).append(files.folder.resolve())
    folders = []
    for files in cases:
        places = namesakes[files.id.casefold()]
        if len(set(places)) == 1:
            folders.append(out)
            continue
        if all(place.name.casefold() == files.id.casefold() for place in places):
            places = [place.parent for place in places]
            own = files.folder.resolve().parent
        else:
            own = files.folder.resolve()
        folders.append(out / own.relative_to(os.path.commonpath(places)))
    return folders


def _segment(files: CaseFiles, args: argparse.Namespace, scheme: LabelScheme | None, folder: Path) -> str:
    """Segment one case and return what to print of it."""
    case = read_case(files, opening_options(args))
    paths = output_paths(Segmentation.empty(case), folder)
    existing = [path for path in paths if path.exists()]
    if existing and not args.overwrite:
        if len(existing) < len(paths):
            raise OutputError(
                f"{len(existing)} of {len(paths)} masks exist in {existing[0].parent}: a former run stopped halfway. "
                "Run it again with --overwrite, or remove them."
            )
        return f"{_shown(paths)} exists, skipped (--overwrite replaces it)"
    from napari_brainseg.inference.engine import segment  # torch loads here, when there is something to do

    settings = SegmentSettings(device=args.device, probabilities=args.probabilities)
    result = run_to_end(segment(case, args.model, settings), _show if sys.stderr.isatty() else None)
    written = write_outputs(result, folder, scheme=scheme, probabilities=args.probabilities, overwrite=args.overwrite)
    record = find_model(args.model) if args.model else default_model_for(case, list_models())
    fit = fit_in_words(record, case) if record else ""
    notes = "".join(f"\n    {note}" for note in [*case.notes, fit] if note)
    return f"{_shown(written)} ({result.model}, {sum(result.seconds.values()):.1f} s){notes}"


def _shown(paths: Sequence[Path]) -> str:
    return str(paths[0]) if len(paths) == 1 else f"{paths[0].parent} ({len(paths)} masks)"


def _show(progress: Progress) -> None:
    print(f"\r{progress.message:40}", end="\r", file=sys.stderr)
