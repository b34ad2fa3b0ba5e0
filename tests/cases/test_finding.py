"""Folders and files grouped into cases, for every naming style."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from nifti_files import labels, lps_affine, picture, save

from napari_brainseg.base.errors import InputError
from napari_brainseg.cases.case import Naming
from napari_brainseg.cases.finding import CaseFiles, find_cases


def touch(folder: Path, *names: str) -> Path:
    """Files whose content is never looked at, because finding reads names."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    return folder


def four_d(path: Path, volumes: int = 4) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    planes = np.stack([picture().transpose(2, 1, 0) + t for t in range(volumes)], axis=-1)
    nib.Nifti1Image(planes, lps_affine()).to_filename(path)
    return path


def names(case: CaseFiles) -> dict[str, str]:
    return {channel: paths[0].name for channel, paths in case.channels.items()}


FOLDERS = {
    Naming.BRATS_2017: ["c_flair.nii.gz", "c_t1.nii.gz", "c_t1ce.nii.gz", "c_t2.nii.gz", "c_seg.nii.gz"],
    Naming.BRATS_2023: ["c-t2f.nii.gz", "c-t1n.nii.gz", "c-t1c.nii.gz", "c-t2w.nii.gz", "c-seg.nii.gz"],
    Naming.NNUNET: ["c_0003.nii.gz", "c_0000.nii.gz", "c_0001.nii.gz", "c_0002.nii.gz", "c.nii.gz"],
    Naming.PLAIN: ["FLAIR.nii", "T1.nii.gz", "T1_post.nii", "t2.nii", "Segmentation.nii.gz"],
}


@pytest.mark.parametrize("naming", FOLDERS)
def test_a_case_folder_of_every_style(tmp_path: Path, naming: Naming) -> None:
    folder = touch(tmp_path / "c", *FOLDERS[naming], "brain_mask.nii.gz", "c_pred.nii.gz", "c_DWI.nii.gz", "notes.txt")
    (case,) = find_cases(folder)
    assert (case.id, case.naming, case.folder) == ("c", naming, folder)
    assert list(names(case).items()) == list(zip(("flair", "t1", "t1ce", "t2"), FOLDERS[naming][:4], strict=True))
    assert [path.name for path in case.labels] == FOLDERS[naming][4:]
    assert case.undecided == ()


@pytest.mark.parametrize("naming", FOLDERS)
def test_the_files_themselves_are_the_same_case(tmp_path: Path, naming: Naming) -> None:
    folder = touch(tmp_path / "c", *FOLDERS[naming])
    (case,) = find_cases([folder / name for name in reversed(FOLDERS[naming])])
    assert case.channels == find_cases(folder)[0].channels
    assert case.labels == find_cases(folder)[0].labels


def test_one_file_is_one_channel(tmp_path: Path) -> None:
    folder = touch(tmp_path, *FOLDERS[Naming.BRATS_2017])
    (case,) = find_cases(folder / "c_t1ce.nii.gz")
    assert (names(case), case.labels) == ({"t1ce": "c_t1ce.nii.gz"}, ())
    (case,) = find_cases(str(folder / "c_seg.nii.gz"))
    assert (names(case), case.labels) == ({}, (folder / "c_seg.nii.gz",))
    assert (case.id, case.naming) == ("c", Naming.BRATS_2017)


@pytest.mark.parametrize("naming", FOLDERS)
def test_labels_beside_listed_files_are_known_but_not_opened(tmp_path: Path, naming: Naming) -> None:
    touch(tmp_path, *FOLDERS[naming], "d_flair.nii.gz", "d_seg.nii.gz")
    first, second, *_ = FOLDERS[naming]
    case = next(c for c in find_cases([tmp_path / first, tmp_path / second]) if c.channels)
    whole = next(c for c in find_cases([tmp_path / name for name in FOLDERS[naming]]) if c.channels)
    assert case.labels + case.beside == whole.labels
    assert not whole.beside


def test_a_stray_file_above_the_cases_does_not_hide_them(tmp_path: Path) -> None:
    touch(tmp_path, "template.nii.gz", "A/A_flair.nii.gz", "B/B_flair.nii.gz")
    assert [case.id for case in find_cases(tmp_path)] == ["A", "B"]
    touch(tmp_path / "C", "first.nii.gz", "second.nii.gz", "more/third.nii.gz")
    (case,) = find_cases(tmp_path / "C")
    assert [path.name for path in case.undecided] == ["first.nii.gz", "second.nii.gz"]


