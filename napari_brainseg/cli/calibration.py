"""`brainseg models calibrate`: let a model's probabilities mean what they say."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from napari_brainseg.base.errors import InputError
from napari_brainseg.base.progress import Progress, run_to_end
from napari_brainseg.model_store.store import find_model


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.add_argument(
        "models", nargs="+", metavar="MODEL", help="name or folder; several are the folds of a cross-validation"
    )
    parser.add_argument("--cases", type=Path, metavar="DIR", required=True, help="folder of labelled cases")
    parser.add_argument("--split", type=Path, metavar="FILE", required=True, help="JSON file of splits")
    parser.add_argument("--split-name", metavar="NAME", help="split in the file (default: the one of the training)")
    parser.add_argument("--apply-to", metavar="MODEL", help="the model that is written anew (default: the one MODEL)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps (default: auto)")


def calibrate(args: argparse.Namespace, places: tuple[Path, ...]) -> int:
    """Measure the validation cases of the models, write the model anew and print what it changed."""
    from napari_brainseg.training.calibrating import calibrate as task  # torch loads here
    from napari_brainseg.training.folds import SplitPart

    if len(args.models) > 1 and not args.apply_to:
        raise InputError("Several models measure for another one: name it with --apply-to.")
    target = find_model(args.apply_to or args.models[0], places)
    models = [find_model(model, places).folder or model for model in args.models]
    chosen = SplitPart(args.split, args.split_name)
    done = run_to_end(task(models, args.cases, chosen, target, device=args.device), _show)
    told = done.record.scores["calibration"]
    judged = "each at the temperatures of the others" if told["cross_fitted"] else "the ones that it was fitted on"
    print(f"Voxels in the brain of {len(told['scored'])} cases, {judged}:")
    for name, one in told["regions"].items():
        errors = f"{one['before']['ece']:.4f} before, {one['after']['ece']:.4f} after"
        print(f"{name}: temperature {one['temperature']:.3f}; expected calibration error {errors}")
    for note in done.notes:
        print(f"brainseg: {note}", file=sys.stderr)
    print(done.record.folder)
    return 0


def _show(progress: Progress) -> None:
    if sys.stderr.isatty():
        print(f"\r{progress.done} of {progress.total}  {progress.message:50}", end="\r", file=sys.stderr)
