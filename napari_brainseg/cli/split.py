"""`brainseg split`: divide a folder of cases by patient, once, into a file that runs are told to use."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from napari_brainseg.base.errors import InputError, OutputError
from napari_brainseg.base.paths import refuse_unwritable
from napari_brainseg.base.progress import Progress, run_to_end
from napari_brainseg.training.exploring.shares import tumour_shares
from napari_brainseg.training.prepared import cases_by_id
from napari_brainseg.training.splits import Split, kfold_by_patient, read_splits, split_by_patient, write_splits


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the verb."""
    parser.add_argument("data", type=Path, metavar="FOLDER", help="folder of cases")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="JSON file; other splits in it stay")
    parser.add_argument("--name", required=True, help="name of the split in the file; folds are NAME-1, NAME-2 …")
    parser.add_argument("--share", type=float, default=0.2, help="share of each site's patients to validate on (0.2)")
    parser.add_argument("--folds", type=int, metavar="K", help="K splits, in which every patient validates once")
    parser.add_argument(
        "--test-share", type=float, default=0.0, metavar="S", help="share of the patients kept for the test (0)"
    )
    parser.add_argument(
        "--by-site-alone",
        action="store_true",
        help="share out sites without a look at the labels; else small and large tumours go to each part alike",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace a split of this name in FILE")
    parser.add_argument("--seed", type=int, default=1, help="the same seed gives the same split (1)")


def run(args: argparse.Namespace) -> int:
    """Write the splits and say how many cases each part has."""
    if not args.name.strip():
        raise InputError("--name is empty. Give the split a name, such as first.")
    splits = read_splits(args.out) if args.out.exists() else {}  # a wrong file is said before the cases are read
    if args.folds is not None and args.by_site_alone:
        raise InputError("Folds are alike in tumour and site always. Leave --by-site-alone out.")
    refuse_unwritable(args.out.parent)
    made = _folds(args) if args.folds is not None else {args.name: _split(args)}
    other = [name for name, split in made.items() if splits.get(name, split) != split]
    if other and not args.overwrite:
        raise OutputError(
            f"{args.out} holds another split {other[0]!r} already, which models may have been trained with. Choose "
            "another --name, or replace it with --overwrite."
        )
    write_splits({**splits, **made}, args.out)
    for name, split in made.items():
        test = f", {len(split.test)} kept for the test" if split.test else ""
        print(
            f"{args.out}: {name} with {len(split.train)} cases to learn from, "
            f"{len(split.validation)} to validate on{test}"
        )
    return 0


def _split(args: argparse.Namespace) -> Split:
    shares = None if args.by_site_alone else _shares(args)
    return split_by_patient(cases_by_id(args.data), args.share, args.seed, shares, args.test_share)


def _folds(args: argparse.Namespace) -> dict[str, Split]:
    folds = kfold_by_patient(_shares(args), args.folds, args.seed, args.test_share)
    return {f"{args.name}-{number}": fold for number, fold in enumerate(folds, 1)}


def _shares(args: argparse.Namespace) -> dict[str, float]:
    return run_to_end(tumour_shares(args.data), _show if sys.stderr.isatty() else None)


def _show(progress: Progress) -> None:
    print(f"\r{progress.message:60}", end="\r", file=sys.stderr)