def test_a_folder_of_cases_in_natural_order(tmp_path: Path) -> None:
    for number in (10, 9, 1):
        touch(tmp_path / "HGG" / f"case_{number}", f"case_{number}_flair.nii.gz", f"case_{number}_t1.nii.gz")
    touch(tmp_path / "LGG" / "other_2", "other_2-t2f.nii.gz")
    found = find_cases(tmp_path)
    assert [case.id for case in found] == ["case_1", "case_9", "case_10", "other_2"]
    assert [case.naming for case in found] == [Naming.BRATS_2017] * 3 + [Naming.BRATS_2023]


def test_several_cases_in_one_folder(tmp_path: Path) -> None:
    touch(tmp_path, "a_FLAIR.nii.gz", "a_T1Gd.nii.gz", "b_FLAIR.nii.gz", "b_T1Gd.nii.gz", "b_seg.nii.gz")
    found = find_cases(tmp_path)
    assert [(case.id, sorted(case.channels), len(case.labels)) for case in found] == [
        ("a", ["flair", "t1ce"], 0),
        ("b", ["flair", "t1ce"], 1),
    ]


def test_plain_names_take_the_name_of_their_folder(tmp_path: Path) -> None:
    folder = touch(tmp_path / "Patient 7", "scan_FLAIR.nii.gz", "scan_T1.nii.gz")
    assert [case.id for case in find_cases(folder)] == ["Patient 7"]
    assert find_cases(folder / "scan_T1.nii.gz")[0].id == "Patient 7"


def test_plain_names_of_several_cases_in_a_folder_keep_their_own(tmp_path: Path) -> None:
    touch(tmp_path, "a_FLAIR.nii.gz", "a_T1.nii.gz", "b_FLAIR.nii.gz")
    assert find_cases(tmp_path / "a_T1.nii.gz")[0].id == "a"


def test_of_two_files_for_a_channel_the_plainer_name_wins(tmp_path: Path) -> None:
    touch(tmp_path, "c_FLAIR.nii.gz", "c_FLAIR_bias.nii.gz", "c_T1.nii.gz", "c_T2_n4.nii.gz", "c_T2_brain.nii.gz")
    (case,) = find_cases(tmp_path)
    assert names(case) == {"flair": "c_FLAIR.nii.gz", "t1": "c_T1.nii.gz"}
    assert sorted(path.name for path in case.undecided) == ["c_T2_brain.nii.gz", "c_T2_n4.nii.gz"]


def test_what_names_do_not_tell_is_undecided(tmp_path: Path) -> None:
    save(tmp_path / "MPRAGE.nii.gz", picture())
    touch(tmp_path, "flair.nii.gz", "mask.nii.gz")
    (case,) = find_cases(tmp_path)
    assert names(case) == {"flair": "flair.nii.gz"}
    assert [path.name for path in case.undecided] == ["MPRAGE.nii.gz"]


def test_nnunet_order_comes_from_dataset_json(tmp_path: Path) -> None:
    touch(tmp_path / "imagesTr", "c_0000.nii.gz", "c_0001.nii.gz", "c_0002.nii.gz", "c_0003.nii.gz")
    touch(tmp_path / "labelsTr", "c.nii.gz", "d.nii.gz")
    (case,) = find_cases(tmp_path)
    assert names(case) == {f: f"c_000{n}.nii.gz" for f, n in (("flair", 3), ("t1", 0), ("t1ce", 1), ("t2", 2))}
    assert case.labels == (tmp_path / "labelsTr" / "c.nii.gz",)
    order = {"channel_names": {"0": "FLAIR", "1": "T1w", "2": "T1gd", "3": "T2w"}}
    (tmp_path / "dataset.json").write_text(json.dumps(order))
    assert names(find_cases(tmp_path)[0]) == {
        f: f"c_000{n}.nii.gz" for f, n in (("flair", 0), ("t1", 1), ("t1ce", 2), ("t2", 3))
    }
    (tmp_path / "dataset.json").write_text("not json")
    assert names(find_cases(tmp_path)[0])["t1"] == "c_0000.nii.gz"


