"""Cases read from files: channels, the gate, labels, and what is said about them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import tifffile
from nifti_files import ORIENTATIONS, SHAPE, labels, lps_affine, picture, save, stored

from napari_brainseg.base.errors import AlignmentError, InputError, LabelError
from napari_brainseg.cases.case import Naming
from napari_brainseg.cases.reading import (
    OpenOptions,
    find_cases,
    read_case,
    reread_labels,
    resample_onto_grid,
    with_spacing,
)

STYLES = {
    Naming.BRATS_2017: ("c_flair", "c_t1", "c_t1ce", "c_t2", "c_seg"),
    Naming.BRATS_2023: ("c-t2f", "c-t1n", "c-t1c", "c-t2w", "c-seg"),
    Naming.NNUNET: ("imagesTr/c_0003", "imagesTr/c_0000", "imagesTr/c_0001", "imagesTr/c_0002", "labelsTr/c"),
    Naming.PLAIN: ("FLAIR", "T1", "T1_post", "T2", "seg"),
}
CHANNELS = ("flair", "t1", "t1ce", "t2")


def volume_case(folder: Path, naming: Naming = Naming.BRATS_2017, values: tuple[int, ...] = (0, 1, 2, 4)) -> Path:
    """Write a case of four channels, told apart by hundreds, with labels."""
    for number, stem in enumerate(STYLES[naming][:4]):
        save(folder / f"{stem}.nii.gz", picture() + 1000 * number)
    save(folder / f"{STYLES[naming][4]}.nii.gz", labels(values=values))
    return folder


def lgg_case(folder: Path, slices: int = 11, copies: tuple[int, ...] = ()) -> Path:
    """Write a patient of slices whose channel c holds 50 c + slice number; `copies` are overwritten with the middle."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(1, slices + 1):
        plane = np.stack([np.full((7, 6), 50 * c + number, np.uint8) for c in range(3)], axis=-1)
        plane[0, 0] = (1, 2, 3)
        for copy in copies:
            plane[..., copy] = plane[..., 1]
        tifffile.imwrite(folder / f"{folder.name}_{number}.tif", plane)
        mask = np.zeros((7, 6), np.uint8)
        mask[number % 7, 0] = 255
        tifffile.imwrite(folder / f"{folder.name}_{number}_mask.tif", mask)
    return folder


@pytest.mark.parametrize("naming", STYLES)
def test_every_naming_style(tmp_path: Path, naming: Naming) -> None:
    values = (0, 1, 2, 3) if naming in (Naming.BRATS_2023, Naming.NNUNET) else (0, 1, 2, 4)
    case = read_case(volume_case(tmp_path / "c", naming, values))
    assert (case.id, case.naming, tuple(case.channels), case.missing) == ("c", naming, CHANNELS, ())
    for number, name in enumerate(CHANNELS):
        np.testing.assert_array_equal(case.channels[name].data, picture() + 1000 * number)
        assert case.channels[name].data.dtype == np.float32
        assert len(case.paths[name]) == 1
    np.testing.assert_array_equal(case.scheme.to_disk(case.labels.volume.data), labels(values=values))
    assert case.labels.path == case.label_paths[0]
    usual = {Naming.BRATS_2023: "brats2023", Naming.NNUNET: "msd"}
    assert case.scheme.id == usual.get(naming, "brats2017")
    assert case.labels.assumed == (naming in usual)


