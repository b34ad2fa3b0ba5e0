"""`brainseg segment`: segment one case or many and write their masks in the style of their source."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from napari_brainseg.base.errors import InputError
from napari_brainseg.base.progress import Progress, run_to_end
from napari_brainseg.cases.labels import scheme_by_id
from napari_brainseg.cases.reading import find_cases
from napari_brainseg.cli.opening import add_opening_arguments, opening_options
from napari_brainseg.inference.cohort import CaseReport, segment_cohort
from napari_brainseg.inference.cohort_plan import CohortSettings
from napari_brainseg.inference.postprocessing import PostProcessing
from napari_brainseg.inference.settings import SegmentSettings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the verb."""
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="case folder, folder of cases, or files")
    add_opening_arguments(parser)
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the masks")
    parser.add_argument(
        "--model", action="append", help="name or folder of the model (default: the one made for such cases)"
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps (default: auto)")
    parser.add_argument("--flips", action="store_true", help="average over mirrored copies: slower, a little steadier")
    parser.add_argument("--write-scheme", metavar="SCHEME", help="label scheme to write (default: the source's own)")
    parser.add_argument("--probabilities", action="store_true", help="write the probability maps too")
    parser.add_argument(
        "--uncertainty", choices=("entropy", "margin"), default="", help="write a map of the model's uncertainty too"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace masks that exist already")
    _add_post_processing(parser)


def _add_post_processing(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group(
        "post-processing", "Steps after the labels; what is given here takes the place of what the model recommends."
    )
    group.add_argument(
        "--min-volume", type=float, default=0.0, metavar="MM3", help="drop components of the whole tumour below it"
    )
    group.add_argument(
        "--min-share",
        type=float,
        default=0.0,
        metavar="S",
        help="drop components of the whole tumour below this share of its largest one, 0 to 1",
    )
    group.add_argument("--fill-holes", action="store_true", help="fill background that tumour encloses")
    group.add_argument(
        "--small-enhancing",
        type=float,
        default=0.0,
        metavar="MM3",
        help="turn enhancing tumour into core where it is less than this in total",
    )
    group.add_argument("--no-post-processing", action="store_true", help="take no step, whatever the model recommends")


def run(args: argparse.Namespace) -> int:
    """Segment every case; one that fails is reported at the end and does not stop the others."""
    settings = CohortSettings(
        folder=args.out,
        scheme=scheme_by_id(args.write_scheme) if args.write_scheme else None,
        overwrite=args.overwrite,
        opening=opening_options(args),
        run=SegmentSettings(
            device=args.device,
            probabilities=args.probabilities,
            flips=args.flips,
            uncertainty=args.uncertainty,
            post_processing=_post_processing(args),
        ),
    )
    cases = find_cases(args.paths)
    with closing(segment_cohort(cases, settings, args.model)) as task:
        try:
            reports = run_to_end(task, _show)
        except KeyboardInterrupt:
            again = "The same command goes on with the rest" + (", without --overwrite." if args.overwrite else ".")
            print(f"\nWhat is finished is kept in {args.out}. {again}", file=sys.stderr)
            raise
    failed = [report for report in reports if report.problem]
    for report in failed:
        print(f"brainseg: {report.case_id}: {report.problem}", file=sys.stderr)
    return 2 if failed else 0


def _post_processing(args: argparse.Namespace) -> PostProcessing | None:
    chosen = PostProcessing(args.min_volume, args.fill_holes, args.small_enhancing, args.min_share)
    if args.no_post_processing and chosen != PostProcessing():
        raise InputError("--no-post-processing forbids the steps that were asked for as well. Leave one of both out.")
    return chosen if args.no_post_processing or chosen != PostProcessing() else None


def _show(progress: Progress) -> None:
    """Print a line for each case that is done; on a terminal, what is going on, below them."""
    here = sys.stderr.isatty()
    if isinstance(progress, CaseReport):
        if here:
            print("\r\033[K", end="", file=sys.stderr, flush=True)
        number = f"[{progress.done}/{progress.total}] " if progress.total > 1 else ""
        print(f"{number}{progress.case_id}: {_outcome(progress)}", flush=True)
    elif here:
        print(f"\r\033[K{progress.message}", end="", file=sys.stderr, flush=True)


def _outcome(report: CaseReport) -> str:
    if report.problem:
        return "failed"
    if report.skipped:
        shown = f"{_shown(report.masks)} " if report.masks else ""
        return f"{shown}{report.skipped}, skipped (--overwrite replaces it)"
    notes = "".join(f"\n    {remark}" for remark in report.remarks)
    return f"{_shown(report.masks)} ({report.model}, {report.seconds:.1f} s){notes}"


def _shown(paths: Sequence[Path]) -> str:
    return str(paths[0]) if len(paths) == 1 else f"{paths[0].parent} ({len(paths)} masks)"
