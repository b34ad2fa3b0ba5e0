"""`brainseg card`: write a model's card anew from its records, with results that are taken into them."""

from __future__ import annotations

import argparse
from pathlib import Path

from napari_brainseg.model_store.store import find_model


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the verb."""
    parser.add_argument("model", metavar="MODEL", help="name or folder of the model")
    parser.add_argument(
        "--take",
        nargs="+",
        default=(),
        metavar="[KIND=]PATH",
        help="results.json of brainseg evaluate, robustness.json of brainseg robustness, a folder of them, or a CSV "
        "table of what was tried; cross_validation=, hold_out= or validation= before a results.json says what it is",
    )
    parser.add_argument(
        "--join",
        nargs="+",
        default=(),
        metavar="PATH",
        help="robustness.json of further folds of a cross-validation, whose cases are added to those taken before",
    )
    parser.add_argument("--project", type=Path, default=None, help="project folder whose models are meant too")


def run(args: argparse.Namespace) -> int:
    """Write the card and say where it is."""
    from napari_brainseg.model_store.card_writing import write_card  # matplotlib loads here

    record = find_model(args.model, (args.project / "models",) if args.project else ())
    print(write_card(record, args.take, args.join))
    return 0
