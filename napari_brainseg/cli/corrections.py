"""`brainseg corrections`: confirmed corrections as a data set for others, and labelled cases as corrections."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from napari_brainseg.annotation.corrections_import import ImportedCase, import_corrections
from napari_brainseg.annotation.data_set_export import ExportedDataSet
from napari_brainseg.annotation.export_plan import ExportSettings
from napari_brainseg.annotation.monai_export import export_monai
from napari_brainseg.annotation.nnunet_export import NnunetName, export_nnunet
from napari_brainseg.annotation.project import Project
from napari_brainseg.base.errors import InputError
from napari_brainseg.base.progress import Progress, run_to_end
from napari_brainseg.cli.opening import add_opening_arguments, opening_options

FORMATS = ("nnunet", "monai")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the verb."""
    ways = parser.add_subparsers(dest="way", required=True, metavar="export|import")
    text = "write what is confirmed in a project as a data set"
    out = ways.add_parser("export", help=text, description=f"{text.capitalize()}.")
    usual = NnunetName()
    out.add_argument("project", type=Path, metavar="PROJECT", help="project folder")
    out.add_argument(
        "out", type=Path, metavar="OUT", help="folder of the data set; for nnunet the one that holds raw data sets"
    )
    out.add_argument("--format", required=True, choices=FORMATS, help="whose data set it is")
    out.add_argument("--name", help=f"nnU-Net's name of the data set (default: {usual.name})")
    out.add_argument("--id", type=int, metavar="NNN", help=f"nnU-Net's number of the data set ({usual.number})")
    out.add_argument("--cases", nargs="+", default=(), metavar="CASE", help="only these cases")
    out.add_argument("--channels", metavar="NAMES", help="only these channels, in this order: flair,t1,t1ce,t2")
    out.add_argument("--overwrite", action="store_true", help="replace an older data set in the same place")
    text = "take labelled cases over as confirmed corrections of a project"
    back = ways.add_parser("import", help=text, description=f"{text.capitalize()}.")
    back.add_argument(
        "folder", type=Path, metavar="FOLDER", help="labelled cases, or a data set of nnU-Net, MONAI or the Decathlon"
    )
    back.add_argument(
        "--project", type=Path, required=True, metavar="PROJECT", help="project folder, made where there is none"
    )
    back.add_argument("--overwrite", action="store_true", help="let imported labels replace confirmed ones")
    add_opening_arguments(back)


def run(args: argparse.Namespace) -> int:
    """Export or import and print what was done; what was left out goes to stderr."""
    way: Callable[[argparse.Namespace], int] = _export if args.way == "export" else _import
    return way(args)


def _export(args: argparse.Namespace) -> int:
    project = Project.open(args.project)
    channels = tuple(part.strip().lower() for part in (args.channels or "").split(",") if part.strip())
    settings = ExportSettings(channels, tuple(args.cases), args.overwrite)
    if args.format == "nnunet":
        usual = NnunetName()
        name = NnunetName(usual.number if args.id is None else args.id, args.name or usual.name)
        task = export_nnunet(project, args.out, name, settings)
    elif args.name is not None or args.id is not None:
        raise InputError("--name and --id are nnU-Net's. A MONAI data list is called as its folder, OUT.")
    else:
        task = export_monai(project, args.out, settings)
    data: ExportedDataSet = run_to_end(task, _show)
    _say_left_out(data.left_out)
    if data.unspaced:
        print(
            f"{', '.join(data.unspaced)}: the files say no spacing, so that other programs take 1 mm. "
            "Enter it when you open the case, and export again."
        )
    cases = "1 case" if len(data.cases) == 1 else f"{len(data.cases)} cases"
    classes = ", ".join(f"{c.value} {c.long_name}" for c in data.scheme.classes)
    print(f"{data.folder}: {cases} with {', '.join(data.channels)}; labels {classes}")
    return 0


def _import(args: argparse.Namespace) -> int:
    options = opening_options(args)
    if not args.folder.exists():
        raise InputError(f"{args.folder} does not exist. Give a folder of labelled cases.")
    project = Project.open_or_create(args.project)
    done = run_to_end(import_corrections(project, args.folder, options, overwrite=args.overwrite), _show)
    _say_left_out((*done.left_out, *done.kept))
    for case in done.cases:
        print(f"{case.case_id}: {_outcome(case)}")
    cases = "1 case" if len(done.cases) == 1 else f"{len(done.cases)} cases"
    print(f"{project.folder}: {cases} imported as confirmed")
    return 0 if done.cases or done.kept else 2


def _outcome(case: ImportedCase) -> str:
    share = "every voxel" if case.confirmed == 1 else f"{case.confirmed:.1%} of the voxels"
    return "".join((f"{share} confirmed, read as {case.scheme.title}", *(f"\n    {note}" for note in case.notes)))


def _say_left_out(sentences: tuple[str, ...]) -> None:
    for sentence in sentences:
        print(f"Left out: {sentence}", file=sys.stderr)


def _show(progress: Progress) -> None:
    if sys.stderr.isatty():
        print(f"\r\033[K{progress.message}", end="\n" if progress.done == progress.total else "", file=sys.stderr)
