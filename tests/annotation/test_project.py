import json
import os
import stat
from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest
import tifffile

from napari_brainseg.annotation.correction_files import read_correction
from napari_brainseg.annotation.corrections import ConfirmedSlice, Correction, mask_of
from napari_brainseg.annotation.project import Confirmed, Project, folder_name
from napari_brainseg.base.errors import InputError, LabelError, OutputError
from napari_brainseg.cases.case import BRATS_CHANNELS, Case, Naming
from napari_brainseg.cases.labels import BRATS2017, LGG
from napari_brainseg.cases.reading import OpenOptions, read_case, with_spacing
from napari_brainseg.cases.volume import Geometry, Volume

SHAPE = (5, 6, 7)
SLICES = (ConfirmedSlice(0, 2), ConfirmedSlice(2, 1))


def write_brats(folder, name="BraTS_1", shape=SHAPE, channels=BRATS_CHANNELS, seed=0):
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    for channel in channels:
        # File order is X, Y, Z; this affine stores right to left and anterior to posterior, as BraTS does not.
        image = nib.Nifti1Image(rng.integers(1, 900, shape[::-1]).astype(np.int16), np.diag([1.0, 1.0, 2.0, 1.0]))
        image.header.set_xyzt_units("mm")
        nib.save(image, folder / f"{name}_{channel}.nii.gz")
    return folder


def write_lgg(folder, slices=4):
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True)
    for number in range(1, slices + 1):
        pixels = rng.integers(0, 255, (6, 7, 3)).astype(np.uint8)
        tifffile.imwrite(folder / f"{folder.name}_{number}.tif", pixels, photometric="rgb")
    return folder


def correction_for(case, seed=0, scheme=BRATS2017):
    labels = np.random.default_rng(seed).integers(0, len(scheme.classes) + 1, case.geometry.shape).astype(np.uint8)
    slices = tuple(s for s in SLICES if s.index < case.geometry.shape[s.axis])
    return Correction(
        case.id, labels, mask_of(slices, case.geometry.shape), scheme, slices, np.zeros_like(labels), "brats 1"
    )


@pytest.fixture
def project(tmp_path):
    return Project.open_or_create(tmp_path / "project")


@pytest.fixture
def case(tmp_path):
    return read_case(write_brats(tmp_path / "data" / "BraTS_1"))


def test_the_default_place_is_the_users_data_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("BRAINSEG_HOME", str(tmp_path))

    Project.open_or_create()

    assert (tmp_path / "project" / "project.json").is_file()


def test_what_is_no_project_is_not_opened(tmp_path):
    with pytest.raises(InputError, match=r"holds no project\.json"):
        Project.open(tmp_path)


def test_a_newer_project_is_refused(project):
    (project.folder / "project.json").write_text('{"format": 99}')

    with pytest.raises(InputError, match="newer version"):
        Project.open(project.folder)


def test_a_damaged_project_file_is_named(project):
    (project.folder / "project.json").write_text("{")

    with pytest.raises(InputError, match=r"project\.json is damaged"):
        Project.open_or_create(project.folder)


def test_a_file_in_the_way_is_named(tmp_path):
    (tmp_path / "file").write_text("x")

    with pytest.raises(OutputError, match="is a file"):
        Project.open_or_create(tmp_path / "file")


@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions")
def test_a_place_that_cannot_be_written_gives_one_sentence(tmp_path):
    if os.geteuid() == 0:
        blocked = tmp_path / "blocked"
        blocked.write_text("a file where a folder is needed")  # root may write anywhere else
    else:
        blocked = tmp_path / "blocked"
        blocked.mkdir(mode=stat.S_IREAD | stat.S_IEXEC)

    with pytest.raises(OutputError, match="cannot be written"):
        Project.open_or_create(blocked / "project")


def test_labels_are_kept_in_numbered_versions(project, case):
    first = np.zeros(SHAPE, np.uint8)
    first[1, 2, 3] = 3
    second = first.copy()
    second[4, 5, 6] = 1

    assert project.save_labels(case, first, BRATS2017, model="brats 1").name == "labels-1.nii.gz"
    path = project.save_labels(case, second, BRATS2017)

    labels, version = project.latest_labels(case)
    np.testing.assert_array_equal(labels, second)
    assert (version.number, version.model) == (2, "")
    assert path.parent.parent == project.folder / "cases"
    state = json.loads((path.parent / "state.json").read_text())
    assert [v["model"] for v in state["labels"]] == ["brats 1", ""]
    assert state["labels"][0]["when"]


