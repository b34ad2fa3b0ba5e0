"""Phantoms on disk with one thing planted in each: everything is found, and nothing else."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import tifffile
from scipy import ndimage

from napari_brainseg.base.errors import InputError, LabelError, TrainingError
from napari_brainseg.base.progress import Progress, run_to_end
from napari_brainseg.cases.case import Case
from napari_brainseg.cases.phantom import make_lgg_phantom, make_volume_phantom
from napari_brainseg.cases.sample_files import write_slice_files, write_volume_files
from napari_brainseg.cases.volume import Volume
from napari_brainseg.training.explore import explore
from napari_brainseg.training.exploring.findings import Findings, Kind
from napari_brainseg.training.exploring.page import page_of
from napari_brainseg.training.splits import Split, write_splits

SHAPE, SPACING = (20, 64, 64), (7.0, 3.0, 3.0)


def phantom(seed: int) -> Case:
    """Return a coarse phantom with only the largest part of its lesion: so coarse, others are single voxels."""
    return with_largest_lesion(make_volume_phantom(seed, SHAPE, SPACING))


def with_largest_lesion(case: Case) -> Case:
    numbered, _ = ndimage.label(case.labels.volume.data, np.ones((3, 3, 3)))
    largest = np.bincount(numbered.ravel())[1:].argmax() + 1
    return with_labels(case, lambda data: data.__imul__(numbered == largest))


def with_images(case: Case, change) -> Case:
    """Return the case with every channel's array changed by a function of a writable copy."""
    channels = {}
    for name, volume in case.channels.items():
        data = volume.data.copy()
        change(data)
        channels[name] = Volume(data, case.geometry)
    return replace(case, channels=channels)


def with_labels(case: Case, change) -> Case:
    labels = case.labels.volume.data.copy()
    change(labels)
    return replace(case, labels=replace(case.labels, volume=Volume(labels, case.geometry)))


@pytest.fixture(scope="module")
def odd_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("odd")
    cases = {seed: phantom(seed) for seed in range(1, 9)}

    def write(case: Case) -> Path:
        write_volume_files(case, folder / case.id)
        return folder / case.id

    write(cases[1])

    def blank(data: np.ndarray) -> None:
        data[9] = 0

    def unlabelled(data: np.ndarray) -> None:
        data[9] = 0

    write(with_labels(with_images(cases[2], blank), unlabelled))

    flair = cases[1].channels["flair"].data[11]
    third = with_images(cases[3], lambda data: None)
    copied = third.channels["flair"].data.copy()
    copied[8] = (flair * 1.4).astype(np.int16)
    write(replace(third, channels={**third.channels, "flair": Volume(copied, third.geometry)}))

    def outside(data: np.ndarray) -> None:
        data[10, 1:3, 1:3] = 2

    write(with_labels(cases[4], outside))

    def lonely(data: np.ndarray) -> None:
        free = cases[5].channels["flair"].data > 0
        free &= ~_near(data > 0)
        data[tuple(np.argwhere(free & (np.arange(20)[:, None, None] == 7))[100])] = 1

    write(with_labels(cases[5], lonely))

    sixth = write(cases[6])
    image = nib.Nifti1Image.from_filename(sixth / "Phantom_006_seg.nii.gz")
    values = np.asarray(image.dataobj).astype(np.uint8)
    values[30:33, 30, 12] = 7
    nib.Nifti1Image(values, image.affine).to_filename(sixth / "Phantom_006_seg.nii.gz")

    (write(cases[7]) / "Phantom_007_t2.nii.gz").unlink()
    (write(cases[8]) / "Phantom_008_t1.nii.gz").write_bytes(b"<html>")
    return folder


def _near(mask: np.ndarray) -> np.ndarray:
    grown = mask.copy()
    for axis in range(3):
        grown = grown | np.roll(grown, 1, axis) | np.roll(grown, -1, axis)
    return grown


@pytest.fixture(scope="module")
def odd(odd_folder: Path) -> Findings:
    return run_to_end(explore(odd_folder))


def test_what_was_planted_is_found_and_nothing_else(odd: Findings) -> None:
    assert {(o.kind, o.case_id, o.slices) for o in odd.oddities} == {
        (Kind.BLANK_SLICE, "Phantom_002", (9,)),
        (Kind.REPEATED, "Phantom_001", (11,)),
        (Kind.OUTSIDE, "Phantom_004", (10,)),
        (Kind.SINGLE_VOXEL, "Phantom_005", (7,)),
        (Kind.UNKNOWN_VALUE, "Phantom_006", (12,)),
        (Kind.MISSING_CHANNEL, "Phantom_007", ()),
        (Kind.UNREADABLE, "Phantom_008", ()),
    }


