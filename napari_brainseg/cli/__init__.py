"""The command `brainseg`: one file per verb, each parses, calls the library and prints."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module

from napari_brainseg import __version__
from napari_brainseg.base.errors import BrainsegError

VERBS = {
    "app": "open the window with the workbench",
    "demo": "segment the sample case, show it and export it",
    "info": "say what a case holds and how it was read",
    "segment": "segment cases and write their masks",
    "export": "write labels on a case's own grid",
    "finetune": "teach a model from the corrections of a project",
    "corrections": "write confirmed corrections as a data set for nnU-Net or MONAI, or take labelled cases over",
    "explore": "look at a data set before training on it: what is odd, and what is usual",
    "split": "divide a folder of cases by patient into training and validation",
    "train": "train a model on folders of labelled cases",
    "evaluate": "score masks against references, or a model on a part of a split",
    "robustness": "measure models on changed images and with missing sequences",
    "card": "write a model's card anew from its records and from results that it takes over",
    "models": "list, compare, rename, join, calibrate, export, import, delete models; go back to an earlier one",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status: 0 done, 2 bad input, 130 interrupted."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    parser = argparse.ArgumentParser(
        prog="brainseg", description="Segment brain tumours in MRI. For research use, not for diagnosis."
    )
    parser.add_argument("--version", action="version", version=f"napari-brainseg {__version__}")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    chosen = arguments[0] if arguments else ""
    for name, text in VERBS.items():
        verb = verbs.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
        if name == chosen:  # only the chosen verb's module is imported, so that `brainseg info` never waits for torch
            module = import_module(f"napari_brainseg.cli.{name}")
            module.add_arguments(verb)
            if hasattr(module, "completed"):  # a verb with commands of its own, one of which may be left out
                arguments = [name, *module.completed(arguments[1:])]
    parsed, rest = parser.parse_known_args(arguments)
    # argparse takes words such as key=value in one place only; people write them between the options too.
    if rest and not (hasattr(parsed, "overrides") and all("=" in r and not r.startswith("-") for r in rest)):
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    if rest:
        parsed.overrides += rest
    try:
        status: int = import_module(f"napari_brainseg.cli.{parsed.verb}").run(parsed)
        sys.stdout.flush()
    except BrainsegError as error:
        print(f"brainseg: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("brainseg: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # who reads has seen enough, as `head` has
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python would fail again when it ends
        return 1
    return status
