"""A small BraTS case on disk, for tests that open one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from nifti_files import save

from napari_brainseg.cases.case import BRATS_CHANNELS

CASE_SHAPE = (10, 40, 36)
CASE_ID = "Brats18_Test_1_1"
TUMOUR_SLICE = 6


def write_case(
    folder: Path, case_id: str = CASE_ID, *, labels: bool = True, channels: Sequence[str] = BRATS_CHANNELS
) -> Path:
    """Write a BraTS 2017 style case whose tumour is largest in `TUMOUR_SLICE`."""
    rng = np.random.default_rng(3)
    z, y, x = np.indices(CASE_SHAPE)
    brain = ((y - 20) / 17) ** 2 + ((x - 18) / 15) ** 2 < 1
    tumour = ((z - TUMOUR_SLICE) / 2.5) ** 2 + ((y - 16) / 7) ** 2 + ((x - 24) / 6) ** 2 < 1
    core = ((z - TUMOUR_SLICE) / 1.5) ** 2 + ((y - 16) / 4) ** 2 + ((x - 24) / 3) ** 2 < 1
    values = np.select([core, tumour], [4, 2], 0).astype(np.uint8)
    for n, channel in enumerate(channels):
        image = brain * (200 + 100 * tumour + 20 * n * core + rng.normal(0, 10, CASE_SHAPE))
        save(folder / case_id / f"{case_id}_{channel}.nii.gz", image.astype(np.int16))
    if labels:
        save(folder / case_id / f"{case_id}_seg.nii.gz", values)
    return folder / case_id
