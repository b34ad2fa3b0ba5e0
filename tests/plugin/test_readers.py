"""napari's own ways of opening a case."""

from __future__ import annotations

import subprocess
import sys
import warnings
from fnmatch import fnmatch
from pathlib import Path

import numpy as np
import pytest
import tifffile
from napari.utils.notifications import NotificationManager
from nifti_files import labels, lps_affine, picture, save
from npe2 import PluginManifest

from napari_brainseg.plugin.layers import METADATA_KEY, Role
from napari_brainseg.plugin.readers import get_reader, read


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A case of four channels with labels."""
    for number, name in enumerate(("flair", "t1", "t1ce", "t2")):
        save(tmp_path / "c" / f"c_{name}.nii.gz", picture() + 1000 * number)
    save(tmp_path / "c" / "c_seg.nii.gz", labels())
    return tmp_path / "c"


def slices(folder: Path, count: int = 3) -> Path:
    folder.mkdir(parents=True)
    for number in range(1, count + 1):
        plane = np.random.default_rng(number).integers(0, 255, (5, 6, 3), np.uint8)
        tifffile.imwrite(folder / f"{folder.name}_{number}.tif", plane)
        tifffile.imwrite(folder / f"{folder.name}_{number}_mask.tif", (plane[..., 0] > 99).astype(np.uint8) * 255)
    return folder


def shown(path: str | list[str]) -> dict[str, tuple[str, Role, str]]:
    """What the reader gives, without a warning: kind, role and case of each layer by name."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        layers = read(path)
    facts = {}
    for _, attributes, kind in layers:
        identity = attributes["metadata"][METADATA_KEY]
        facts[attributes["name"]] = (kind, identity.role, identity.case_id)
    return facts


def test_a_case_folder_is_the_case(folder: Path) -> None:
    expected = dict.fromkeys(("flair", "t1", "t1ce", "t2"), ("image", Role.CHANNEL, "c"))
    assert shown(str(folder)) == {**expected, "reference": ("labels", Role.REFERENCE, "c")}


def test_one_file_is_its_channel(folder: Path) -> None:
    assert shown(str(folder / "c_t1ce.nii.gz")) == {"t1ce": ("image", Role.CHANNEL, "c")}
    (layer,) = read(str(folder / "c_t1ce.nii.gz"))
    np.testing.assert_array_equal(layer[0], picture() + 2000)
    np.testing.assert_allclose(layer[1]["scale"], (3.0, 0.9, 1.1), rtol=1e-6)


def test_labels_alone_are_a_reference(folder: Path) -> None:
    assert shown([str(folder / "c_seg.nii.gz")]) == {"reference": ("labels", Role.REFERENCE, "c")}
    ((data, attributes, _),) = read(str(folder / "c_seg.nii.gz"))
    np.testing.assert_array_equal(data, np.where(labels() == 4, 3, labels()))
    assert attributes["metadata"][METADATA_KEY].scheme_id == "brats2017"


def test_several_files_are_one_case(folder: Path) -> None:
    paths = [str(folder / f"c_{name}.nii.gz") for name in ("t2", "flair", "seg")]
    assert set(shown(paths)) == {"flair", "t2", "reference"}


def test_slices(tmp_path: Path) -> None:
    folder = slices(tmp_path / "P_1")
    assert set(shown(str(folder))) == {"pre", "flair", "post", "reference"}
    assert shown(str(folder / "P_1_2.tif"))["flair"] == ("image", Role.CHANNEL, "P_1_2")
    masks = [str(path) for path in folder.glob("*_mask.tif")]
    ((data, attributes, _),) = read(masks)
    assert (data.shape, attributes["metadata"][METADATA_KEY].case_id) == ((3, 5, 6), "P_1")


def test_of_several_cases_the_first_with_a_warning(folder: Path) -> None:
    save(folder.parent / "d" / "d_flair.nii.gz", picture())
    with pytest.warns(UserWarning, match=r"2 cases were found; c is shown\. The Brain segmentation workbench lists"):
        layers = read(str(folder.parent))
    assert len(layers) == 5


def test_notes_are_warnings(folder: Path) -> None:
    moved = lps_affine()
    moved[0, 3] += 9
    save(folder / "c_t1.nii.gz", picture(), moved)
    with pytest.warns(UserWarning, match=r"t1 has another grid than flair .* workbench can resample it"):
        assert len(read(str(folder))) == 4


