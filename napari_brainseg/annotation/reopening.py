"""How an open case can be read again as it is: the options that say what a person has settled about it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from napari_brainseg.cases.case import BRATS_CHANNELS, LGG_CHANNELS, Case
from napari_brainseg.cases.reading import OpenOptions


def options_of(case: Case) -> OpenOptions:
    """Return the options by which the channel files of `case` give the same case again, labels included."""
    files = {name: paths[0] for name, paths in case.paths.items() if paths}
    by_name = files if set(files) <= {*BRATS_CHANNELS, *LGG_CHANNELS} else None
    labels = case.labels
    return OpenOptions(
        channels=case.order or by_name or None,
        scheme=None if labels is None else labels.scheme.id,
        labels=None if labels is None else labels.path,
        resample=not case.off_grid,
        spacing=case.geometry.spacing if case.geometry.affine is None else None,
    )


def to_json(options: OpenOptions) -> dict[str, Any]:
    """Return the options as JSON keeps them."""
    channels = options.channels
    named = isinstance(channels, Mapping)
    return {
        "files": {name: str(path) for name, path in channels.items()} if isinstance(channels, Mapping) else None,
        "order": None if channels is None or named else list(channels),
        "scheme": options.scheme,
        "labels": None if options.labels is None else str(options.labels),
        "resample": options.resample,
        "spacing": None if options.spacing is None else list(options.spacing),
    }


def from_json(record: Mapping[str, Any]) -> OpenOptions:
    """Return the options in a record; raise KeyError, TypeError or ValueError where it holds none."""
    files, order, spacing = record["files"], record["order"], record["spacing"]
    channels = None if order is None else tuple(map(str, order))
    return OpenOptions(
        channels=channels if files is None else {str(name): Path(path) for name, path in files.items()},
        scheme=None if record["scheme"] is None else str(record["scheme"]),
        labels=None if record["labels"] is None else Path(record["labels"]),
        resample=bool(record["resample"]),
        spacing=None if spacing is None else (float(spacing[0]), float(spacing[1]), float(spacing[2])),
    )
