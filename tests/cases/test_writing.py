"""Labels written on the source's grid, under names of the source's style."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import tifffile
from nifti_files import ORIENTATIONS, SHAPE, labels, lps_affine, picture, save, stored

from napari_brainseg.base.errors import LabelError, OutputError
from napari_brainseg.cases.case import Case
from napari_brainseg.cases.labels import BRATS2017, BRATS2023, BRATS2024, LGG, MSD
from napari_brainseg.cases.reading import attach_labels, read_case, with_spacing
from napari_brainseg.cases.segmentation import Segmentation
from napari_brainseg.cases.writing import map_paths, output_paths, with_suffix, write_labels, write_outputs


def program() -> np.ndarray:
    return labels(values=(0, 1, 2, 3))


@pytest.fixture
def case(tmp_path: Path) -> Case:
    """A case whose labels file is stored in another orientation, with other codes, than its FLAIR."""
    save(tmp_path / "c" / "c_flair.nii.gz", picture())
    image = stored(labels(), lps_affine(), (1, 2, 0), (True, False, True))
    image.header.set_sform(image.affine, 4)
    image.header.set_qform(image.affine, 1)
    image.header["descrip"] = b"an expert"
    image.to_filename(tmp_path / "c" / "c_seg.nii.gz")
    return read_case(tmp_path / "c")


def lgg(folder: Path) -> Case:
    folder.mkdir(parents=True)
    for number in (1, 2, 10):
        plane = np.random.default_rng(number).integers(0, 255, (5, 6, 3), np.uint8)
        tifffile.imwrite(folder / f"{folder.name}_{number}.tif", plane)
    return read_case(folder)


def test_the_header_of_the_labels_file_and_its_orientation(case: Case, tmp_path: Path) -> None:
    written = write_labels(Segmentation.for_case(case, program(), BRATS2017), tmp_path / "new.nii.gz")
    back, source = nib.load(written), nib.load(tmp_path / "c" / "c_seg.nii.gz")
    expected = stored(labels(values=(0, 1, 2, 4)), lps_affine(), (1, 2, 0), (True, False, True))
    np.testing.assert_array_equal(np.asarray(back.dataobj), np.asarray(expected.dataobj))
    assert back.affine.tobytes() == source.affine.tobytes()
    assert (int(back.header["sform_code"]), int(back.header["qform_code"])) == (4, 1)
    assert back.header["descrip"].item().rstrip(b"\0") == b"an expert"
    assert int(back.header["intent_code"]) == 1002
    again = attach_labels(case, written, "brats2017")
    np.testing.assert_array_equal(again.labels.volume.data, program())


def test_without_labels_the_header_of_the_grid_channel(tmp_path: Path) -> None:
    for name, number in (("t2", 7), ("t1ce", 33)):
        axes, flips = ORIENTATIONS[number]
        stored(picture(), lps_affine(11), axes, flips).to_filename(tmp_path / f"c_{name}.nii.gz")
    case = read_case(tmp_path)
    path = write_labels(Segmentation.for_case(case, program(), BRATS2017), tmp_path / "out")
    assert path == tmp_path / "out.nii.gz"
    assert nib.load(path).affine.tobytes() == nib.load(tmp_path / "c_t1ce.nii.gz").affine.tobytes()
    assert nib.load(path).shape == nib.load(tmp_path / "c_t1ce.nii.gz").shape


@pytest.mark.parametrize("number", range(0, 48, 5))
def test_a_voxel_at_the_patients_left_lies_there_in_the_file(tmp_path: Path, number: int) -> None:
    """In memory X grows to the left, Y to posterior, Z to superior; in the world they are -x, -y and +z."""
    axes, flips = ORIENTATIONS[number]
    stored(picture(), lps_affine(), axes, flips).to_filename(tmp_path / "c_flair.nii")
    painted = np.zeros(SHAPE, np.uint8)
    painted[3, 0, 5] = 1  # superior, anterior, left
    path = write_labels(Segmentation.for_case(read_case(tmp_path), painted, BRATS2017), tmp_path / "new.nii")
    image = nib.load(path)
    every = nib.affines.apply_affine(image.affine, np.argwhere(np.ones(image.shape)))
    place = nib.affines.apply_affine(image.affine, np.argwhere(np.asarray(image.dataobj)))
    np.testing.assert_allclose(place, [[every[:, 0].min(), every[:, 1].max(), every[:, 2].max()]], atol=1e-4)


def test_values_follow_the_chosen_scheme_by_meaning(case: Case, tmp_path: Path) -> None:
    result = Segmentation.for_case(case, program(), BRATS2023)
    disk = {scheme.id: tmp_path / f"{scheme.id}.nii" for scheme in (BRATS2017, BRATS2023, MSD)}
    for scheme in (BRATS2017, BRATS2023, MSD):
        write_labels(result, disk[scheme.id], scheme=scheme)
    write_labels(result, tmp_path / "default.nii")
    counts = {name: np.bincount(np.asarray(nib.load(path).dataobj).ravel(), minlength=5) for name, path in disk.items()}
    ncr, oedema, enhancing = np.bincount(program().ravel())[1:]
    assert counts["brats2017"].tolist()[1:] == [ncr, oedema, 0, enhancing]
    assert counts["brats2023"].tolist()[1:] == [ncr, oedema, enhancing, 0]
    assert counts["msd"].tolist()[1:] == [oedema, ncr, enhancing, 0]
    assert (tmp_path / "default.nii").read_bytes() == disk["brats2017"].read_bytes()


def test_what_a_scheme_cannot_hold_is_refused(case: Case, tmp_path: Path) -> None:
    cavity = np.full(SHAPE, 4, np.uint8)
    with pytest.raises(LabelError, match="BraTS 2017 cannot hold resection cavity"):
        write_labels(Segmentation.for_case(case, cavity, BRATS2024), tmp_path / "a.nii", scheme=BRATS2017)
    with pytest.raises(LabelError, match="Slice 0 holds the value 4"):
        write_labels(Segmentation.for_case(case, cavity, BRATS2017), tmp_path / "a.nii")
    assert not (tmp_path / "a.nii").exists()


def test_existing_files_and_the_case_itself(case: Case, tmp_path: Path) -> None:
    result = Segmentation.for_case(case, program(), BRATS2017)
    path = write_labels(result, tmp_path / "new.nii")
    with pytest.raises(OutputError, match=r"new\.nii exists"):
        write_labels(result, path)
    empty = replace(result, labels=np.zeros_like(program()))
    write_labels(empty, path, overwrite=True)
    assert not np.asarray(nib.load(path).dataobj).any()

    kept = {file: file.read_bytes() for file in (tmp_path / "c").iterdir()}
    (tmp_path / "link.nii.gz").symlink_to(tmp_path / "c" / "c_seg.nii.gz")
    os.link(tmp_path / "c" / "c_flair.nii.gz", tmp_path / "hard.nii.gz")
    for target in (*kept, tmp_path / "link.nii.gz", tmp_path / "hard.nii.gz", tmp_path / "c" / ".." / "c" / "c_seg"):
        with pytest.raises(OutputError, match="belongs to the case c itself and is never written"):
            write_labels(result, target, overwrite=True)
    with pytest.raises(OutputError, match="belongs to the case"):
        write_outputs(result, tmp_path / "c", overwrite=True)
    assert {file: file.read_bytes() for file in kept} == kept


def test_labels_beside_files_that_were_listed_are_never_written(tmp_path: Path) -> None:
    folder = tmp_path / "c"
    images = [save(folder / f"c_{name}.nii.gz", picture()) for name in ("flair", "t1")]
    reference = save(folder / "c_seg.nii.gz", labels())
    before = reference.read_bytes()
    for paths in (images, images[:1]):
        result = Segmentation.for_case(read_case(paths), program(), BRATS2017)
        with pytest.raises(OutputError, match="belongs to the case"):
            write_outputs(result, folder, overwrite=True)
        with pytest.raises(OutputError, match="belongs to the case"):
            write_labels(result, reference, overwrite=True)
    assert reference.read_bytes() == before


def test_bad_places_get_one_sentence(case: Case, tmp_path: Path) -> None:
    result = Segmentation.for_case(case, program(), BRATS2017)
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "folder.nii").mkdir()
    with pytest.raises(OutputError, match="cannot be written"):
        write_labels(result, tmp_path / "file" / "a.nii")
    with pytest.raises(OutputError, match="is a folder"):
        write_labels(result, tmp_path / "folder.nii")
    with pytest.raises(OutputError, match="a tif cannot say where c lies in space"):
        write_labels(result, tmp_path / "a.tif")


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("a", "a.nii.gz"),
        ("a.nii", "a.nii"),
        ("a.NII.GZ", "a.NII.GZ"),
        ("a.tif", "a.tif"),
        ("case.1_seg", "case.1_seg.nii.gz"),
        ("a.", "a.nii.gz"),
    ],
)
def test_nii_gz_is_added_where_it_is_missing(given: str, name: str) -> None:
    assert with_suffix(Path("d") / given) == Path("d") / name


@pytest.mark.parametrize(
    ("files", "name"),
    [
        (["c_flair", "c_t1"], "c_seg.nii.gz"),
        (["c-t2f", "c-t1n"], "c-seg.nii.gz"),
        (["c_0000", "c_0003"], "c.nii.gz"),
        (["FLAIR", "T1Gd"], "folder_seg.nii.gz"),
    ],
)
def test_names_follow_the_style_of_the_source(tmp_path: Path, files: list[str], name: str) -> None:
    for stem in files:
        save(tmp_path / "folder" / f"{stem}.nii.gz", picture())
    case = read_case(tmp_path / "folder")
    result = Segmentation.for_case(case, program(), BRATS2017)
    assert (
        write_outputs(result, tmp_path / "out") == output_paths(result, tmp_path / "out") == (tmp_path / "out" / name,)
    )
    again = attach_labels(case, tmp_path / "out", case.scheme.id)
    np.testing.assert_array_equal(case.scheme.convert(again.labels.volume.data, BRATS2017), program())


def test_a_4d_source_gets_3d_labels_under_its_name(tmp_path: Path) -> None:
    planes = np.stack([picture().transpose(2, 1, 0)] * 4, axis=-1)
    nib.Nifti1Image(planes, lps_affine()).to_filename(tmp_path / "BRATS_001.nii.gz")
    result = Segmentation.for_case(read_case(tmp_path), program(), BRATS2017)
    (path,) = write_outputs(result, tmp_path / "out")
    assert (path.name, nib.load(path).shape) == ("BRATS_001.nii.gz", SHAPE[::-1])
    with pytest.raises(OutputError, match="belongs to the case"):
        write_outputs(result, tmp_path, overwrite=True)


def test_masks_of_slices(tmp_path: Path) -> None:
    case = lgg(tmp_path / "P_1")
    mask = (np.random.default_rng(0).random((3, 5, 6)) > 0.5).astype(np.uint8)
    result = Segmentation.for_case(case, mask, LGG)
    paths = write_outputs(result, tmp_path / "out")
    assert [str(p.relative_to(tmp_path)) for p in paths] == [f"out/P_1/P_1_{n}_mask.tif" for n in (1, 2, 10)]
    for path, plane in zip(paths, mask, strict=True):
        stored_plane = tifffile.imread(path)
        assert stored_plane.dtype == np.uint8
        np.testing.assert_array_equal(stored_plane, plane * 255)
    np.testing.assert_array_equal(attach_labels(case, tmp_path / "out").labels.volume.data, mask)
    with pytest.raises(OutputError, match="exists"):
        write_outputs(result, tmp_path / "out")
    single = read_case(tmp_path / "P_1" / "P_1_2.tif")
    written = write_outputs(Segmentation.for_case(single, mask[:1], LGG), tmp_path / "one")
    assert written == (tmp_path / "one" / "P_1" / "P_1_2_mask.tif",)


def test_slices_as_one_nifti_or_one_tif(tmp_path: Path) -> None:
    case = lgg(tmp_path / "P_1")
    mask = np.ones((3, 5, 6), np.uint8)
    header = nib.load(write_labels(Segmentation.for_case(case, mask, LGG), tmp_path / "a")).header
    assert (int(header["qform_code"]), int(header["sform_code"]), header.get_xyzt_units()[0]) == (0, 0, "unknown")
    spaced = with_spacing(case, (5.0, 0.9, 0.8))
    header = nib.load(write_labels(Segmentation.for_case(spaced, mask, LGG), tmp_path / "b.nii")).header
    assert (int(header["qform_code"]), int(header["sform_code"]), header.get_xyzt_units()[0]) == (0, 0, "mm")
    np.testing.assert_allclose(header["pixdim"][1:4], (0.8, 0.9, 5.0), rtol=1e-6)
    stack = write_labels(Segmentation.for_case(case, mask, LGG), tmp_path / "c.tif")
    np.testing.assert_array_equal(tifffile.imread(stack), mask * 255)


def test_an_entered_spacing_is_written_whenever_the_labels_came(tmp_path: Path) -> None:
    case, entered = lgg(tmp_path / "P_1"), (5.0, 0.9, 0.8)
    mask = np.ones((3, 5, 6), np.uint8)
    bare = write_labels(Segmentation.for_case(case, mask, LGG), tmp_path / "bare.nii")
    before = attach_labels(with_spacing(case, entered), bare)
    after = with_spacing(attach_labels(case, bare), entered)
    for number, spaced in enumerate((before, after)):
        assert spaced.labels.volume.geometry.spacing == entered
        written = write_labels(Segmentation.for_case(spaced, mask, LGG), tmp_path / f"{number}.nii")
        header = nib.load(written).header
        np.testing.assert_allclose(header["pixdim"][1:4], entered[::-1], rtol=1e-6)
        assert (int(header["qform_code"]), int(header["sform_code"]), header.get_xyzt_units()[0]) == (0, 0, "mm")
    unspaced = write_labels(Segmentation.for_case(attach_labels(case, bare), mask, LGG), tmp_path / "again.nii")
    assert unspaced.read_bytes() == bare.read_bytes()


def test_probabilities_lie_beside_the_labels(case: Case, tmp_path: Path) -> None:
    maps = np.random.default_rng(0).random((2, *SHAPE)).astype(np.float16)
    facts = {"probabilities": maps, "probability_names": ("WT", "enhancing tumour")}
    result = Segmentation.for_case(case, program(), BRATS2017, **facts)
    write_outputs(result, tmp_path / "out", probabilities=True)
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"c_seg.nii.gz", "c_probability-WT.nii.gz", "c_probability-enhancing-tumour.nii.gz"}
    image = nib.load(tmp_path / "out" / "c_probability-WT.nii.gz")
    assert image.get_data_dtype() == np.float32
    expected = stored(maps[0].astype(np.float32), lps_affine(), (1, 2, 0), (True, False, True))
    np.testing.assert_array_equal(np.asarray(image.dataobj), np.asarray(expected.dataobj))
    with pytest.raises(OutputError, match="has no probabilities"):
        write_outputs(replace(result, probabilities=None), tmp_path / "other", probabilities=True)

    slices = lgg(tmp_path / "P_1")
    plane = np.full((1, 3, 5, 6), 0.25, np.float16)
    mask = np.ones((3, 5, 6), np.uint8)
    facts = {"probabilities": plane, "probability_names": ("WT",)}
    write_outputs(Segmentation.for_case(slices, mask, LGG, **facts), tmp_path / "tif", probabilities=True)
    written = tifffile.imread(tmp_path / "tif" / "P_1" / "P_1_10_probability-WT.tif")
    assert (written.dtype, float(written.max())) == (np.float32, 0.25)


def test_uncertainty_and_variance_lie_beside_the_labels(case: Case, tmp_path: Path) -> None:
    map_of = np.linspace(0, 1, np.prod(case.geometry.shape), dtype=np.float16).reshape(case.geometry.shape)
    facts = {"uncertainty": map_of, "uncertainty_name": "entropy", "variance": map_of / 4}
    result = Segmentation.for_case(case, program(), BRATS2017, **facts)
    write_outputs(result, tmp_path / "out", uncertainty=True)
    names = {"c_seg.nii.gz", "c_uncertainty-entropy.nii.gz", "c_uncertainty-variance.nii.gz"}
    assert {p.name for p in (tmp_path / "out").iterdir()} == names
    assert {p.name for p in map_paths(result, tmp_path, uncertainty=True)} == names - {"c_seg.nii.gz"}
    image = nib.load(tmp_path / "out" / "c_uncertainty-entropy.nii.gz")
    assert image.get_data_dtype() == np.float32
    on_grid = result.geometry.reorientation.to_memory(np.asarray(image.dataobj))
    np.testing.assert_array_equal(on_grid, map_of.astype(np.float32))
    with pytest.raises(OutputError, match="has no uncertainty"):
        write_outputs(replace(result, uncertainty=None), tmp_path / "other", uncertainty=True)


def test_nothing_is_written_when_one_file_is_in_the_way(tmp_path: Path) -> None:
    result = Segmentation.for_case(lgg(tmp_path / "P_1"), np.ones((3, 5, 6), np.uint8), LGG)
    last = output_paths(result, tmp_path / "out")[-1]
    last.parent.mkdir(parents=True)
    last.write_bytes(b"mine")
    with pytest.raises(OutputError, match=r"P_1_10_mask\.tif exists"):
        write_outputs(result, tmp_path / "out")
    assert [path.name for path in last.parent.iterdir()] == [last.name]


def test_real_labels_come_back_bit_equal(real_data: Path, tmp_path: Path) -> None:
    folder = sorted((real_data / "BraTS18").iterdir())[0]
    case = read_case(folder)
    result = Segmentation.for_case(case, case.labels.volume.data, case.labels.scheme)
    source, back = nib.load(case.labels.path), nib.load(write_outputs(result, tmp_path)[0])
    np.testing.assert_array_equal(np.asarray(back.dataobj), np.asarray(source.dataobj))
    assert back.affine.tobytes() == source.affine.tobytes()
    for field in ("qform_code", "sform_code", "xyzt_units", "pixdim", "dim", "quatern_b", "srow_x"):
        assert back.header[field].tobytes() == source.header[field].tobytes()
