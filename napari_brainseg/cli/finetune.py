"""`brainseg finetune`: teach a model from the corrections of a project and save it as a new one."""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path

from napari_brainseg.annotation.project import Project
from napari_brainseg.base.errors import ModelError
from napari_brainseg.base.progress import Progress, run_to_end
from napari_brainseg.model_store.store import find_model, why_not_ours
from napari_brainseg.training.finetune_settings import LAYERS, FinetuneSettings
from napari_brainseg.training.seat_belt import Verdict


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the verb."""
    usual = FinetuneSettings()
    parser.add_argument("project", type=Path, metavar="CORRECTIONS", help="project folder with confirmed slices")
    parser.add_argument("--model", required=True, help="name or folder of the model to start from")
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder of the new model (default: in the project)")
    parser.add_argument("--steps", type=int, default=usual.steps, help=f"steps (default: {usual.steps})")
    parser.add_argument("--rate", type=float, default=usual.rate, help=f"learning rate (default: {usual.rate:g})")
    parser.add_argument("--layers", choices=LAYERS, default=usual.layers, help="which weights may change")
    parser.add_argument(
        "--replay", type=float, default=usual.replay, help=f"weight of the old answers (default: {usual.replay:g})"
    )
    parser.add_argument(
        "--keep", type=float, default=usual.keep, help=f"share of the old weights kept (default: {usual.keep:g})"
    )
    parser.add_argument("--seed", type=int, default=usual.seed, help=f"seed of chance (default: {usual.seed})")
    parser.add_argument("--device", default=usual.device, help="auto, cpu, cuda or mps (default: auto)")
    parser.add_argument("--no-hold-out", action="store_true", help="learn from everything; nothing judges the model")
    parser.add_argument(
        "--anyway", action="store_true", help="save the model also where it is recommended to discard it"
    )


def run(args: argparse.Namespace) -> int:
    """Teach the model, print the table and what is recommended, and save it unless that is to discard it."""
    settings = FinetuneSettings(
        steps=args.steps,
        rate=args.rate,
        layers=args.layers,
        replay=args.replay,
        keep=args.keep,
        hold_out=not args.no_hold_out,
        seed=args.seed,
        device=args.device,
    )
    project = Project.open(args.project)
    record = find_model(args.model, [project.models])
    if record.external is not None:
        raise ModelError(why_not_ours(record))
    # torch loads here, once project and model are found
    from napari_brainseg.training.project_finetuning import accept, check_place, finetune_project

    if args.out is not None:
        check_place(args.out)  # before minutes are spent on it
    candidate = run_to_end(finetune_project(project, record, settings), _show)
    for sentence in candidate.skipped:
        print(f"Left out: {sentence}", file=sys.stderr)
    for sentence in candidate.result.notes:
        print(sentence, file=sys.stderr)
    result, table = candidate.result, candidate.result.table
    slices = "1 slice" if result.slices == 1 else f"{result.slices} slices"
    cases = "1 case" if result.cases == 1 else f"{result.cases} cases"
    print(f"Learnt from {slices} in {cases} in {result.seconds:.1f} s. Held out: {table.held_out or 'nothing'}.")
    print(f"{'Dice':32} before   after")
    for what, before, after in table.rows():
        print(f"{what:32} {before:6.3f}  {after:6.3f}")
    print(f"Recommended: {table.verdict.value} ({table.reason}).")
    if table.verdict is Verdict.DISCARD and not args.anyway:
        print("Nothing was saved. --anyway saves it all the same.", file=sys.stderr)
        return 1
    print(accept(candidate, project, args.out).folder)
    return 0


def _show(progress: Progress) -> None:
    """Print every tenth step; on a terminal, what else goes on."""
    loss = getattr(progress, "loss", math.nan)
    if not math.isnan(loss):
        held = getattr(progress, "held_out", math.nan)
        if progress.done % 10 == 0 or progress.done in (1, progress.total):
            told = "" if math.isnan(held) else f", held out {held:.3f}"
            dice = getattr(progress, "dice", math.nan)
            print(f"{progress.message}: loss {loss:.4f}, Dice {dice:.3f}{told}", flush=True)
    elif sys.stderr.isatty():
        print(f"\r{progress.message:60}", end="\r", file=sys.stderr)
