"""`brainseg segment` as a person runs it, with a small untrained model."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import tifffile
import torch

from napari_brainseg.base.progress import Progress
from napari_brainseg.cases.case import Case, Naming
from napari_brainseg.cases.finding import CaseFiles
from napari_brainseg.cases.phantom import make_lgg_phantom, make_volume_phantom
from napari_brainseg.cases.sample_files import write_slice_files, write_volume_files
from napari_brainseg.cli import main
from napari_brainseg.inference import engine
from napari_brainseg.inference.cohort_plan import CohortSettings, output_folders
from napari_brainseg.inference.postprocessing import PostProcessing
from napari_brainseg.inference.settings import SegmentSettings
from napari_brainseg.model_store.model import Model, new_network, save_model
from napari_brainseg.model_store.preprocessing import Preprocessing
from napari_brainseg.model_store.store import ModelRecord


def write_model(folder: Path, channels: tuple[str, ...], scheme: str, outputs: tuple[str, ...]) -> None:
    record = ModelRecord(
        name=folder.name,
        version="1",
        title="",
        network={"name": "unext", "options": {"widths": [4, 8, 10, 15, 20]}},
        channels=channels,
        scheme_id=scheme,
        outputs=outputs,
        preprocessing=Preprocessing(crop=True),
    )
    torch.manual_seed(3)
    save_model(Model(record, new_network(record)), folder, "")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("segment")
    write_model(root / "models" / "volume", ("flair", "t1", "t1ce", "t2"), "brats2017", ("WT", "TC", "ET"))
    write_model(root / "models" / "slices", ("pre", "flair", "post"), "lgg", ("WT",))
    for seed in (1, 2):
        case = make_volume_phantom(seed, (8, 32, 32), (16.0, 6.0, 6.0))
        write_volume_files(case, root / "cases" / case.id)
    lgg = make_lgg_phantom(1, slices=2)
    write_slice_files(lgg, root / "lgg" / lgg.id)
    return root


def test_a_folder_of_cases_gives_one_mask_each_on_the_sources_grid(place: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert main(["segment", str(place / "cases"), "--model", str(place / "models/volume"), "--out", str(out)]) == 0
    assert sorted(p.name for p in out.iterdir()) == [
        "Phantom_001_seg.nii.gz",
        "Phantom_002_seg.nii.gz",
        "brainseg.jsonl",
    ]
    mask = nib.load(out / "Phantom_001_seg.nii.gz")
    source = nib.load(place / "cases/Phantom_001/Phantom_001_flair.nii.gz")
    np.testing.assert_array_equal(mask.affine, source.affine)
    assert mask.get_data_dtype() == np.uint8
    assert set(np.unique(mask.dataobj)) <= {0, 1, 2, 4}


def test_the_scheme_that_is_asked_for_is_written(place: Path, tmp_path: Path) -> None:
    arguments = ["segment", str(place / "cases/Phantom_001"), "--model", str(place / "models/volume")]
    assert main([*arguments, "--out", str(tmp_path / "a")]) == 0
    assert main([*arguments, "--out", str(tmp_path / "b"), "--write-scheme", "brats2023"]) == 0
    first, second = (np.asarray(nib.load(tmp_path / d / "Phantom_001_seg.nii.gz").dataobj) for d in "ab")
    np.testing.assert_array_equal(np.where(first == 4, 3, first), second)
    assert first.any()


def test_slices_become_masks_of_0_and_255(place: Path, tmp_path: Path) -> None:
    patient = next((place / "lgg").iterdir())
    assert main(["segment", str(patient), "--model", str(place / "models/slices"), "--out", str(tmp_path)]) == 0
    masks = sorted((tmp_path / patient.name).iterdir())
    assert [m.name for m in masks] == [f"{patient.name}_{n}_mask.tif" for n in (1, 2)]
    values = tifffile.imread(masks[0])
    assert values.shape == (256, 256)
    assert values.dtype == np.uint8
    assert set(np.unique(values)) <= {0, 255}


def test_an_existing_mask_is_skipped_unless_it_may_be_replaced(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["segment", str(place / "cases/Phantom_001"), "--model", str(place / "models/volume"), "--out"]
    target = tmp_path / "Phantom_001_seg.nii.gz"
    target.write_bytes(b"mine")
    assert main([*arguments, str(tmp_path)]) == 0
    assert target.read_bytes() == b"mine"
    assert "skipped" in capsys.readouterr().out
    assert main([*arguments, str(tmp_path), "--overwrite"]) == 0
    assert target.read_bytes() != b"mine"


def test_half_written_masks_are_not_taken_for_done(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    patient = next((place / "lgg").iterdir())
    arguments = ["segment", str(patient), "--model", str(place / "models/slices"), "--out", str(tmp_path)]
    assert main(arguments) == 0
    last = tmp_path / patient.name / f"{patient.name}_2_mask.tif"
    last.unlink()
    capsys.readouterr()
    assert main(arguments) == 2
    assert "1 of 2 files exist" in capsys.readouterr().err
    assert not last.exists()
    assert main([*arguments, "--overwrite"]) == 0
    assert last.exists()
    assert main(arguments) == 0
    assert "skipped" in capsys.readouterr().out


def test_cases_of_one_name_do_not_take_each_others_files(place: Path, tmp_path: Path) -> None:
    for source, patient in (("Phantom_001", "p1"), ("Phantom_002", "p2")):
        (tmp_path / patient / "baseline").mkdir(parents=True)
        for channel in ("flair", "t1", "t1ce", "t2"):
            shutil.copy(
                place / f"cases/{source}/{source}_{channel}.nii.gz", tmp_path / patient / f"baseline/{channel}.nii.gz"
            )
    out = tmp_path / "out"
    arguments = ["segment", str(tmp_path / "p1"), str(tmp_path / "p2"), "--model", str(place / "models/volume")]
    assert main([*arguments, "--out", str(out)]) == 0
    written = sorted(path.relative_to(out).as_posix() for path in out.rglob("*.nii.gz"))
    assert written == ["p1/baseline_seg.nii.gz", "p2/baseline_seg.nii.gz"]


@pytest.mark.parametrize(
    ("found", "folders"),
    [
        ([("a", "r/a"), ("b", "r/b")], ["o", "o"]),
        ([("a", "r/x/a"), ("a", "r/y/a"), ("b", "r/b")], ["o/x", "o/y", "o"]),
        ([("a", "r/x"), ("a", "r/y/z")], ["o/x", "o/y/z"]),
        ([("a", "r/a"), ("A", "r/s")], ["o/a", "o/s"]),
        ([("a", "r/a"), ("a", "r/a")], ["o", "o"]),
    ],
)
def test_each_of_the_cases_of_one_name_has_a_folder(
    tmp_path: Path, found: list[tuple[str, str]], folders: list[str]
) -> None:
    cases = [CaseFiles(name, Naming.PLAIN, {}, folder=tmp_path / folder) for name, folder in found]
    assert output_folders(cases, Path("o")) == [Path(folder) for folder in folders]


def test_reference_labels_are_never_written(place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(place / "cases/Phantom_001", tmp_path / "Phantom_001")
    reference = tmp_path / "Phantom_001/Phantom_001_seg.nii.gz"
    before = reference.read_bytes()
    arguments = ["segment", str(reference.parent), "--model", str(place / "models/volume"), "--overwrite", "--out"]
    assert main([*arguments, str(reference.parent)]) == 2
    assert reference.read_bytes() == before
    assert "never written" in capsys.readouterr().err


def test_probabilities_lie_beside_the_mask(place: Path, tmp_path: Path) -> None:
    arguments = ["segment", str(place / "cases/Phantom_001"), "--model", str(place / "models/volume")]
    assert main([*arguments, "--out", str(tmp_path), "--probabilities"]) == 0
    whole = np.asarray(nib.load(tmp_path / "Phantom_001_probability-WT.nii.gz").dataobj)
    labels = np.asarray(nib.load(tmp_path / "Phantom_001_seg.nii.gz").dataobj)
    np.testing.assert_array_equal(whole > 0.5, labels > 0)


def test_channels_that_the_model_does_without_are_named(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(place / "cases/Phantom_001", tmp_path / "Phantom_001")
    (tmp_path / "Phantom_001/Phantom_001_t2.nii.gz").unlink()
    arguments = ["segment", str(tmp_path / "Phantom_001"), "--model", str(place / "models/volume")]
    assert main([*arguments, "--out", str(tmp_path / "out")]) == 0
    assert "Runs without t2: volume was not trained for that" in capsys.readouterr().out


def test_one_broken_case_does_not_stop_the_others(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(place / "cases", tmp_path / "cases")
    (tmp_path / "cases/Phantom_001/Phantom_001_t1.nii.gz").write_bytes(b"")
    arguments = ["segment", str(tmp_path / "cases"), "--model", str(place / "models/volume")]
    assert main([*arguments, "--out", str(tmp_path / "out")]) == 2
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["Phantom_002_seg.nii.gz", "brainseg.jsonl"]
    error = capsys.readouterr().err
    assert "Phantom_001" in error
    assert "empty" in error


def test_a_second_run_skips_what_is_finished_and_an_interruption_says_so(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    segment = engine.segment

    def interrupted(case: Case, *rest: object) -> Iterator[Progress]:
        if case.id == "Phantom_002":
            raise KeyboardInterrupt
        return segment(case, *rest)

    out = tmp_path / "out"
    arguments = ["segment", str(place / "cases"), "--model", str(place / "models/volume"), "--out", str(out)]
    monkeypatch.setattr(engine, "segment", interrupted)
    assert main(arguments) == 130
    error = capsys.readouterr().err
    assert f"What is finished is kept in {out}. The same command goes on with the rest.\n" in error
    assert sorted(p.name for p in out.iterdir()) == ["Phantom_001_seg.nii.gz", "brainseg.jsonl"]
    monkeypatch.setattr(engine, "segment", segment)
    assert main(arguments) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert (
        first == f"[1/2] Phantom_001: {out / 'Phantom_001_seg.nii.gz'} is finished, skipped (--overwrite replaces it)"
    )
    assert second.startswith(f"[2/2] Phantom_002: {out / 'Phantom_002_seg.nii.gz'} (volume 1, ")


@pytest.mark.parametrize(
    ("options", "run"),
    [
        ([], SegmentSettings()),
        (["--flips", "--uncertainty", "margin"], SegmentSettings(flips=True, uncertainty="margin")),
        (["--no-post-processing"], SegmentSettings(post_processing=PostProcessing())),
        (["--min-volume", "50", "--fill-holes"], SegmentSettings(post_processing=PostProcessing(50.0, True))),
        (["--small-enhancing", "30"], SegmentSettings(post_processing=PostProcessing(small_enhancing=30.0))),
    ],
)
def test_options_become_settings(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], run: SegmentSettings
) -> None:
    asked = []

    def cohort(cases: object, settings: CohortSettings, model: object) -> Iterator[Progress]:
        asked.append((settings, model))
        yield Progress(0, 0)
        return ()

    monkeypatch.setattr("napari_brainseg.cli.segment.segment_cohort", cohort)
    assert (
        main(["segment", str(place / "cases"), "--out", str(tmp_path), "--model", "a", "--model", "b", *options]) == 0
    )
    assert asked == [(CohortSettings(tmp_path, run=run), ["a", "b"])]


def test_steps_and_none_of_them_contradict(place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["segment", str(place / "cases"), "--out", str(tmp_path), "--no-post-processing", "--fill-holes"]
    assert main(arguments) == 2
    assert "Leave one of both out" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--model", "nothing"], "no model 'nothing'"),
        (["--write-scheme", "nothing"], "no label scheme 'nothing'"),
        (["--device", "cuda:9"], "no device 'cuda:9'"),
    ],
)
def test_wrong_choices_are_one_sentence(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    model = [] if "--model" in arguments else ["--model", str(place / "models/volume")]
    case = str(place / "cases/Phantom_001")
    assert main(["segment", case, "--out", str(tmp_path / "out"), *model, *arguments]) == 2
    assert words in capsys.readouterr().err
