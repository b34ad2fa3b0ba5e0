"""`brainseg evaluate`: score label files against references, or a model on a part of a split."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from napari_brainseg.base.errors import BrainsegError, InputError
from napari_brainseg.base.paths import refuse_unwritable
from napari_brainseg.base.progress import Progress, run_to_end
from napari_brainseg.cases.labels import SCHEMES
from napari_brainseg.cases.reading import CaseFiles, find_cases
from napari_brainseg.cli.opening import add_opening_arguments, opening_options
from napari_brainseg.evaluation.evaluating import Evaluation, evaluate
from napari_brainseg.evaluation.label_pairs import PairOptions, loader, match
from napari_brainseg.evaluation.measures import BY_NAME
from napari_brainseg.evaluation.page import NOTICE
from napari_brainseg.evaluation.parts import parts_of
from napari_brainseg.evaluation.report import case_images, write_report
from napari_brainseg.evaluation.tables import NAMES, refuse_existing, write_tables
from napari_brainseg.training.evaluating import Keeping, evaluate_models
from napari_brainseg.training.folds import TEST, VALIDATION, SplitPart
from napari_brainseg.training.splits import patient_of

_PRINTED = (
    *("dice", "hd95", "surface_dice", "border_dice", "lesion_dice"),
    *("slice_dice_all", "slice_dice_tumour", "slice_false_alarms"),
)

_WIDTH = len("374.000")  # of the distance that stands for a mask that was not found


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the verb."""
    parser.add_argument(
        "predictions", nargs="?", type=Path, metavar="PREDICTIONS", help="labels file, or folder of them"
    )
    parser.add_argument("references", nargs="?", type=Path, metavar="REFERENCES", help="true labels, file or folder")
    parser.add_argument("--out", type=Path, metavar="DIR", help=f"folder for {', '.join(NAMES)}")
    parser.add_argument("--overwrite", action="store_true", help="replace an evaluation in DIR")
    parser.add_argument("--prediction-scheme", choices=tuple(SCHEMES), help="as --scheme, for the predictions alone")
    add_opening_arguments(parser)
    group = parser.add_argument_group("models, whose masks are made first")
    group.add_argument(
        "--model",
        nargs="+",
        help="name or folder of the model; several are the folds of a cross-validation, and each segments the part of "
        "the split that it was trained with",
    )
    group.add_argument("--cases", type=Path, metavar="DIR", help="folder of labelled cases")
    group.add_argument("--split", type=Path, metavar="FILE", help="JSON file of splits, as brainseg split writes it")
    group.add_argument("--split-name", metavar="NAME", help="split in the file (default: the one of the training)")
    group.add_argument("--part", choices=(VALIDATION, TEST), default=VALIDATION, help="part of the split (validation)")
    group.add_argument("--final", action="store_true", help="this is the final score: read the test part; recorded")
    group.add_argument("--keep", type=Path, metavar="DIR", help="folder for the masks, to be scored again later")
    group.add_argument("--device", default="auto", help="auto, cpu, cuda or mps (default: auto)")


def run(args: argparse.Namespace) -> int:
    """Score, print the means, and write the files; return 2 where a case could not be scored."""
    _refuse_mixture(args)
    if args.out is not None:
        refuse_existing(args.out, overwrite=args.overwrite)
        refuse_unwritable(args.out)
    evaluation, facts, origin, files = _models(args) if args.model else _pairs(args)
    if sys.stderr.isatty():
        print(f"\r{'':60}\r", end="", file=sys.stderr)
    print("\n".join(lines(evaluation)))
    if args.out is not None:
        write_report(evaluation, args.out / "report.html", facts, case_images(files))
        write_tables(evaluation, args.out, {**facts, **origin})
        print(f"{args.out / 'report.html'}, with {', '.join(name for name in NAMES if name != 'report.html')}")
    for case_id, reason in evaluation.failed.items():
        print(f"brainseg: {case_id}: {reason}", file=sys.stderr)
    return 2 if evaluation.failed else 0


def lines(evaluation: Evaluation) -> list[str]:
    """Return the table of means, as a person reads it in a terminal."""
    titles = [f"{BY_NAME[name].title:>{_WIDTH}}" for name in _PRINTED]
    parts = parts_of(evaluation.scheme)
    width = max(len(part.name) for part in parts)
    rows = [f"{'':{width}}  " + "  ".join(titles)]
    for part in parts:
        row = evaluation.overall.estimates[part.name]
        figures = (f"{row[name].mean:{len(text)}.3f}" for name, text in zip(_PRINTED, titles, strict=True))
        rows.append(f"{part.name:{width}}  " + "  ".join(figures))
    notes = [*evaluation.notes, *(f"{case.case_id}: {note}" for case in evaluation.cases for note in case.notes)]
    cases, patients = len(evaluation.cases), evaluation.overall.patients
    counted = f"Means over {cases} cases of {patients} patients." if cases > 1 else "Scores of 1 case."
    return [f"{counted} {NOTICE}", *rows, *notes]


def _refuse_mixture(args: argparse.Namespace) -> None:
    given = [name for name in ("cases", "split") if getattr(args, name) is None]
    if args.model and args.predictions:
        raise InputError("Give PREDICTIONS and REFERENCES, or --model with --cases and --split, not both.")
    if args.model and given:
        raise InputError(f"--model needs {' and '.join(f'--{name}' for name in given)} too.")
    if args.final and args.out is None:
        raise InputError("--final needs --out DIR, so that the reading of the test part is recorded.")
    of_model = (args.final, args.part == TEST, args.split_name, args.keep, args.channels, args.labels, args.resample)
    if not args.model and (len(given) < 2 or any(of_model)):
        raise InputError(
            "--cases, --split, --split-name, --part, --final, --keep, --channels, --labels and --resample need --model."
        )
    if not args.model and args.references is None:
        raise InputError("Give two files or folders, PREDICTIONS and REFERENCES, or --model with --cases and --split.")


# What was compared is in words for the page, and where masks come from in plain values for the tables.
_Evaluated = tuple[Evaluation, Mapping[str, Any], Mapping[str, Any], Mapping[str, CaseFiles]]


def _pairs(args: argparse.Namespace) -> _Evaluated:
    options = PairOptions(args.scheme, args.prediction_scheme, opening_options(args).spacing)
    pairs, notes = match(args.predictions, args.references)
    evaluation = run_to_end(evaluate(list(pairs), loader(pairs, options), patient_of, notes), _show)
    facts = {"predictions": str(args.predictions), "references": str(args.references)}
    return evaluation, facts, {}, _images(args.references)


def _images(references: Path) -> Mapping[str, CaseFiles]:
    """Return the images that lie with the references, for pictures, by case."""
    try:
        return {files.id: files for files in find_cases(references) if files.channels}
    except BrainsegError:
        return {}


def _models(args: argparse.Namespace) -> _Evaluated:
    chosen = SplitPart(args.split, args.split_name, args.part, args.final)
    keep = Keeping(args.keep, args.overwrite) if args.keep is not None else None
    task = evaluate_models(args.model, args.cases, chosen, opening_options(args), args.device, keep)
    result = run_to_end(task, _show)
    return result.evaluation, result.facts, result.origin, result.files


def _show(progress: Progress) -> None:
    if sys.stderr.isatty():
        count = f"{progress.done} of {progress.total}  " if progress.total else ""
        print(f"\r{count + progress.message:60}", end="\r", file=sys.stderr)