def test_decathlon_volumes_and_labels(tmp_path: Path) -> None:
    planes = np.stack([picture().transpose(2, 1, 0) + 1000 * t for t in range(4)], axis=-1)
    (tmp_path / "imagesTr").mkdir()
    nib.Nifti1Image(planes, lps_affine()).to_filename(tmp_path / "imagesTr" / "BRATS_001.nii.gz")
    save(tmp_path / "labelsTr" / "BRATS_001.nii.gz", labels(values=(0, 1, 2, 3)))
    for path in (tmp_path, tmp_path / "imagesTr" / "BRATS_001.nii.gz"):
        case = read_case(path)
        for number, name in enumerate(CHANNELS):
            np.testing.assert_array_equal(case.channels[name].data, picture() + 1000 * number)
        assert (case.naming, case.scheme.id, case.labels.assumed) == (Naming.DECATHLON, "msd", False)
    order = OpenOptions(channels=("t2", "-", "flair", "t1"))
    case = read_case(tmp_path, order)
    assert {name: int(v.data[0, 0, 0]) // 1000 for name, v in case.channels.items()} == {"flair": 2, "t1": 3, "t2": 0}
    assert case.missing == ("t1ce",)


def test_nnunet_order_can_be_given(tmp_path: Path) -> None:
    volume_case(tmp_path, Naming.NNUNET, (0, 1, 2, 3))
    case = read_case(tmp_path, OpenOptions(channels=("flair", "t1", "t1ce", "t2")))
    assert case.paths["flair"][0].name == "c_0000.nii.gz"
    np.testing.assert_array_equal(case.channels["flair"].data, picture() + 1000)
    (tmp_path / "dataset.json").write_text(
        json.dumps({"modality": {"0": "T2w", "1": "T1w", "2": "t1gd", "3": "FLAIR"}})
    )
    assert read_case(tmp_path).paths["t2"][0].name == "c_0000.nii.gz"


def test_an_order_that_nothing_tells_is_said_to_be_assumed(tmp_path: Path) -> None:
    volume_case(tmp_path, Naming.NNUNET, (0, 1, 2, 3))
    sentence = "No dataset.json says which channel is which; nnU-Net's BraTS order was assumed: t1, t1ce, t2, flair."
    assert sentence in read_case(tmp_path).notes
    assert sentence not in read_case(tmp_path, OpenOptions(channels=("t1", "t1ce", "t2", "flair"))).notes
    (tmp_path / "dataset.json").write_text(
        json.dumps({"modality": {"0": "T1w", "1": "t1gd", "2": "T2w", "3": "FLAIR"}})
    )
    assert sentence not in read_case(tmp_path).notes


def test_channels_can_be_files(tmp_path: Path) -> None:
    odd = save(tmp_path / "series_3.nii.gz", picture())
    save(tmp_path / "series_4.nii.gz", picture() + 1)
    with pytest.raises(InputError, match=r"which channels series_3\.nii\.gz, series_4\.nii\.gz are"):
        read_case(tmp_path)
    case = read_case(tmp_path, OpenOptions(channels={"t1ce": odd}))
    assert (tuple(case.channels), case.paths["t1ce"]) == (("t1ce",), (odd,))
    assert case.notes == ("The names do not say which channels these are: series_4.nii.gz. They were left out.",)
    ordered = read_case(tmp_path, OpenOptions(channels=("t2", "flair")))
    assert ordered.paths["flair"][0].name == "series_4.nii.gz"


@pytest.mark.parametrize(
    ("channels", "sentence"),
    [
        (("flair", "t7"), "There is no channel 't7'. Choose from flair, t1, t1ce, t2, pre, post"),
        (("flair", "flair"), "named twice"),
        (("flair", "t1"), "no series whose order could be given"),
        ({"flair": "absent.nii"}, "No such file"),
    ],
)
def test_wrong_channel_options_get_one_sentence(tmp_path: Path, channels: object, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        read_case(volume_case(tmp_path), OpenOptions(channels=channels))  # type: ignore[arg-type]


def test_missing_channels_are_allowed_and_named(tmp_path: Path) -> None:
    save(tmp_path / "c_t2.nii.gz", picture())
    save(tmp_path / "c_t1ce.nii.gz", picture())
    case = read_case(tmp_path)
    assert (tuple(case.channels), case.missing, case.grid_channel) == (("t1ce", "t2"), ("flair", "t1"), "t1ce")
    assert (case.labels, case.scheme.id) == (None, "brats2017")


def test_of_several_cases_the_first_is_open_and_a_note_says_so(tmp_path: Path) -> None:
    for name in ("b_2", "b_10"):
        save(tmp_path / name / f"{name}_flair.nii.gz", picture())
    case = read_case(tmp_path)
    assert (case.id, case.notes) == ("b_2", ("2 cases were found, b_2 to b_10; the first is open.",))
    assert read_case(find_cases(tmp_path)[1]).id == "b_10"


def test_channels_in_other_orientations_are_turned(tmp_path: Path) -> None:
    save(tmp_path / "flair.nii", picture())
    for name, (axes, flips) in zip(("t1", "t1ce", "t2", "seg"), ORIENTATIONS[3::11], strict=False):
        data = labels() if name == "seg" else picture()
        stored(data, lps_affine(), axes, flips).to_filename(tmp_path / f"{name}.nii")
    case = read_case(tmp_path)
    assert not case.off_grid
    for name in CHANNELS:
        np.testing.assert_array_equal(case.channels[name].data, picture())
    np.testing.assert_array_equal(case.scheme.to_disk(case.labels.volume.data), labels())


def test_another_grid_is_not_stacked_but_offered(tmp_path: Path) -> None:
    volume_case(tmp_path)
    thick = lps_affine()
    thick[:3, 2] *= 2
    save(tmp_path / "c_t1ce.nii.gz", picture()[::2], thick)
    save(tmp_path / "c_seg.nii.gz", labels()[::2], thick)
    case = read_case(tmp_path)
    assert (tuple(case.channels), tuple(case.off_grid), case.missing) == (("flair", "t1", "t2"), ("t1ce",), ())
    assert case.labels is None
    assert case.notes == (
        "t1ce has another grid than flair (2 × 5 × 6 at 6 × 0.9 × 1.1 mm against 4 × 5 × 6 at 3 × 0.9 × 1.1 mm). "
        "Resample t1ce onto flair, or choose another file.",
        "c_seg.nii.gz has another grid than flair (2 × 5 × 6 at 6 × 0.9 × 1.1 mm against 4 × 5 × 6 at 3 × 0.9 × 1.1 mm)"
        ", so its labels are not shown. Resample the labels, or choose another file.",
    )
    moved = resample_onto_grid(case, "t1ce")
    assert (tuple(moved.channels), dict(moved.off_grid)) == (CHANNELS, {})
    np.testing.assert_allclose(moved.channels["t1ce"].data[::2], picture()[::2], rtol=1e-5)
    assert "t1ce was resampled (linear) onto the grid of flair." in moved.notes
    both = read_case(tmp_path, OpenOptions(resample=True))
    np.testing.assert_array_equal(both.channels["t1ce"].data, moved.channels["t1ce"].data)
    np.testing.assert_array_equal(both.scheme.to_disk(both.labels.volume.data)[::2], labels()[::2])
    with pytest.raises(InputError, match="lies on the case's grid already"):
        resample_onto_grid(both, "t1ce")


def test_a_grid_that_lies_nowhere_cannot_be_resampled(tmp_path: Path) -> None:
    save(tmp_path / "flair.nii", picture())
    image = nib.Nifti1Image(picture().transpose(2, 1, 0), None)
    image.header.set_sform(None, 0)
    image.to_filename(tmp_path / "t1.nii")
    assert tuple(read_case(tmp_path).off_grid) == ("t1",)
    with pytest.raises(AlignmentError, match="does not say where it lies"):
        read_case(tmp_path, OpenOptions(resample=True))


def test_labels_of_no_usual_scheme_do_not_keep_the_case_closed(tmp_path: Path) -> None:
    volume_case(tmp_path, values=(0, 1, 9))
    case = read_case(tmp_path)
    assert (case.labels, case.label_choices, case.scheme.id) == (None, (), "brats2017")
    assert "c_seg.nii.gz holds the label values 9" in case.notes[-1]
    assert case.label_paths == (tmp_path / "c_seg.nii.gz",)
    volume_case(tmp_path / "n", Naming.NNUNET, values=(0, 1, 2, 3, 4))
    case = read_case(tmp_path / "n")
    assert [scheme.id for scheme in case.label_choices] == ["brats2013", "brats2024", "brats-ped"]
    read = reread_labels(case, "brats2024")
    assert (read.scheme.id, read.label_choices) == ("brats2024", ())
    assert not any("open without these labels" in note for note in read.notes)
    with pytest.raises(LabelError, match="do not fit BraTS 2023"):
        reread_labels(case, "brats2023")


def test_damaged_labels_do_not_keep_the_case_closed(tmp_path: Path) -> None:
    volume_case(tmp_path)
    (tmp_path / "c_seg.nii.gz").write_bytes(b"<html>")
    case = read_case(tmp_path)
    assert (case.labels, tuple(case.channels)) == (None, CHANNELS)
    assert case.notes[-1].startswith("c_seg.nii.gz is no NIfTI file but a web page")
    assert case.notes[-1].endswith("The case is open without these labels.")
    with pytest.raises(InputError, match="has no labels"):
        reread_labels(case, "brats2017")


def test_a_chosen_scheme_counts(tmp_path: Path) -> None:
    volume_case(tmp_path, values=(0, 1, 9))
    with pytest.raises(LabelError, match="the label values 9"):
        read_case(tmp_path, OpenOptions(scheme="brats2017"))
    volume_case(tmp_path, values=(0, 1, 2, 4))
    case = read_case(tmp_path, OpenOptions(scheme="brats2013"))
    assert (case.scheme.id, case.labels.assumed) == ("brats2013", False)


def test_lgg_slices_in_numeric_order(tmp_path: Path) -> None:
    case = read_case(lgg_case(tmp_path / "P_1"))
    assert (case.id, case.naming, tuple(case.channels), case.scheme.id) == (
        "P_1",
        Naming.LGG,
        ("pre", "flair", "post"),
        "lgg",
    )
    assert case.geometry.shape == (11, 7, 6)
    assert (case.geometry.spacing, case.geometry.affine) == (None, None)
    for c, name in enumerate(("pre", "flair", "post")):
        np.testing.assert_array_equal(case.channels[name].data[:, 5, 5], 50 * c + np.arange(1, 12))
    np.testing.assert_array_equal(np.argwhere(case.labels.volume.data)[:, 1], np.arange(1, 12) % 7)
    assert case.labels.volume.data.max() == 1
    assert [path.stem for path in case.paths["flair"]] == [f"P_1_{n}" for n in range(1, 12)]


@pytest.mark.parametrize(
    ("copies", "missing"), [((0,), ("pre",)), ((2,), ("post",)), ((0, 2), ("pre", "post")), ((), ())]
)
@pytest.mark.parametrize("slices", [11, 1])
def test_a_copied_channel_is_missing(
    tmp_path: Path, copies: tuple[int, ...], missing: tuple[str, ...], slices: int
) -> None:
    case = read_case(lgg_case(tmp_path / "P_1", slices, copies))
    assert case.missing == missing
    assert "flair" in case.channels
    assert [note.split()[0] for note in case.notes] == list(missing)


def test_a_copy_in_some_slices_alone_is_no_missing_channel(tmp_path: Path) -> None:
    folder = lgg_case(tmp_path / "P_1")
    plane = tifffile.imread(folder / "P_1_4.tif")
    plane[..., 0] = plane[..., 1]
    tifffile.imwrite(folder / "P_1_4.tif", plane)
    assert read_case(folder).missing == ()


def test_the_copied_channel_is_flair_and_a_given_order_wins(tmp_path: Path) -> None:
    folder = lgg_case(tmp_path / "P_1")
    for path in folder.glob("P_1_?.tif"):
        plane = tifffile.imread(path)
        plane[..., 2] = plane[..., 0]
        tifffile.imwrite(path, plane)
    for path in folder.glob("P_1_1?*.tif"):
        path.unlink()
    case = read_case(folder)
    assert case.missing == ("post",)
    assert case.channels["flair"].data[0, 5, 5] == 1
    assert "pre and post are copies of each other, which only FLAIR is" in case.notes[0]
    chosen = read_case(folder, OpenOptions(channels=("flair", "post", "pre")))
    assert (tuple(chosen.channels), chosen.missing) == (("flair", "post"), ("pre",))
    assert chosen.channels["post"].data[0, 5, 5] == 51
    skipped = read_case(folder, OpenOptions(channels=("flair", "-", "-")))
    assert tuple(skipped.channels) == ("flair",)
    with pytest.raises(InputError, match="has 3 channels, but 2 were named"):
        read_case(folder, OpenOptions(channels=("flair", "pre")))


def test_black_channels_are_no_copies(tmp_path: Path) -> None:
    (tmp_path / "P_1.tif").parent.mkdir(exist_ok=True)
    tifffile.imwrite(tmp_path / "P_1.tif", np.zeros((7, 6, 3), np.uint8))
    assert read_case(tmp_path / "P_1.tif").missing == ()


def test_one_tif_is_one_slice(tmp_path: Path) -> None:
    folder = lgg_case(tmp_path / "P_1")
    case = read_case(folder / "P_1_3.tif")
    assert (case.id, case.geometry.shape) == ("P_1_3", (1, 7, 6))
    np.testing.assert_array_equal(np.argwhere(case.labels.volume.data), [[0, 3, 0]])


def test_a_spacing_can_be_entered_where_none_is_known(tmp_path: Path) -> None:
    case = with_spacing(read_case(lgg_case(tmp_path / "P_1")), (5.0, 0.9, 0.8))
    assert case.geometry.spacing == (5.0, 0.9, 0.8)
    volumes = (*case.channels.values(), case.labels.volume)
    assert {volume.geometry.spacing for volume in volumes} == {(5.0, 0.9, 0.8)}
    with pytest.raises(InputError, match="three positive numbers"):
        with_spacing(case, (1.0, 0.0, 1.0))
    with pytest.raises(InputError, match="say their spacing themselves"):
        with_spacing(read_case(volume_case(tmp_path / "v")), (1.0, 1.0, 1.0))


def test_labels_alone_and_damaged_files_get_one_sentence(tmp_path: Path) -> None:
    volume_case(tmp_path)
    with pytest.raises(InputError, match="holds labels, but no image is with it"):
        read_case(tmp_path / "c_seg.nii.gz")
    (tmp_path / "c_t1.nii.gz").write_bytes(b"<html></html>")
    with pytest.raises(InputError, match=r"c_t1\.nii\.gz is no NIfTI file but a web page"):
        read_case(tmp_path)


def test_opening_loads_no_torch(tmp_path: Path) -> None:
    volume_case(tmp_path / "c")
    lgg_case(tmp_path / "P_1", 2)
    program = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "monai", "lightning_fabric"):
            raise ImportError(f"{name} was imported")
sys.meta_path.insert(0, Refuse())
from napari_brainseg import OpenOptions, find_cases, read_case, write_labels
from napari_brainseg.cases.segmentation import Segmentation
for path in sys.argv[1:3]:
    case = read_case(path, OpenOptions(resample=True))
    result = Segmentation.for_case(case, case.labels.volume.data, case.scheme)
    write_labels(result, f"{path}/out/new.nii.gz")
from napari_brainseg.cli import main
sys.exit(main(["info", sys.argv[1]]) or main(["export", sys.argv[3], "--like", sys.argv[1], "--out", sys.argv[4]]))
"""
    arguments = [
        tmp_path / "c",
        tmp_path / "P_1",
        tmp_path / "c" / "out" / "new.nii.gz",
        tmp_path / "c" / "exported.nii",
    ]
    done = subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert SHAPE[::-1] == nib.load(tmp_path / "c" / "exported.nii").shape


@pytest.mark.parametrize("copies", [(), (0,), (2,), (0, 2)])
@pytest.mark.parametrize("channels", [None, ("flair", "-", "post"), ("-", "pre", "flair"), ("post", "flair", "pre")])
def test_the_order_of_the_colours_reads_the_same_again(
    tmp_path: Path, channels: tuple[str, ...] | None, copies: tuple[int, ...]
) -> None:
    folder = lgg_case(tmp_path / "P_1", 3, copies)
    case = read_case(folder, OpenOptions(channels=channels))
    again = read_case(folder, OpenOptions(channels=case.order))
    assert len(case.order) == 3
    assert tuple(again.channels) == tuple(case.channels)
    for name, volume in case.channels.items():
        np.testing.assert_array_equal(again.channels[name].data, volume.data)
        assert volume.data[0, 5, 5] == 1 + 50 * (1 if (at := case.order.index(name)) in copies else at)


def test_the_order_that_copies_tell_and_that_of_volumes_is_kept(tmp_path: Path) -> None:
    folder = tmp_path / "P_1"
    folder.mkdir()
    plane = np.random.default_rng(0).integers(0, 255, (7, 6, 3), np.uint8)
    plane[..., 2] = plane[..., 0]
    tifffile.imwrite(folder / "P_1_1.tif", plane)
    case = read_case(folder)
    assert case.order == ("flair", "pre", "post")
    np.testing.assert_array_equal(
        read_case(folder, OpenOptions(channels=case.order)).channels["pre"].data[0], plane[..., 1]
    )
    volumes = np.stack([picture().transpose(2, 1, 0)] * 4, axis=-1)
    nib.Nifti1Image(volumes, lps_affine()).to_filename(tmp_path / "many.nii")
    order = ("t2", "-", "flair", "-")
    assert read_case(tmp_path / "many.nii", OpenOptions(channels=order)).order == order
    assert read_case(volume_case(tmp_path / "c")).order == ()