def test_labels_lie_on_the_cases_own_grid_in_values_of_the_scheme(project, case):
    labels = np.zeros(SHAPE, np.uint8)
    labels[1, 2, 3] = 3

    path = project.save_labels(case, labels, BRATS2017)

    image = nib.load(path)
    np.testing.assert_allclose(image.affine, np.diag([1.0, 1.0, 2.0, 1.0]))
    # In memory X grows to the left and Y to posterior, in this file to the right and to anterior.
    assert np.argwhere(np.asarray(image.dataobj)).tolist() == [[7 - 1 - 3, 6 - 1 - 2, 1]]
    assert np.asarray(image.dataobj).max() == 4


def test_a_foreign_value_is_refused_and_nothing_is_kept(project, case):
    labels = np.full(SHAPE, 9, np.uint8)

    with pytest.raises(LabelError, match="value 9"):
        project.save_labels(case, labels, BRATS2017)

    assert project.latest_labels(case) is None


def test_a_correction_comes_back_whole(project, case):
    correction = correction_for(case)

    project.save_correction(case, correction)

    [(again, found)] = Project.open(project.folder).corrections()
    assert again.id == case.id
    assert sorted(again.channels) == sorted(case.channels)
    np.testing.assert_array_equal(again.channels["t2"].data, case.channels["t2"].data)
    np.testing.assert_array_equal(found.labels, correction.labels)
    np.testing.assert_array_equal(found.confirmed, correction.confirmed)
    np.testing.assert_array_equal(found.predicted, correction.predicted)
    np.testing.assert_array_equal(found.changed, correction.changed)
    assert found.slices == SLICES
    assert (found.model, found.scheme) == ("brats 1", BRATS2017)
    assert found.when
    assert project.confirmed() == Confirmed(2, 1)


def test_a_newer_correction_takes_the_place_of_the_older(project, case):
    project.save_correction(case, correction_for(case, seed=1))
    newer = correction_for(case, seed=2)

    path = project.save_correction(case, newer)

    np.testing.assert_array_equal(project.correction(case).labels, newer.labels)
    assert sorted(p.name for p in path.parent.iterdir()) == [
        "2-confirmed.nii.gz",
        "2-labels.nii.gz",
        "2-predicted.nii.gz",
        "2.json",
    ]


def test_a_crash_before_the_state_is_written_leaves_the_older_correction(project, case, monkeypatch):
    older = correction_for(case, seed=1)
    project.save_correction(case, older)

    def crash(*_):
        raise OutputError("The disk is full.")

    with monkeypatch.context() as patched:
        patched.setattr("napari_brainseg.annotation.case_state.write_text", crash)
        with pytest.raises(OutputError, match="full"):
            project.save_correction(case, correction_for(case, seed=2))

    np.testing.assert_array_equal(project.correction(case).labels, older.labels)
    newest = correction_for(case, seed=3)
    project.save_correction(case, newest)
    np.testing.assert_array_equal(project.correction(case).labels, newest.labels)


def one_slice(case, index):
    labels = np.full(SHAPE, 1, np.uint8)
    slices = (ConfirmedSlice(0, index),)
    return Correction(case.id, labels, mask_of(slices, SHAPE), BRATS2017, slices)


def test_slices_that_only_the_project_knows_stay_confirmed(project, case):
    older = correction_for(case)
    project.save_correction(case, older)

    Project.open(project.folder).save_correction(case, one_slice(case, 4))

    found = project.correction(case)
    assert found.slices == tuple(sorted((*SLICES, ConfirmedSlice(0, 4))))
    np.testing.assert_array_equal(found.labels[2], older.labels[2])
    assert (found.labels[4] == 1).all()
    assert project.confirmed() == Confirmed(3, 1)


def test_a_damaged_correction_is_left_where_it_is(project, case):
    path = project.save_correction(case, correction_for(case))
    damaged = path.parent / "1-labels.nii.gz"
    damaged.write_bytes(b"\x1f\x8b\x08\x00nothing")

    project.save_correction(case, one_slice(case, 4))

    assert project.correction(case).slices == (ConfirmedSlice(0, 4),)
    assert damaged.exists()
    assert path.exists()


def test_time_and_strokes_come_back(project, case):
    path = project.save_correction(case, replace(correction_for(case), seconds=93.44, strokes=7))

    found = project.correction(case)
    assert (found.seconds, found.strokes) == (93.4, 7)

    record = json.loads(path.read_text())
    del record["seconds"], record["strokes"]
    path.write_text(json.dumps(record))
    found = project.correction(case)
    assert (found.seconds, found.strokes) == (0.0, 0)


