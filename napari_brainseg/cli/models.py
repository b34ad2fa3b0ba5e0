"""`brainseg models`: list the models that can be used, or print a card."""

from __future__ import annotations

import argparse
from pathlib import Path

from napari_brainseg.model_store.card import score_line
from napari_brainseg.model_store.store import find_model, list_models


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the verb."""
    parser.add_argument("card", nargs="?", metavar="MODEL", help="print the card of this model")
    parser.add_argument("--project", type=Path, default=None, help="project folder whose models are listed too")


def run(args: argparse.Namespace) -> int:
    """Print one line a model, or one card."""
    places = [args.project / "models"] if args.project else []
    if args.card:
        print(find_model(args.card, places).card)
        return 0
    records = list_models(places)
    if not records:
        print("No model was found.")
    for record in records:
        scores = score_line(record)
        print(f"{record.name}  (version {record.version})  {record.title}")
        print(f"    takes {', '.join(record.channels)}; gives {record.scheme.title}")
        print(f"    {f'{scores}; ' if scores else ''}{record.folder}")
    return 0