def test_decathlon(tmp_path: Path) -> None:
    for number in ("001", "002"):
        four_d(tmp_path / "imagesTr" / f"BRATS_{number}.nii.gz")
        save(tmp_path / "labelsTr" / f"BRATS_{number}.nii.gz", labels(values=(0, 1, 2, 3)))
    found = find_cases(tmp_path)
    assert [case.id for case in found] == ["BRATS_001", "BRATS_002"]
    file = tmp_path / "imagesTr" / "BRATS_001.nii.gz"
    assert find_cases(file)[0].channels == dict.fromkeys(("flair", "t1", "t1ce", "t2"), (file,))
    assert find_cases(file)[0].labels == (tmp_path / "labelsTr" / "BRATS_001.nii.gz",)
    assert {case.naming for case in found} == {Naming.DECATHLON}


def test_a_4d_file_with_a_long_number_is_not_nnunets(tmp_path: Path) -> None:
    for number in ("0001", "0002"):
        four_d(tmp_path / f"BRATS_{number}.nii.gz")
    assert [(case.id, case.naming) for case in find_cases(tmp_path)] == [
        ("BRATS_0001", Naming.DECATHLON),
        ("BRATS_0002", Naming.DECATHLON),
    ]


def test_a_4d_file_with_other_volumes_is_undecided(tmp_path: Path) -> None:
    (case,) = find_cases(four_d(tmp_path / "scan.nii.gz", volumes=3))
    assert (dict(case.channels), case.undecided) == ({}, (tmp_path / "scan.nii.gz",))


def test_files_with_a_number_each_are_one_case(tmp_path: Path) -> None:
    files = {"flair": 54512, "t1": 54513, "t1ce": 54514, "t2": 54515}
    words = {"flair": "Flair", "t1": "T1", "t1ce": "T1c", "t2": "T2"}
    for channel, number in files.items():
        stem = f"VSD.Brain.XX.O.MR_{words[channel]}.{number}"
        touch(tmp_path / "brats_tcia_1" / stem, f"{stem}.nii")
    touch(tmp_path / "brats_tcia_1" / "VSD.Brain_3more.XX.O.OT.54517", "VSD.Brain_3more.XX.O.OT.54517.nii")
    (case,) = find_cases(tmp_path)
    assert list(case.channels) == ["flair", "t1", "t1ce", "t2"]
    assert [path.name for path in case.labels] == ["VSD.Brain_3more.XX.O.OT.54517.nii"]
    assert (case.id, case.naming) == ("brats_tcia_1", Naming.PLAIN)


def test_tif_slices_in_numeric_order(tmp_path: Path) -> None:
    numbers = (1, 2, 10, 11)
    touch(tmp_path / "P_1", *(f"P_1_{n}.tif" for n in numbers), *(f"P_1_{n}_mask.tif" for n in numbers[1:]))
    touch(tmp_path / "P_2", "P_2_1.tif")
    first, second = find_cases(tmp_path)
    assert [path.name for path in first.channels["flair"]] == [f"P_1_{n}.tif" for n in numbers]
    assert [path.name for path in first.labels] == [f"P_1_{n}_mask.tif" for n in numbers[1:]]
    assert list(first.channels) == ["pre", "flair", "post"]
    assert (first.id, second.id, first.naming) == ("P_1", "P_2", Naming.LGG)


def test_one_tif_is_a_case_of_its_own_with_the_mask_beside_it(tmp_path: Path) -> None:
    touch(tmp_path, "P_1.tif", "P_2.tif", "P_2_mask.tif")
    (case,) = find_cases(tmp_path / "P_2.tif")
    assert (case.id, case.channels["post"], case.labels) == (
        "P_2",
        (tmp_path / "P_2.tif",),
        (tmp_path / "P_2_mask.tif",),
    )
    (case,) = find_cases([tmp_path / "P_2.tif", tmp_path / "P_1.tif"])
    assert (case.id, case.channels["pre"]) == ("P", (tmp_path / "P_1.tif", tmp_path / "P_2.tif"))


def test_written_probabilities_are_no_slices(tmp_path: Path) -> None:
    touch(tmp_path, "P_1.tif", "P_1_probability-WT.tif")
    (case,) = find_cases(tmp_path)
    assert case.channels["flair"] == (tmp_path / "P_1.tif",)


def test_bad_places_get_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "a.png").write_bytes(b"x")
    for path, sentence in [
        (tmp_path / "absent", "No such file"),
        (tmp_path / "empty", "holds no NIfTI image and no tif slice"),
        (tmp_path / "a.png", "neither NIfTI"),
        ([], "No file was given"),
    ]:
        with pytest.raises(InputError, match=sentence):
            find_cases(path)


def test_a_folder_without_permission_gets_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(InputError, match=r"cannot be read \(Permission denied\)"):
        find_cases(tmp_path)