def test_what_another_window_confirmed_otherwise_is_told_and_kept(project, case):
    project.save_correction(case, one_slice(case, 4))
    other = Project.open(project.folder)
    other.correction(case)
    theirs = one_slice(case, 4)
    theirs.labels[4, 1, 1] = 3
    told = []
    path = other.save_correction(case, replace(theirs, who="anna"), told=told)
    assert told == [], "what it had read is replaced"

    project.save_correction(case, replace(one_slice(case, 4), who="ben"), told=told)

    assert len(told) == 1
    assert told[0].startswith("In axial slice 4 of BraTS_1, anna had confirmed other labels at ")
    assert told[0].endswith(f"Yours count now; the others are kept in {path}.")
    assert project.correction(case).labels[4, 1, 1] == 1
    assert read_correction(case, path.parent, 2).labels[4, 1, 1] == 3
    project.save_correction(case, one_slice(case, 4), told=told)
    assert len(told) == 1
    assert path.exists(), "kept for good"


def test_the_same_labels_confirmed_twice_are_no_contradiction(project, case):
    project.save_correction(case, one_slice(case, 4))
    told = []

    path = Project.open(project.folder).save_correction(case, one_slice(case, 4), told=told)

    assert told == []
    assert sorted(p.name for p in path.parent.glob("*.json")) == ["2.json"]


def test_a_case_whose_images_have_changed_is_named_and_its_correction_intact(tmp_path, project, case):
    correction = correction_for(case)
    project.save_correction(case, correction)
    write_brats(tmp_path / "data" / "BraTS_1", seed=5)
    skipped = []

    with pytest.raises(InputError, match=r"The images of BraTS_1 in .* are not those that were corrected"):
        list(project.corrections())
    assert list(project.corrections(skipped=skipped)) == []
    assert len(skipped) == 1

    opened = read_case(tmp_path / "data" / "BraTS_1")
    assert project.has_changed(opened)
    np.testing.assert_array_equal(project.correction(opened).labels, correction.labels)
    project.save_correction(opened, project.correction(opened))
    assert not project.has_changed(opened)
    assert len(list(project.corrections())) == 1


def test_nothing_confirmed_is_nothing_to_learn_from(project, case):
    project.save_correction(case, correction_for(case))
    nothing = np.zeros(SHAPE, bool)

    empty = Correction(case.id, np.zeros(SHAPE, np.uint8), nothing, BRATS2017, taken_back=SLICES)
    project.save_correction(case, empty)

    assert list(project.corrections()) == []
    assert project.confirmed() == Confirmed(0, 0)


def test_a_case_moved_together_with_the_project_is_found(tmp_path, project, case):
    project.save_correction(case, correction_for(case))
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "project").rename(tmp_path / "elsewhere" / "project")
    (tmp_path / "data").rename(tmp_path / "elsewhere" / "data")

    [(again, _)] = Project.open(tmp_path / "elsewhere" / "project").corrections()

    assert again.paths["t1"][0].is_relative_to(tmp_path / "elsewhere")


def test_a_moved_case_is_named_and_found_again_once_it_is_opened(tmp_path, project, case):
    correction = correction_for(case)
    project.save_correction(case, correction)
    (tmp_path / "data").rename(tmp_path / "moved")

    with pytest.raises(InputError, match=r"The files of BraTS_1 are no longer in .*open the case from its new place"):
        list(project.corrections())

    opened = read_case(tmp_path / "moved" / "BraTS_1")
    np.testing.assert_array_equal(project.correction(opened).labels, correction.labels)
    project.add_case(opened)
    assert len(list(project.corrections())) == 1
    assert len(project.case_folders()) == 1


def test_a_case_of_another_shape_is_refused(tmp_path, project, case):
    project.save_correction(case, correction_for(case))
    write_brats(tmp_path / "data" / "BraTS_1", shape=(5, 6, 8))

    with pytest.raises(InputError, match="has the shape 5 × 6 × 8, but 5 × 6 × 7 when it was corrected"):
        list(project.corrections())


def test_a_case_on_another_grid_is_refused(tmp_path, project, case):
    project.save_correction(case, correction_for(case))
    for path in (tmp_path / "data" / "BraTS_1").iterdir():
        image = nib.load(path)
        data = np.asarray(image.dataobj).astype(np.int16)
        nib.save(nib.Nifti1Image(data, np.diag([1.0, 1.0, 2.5, 1.0])), path)

    with pytest.raises(InputError, match="lies on another grid than BraTS_1"):
        list(project.corrections())


def test_a_damaged_state_is_named(project, case):
    folder = project.add_case(case)
    (folder / "state.json").write_text('{"format": 1}')

    with pytest.raises(InputError, match=r"state\.json lacks what a case of a project needs"):
        project.confirmed()


