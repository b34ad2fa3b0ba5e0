import json
from pathlib import Path

import numpy as np
import pytest
from case_files import CASE_ID, write_case
from nifti_files import save

from napari_brainseg.annotation.reopening import from_json, options_of, to_json
from napari_brainseg.cases.reading import OpenOptions, attach_labels, read_case, with_spacing
from napari_brainseg.cases.sample_files import lgg_sample


def _again(case):
    files = [path for paths in case.paths.values() for path in paths]
    return read_case(list(dict.fromkeys(files)), from_json(json.loads(json.dumps(to_json(options_of(case))))))


def _same(case, other):
    assert list(case.channels) == list(other.channels)
    for name, volume in case.channels.items():
        np.testing.assert_array_equal(volume.data, other.channels[name].data)
    assert (case.id, case.geometry.spacing, case.label_paths) == (other.id, other.geometry.spacing, other.label_paths)
    assert (case.labels is None) == (other.labels is None)
    if case.labels is not None:
        np.testing.assert_array_equal(case.labels.volume.data, other.labels.volume.data)
        assert case.labels.scheme == other.labels.scheme


def test_a_case_comes_back_with_its_own_labels(tmp_path):
    case = read_case(write_case(tmp_path))
    _same(case, _again(case))


def test_channels_that_a_person_chose_and_attached_labels_come_back(tmp_path):
    folder = write_case(tmp_path, labels=False)
    swapped = {"t1": folder / f"{CASE_ID}_t2.nii.gz", "t2": folder / f"{CASE_ID}_t1.nii.gz"}
    case = read_case(folder, OpenOptions(channels=swapped))
    mine = save(tmp_path / "elsewhere" / "mine.nii.gz", np.full(case.geometry.shape, 4, np.uint8))
    case = attach_labels(case, mine, "brats2013")
    _same(case, _again(case))


def test_an_entered_spacing_and_an_order_of_colours_come_back():
    case = read_case(lgg_sample(), OpenOptions(channels=("post", "flair", "pre")))
    spaced = with_spacing(case, (5.0, 0.9, 0.9))
    _same(spaced, _again(spaced))


@pytest.mark.parametrize(
    "options",
    [
        OpenOptions(),
        OpenOptions(channels=("flair", "-", "post"), scheme="lgg", labels=Path("a"), spacing=(3.0, 1.0, 1.0)),
        OpenOptions(channels={"flair": Path("a.nii.gz")}, resample=True),
    ],
)
def test_options_survive_json(options):
    assert from_json(json.loads(json.dumps(to_json(options)))) == options
