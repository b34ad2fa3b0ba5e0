"""`brainseg finetune`: teach a model from the corrections of a project and save it as a new one."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from napari_brainseg.annotation.project import Project
from napari_brainseg.base.progress import Progress, run_to_end
from napari_brainseg.model_store.store import find_model
from napari_brainseg.training.finetune_settings import LAYERS, FinetuneSettings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the verb."""
    usual = FinetuneSettings()
    parser.add_argument("project", type=Path, metavar="PROJECT", help="project folder with confirmed slices")
    parser.add_argument("--model", required=True, help="name or folder of the model to start from")
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder of the new model (default: in the project)")
    parser.add_argument("--steps", type=int, default=usual.steps, help=f"steps (default: {usual.steps})")
    parser.add_argument("--rate", type=float, default=usual.rate, help=f"learning rate (default: {usual.rate:g})")
    parser.add_argument("--layers", choices=LAYERS, default=usual.layers, help="which weights may change")
    parser.add_argument("--seed", type=int, default=usual.seed, help=f"seed of chance (default: {usual.seed})")
    parser.add_argument("--device", default=usual.device, help="auto, cpu, cuda or mps (default: auto)")


def run(args: argparse.Namespace) -> int:
    """Teach the model, showing every tenth step, and print Dice on the confirmed slices before and after."""
    settings = FinetuneSettings(
        steps=args.steps, rate=args.rate, layers=args.layers, seed=args.seed, device=args.device
    )
    project = Project.open(args.project)
    record = find_model(args.model, [project.models])
    from napari_brainseg.training.finetuning import FinetuneReport  # torch loads here, once project and model are found
    from napari_brainseg.training.project_finetuning import finetune_project

    def show(progress: Progress) -> None:
        if isinstance(progress, FinetuneReport) and progress.done:
            if progress.done % 10 == 0 or progress.done in (1, progress.total):
                print(f"{progress.message}: loss {progress.loss:.4f}, Dice {progress.dice:.3f}", flush=True)
        elif sys.stderr.isatty():
            print(f"\r{progress.message:60}", end="\r", file=sys.stderr)

    taught = run_to_end(finetune_project(project, record, settings, folder=args.out), show)
    for sentence in taught.skipped:
        print(f"Left out: {sentence}", file=sys.stderr)
    result = taught.result
    slices = "1 slice" if result.slices == 1 else f"{result.slices} slices"
    cases = "1 case" if result.cases == 1 else f"{result.cases} cases"
    print(f"Dice on the confirmed voxels ({slices} in {cases}, {result.seconds:.1f} s)")
    print(f"{'':8} before   after")
    for name, before in result.before.items():
        print(f"{name:8} {before:6.3f}  {result.after[name]:6.3f}")
    print(taught.record.folder)
    return 0
