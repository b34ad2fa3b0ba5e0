"""`brainseg explore`: look at a data set before training on it, and write one page of what is odd and what is usual."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from napari_brainseg.base.errors import OutputError
from napari_brainseg.base.paths import refuse_unwritable, written_aside
from napari_brainseg.base.progress import Progress, run_to_end
from napari_brainseg.cases.labels import SCHEMES

PAGE = "explore.html"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the verb."""
    parser.add_argument("data", type=Path, metavar="FOLDER", help="folder of cases")
    parser.add_argument("--out", type=Path, default=Path(), metavar="DIR", help=f"folder for {PAGE} (default: .)")
    parser.add_argument("--split", type=Path, metavar="FILE", help="file of splits: compare the tumours of their parts")
    parser.add_argument("--scheme", choices=tuple(SCHEMES), help="how labels are read (default: told by names, values)")
    parser.add_argument("--augment", action="store_true", help="show slices before and after augmentation")
    parser.add_argument("--overwrite", action="store_true", help=f"replace {PAGE} if it exists")


def run(args: argparse.Namespace) -> int:
    """Read every case, write the page, and print how much is odd."""
    target = args.out / PAGE
    if target.exists() and not args.overwrite:  # said before the cases are read
        raise OutputError(f"{target} exists. Choose another --out, or replace it with --overwrite.")
    refuse_unwritable(args.out)
    from napari_brainseg.training.explore import explore
    from napari_brainseg.training.exploring.page import page_of

    show = _show if sys.stderr.isatty() else None
    findings = run_to_end(explore(args.data, args.split, args.scheme), show)
    augmented = None
    if args.augment:
        from napari_brainseg.training.exploring.augmenting import augmented_samples  # the only part that needs torch

        augmented = run_to_end(augmented_samples(findings), show)
    page = page_of(findings, augmented)
    with written_aside(target, overwrite=args.overwrite) as aside:
        aside.write_text(page.html(), encoding="utf-8")
    kinds = dict.fromkeys(odd.kind for odd in findings.oddities)
    for kind in kinds:
        count = len({odd.case_id for odd in findings.of(kind)})
        print(f"{kind.value[0]}: {'1 case' if count == 1 else f'{count} cases'}")
    odd = "1 kind of oddity" if len(kinds) == 1 else f"{len(kinds)} kinds of oddity" if kinds else "nothing odd"
    cases = "1 case" if len(findings.cases) == 1 else f"{len(findings.cases)} cases"
    print(f"{target}: {cases}, {odd}")
    return 0


def _show(progress: Progress) -> None:
    print(f"\r{progress.done}/{progress.total} {progress.message:60}", end="\r", file=sys.stderr)
