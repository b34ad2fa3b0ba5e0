"""Opening a case: `read_case`, with its checks, against reading the same files one after the other.

The alternative is what a short script does: nibabel, or tifffile, file by file into float32 arrays, without a look at
grid, orientation, NaN or label values. A ratio above 1 means that brainseg is quicker.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import nibabel as nib
import numpy as np
import tifffile

from benchmarks.timing import compared, in_turn
from napari_brainseg.cases.phantom import make_volume_phantom
from napari_brainseg.cases.reading import read_case
from napari_brainseg.cases.sample_files import lgg_sample, write_volume_files

CASES = 3


def _plain_volume(folder: Path) -> list[np.ndarray]:
    return [np.asarray(nib.load(path).dataobj, np.float32) for path in sorted(folder.glob("*.nii.gz"))]


def _plain_slices(folder: Path) -> list[np.ndarray]:
    return [tifffile.imread(path).astype(np.float32) for path in sorted(folder.glob("*.tif"))]


def _real(kind: str) -> list[Path]:
    data = os.environ.get("BRAINSEG_DATA")
    return sorted(p for p in (Path(data) / kind).iterdir() if p.is_dir())[:CASES] if data else []


def run() -> None:
    """Print one line for each case: real ones of BRAINSEG_DATA, else a phantom of their size."""
    with tempfile.TemporaryDirectory() as scratch:
        volumes = _real("BraTS18")
        if not volumes:
            volumes = [Path(scratch) / "Phantom_001"]
            write_volume_files(make_volume_phantom(1, (155, 240, 240), (1.0, 1.0, 1.0)), volumes[0])
        for folder in volumes:
            ours, theirs = in_turn(lambda f=folder: read_case(f), lambda f=folder: _plain_volume(f))
            print(compared(f"open {folder.name}", ours, theirs, "nibabel"))
    for folder in _real("kaggle_3m") or [lgg_sample()]:
        ours, theirs = in_turn(lambda f=folder: read_case(f), lambda f=folder: _plain_slices(f))
        print(compared(f"open {folder.name}", ours, theirs, "tifffile"))