def test_sentences_say_where_and_how_much(odd: Findings) -> None:
    said = {o.kind: o.sentence for o in odd.oddities}
    assert said[Kind.BLANK_SLICE] == "in slice 9"
    assert said[Kind.REPEATED] == "1 slice with Phantom_003: 11 = 8"
    assert said[Kind.OUTSIDE] == "4 voxels in slice 10"
    assert said[Kind.SINGLE_VOXEL] == "1 voxel in slice 7"
    assert said[Kind.UNKNOWN_VALUE] == "value 7 in 3 voxels in slice 12"
    assert said[Kind.MISSING_CHANNEL] == "t2"
    assert said[Kind.UNREADABLE].startswith("Phantom_008_t1.nii.gz is no NIfTI file")


def test_the_facts_are_those_of_the_phantoms(odd: Findings) -> None:
    facts = {case.id: case for case in odd.cases}
    case = phantom(1)
    labels = np.asarray(case.labels.volume.data)
    first = facts["Phantom_001"]
    assert first.shape == SHAPE
    assert first.spacing == pytest.approx(SPACING)
    np.testing.assert_array_equal(first.pixels.sum(0), np.bincount(labels.ravel(), minlength=4))
    np.testing.assert_array_equal(first.tumour, (labels > 0).sum((1, 2)))
    assert first.tumour_share == pytest.approx((labels > 0).mean())
    assert sum(first.lesions) == (labels > 0).sum()
    t1 = np.asarray(case.channels["t1"].data)
    inside = t1[t1 != 0]  # the phantom's brain is 1 or more in every channel
    told = first.channels["t1"]
    assert (told.low, told.high) == (t1.min(), t1.max())
    assert (told.mean, told.deviation) == (pytest.approx(inside.mean()), pytest.approx(inside.std()))
    # the unknown value counts as background, the rest of those labels is known
    sixth = np.asarray(phantom(6).labels.volume.data).copy()
    sixth[12, 30, 30:33] = 0
    np.testing.assert_array_equal(facts["Phantom_006"].pixels.sum(0), np.bincount(sixth.ravel(), minlength=4))


def test_pictures_show_the_odd_slices_and_the_pair(odd: Findings) -> None:
    assert {(s.case_id, s.slice) for s in odd.odd_pictures} == {
        ("Phantom_002", 9),
        ("Phantom_004", 10),
        ("Phantom_005", 7),
        ("Phantom_006", 12),
    }
    (pair,) = odd.repeat_pictures
    assert pair.caption.startswith("Phantom_001, slice 11, and Phantom_003, slice 8: ")
    assert pair.picture.shape == (64, 132, 3)
    sizes = [next(int(c.tumour.sum()) for c in odd.cases if c.id == s.case_id) for s in odd.overlays]
    assert sizes == sorted(sizes)
    assert len(sizes) == 6


def test_the_page_holds_everything_in_one_file(odd: Findings) -> None:
    page = page_of(odd).html()
    for text in ("7</b>cases", "Labels outside the brain", "Phantom_008_t1.nii.gz is no NIfTI file", "oedema"):
        assert text in page
    assert "src=" in page
    assert page.count("src=") == page.count('src="data:image/png;base64,')
    assert "http" not in page


def test_every_case_is_reported_as_progress(odd_folder: Path) -> None:
    reports: list[Progress] = []
    run_to_end(explore(odd_folder), reports.append)
    assert [r.done for r in reports if r.message.startswith("reading")] == list(range(8))


