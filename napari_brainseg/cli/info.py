"""`brainseg info`: say what a case holds and how it was read."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable

from napari_brainseg.annotation.volumes import label_counts, measure_volumes
from napari_brainseg.base.errors import BrainsegError
from napari_brainseg.cases.case import Case, Naming
from napari_brainseg.cases.reading import find_cases, read_case
from napari_brainseg.cli.opening import add_opening_arguments, opening_options

_STYLES = {
    Naming.BRATS_2017: "BraTS 2017-2021 names (_flair _t1 _t1ce _t2 _seg)",
    Naming.BRATS_2023: "BraTS 2023 names (-t2f -t1n -t1c -t2w -seg)",
    Naming.NNUNET: "nnU-Net names (_0000 …)",
    Naming.DECATHLON: "one 4-D file",
    Naming.PLAIN: "plain names",
    Naming.LGG: "tif slices",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the verb."""
    parser.add_argument("paths", nargs="+", metavar="PATH", help="a case folder, its files, a 4-D file, a tif, or many")
    add_opening_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print each case; return 0, or 2 when one of several could not be read."""
    options = opening_options(arguments)
    cases = find_cases(arguments.paths)
    failed = False
    for number, files in enumerate(cases):
        if number:
            print()
        try:
            print("\n".join(describe(read_case(files, options))))
        except BrainsegError as error:
            if len(cases) == 1:
                raise
            print(f"brainseg: {error}", file=sys.stderr)
            failed = True
    if len(cases) > 1:
        print(f"\n{len(cases)} cases")
    return 2 if failed else 0


def describe(case: Case) -> list[str]:
    """Return the lines that say what a case holds."""
    lines = [case.id, f"  read as   {_STYLES[case.naming]}", f"  grid      {_grid(case)}"]
    for name in case.expected:
        if name in case.channels:
            data = case.channels[name].data
            files = case.paths.get(name, ())
            source = files[0].name if len(files) == 1 else f"{len(files)} slices"
            lines.append(f"  {name:<9} {source}, values {data.min():g} to {data.max():g}")
        else:
            lines.append(f"  {name:<9} {'on another grid' if name in case.off_grid else 'missing'}")
    lines += _labels(case)
    return lines + [f"  note      {note}" for note in case.notes]


def _grid(case: Case) -> str:
    text = f"{case.geometry.describe()} (Z × Y × X)"
    return text if case.geometry.affine is not None else f"{text}, orientation unknown"


def _labels(case: Case) -> Iterable[str]:
    labels = case.labels
    if labels is None:
        return [f"  labels    none (would be written as {case.scheme.title})"]
    kind = "assumed" if labels.assumed else "certain"
    values = " ".join(map(str, labels.scheme.disk_values))
    source = "" if labels.path is None else f"{labels.path.name}: "
    lines = [f"  labels    {source}{labels.scheme.title}, values {values} ({kind})"]
    rows = measure_volumes(label_counts(labels.volume.data), labels.scheme, case.geometry.voxel_volume)  # type: ignore[arg-type]
    regions = [(row, f"{row.name} ({row.long_name})") for row in rows if row.kind == "region"]
    of_classes = [row for row in rows if row.kind == "class"] if len(labels.scheme.classes) > 1 else []
    classes = [
        (row, f"{row.name} ({row.long_name}, on disk {label_class.disk})")
        for row, label_class in zip(of_classes, labels.scheme.classes, strict=False)
    ]
    return [*lines, *(f"            {name}: {row.text}" for row, name in (*regions, *classes))]
