"""Raw data sets of nnU-Net, against what nnU-Net says of them.

`nnunet_facts.json` was made by `nnunet_facts.py` in an environment of its own with nnunetv2, whose integrity check
passed on these very data sets. Where BRAINSEG_NNUNET_PYTHON names the Python of such an environment, nnU-Net is asked
again.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from corrected_cases import add_brats, add_lgg

from napari_brainseg.annotation.data_set_export import ExportedDataSet
from napari_brainseg.annotation.export_plan import ExportSettings
from napari_brainseg.annotation.nnunet_export import NnunetName, export_nnunet
from napari_brainseg.annotation.project import Project
from napari_brainseg.base.errors import InputError, OutputError
from napari_brainseg.base.progress import run_to_end

HERE = Path(__file__).parent
KEPT = json.loads((HERE / "nnunet_facts.json").read_text())
SETS = {
    "Dataset501_Brats": (NnunetName(501, "Brats"), ("flair", "t1", "t1ce", "t2")),
    "Dataset502_Lgg": (NnunetName(502, "Lgg"), ("pre", "flair", "post")),
}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = Project.open_or_create(tmp_path / "project")
    add_brats(project, tmp_path / "data")
    add_brats(project, tmp_path / "data", "Brats18_Test_2_1")
    add_lgg(project, tmp_path / "data")
    return project


def export(project: Project, raw: Path, folder: str = "Dataset501_Brats", **settings: Any) -> ExportedDataSet:
    name, channels = SETS[folder]
    settings = {"channels": channels, **settings}
    return run_to_end(export_nnunet(project, raw, name, ExportSettings(**settings)))


def facts_in_files(folder: Path) -> dict[str, Any]:
    """Return what nnU-Net would see, read from the files alone, after the rules of its integrity check."""
    described = json.loads((folder / "dataset.json").read_text())
    regions = {k: v for k, v in described["labels"].items() if k not in ("background", "ignore")}
    values = sorted({0, *(int(v) for region in regions.values() for v in np.atleast_1d(region))})
    ignore, order = described["labels"]["ignore"], described.get("regions_class_order", [])
    assert values == list(range(ignore)), "labels are consecutive, and ignore is the highest"
    assert len(order) == (len(regions) if order else 0)
    names = sorted(path.name.removesuffix(".nii.gz") for path in (folder / "labelsTr").iterdir())
    assert described["numTraining"] == len(names)
    images = sorted(path.name for path in (folder / "imagesTr").iterdir())
    numbers = range(len(described["channel_names"]))
    assert images == [f"{name}_{n:04d}{described['file_ending']}" for name in names for n in numbers]
    cases = {}
    for name in names:
        label = nib.load(folder / "labelsTr" / f"{name}.nii.gz")
        stored = np.asarray(label.dataobj)
        assert set(np.unique(stored)) <= {*values, ignore}
        own = [image for image in images if image.startswith(f"{name}_")]
        for image in (nib.load(folder / "imagesTr" / file) for file in own):
            assert image.shape == stored.shape
            assert (image.affine == label.affine).all()
            assert np.isfinite(image.get_fdata()).all()
        present, counts = np.unique(stored, return_counts=True)
        cases[name] = {
            "images": own,
            "shape": [len(own), *stored.shape[::-1]],
            "spacing": [round(float(step), 4) for step in label.header.get_zooms()[::-1]],
            "voxels": {str(v): int(n) for v, n in zip(present, counts, strict=True)},
        }
    return {
        "labels": values,
        "ignore": ignore,
        "regions": list(regions.values()) if order else [],
        "heads": len(regions) if order else len(values),
        "cases": cases,
    }


@pytest.mark.parametrize("folder", SETS)
def test_the_files_are_those_that_nnunets_integrity_check_passed(project, tmp_path, folder) -> None:
    export(project, tmp_path / "raw", folder)
    assert facts_in_files(tmp_path / "raw" / folder) == KEPT[folder]


@pytest.mark.parametrize("folder", SETS)
def test_nnunet_itself_sees_the_same(project, tmp_path, folder) -> None:
    python = os.environ.get("BRAINSEG_NNUNET_PYTHON")
    if not python:
        pytest.skip("set BRAINSEG_NNUNET_PYTHON to the Python of an environment with nnunetv2 to run this test")
    export(project, tmp_path / "raw", folder)
    places = dict.fromkeys(("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results"), str(tmp_path))
    command = [python, str(HERE / "nnunet_facts.py"), str(tmp_path / "raw" / folder), str(tmp_path / "facts.json")]
    done = subprocess.run(command, env={**os.environ, **places}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Mismatch" not in done.stdout.title()
    assert json.loads((tmp_path / "facts.json").read_text()) == KEPT[folder]


def test_images_are_the_cases_own_under_one_header(project, tmp_path) -> None:
    export(project, tmp_path / "raw", channels=("t1ce", "flair"))
    written = tmp_path / "raw" / "Dataset501_Brats"
    source = tmp_path / "data" / "Brats18_Test_1_1"
    for number, channel in enumerate(("t1ce", "flair")):
        image = nib.load(written / "imagesTr" / f"Brats18_Test_1_1_{number:04d}.nii.gz")
        original = nib.load(source / f"Brats18_Test_1_1_{channel}.nii.gz")
        np.testing.assert_array_equal(image.get_fdata(), original.get_fdata())
        assert image.affine.tobytes() == original.affine.tobytes()
    described = json.loads((written / "dataset.json").read_text())
    assert (described["name"], described["channel_names"]) == ("Brats", {"0": "t1ce", "1": "flair"})


def test_what_nobody_confirmed_is_ignored(project, tmp_path) -> None:
    export(project, tmp_path / "raw")
    label = nib.load(tmp_path / "raw" / "Dataset501_Brats" / "labelsTr" / "Brats18_Test_1_1.nii.gz")
    stored = np.asarray(label.dataobj).transpose(2, 1, 0)  # written right to left and anterior to posterior: LPS
    truth = np.asarray(nib.load(tmp_path / "data/Brats18_Test_1_1/Brats18_Test_1_1_seg.nii.gz").dataobj)
    # BraTS 2017 has oedema 2 and enhancing tumour 4, nnU-Net's BraTS 1 and 3.
    expected = np.array([0, 2, 1, 0, 3])[truth.transpose(2, 1, 0)]
    confirmed = np.zeros(stored.shape, bool)
    confirmed[5:7] = True
    confirmed[:, :, 24] = True
    np.testing.assert_array_equal(stored, np.where(confirmed, expected, 4))


def test_two_data_sets_of_one_number_are_refused(project, tmp_path) -> None:
    (tmp_path / "raw" / "Dataset501_Other").mkdir(parents=True)
    with pytest.raises(OutputError, match="holds Dataset501_Other, which has the same number"):
        export(project, tmp_path / "raw")


@pytest.mark.parametrize(
    ("number", "name", "sentence"),
    [(0, "A", "from 1 to 999"), (1000, "A", "from 1 to 999"), (1, "a b", "is no name"), (1, "../x", "is no name")],
)
def test_names_that_nnunet_would_not_take(number, name, sentence) -> None:
    with pytest.raises(InputError, match=sentence):
        NnunetName(number, name)


def test_the_number_has_three_digits() -> None:
    assert NnunetName(7, "Brats").folder == "Dataset007_Brats"
