"""`brainseg split`: divide a folder of cases by patient, once, into a file that runs are told to use."""

from __future__ import annotations

import argparse
from pathlib import Path

from napari_brainseg.cases.reading import find_cases
from napari_brainseg.training.splits import read_splits, split_by_patient, write_splits


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the verb."""
    parser.add_argument("data", type=Path, help="folder of cases")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="JSON file; other splits in it stay")
    parser.add_argument("--name", required=True, help="name of the split in the file")
    parser.add_argument("--share", type=float, default=0.2, help="share of each site's patients to validate on (0.2)")
    parser.add_argument("--seed", type=int, default=1, help="the same seed gives the same split (1)")


def run(args: argparse.Namespace) -> int:
    """Write the split and say how many cases each part has."""
    split = split_by_patient([files.id for files in find_cases(args.data)], args.share, args.seed)
    splits = read_splits(args.out) if args.out.exists() else {}
    write_splits({**splits, args.name: split}, args.out)
    print(
        f"{args.out}: {args.name} with {len(split.train)} cases to learn from, {len(split.validation)} to validate on"
    )
    return 0
