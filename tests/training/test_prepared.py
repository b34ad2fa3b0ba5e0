"""Labelled cases as a network sees them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from nifti_files import picture, save

from napari_brainseg.base.errors import InputError
from napari_brainseg.cases.labels import BRATS2017
from napari_brainseg.cases.reading import read_case
from napari_brainseg.model_store.preprocessing import Preprocessing
from napari_brainseg.training.prepared import prepare_labelled


def test_why_a_case_cannot_be_learned_from(tmp_path: Path) -> None:
    save(tmp_path / "c_flair.nii.gz", picture())
    with pytest.raises(InputError, match="c has no labels to learn from"):
        prepare_labelled(read_case(tmp_path), ("flair",), BRATS2017, Preprocessing())
    save(tmp_path / "c_seg.nii.gz", np.full(picture().shape, 9, np.uint8))
    with pytest.raises(InputError, match=r"c cannot be learned from: .*c_seg\.nii\.gz holds the label values 9"):
        prepare_labelled(read_case(tmp_path), ("flair",), BRATS2017, Preprocessing())