def test_splits_are_compared(odd_folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "splits.json"
    write_splits({"mine": Split(("Phantom_001", "Phantom_002"), ("Phantom_003",), ("elsewhere",))}, file)
    findings = run_to_end(explore(odd_folder, split=file))
    page = page_of(findings).html()
    voxels = [case.tumour.sum() for case in findings.cases[:3]]
    assert f"<td>{(voxels[0] + voxels[1]) / (2 * np.prod(SHAPE)):.2%}</td>" in page
    assert f"<td>{voxels[2] / np.prod(SHAPE):.2%}</td>" in page
    assert "Cases in no split: 4 (Phantom_004" in page


def test_a_split_with_a_leak_is_refused_before_anything_is_read(odd_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "s.json").write_text('{"x": {"train": ["TCGA_CS_1_a"], "validation": ["TCGA_CS_1_b"]}}')
    with pytest.raises(TrainingError, match="training and the validation part share the patient TCGA_CS_1"):
        next(explore(odd_folder, split=tmp_path / "s.json"))


def test_an_empty_folder_and_a_wrong_scheme_are_one_sentence(tmp_path: Path, odd_folder: Path) -> None:
    with pytest.raises(InputError, match="holds no NIfTI image and no tif slice"):
        run_to_end(explore(tmp_path))
    with pytest.raises(LabelError, match="no label scheme 'brats'"):
        run_to_end(explore(odd_folder, scheme="brats"))


def test_another_scheme_makes_its_missing_value_unknown(odd_folder: Path) -> None:
    findings = run_to_end(explore(odd_folder / "Phantom_001", scheme="brats2023"))
    (odd,) = findings.of(Kind.UNKNOWN_VALUE)
    assert odd.sentence.startswith("value 4 in ")


@pytest.fixture(scope="module")
def slices_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return LGG cases: one whole, one whose post is FLAIR, one whose pre is FLAIR, one with a repeated slice.

    The first also lacks one slice of pre, and has FLAIR in place of post in another.
    """
    folder = tmp_path_factory.mktemp("lgg")
    for seed, copied in ((1, None), (2, "post"), (3, "pre"), (4, None)):
        case = with_largest_lesion(make_lgg_phantom(seed, slices=9))
        if copied:
            case = replace(case, channels={**case.channels, copied: case.channels["flair"]})
        write_slice_files(case, folder / case.id)
    for number, change in ((5, (0, None)), (6, (2, 1))):
        path = folder / "TCGA_XX_0001_20000101" / f"TCGA_XX_0001_20000101_{number}.tif"
        plane = tifffile.imread(path)
        plane[..., change[0]] = 0 if change[1] is None else plane[..., change[1]]
        tifffile.imwrite(path, plane)
    last = folder / "TCGA_XX_0004_20000101"
    tifffile.imwrite(last / "TCGA_XX_0004_20000101_7.tif", tifffile.imread(last / "TCGA_XX_0004_20000101_3.tif"))
    return folder


def test_copies_are_missing_channels_and_tell_which_one_is_flair(slices_folder: Path) -> None:
    findings = run_to_end(explore(slices_folder))
    assert {(o.kind, o.case_id, o.sentence) for o in findings.oddities} == {
        (Kind.BLANK_CHANNEL, "TCGA_XX_0001_20000101", "pre in slice 4 (TCGA_XX_0001_20000101_5.tif)"),
        (Kind.COPIED_CHANNEL, "TCGA_XX_0001_20000101", "flair and post in slice 5 (TCGA_XX_0001_20000101_6.tif)"),
        (Kind.MISSING_CHANNEL, "TCGA_XX_0002_20000101", "post"),
        (Kind.MISSING_CHANNEL, "TCGA_XX_0003_20000101", "pre"),
        (Kind.REPEATED, "TCGA_XX_0004_20000101", "1 slice within the case: 2 = 6"),
    }
    assert "colour 1 is in every copy: it is FLAIR" in page_of(findings).html()


def test_statistics_and_page_need_no_torch() -> None:
    code = (
        "import sys, napari_brainseg.training.explore, napari_brainseg.training.exploring.page, "
        "napari_brainseg.cli.explore, napari_brainseg.cli.split; sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_tiny_single_slices_and_cases_of_both_sets_together(tmp_path: Path) -> None:
    for number, size in ((1, 10), (2, 40)):
        plane = np.random.default_rng(number).integers(0, 255, (size, size + 2, 3), np.uint8)
        (tmp_path / f"P{number}").mkdir()
        tifffile.imwrite(tmp_path / f"P{number}" / f"P{number}_1.tif", plane, photometric="rgb")
    case = phantom(1)
    write_volume_files(case, tmp_path / case.id)
    findings = run_to_end(explore(tmp_path))
    assert [c.shape for c in findings.cases] == [(1, 10, 12), (1, 40, 42), SHAPE]
    assert {(o.kind, o.case_id) for o in findings.oddities} == {(Kind.NO_LABELS, "P1"), (Kind.NO_LABELS, "P2")}
    page = page_of(findings).html()
    assert "10 × 12" in page
    assert "Cases with labels of BraTS 2017: 1." in page


def test_slices_that_lack_and_slices_without_a_mask_are_named(tmp_path: Path) -> None:
    case = make_lgg_phantom(1, slices=9)
    write_slice_files(case, tmp_path)
    for name in ("3", "3_mask", "5_mask", "7_mask", "8_mask"):
        (tmp_path / f"{case.id}_{name}.tif").unlink()
    said = {o.kind: (o.sentence, o.slices) for o in run_to_end(explore(tmp_path)).oddities}
    assert said[Kind.NO_SLICE] == ("no file 3", ())
    assert said[Kind.NO_MASK] == ("in slices 3, 5-6", (3, 5, 6))


def test_two_cases_of_one_name_are_both_shown(tmp_path: Path) -> None:
    for place in ("one", "two"):
        write_volume_files(phantom(1), tmp_path / place)
    findings = run_to_end(explore(tmp_path))
    assert [case.id for case in findings.cases] == ["Phantom_001 in one", "Phantom_001 in two"]
    assert any(o.kind is Kind.REPEATED for o in findings.oddities)
