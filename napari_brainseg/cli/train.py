"""`brainseg train`: train a model by a YAML file, write its folder and card."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from napari_brainseg.base.progress import Progress, run_to_end
from napari_brainseg.training.settings import read_settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the verb."""
    parser.add_argument("--config", type=Path, required=True, help="YAML file of settings")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="settings that win over the file's")


def run(args: argparse.Namespace) -> int:
    """Train, showing every epoch; the finished model lies in `<out>/<name>`."""
    settings = read_settings(args.config, args.overrides)
    from napari_brainseg.model_store.card import training_card  # torch loads here, after the settings are known good
    from napari_brainseg.model_store.model import save_model
    from napari_brainseg.training.loop import EpochReport, train

    def show(progress: Progress) -> None:
        if isinstance(progress, EpochReport):
            print(f"epoch {progress.done} of {progress.total}: {progress.message}", flush=True)
        elif sys.stderr.isatty():
            print(f"\r{progress.message} {progress.done}/{progress.total}   ", end="", file=sys.stderr)

    model, _ = run_to_end(train(settings), show)
    # Where the data lie and the run is kept is this machine's affair, not the model's.
    kept = [o for o in args.overrides if not o.startswith(("data=", "out="))]
    command = " ".join(["brainseg train --config", str(args.config), "data=FOLDER", "out=FOLDER", *kept])
    record = save_model(model, settings.out / settings.name, training_card(model.record, command), overwrite=True)
    print(record.folder)
    return 0
