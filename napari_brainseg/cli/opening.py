"""The options of opening a case, shared by every verb that opens one."""

from __future__ import annotations

import argparse
from pathlib import Path

from napari_brainseg.base.errors import InputError
from napari_brainseg.cases.labels import SCHEMES
from napari_brainseg.cases.reading import OpenOptions
from napari_brainseg.cases.volume import Spacing


def add_opening_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options that say how a case is read."""
    group = parser.add_argument_group("opening")
    group.add_argument(
        "--channels",
        metavar="NAMES",
        help="files by name, flair=a.nii.gz,t1=b.nii.gz; or the order in a 4-D file, in nnU-Net's numbers or in tifs, "
        "flair,t1,t1ce,t2, where - skips one",
    )
    group.add_argument(
        "--scheme", choices=tuple(SCHEMES), help="how labels on disk are read (default: told by the names)"
    )
    group.add_argument(
        "--labels", type=Path, metavar="FILE|DIR", help="labels of the case, or a folder that holds them"
    )
    group.add_argument(
        "--resample",
        action="store_true",
        help="interpolate channels and labels that lie on another grid onto the case's",
    )
    group.add_argument("--spacing", metavar="Z,Y,X", help="mm between voxels, for slices whose files do not say it")


def opening_options(arguments: argparse.Namespace) -> OpenOptions:
    """Return the options as parsed; raise `InputError` where `--channels` is neither files nor an order."""
    return OpenOptions(
        channels=_channels(arguments.channels),
        scheme=arguments.scheme,
        labels=arguments.labels,
        resample=arguments.resample,
        spacing=_spacing(arguments.spacing),
    )


def _spacing(text: str | None) -> Spacing | None:
    if text is None:
        return None
    try:
        z, y, x = (float(part) for part in text.split(","))
    except ValueError as error:
        raise InputError(f"--spacing {text}: give three numbers in mm, as in --spacing 5,0.9,0.9.") from error
    return (z, y, x)


def _channels(text: str | None) -> dict[str, str | Path] | tuple[str, ...] | None:
    if text is None:
        return None
    parts = [part.strip() for part in text.split(",") if part.strip()]
    named = [part.partition("=") for part in parts]
    if parts and all(equals and file for _, equals, file in named):
        return {name.strip().lower(): Path(file.strip()) for name, _, file in named}
    if parts and not any(equals for _, equals, _ in named):
        return tuple(part.lower() for part in parts)
    raise InputError(
        f"--channels {text}: name files (flair=a.nii.gz,t1=b.nii.gz) or an order (flair,t1,t1ce,t2), not both."
    )
