"""`brainseg train`: train a model by a YAML file, write its folder and card."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from napari_brainseg.base.errors import BrainsegError, TrainingError
from napari_brainseg.base.progress import Progress, run_to_end
from napari_brainseg.training.settings import TrainingSettings, read_settings, without_place

_OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "not enough memory")
_ALONE = ("closed by peer", "reset by peer", "gloo/transport", "nccl")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the verb."""
    parser.add_argument("--config", type=Path, required=True, help="YAML file of settings")
    parser.add_argument("--resume", action="store_true", help="go on with the run that lies in 'out'")
    parser.add_argument("--find-rate", action="store_true", help="draw the loss against the learning rate, and stop")
    parser.add_argument("--devices", type=int, help="processes (GPUs) on each machine")
    parser.add_argument("--nodes", type=int, help="machines")
    parser.add_argument("--strategy", help="ddp, fsdp or auto")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="settings that win over the file's")


def run(args: argparse.Namespace) -> int:
    """Train, showing every epoch; the finished model lies in `<out>/<name>`."""
    settings = read_settings(args.config, args.overrides)
    given = {name: getattr(args, name) for name in ("devices", "nodes", "strategy") if getattr(args, name) is not None}
    settings = replace(settings, **given)
    if args.find_rate:
        return _find_rate(settings)
    from napari_brainseg.training.loop import train  # torch loads here, after the settings are known good

    # Where the data lie and the run is kept is this machine's affair, not the model's.
    kept = [_without_place(o) for o in args.overrides if not o.startswith(("data=", "out="))]
    command = " ".join(["brainseg train --config", str(args.config), "data=FOLDER", "out=FOLDER", *kept])
    checkpoint = settings.out / "last.pt"
    before = _written(checkpoint)
    try:
        with _said():
            run_to_end(train(settings, resume=args.resume, command=command), _show)
    except (BrainsegError, KeyboardInterrupt):
        if _written(checkpoint) != before and _speaks():
            print(f"What was learned is kept in {settings.out}: --resume goes on with it.", file=sys.stderr)
        raise
    if _speaks():
        print(settings.out / settings.name)
    return 0


def _without_place(override: str) -> str:
    name, equals, value = override.partition("=")
    return f"{name}={without_place(value)}" if equals and name == "start_from" else override


def _written(path: Path) -> int:
    """Return when a file was written last, in ns; 0 where there is none."""
    return path.stat().st_mtime_ns if path.exists() else 0


def _speaks() -> bool:
    """Whether this is the first of the processes of a run: the others are silent."""
    return all(os.environ.get(rank, "0") == "0" for rank in ("LOCAL_RANK", "NODE_RANK"))


def _find_rate(settings: TrainingSettings) -> int:
    from napari_brainseg.training.rate_range import find_rate, steepest, write_curve

    with _said():
        points = run_to_end(find_rate(settings), _show)
    if _speaks():
        print(f"{write_curve(points, settings.out)}: the loss falls fastest at a rate of {steepest(points):.1e}")
    return 0


@contextmanager
def _said() -> Iterator[None]:
    """Raise `TrainingError` for what numpy and torch make of too little memory, and of processes that have ended."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:  # torch has no classes of its own for most of these
        said = str(error).lower()
        if isinstance(error, MemoryError) or any(words in said for words in _OUT_OF_MEMORY):
            raise TrainingError(
                "The memory does not suffice for this run. Lower batch or size, or set cache=disk where the data are "
                "large."
            ) from error
        if any(words in said for words in _ALONE):
            raise TrainingError(
                "Another process of this run has ended, so this one ends too. Its own sentence says why."
            ) from error
        raise


def _show(progress: Progress) -> None:
    if not _speaks():
        return
    if progress.message.startswith("loss"):
        print(f"epoch {progress.done} of {progress.total}: {progress.message}", flush=True)
    elif progress.message.startswith("note: "):
        print(f"brainseg: {progress.message}", file=sys.stderr)
    elif sys.stderr.isatty():
        print(f"\r{progress.message} {progress.done}/{progress.total}   ", end="", file=sys.stderr)