def test_a_damaged_labels_file_is_named(project, case):
    path = project.save_correction(case, correction_for(case))
    (path.parent / "1-labels.nii.gz").write_bytes(b"\x1f\x8b\x08\x00nothing")

    with pytest.raises(InputError, match=r"1-labels\.nii\.gz"):
        project.correction(case)


def test_two_cases_of_one_name_stay_two(tmp_path, project, case):
    other = read_case(write_brats(tmp_path / "other" / "BraTS_1", seed=9))
    project.save_correction(case, correction_for(case, seed=1))

    project.save_correction(other, correction_for(other, seed=2))

    assert [f.name for f in project.case_folders()] == ["BraTS_1", "BraTS_1-2"]
    assert not np.array_equal(project.correction(case).labels, project.correction(other).labels)


def test_two_patients_of_one_name_are_not_mixed_while_one_is_out_of_reach(tmp_path, project):
    first, second = (read_case(write_brats(tmp_path / p / "BraTS_1", seed=n)) for n, p in enumerate(("p1", "p2")))
    project.save_correction(first, correction_for(first, seed=1))
    (tmp_path / "p1").rename(tmp_path / "unmounted")

    assert project.find(second) is None
    project.save_correction(second, correction_for(second, seed=2))
    (tmp_path / "unmounted").rename(tmp_path / "p1")

    assert [project.find(c).name for c in (first, second)] == ["BraTS_1", "BraTS_1-2"]
    np.testing.assert_array_equal(project.correction(first).labels, correction_for(first, seed=1).labels)


def test_where_a_case_lies_decides_before_its_images(tmp_path, project):
    copies = [read_case(write_brats(tmp_path / p / "BraTS_1")) for p in ("p1", "p2")]
    for copy in copies:
        project.add_case(copy)
    (tmp_path / "p1").rename(tmp_path / "unmounted")

    assert project.find(copies[1]).name == "BraTS_1-2"


def test_slices_keep_the_spacing_and_the_order_that_a_person_gave(tmp_path, project):
    folder = write_lgg(tmp_path / "TCGA_XX_0001_20000101")
    case = with_spacing(read_case(folder, OpenOptions(channels=("flair", "pre", "post"))), (5.0, 1.0, 1.0))
    correction = correction_for(case, scheme=LGG)

    path = project.save_correction(case, correction)

    [(again, found)] = project.corrections()
    assert again.geometry.spacing == (5.0, 1.0, 1.0)
    np.testing.assert_array_equal(again.channels["flair"].data, case.channels["flair"].data)
    np.testing.assert_array_equal(found.labels, correction.labels)
    assert set(np.unique(np.asarray(nib.load(path.parent / "1-labels.nii.gz").dataobj))) <= {0, 255}


def test_only_exams_with_the_models_channels_are_given(tmp_path, project, case):
    lgg = read_case(write_lgg(tmp_path / "TCGA_XX_0001_20000101"))
    project.save_correction(case, correction_for(case))
    project.save_correction(lgg, correction_for(lgg, scheme=LGG))

    assert [c.id for c, _ in project.corrections(("pre", "flair", "post"))] == [lgg.id]
    assert [c.id for c, _ in project.corrections(without=lgg)] == ["BraTS_1"]
    assert project.confirmed(BRATS_CHANNELS) == Confirmed(2, 1)
    assert project.confirmed().describe() == "4 slices in 2 cases confirmed"


def test_a_case_that_is_in_no_file_cannot_be_kept(project):
    geometry = Geometry(SHAPE)
    case = Case("a", {"flair": Volume(np.ones(SHAPE), geometry)}, ("flair",), geometry, None, LGG, Naming.PLAIN)

    with pytest.raises(InputError, match="was not read from files"):
        project.add_case(case)


@pytest.mark.parametrize(
    ("case_id", "folder"),
    [("Brats18_CBICA_ALU_1", "Brats18_CBICA_ALU_1"), ("BraTS-GLI-00000-000", "BraTS-GLI-00000-000")],
)
def test_plain_ids_are_folder_names(case_id, folder):
    assert folder_name(case_id) == folder


@pytest.mark.parametrize(
    "case_id", ["../../etc", "a/b", "a\\b", "CON", "nul.txt", "", ".", "..", "x" * 300, "Müller ✓", "a:b"]
)
def test_other_ids_are_made_safe_and_stay_apart(case_id):
    name = folder_name(case_id)

    assert name.replace("-", "").replace("_", "").replace(".", "").isalnum()
    assert name.isascii()
    assert not name.startswith(".")
    assert len(name) < 100
    assert name.upper().split(".")[0] not in {"CON", "NUL"}
    assert name != folder_name(case_id + "?")
