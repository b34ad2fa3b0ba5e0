"""`brainseg robustness`: measure how a model does on changed images and without some of the sequences."""

from __future__ import annotations

import argparse
import shlex
import sys
from contextlib import closing
from pathlib import Path

from napari_brainseg.base.progress import Progress, run_to_end
from napari_brainseg.cli.opening import add_opening_arguments, opening_options
from napari_brainseg.training.folds import SplitPart
from napari_brainseg.training.robustness.measuring import MeasuringSettings, measure_robustness
from napari_brainseg.training.robustness.results import lines, refuse_existing, results, write_results


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the verb."""
    parser.add_argument(
        "models",
        nargs="+",
        metavar="MODEL",
        help="name or folder; several are the folds of a cross-validation, and each segments the part of the split "
        "that it was trained with",
    )
    parser.add_argument("--cases", type=Path, required=True, metavar="DIR", help="folder of labelled cases")
    parser.add_argument("--split", type=Path, required=True, metavar="FILE", help="JSON file of splits")
    parser.add_argument("--split-name", metavar="NAME", help="split in the file (default: the one of the training)")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for robustness.json")
    parser.add_argument(
        "--only", nargs="+", default=(), metavar="NAME", help="conditions, or robustness or sequences for a group"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace what was measured of other models or cases")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps (default: auto)")
    add_opening_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Measure, write and print the table; return 2 where a case could not be measured."""
    refuse_existing(args.out, overwrite=args.overwrite)
    settings = MeasuringSettings(args.out, tuple(args.only), opening_options(args), args.device, args.overwrite)
    chosen = SplitPart(args.split, args.split_name)
    with closing(measure_robustness(args.models, args.cases, chosen, settings)) as task:
        try:
            found = run_to_end(task, _show)
        except KeyboardInterrupt:
            again = "The same command goes on with the rest" + (", without --overwrite." if args.overwrite else ".")
            print(f"\nWhat was measured is kept in {args.out}. {again}", file=sys.stderr)
            raise
    if sys.stderr.isatty():
        print("\r\033[K", end="", file=sys.stderr)
    command = _command(args)
    path = write_results(found, args.out, command)
    print("\n".join(lines(results(found, command))))
    print(path)
    for case_id, reason in found.failed.items():
        print(f"brainseg: {case_id}: {reason}", file=sys.stderr)
    return 2 if found.failed else 0


def _command(args: argparse.Namespace) -> str:
    """Return the command as it stands in the results, which are passed on: paths by their last names alone."""
    words = ["brainseg", "robustness", *(Path(model).name for model in args.models)]
    words += ["--cases", args.cases.name, "--split", args.split.name]
    words += ["--split-name", args.split_name] if args.split_name else []
    words += ["--only", *args.only] if args.only else []
    return shlex.join([*words, "--out", args.out.name])


def _show(progress: Progress) -> None:
    """Print, on a terminal, what is going on; the steps of a single segmentation say too much."""
    if sys.stderr.isatty() and ": " in progress.message:
        print(f"\r\033[K{progress.done} of {progress.total}  {progress.message}", end="", file=sys.stderr, flush=True)