@pytest.mark.parametrize("content", [b"", b"<html></html>", b"\x1f\x8b\x08truncated"])
def test_bad_input_is_one_warning_and_no_layer(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "c_flair.nii.gz"
    path.write_bytes(content)
    with pytest.warns(UserWarning, match="c_flair.nii.gz") as caught:
        assert read(str(path)) == [(None,)]
    assert len(caught) == 1


def test_a_second_try_is_told_again(make_napari_viewer, tmp_path: Path) -> None:
    """napari and Python show the same warning once only, which left the second try without an answer."""
    (tmp_path / "c_flair.nii").write_bytes(b"")
    told: list[str] = []
    with warnings.catch_warnings(), NotificationManager() as manager:
        warnings.simplefilter("default")
        manager.notification_ready.connect(lambda event: told.append(event.message))
        viewer = make_napari_viewer()
        for _ in range(2):
            viewer.open(str(tmp_path / "c_flair.nii"), plugin="napari-brainseg")
    assert [text.partition("c_flair.nii ")[2][:8] for text in told] == ["is empty", "is empty"]
    assert not viewer.layers


@pytest.mark.parametrize(("name", "sentence"), [("empty", "holds no NIfTI image"), ("absent.nii", "No such file")])
def test_bad_places_are_one_warning(tmp_path: Path, name: str, sentence: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.warns(UserWarning, match=sentence):
        assert read(str(tmp_path / name)) == [(None,)]


def test_labels_of_no_scheme_are_a_warning(tmp_path: Path) -> None:
    path = save(tmp_path / "c_seg.nii", labels(values=(0, 9)))
    with pytest.warns(UserWarning, match="holds the label values 9"):
        assert read(str(path)) == [(None,)]


def test_what_is_not_ours_is_left_to_others(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "store.zarr").mkdir()
    tifffile.imwrite(tmp_path / "cells_1.tif", np.zeros((4, 4), np.uint8))
    patient = slices(tmp_path / "P_1")
    for name in ("store.zarr", "cells_1.tif", "a.png"):
        assert get_reader(str(tmp_path / name)) is None
    for path in (folder, folder / "c_t1.nii.gz", patient, patient / "P_1_1.tif", patient / "P_1_1_mask.tif"):
        assert get_reader(str(path)) is read
    assert get_reader([str(folder / "c_t1.nii.gz"), str(tmp_path / "a.png")]) is None
    assert get_reader([]) is None


def test_the_manifest_names_reader_and_writer() -> None:
    manifest = PluginManifest.from_distribution("napari-brainseg")
    (reader,) = manifest.contributions.readers
    (writer,) = manifest.contributions.writers
    commands = {command.id: command.python_name for command in manifest.contributions.commands}
    assert commands[reader.command] == "napari_brainseg.plugin.readers:get_reader"
    assert commands[writer.command] == "napari_brainseg.plugin.writers:write_labels_layer"
    assert (reader.accepts_directories, writer.filename_extensions) == (True, [".nii.gz", ".nii"])


def test_napari_opens_a_folder_by_this_plugin(make_napari_viewer, folder: Path) -> None:
    viewer = make_napari_viewer()
    viewer.open(str(folder), plugin="napari-brainseg")
    assert [layer.name for layer in viewer.layers if layer.visible and layer.name != "reference"] == ["flair"]
    assert {"t1", "t1ce", "t2", "reference"} < {layer.name for layer in viewer.layers}
    for name in ("flair", "t1"):
        viewer.open(str(folder / f"c_{name}.nii.gz"), plugin="napari-brainseg")
    assert {layer.metadata[METADATA_KEY].case_id for layer in viewer.layers} == {"c"}


def test_readers_load_neither_torch_nor_qt(folder: Path) -> None:
    program = (
        "import sys; from napari_brainseg.plugin.readers import get_reader; import napari_brainseg.plugin.writers; "
        "assert len(get_reader(sys.argv[1])(sys.argv[1])) == 5; "
        "bad = {'torch', 'monai', 'napari', 'qtpy', 'PyQt6'} & {*sys.modules}; sys.exit(str(bad) if bad else 0)"
    )
    done = subprocess.run([sys.executable, "-c", program, str(folder)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("/d/c_flair.nii.gz", True),
        ("/d/TCGA_CS_4941_19960909_12.tif", True),
        ("/d/cells_12_mask.tif", True),
        ("/d/cells_12.tif", False),
        ("/d/stack_001.tiff", False),
    ],
)
def test_everyones_numbered_tifs_are_not_claimed(name: str, ours: bool) -> None:
    manifest = PluginManifest.from_distribution("napari-brainseg")
    patterns = manifest.contributions.readers[0].filename_patterns
    assert any(fnmatch(name, pattern) for pattern in patterns) is ours
