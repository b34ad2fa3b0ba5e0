"""The parts of exploring, on arrays whose answers can be counted by hand."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from case_files import CASE_ID, write_case

from napari_brainseg.cases.phantom import make_volume_phantom
from napari_brainseg.cases.reading import find_cases
from napari_brainseg.cases.volume import Geometry, Volume
from napari_brainseg.training.exploring.copies import flair_evidence
from napari_brainseg.training.exploring.findings import CaseFacts
from napari_brainseg.training.exploring.known_labels import open_case
from napari_brainseg.training.exploring.repeats import SliceIndex, thumbnails
from napari_brainseg.training.exploring.statistics import in_slices
from napari_brainseg.training.exploring.suspicion import blank_slices, is_between, lesions, outside_brain

RNG = np.random.default_rng(5)


def volume(data: np.ndarray) -> Volume:
    return Volume(data, Geometry(data.shape))


def heads(seed: int) -> np.ndarray:
    """Return the FLAIR of a phantom (20, 96, 96)."""
    return np.asarray(make_volume_phantom(seed, (20, 96, 96), (7.0, 2.0, 2.0)).channels["flair"].data)


def repeats(*cases: np.ndarray) -> list[tuple[tuple[str, int], tuple[str, int]]]:
    index = SliceIndex()
    for name, data in zip("abc", cases, strict=False):
        index.add(name, thumbnails(data, float(np.percentile(data, 99.5))))
    return [(r.first, r.second) for r in index.repeats()]


def test_lesions_touch_by_corners_and_single_voxels_are_told() -> None:
    mask = np.zeros((6, 8, 8), bool)
    mask[1, 1, 1] = mask[2, 2, 2] = True  # touch by a corner
    mask[4, 6, 5] = True
    sizes, single = lesions(mask)
    assert sorted(sizes) == [1, 2]
    assert single.tolist() == [[4, 6, 5]]
    assert lesions(np.zeros((2, 2, 2), bool))[0] == ()


@pytest.mark.parametrize(("background", "inside"), [(0, 100), (-2, 1)])
def test_outside_is_as_dark_as_the_corners_in_every_channel_and_not_enclosed(background: int, inside: int) -> None:
    one = np.full((3, 12, 12), background, np.float32)
    one[:, 2:8, 2:8] = inside
    one[:, 4, 4] = background  # a hole of the brain is no outside
    other = one.copy()
    other[1, 9, 9] = inside  # shown by one channel alone
    labels = np.zeros(one.shape, np.uint8)
    labels[1, 4, 4] = labels[1, 3, 3] = labels[1, 9, 9] = 1
    labels[2, 10, 10] = labels[2, 9, 9] = 2
    places = outside_brain(labels, {"flair": volume(one), "t1": volume(other)})
    assert places.tolist() == [[2, 9, 9], [2, 10, 10]]


def test_blank_slices_may_have_faint_noise_but_no_head() -> None:
    data = RNG.uniform(0, 5, (5, 40, 40)).astype(np.float32)
    data[[0, 1, 3, 4], 10:30, 10:30] += 200
    assert blank_slices({"flair": volume(data)})["flair"].tolist() == [False, False, True, False, False]


def test_only_blank_slices_between_others_are_odd() -> None:
    blank = np.array([True, False, True, True, False, True])
    assert is_between(blank).tolist() == [False, False, True, True, False, False]
    assert not is_between(np.ones(4, bool)).any()


def test_a_slice_of_another_patient_is_found_though_rescaled_and_noisy() -> None:
    first, second = heads(1), heads(2)
    assert repeats(first, second) == []
    second = second.copy()
    copy = first[9] * 0.5 + 30 + RNG.normal(0, 0.02 * first[9].max(), first[9].shape)
    second[12] = np.where(first[9] > 0, copy, 0)
    assert repeats(first, second) == [(("a", 9), ("b", 12))]


def test_the_same_exam_under_two_names_is_slice_by_slice_the_same() -> None:
    first = heads(1)
    found = repeats(first, first)
    assert all(a[1] == b[1] and (a[0], b[0]) == ("a", "b") for a, b in found)
    assert {a[1] for a, _ in found} == set(range(1, 20))  # nothing but the lowest slice shows too little


def test_neighbours_are_alike_by_nature_unless_they_are_the_same() -> None:
    fine = np.asarray(make_volume_phantom(3, (96, 64, 64), (1.5, 3.0, 3.0)).channels["flair"].data)
    assert repeats(fine) == []
    doubled = fine.copy()
    doubled[50] = doubled[49]
    assert repeats(doubled) == [(("a", 49), ("a", 50))]


@pytest.mark.parametrize(
    ("pairs", "sentence"),
    [
        ([(0, 1), (1, 2)], "colour 1 is in every copy: it is FLAIR"),
        ([(0, 1), (0, 2)], "colour 0 is in every copy: it is FLAIR"),
        ([(1, 2)], "FLAIR is colour 1 or 2"),
        ([(0, 1), (0, 2), (1, 2)], "do not all have one order"),
        ([], "No channel is a copy"),
    ],
)
def test_flair_is_what_every_copy_copies(pairs: list[tuple[int, int]], sentence: str) -> None:
    cases = [CaseFacts(str(n), (4, 8, 8), None, {}, copies={pair: 4}) for n, pair in enumerate(pairs)]
    assert sentence in flair_evidence(cases).sentence


def test_three_equal_colours_tell_nothing() -> None:
    alike = CaseFacts("a", (4, 8, 8), None, {}, copies={(0, 1): 4, (0, 2): 4, (1, 2): 4})
    evidence = flair_evidence([alike])
    assert (evidence.alike, evidence.candidates) == (1, ())


def test_slices_in_words() -> None:
    assert in_slices([3]) == "in slice 3"
    assert in_slices([3, 7, 8, 9]) == "in slices 3, 7-9"
    assert in_slices(range(0, 20, 2)) == "in slices 0, 2, 4, 6, 8, 10, 12, 14 and 2 more"


def test_known_labels_keep_what_is_known(tmp_path: Path) -> None:
    folder = write_case(tmp_path)
    path = folder / f"{CASE_ID}_seg.nii.gz"
    image = nib.Nifti1Image.from_filename(path)
    values = np.asarray(image.dataobj).astype(np.int16)
    values[-1, -1, 0], values[-2, -1, 0] = 300, 301
    nib.Nifti1Image(values, image.affine).to_filename(path)
    _, known = open_case(find_cases(folder)[0])
    assert known is not None
    assert known.scheme.id == "brats2017"
    assert (known.unknown, known.unknown_voxels.tolist()) == ((300, 301), [[0, 39, 34], [0, 39, 35]])
    assert np.count_nonzero(known.labels == 3) == np.count_nonzero(values == 4)
    assert np.count_nonzero(known.labels) == np.count_nonzero((values == 2) | (values == 4))


def test_damaged_labels_leave_the_case_without(tmp_path: Path) -> None:
    folder = write_case(tmp_path)
    (folder / f"{CASE_ID}_seg.nii.gz").write_bytes(b"<html>")
    case, known = open_case(find_cases(folder)[0])
    assert known is None
    assert case.channels.keys() == {"flair", "t1", "t1ce", "t2"}
