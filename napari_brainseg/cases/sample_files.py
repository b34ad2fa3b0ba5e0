"""The files of sample_data: two phantoms, written as users have such cases on disk.

`python -m napari_brainseg.cases.sample_files [FOLDER]` writes them anew, to the byte as they are shipped.
"""

from __future__ import annotations

import gzip
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import tifffile

from napari_brainseg.base.paths import sample_data, written_aside
from napari_brainseg.cases.case import LGG_CHANNELS, Case
from napari_brainseg.cases.phantom import make_lgg_phantom, make_volume_phantom
from napari_brainseg.cases.volume import Volume

VOLUME_SEED = 9
LGG_SEED = 1
LGG_SLICES = 14

_MILLIMETRES = 2


def volume_sample() -> Path:
    """Return the folder of the shipped four-channel volume."""
    return sample_data() / "brats_phantom" / f"Phantom_{VOLUME_SEED:03d}"


def lgg_sample() -> Path:
    """Return the folder of the shipped slices."""
    return sample_data() / "lgg_phantom" / f"TCGA_XX_{LGG_SEED:04d}_20000101"


def write_volume_files(case: Case, folder: Path) -> None:
    """Write a volume case as `<case>_<channel>.nii.gz` and `<case>_seg.nii.gz`, replacing older files."""
    for name, volume in case.channels.items():
        _write_nifti(volume, folder / f"{case.id}_{name}.nii.gz")
    if case.labels is not None:
        values = case.scheme.to_disk(np.asarray(case.labels.volume.data, np.uint8))
        _write_nifti(Volume(values.astype(np.int16), case.geometry), folder / f"{case.id}_seg.nii.gz")


def write_slice_files(case: Case, folder: Path) -> None:
    """Write an LGG case as `<case>_<n>.tif`, channels as colours, and `<case>_<n>_mask.tif`, replacing older files."""
    stack = np.stack([case.channels[name].data for name in LGG_CHANNELS], axis=-1)
    for number, plane in enumerate(stack, start=1):
        _write_tif(plane, folder / f"{case.id}_{number}.tif")
    if case.labels is not None:
        for number, mask in enumerate(case.scheme.to_disk(np.asarray(case.labels.volume.data, np.uint8)), start=1):
            _write_tif(mask, folder / f"{case.id}_{number}_mask.tif")


def _write_nifti(volume: Volume, path: Path) -> None:
    geometry = volume.geometry
    image = nib.Nifti1Image(geometry.reorientation.to_file(volume.data), geometry.affine)
    image.set_sform(geometry.affine, code=1)
    image.set_qform(geometry.affine, code=1)
    image.header["xyzt_units"] = _MILLIMETRES
    with written_aside(path, overwrite=True) as aside:
        # Without a time in the gzip header, equal volumes give equal files.
        aside.write_bytes(gzip.compress(image.to_bytes(), compresslevel=9, mtime=0))


def _write_tif(plane: np.ndarray, path: Path) -> None:
    colours = "rgb" if plane.ndim == 3 else "minisblack"
    with written_aside(path, overwrite=True) as aside:
        tifffile.imwrite(
            aside,
            plane,
            photometric=colours,
            compression="zlib",
            compressionargs={"level": 9},
            predictor=True,
            metadata=None,
            software=False,
        )


def write_samples(folder: Path) -> None:
    """Write both sample cases below `folder`."""
    write_volume_files(make_volume_phantom(VOLUME_SEED), folder / "brats_phantom" / volume_sample().name)
    write_slice_files(make_lgg_phantom(LGG_SEED, LGG_SLICES), folder / "lgg_phantom" / lgg_sample().name)


if __name__ == "__main__":
    write_samples(Path(sys.argv[1]) if len(sys.argv) > 1 else sample_data())
