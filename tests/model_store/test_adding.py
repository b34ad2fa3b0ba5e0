"""What is read of folders of nnU-Net and MONAI, and what is refused; nothing of them is loaded."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from external_models import write_bundle, write_results
from nifti_files import lps_affine, picture, save

from napari_brainseg.base.errors import BrainsegError, InputError, LabelError, ModelError
from napari_brainseg.cases.labels import BRATS2017, MSD
from napari_brainseg.model_store import adding
from napari_brainseg.model_store.adding import add_model, describe_model, python_of
from napari_brainseg.model_store.described import AddSettings
from napari_brainseg.model_store.external import External
from napari_brainseg.model_store.store import ModelRecord, default_for_channels, list_models, read_record

PYTHON = Path(sys.executable)


@pytest.fixture(autouse=True)
def package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adding, "_package", lambda python, kind: "package 1.0")


def described(path: Path, **settings: object) -> tuple[ModelRecord, External, str]:
    record, source = describe_model(path, PYTHON, AddSettings(**settings))  # type: ignore[arg-type]
    assert record.external is not None
    return record, record.external, source


def test_a_results_folder_says_channels_labels_and_folds(tmp_path: Path) -> None:
    folder = write_results(tmp_path)
    record, external, source = described(tmp_path / "Dataset137_Gliomas")
    assert record.name == "Gliomas"
    assert record.title == "nnU-Net: Dataset137_Gliomas, 3d_fullres, folds 0, 1"
    assert record.channels == ("t1", "t1ce", "t2", "flair")
    # 1 is the whole tumour without its core, so oedema; 2 the core without enhancing tumour.
    assert (record.scheme_id, external.values) == ("brats2017", {0: 0, 1: 2, 2: 1, 3: 3})
    assert (external.path, external.folds, external.orientation, source) == (folder, ("0", "1"), "LPS", "")
    assert len(external.digests) == 4
    plain = write_results(tmp_path / "plain", {"edema": 1, "non-enhancing tumor": 2, "enhancing tumour": 3})
    record, external, _ = described(plain, folds=("1",), orientation="file")
    assert (record.scheme_id, external.values) == ("msd", {0: 0, 1: 1, 2: 2, 3: 3})
    assert (external.folds, external.orientation) == (("1",), "")


def test_the_raw_data_set_tells_how_the_images_lie(tmp_path: Path) -> None:
    folder = write_results(tmp_path / "nnUNet_results")
    raw = tmp_path / "nnUNet_raw" / "Dataset137_Gliomas"
    save(raw / "imagesTr" / "a_0000.nii.gz", picture(), lps_affine())
    _, external, source = described(folder)
    assert (external.orientation, source) == ("LPS", f"the training images in {raw}")
    turned = lps_affine()
    turned[:, 0] *= -1  # as the picture would lie mirrored: the first axis runs to the right
    save(raw / "imagesTr" / "b_0000.nii.gz", picture(), turned)
    _, external, source = described(folder)
    assert external.orientation == ""
    assert source.endswith("LPS, RPS")


@pytest.mark.parametrize(
    ("outputs", "values", "regions"),
    [
        (("Tumor core", "Whole tumor", "Enhancing tumor"), {}, ((1, 3), (1, 2, 3), (3,))),
        (("background", "NCR", "ED", "ET"), {0: 0, 1: 1, 2: 2, 3: 3}, ((), (1,), (2,), (3,))),
        (("tumor",), {0: 0, 1: 1}, ((1,),)),
    ],
)
def test_a_bundle_says_what_its_channels_are(
    tmp_path: Path, outputs: tuple[str, ...], values: dict[int, int], regions: tuple[tuple[int, ...], ...]
) -> None:
    record, external, _ = described(write_bundle(tmp_path / "gliomas", outputs))
    assert (record.name, record.title) == ("gliomas", "MONAI bundle: Gliomas 0.2.0")
    assert record.channels == ("flair", "t1ce")
    assert (dict(external.values), external.regions, external.runs_code) == (values, regions, True)
    assert "scripts/own.py" in external.digests


def test_a_person_says_what_the_files_do_not(tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "bundle", ("thing", "other"))
    with pytest.raises(LabelError, match=r"'thing' is no label that is known here.*--scheme"):
        described(bundle)
    _, external, _ = described(bundle, scheme=BRATS2017)
    assert external.values == {0: 0, 1: 1, 2: 2, 4: 3}
    folder = write_results(tmp_path, {"a": 1, "b": 2}, channel_names={"0": "MR"})
    with pytest.raises(ModelError, match=r"cannot be told from MR\. .*--channels"):
        described(folder, scheme=MSD)
    record, _, _ = described(folder, scheme=MSD, channels=("flair",))
    assert record.channels == ("flair",)
    with pytest.raises(ModelError, match="takes 1 channels"):
        described(folder, scheme=MSD, channels=("flair", "t1"))


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ("fold_0 fold_1", ModelError, "has no checkpoint_final.pth in any of its folds"),
        ("dataset.json", InputError, "is neither an nnU-Net v2 results folder"),
        ("labels", ModelError, "has no usable labels"),
        ("png", ModelError, "trained on .png pictures"),
    ],
)
def test_a_folder_that_cannot_be_used_says_why(
    tmp_path: Path, change: str, error: type[BrainsegError], words: str
) -> None:
    facts = {"labels": {"labels": {}}, "png": {"file_ending": ".png"}}.get(change, {})
    folder = write_results(tmp_path, **facts)  # type: ignore[arg-type]
    for name in change.split():
        for path in [folder / name] if (folder / name).is_file() else folder.glob(f"{name}/*"):
            path.unlink()
    with pytest.raises(error, match=words):
        described(folder)


def test_it_joins_the_list_but_is_no_default(tmp_path: Path) -> None:
    record, external, _ = described(write_results(tmp_path))
    added = add_model(record, tmp_path / "models")
    assert (added.external, added.name) == (external, "Gliomas")
    assert "For research use, not for diagnosis" in added.card
    models = list_models([tmp_path / "models"])
    assert models[0] == added
    default = default_for_channels(record.channels, models)
    assert default is not None
    assert default.external is None
    with pytest.raises(ModelError, match="There is a model Gliomas already"):
        add_model(record, tmp_path / "models")
    assert add_model(record, tmp_path / "models", replaces=True).external == external


def test_what_a_description_claims_is_checked(tmp_path: Path) -> None:
    record, _, _ = described(write_results(tmp_path))
    folder = add_model(record, tmp_path / "models").folder
    assert folder is not None
    text = (folder / "model.json").read_text()
    (folder / "model.json").write_text(text.replace('"kind": "nnunet"', '"kind": "shell"'))
    with pytest.raises(ModelError, match="'shell' is no kind of model"):
        read_record(folder)


def test_an_environment_is_found_by_its_folder(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").symlink_to(sys.executable)
    assert python_of(tmp_path) == tmp_path / "bin" / "python"
    with pytest.raises(InputError, match="is no Python environment"):
        python_of(tmp_path / "bin")


def test_an_environment_without_the_package_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    with pytest.raises(ModelError, match=r"has no nnunetv2. Run: .* -m pip install nnunetv2"):
        described(write_results(tmp_path))
