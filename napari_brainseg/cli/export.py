"""`brainseg export`: write labels on a case's own grid, in the values of a scheme."""

from __future__ import annotations

import argparse
from pathlib import Path

from napari_brainseg.cases.labels import SCHEMES, scheme_by_id
from napari_brainseg.cases.reading import OpenOptions, attach_labels, read_case
from napari_brainseg.cases.segmentation import Segmentation
from napari_brainseg.cases.writing import write_labels
from napari_brainseg.cli.opening import add_opening_arguments, opening_options


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the verb."""
    parser.add_argument(
        "labels_file", type=Path, metavar="LABELS", help="labels to export, or a folder that holds them"
    )
    parser.add_argument(
        "--like", required=True, type=Path, metavar="CASE", help="the case whose grid and header are used"
    )
    parser.add_argument("--out", required=True, type=Path, metavar="FILE", help=".nii.gz, .nii, or .tif for slices")
    parser.add_argument("--write-scheme", choices=tuple(SCHEMES), help="values to write (default: the case's own)")
    parser.add_argument("--overwrite", action="store_true", help="replace FILE if it exists")
    add_opening_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Export and print what was written."""
    options = opening_options(arguments)
    # The case is read as it is: --scheme and --resample are about the labels that are exported.
    case = read_case(arguments.like, OpenOptions(options.channels, labels=options.labels, spacing=options.spacing))
    given = attach_labels(case, arguments.labels_file, options.scheme, resample=options.resample)
    assert given.labels is not None
    result = Segmentation.for_case(case, given.labels.volume.data, given.labels.scheme)  # type: ignore[arg-type]
    scheme = scheme_by_id(arguments.write_scheme) if arguments.write_scheme else result.write_scheme
    path = write_labels(result, arguments.out, scheme=scheme, overwrite=arguments.overwrite)
    if given.labels.assumed:
        print(next(note for note in reversed(given.notes) if note.startswith("Labels were read as")))
    for note in case.notes:
        if note.endswith("open without these labels."):  # the values and the header are then not those of its labels
            print(note)
    print(f"{path}: {scheme.title}, values {' '.join(map(str, scheme.disk_values))}")
    if case.geometry.affine is None:
        spacing = "its spacing" if case.geometry.spacing is not None else "no spacing"
        print(f"The place of {case.id} in space is unknown; the file says {spacing} and claims no orientation.")
    return 0
