"""External models for tests: folders of nnU-Net and MONAI as far as we read them, and one that a stand-in runs."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from napari_brainseg.model_store.adding import add_model
from napari_brainseg.model_store.consent import allow
from napari_brainseg.model_store.external import BUNDLE, External
from napari_brainseg.model_store.store import ModelRecord

DATA = Path(__file__).resolve().parent / "data"
STAND_IN = Path(__file__).resolve().with_name("stand_in_child.py")
REGIONS = {"background": 0, "whole tumor": [1, 2, 3], "tumor core": [2, 3], "enhancing tumor": [3]}


def stand_in_model(place: Path, what: str = "threshold", **facts: object) -> ModelRecord:
    """Add a model that the stand-in runs and that this user has allowed; `what` it does is said there."""
    external = External(
        **{
            "kind": BUNDLE,
            "path": place,
            "python": Path(sys.executable),
            "package": "monai 1.5",
            "values": {0: 0, 1: 2, 2: 1, 4: 3},
            "orientation": "RAS",
            "config": what,
            **facts,
        }  # type: ignore[arg-type]
    )
    record = ModelRecord(
        name="theirs",
        version="1",
        title="MONAI bundle: theirs",
        network={"name": "MONAI bundle"},
        channels=("flair", "t1ce"),
        scheme_id="brats2017",
        outputs=("NCR", "ED", "ET"),
        spatial_dims=3,
        external=external,
    )
    added = add_model(record, place)
    allow(added)
    return added


def write_results(folder: Path, labels: dict[str, object] | None = None, **dataset: object) -> Path:
    """Write a results folder of nnU-Net with two folds, whose checkpoints hold nothing; return the configuration's."""
    result = folder / "Dataset137_Gliomas" / "nnUNetTrainer__nnUNetPlans__3d_fullres"
    for fold in ("0", "1"):
        (result / f"fold_{fold}").mkdir(parents=True)
        (result / f"fold_{fold}" / "checkpoint_final.pth").write_bytes(b"weights " + fold.encode())
    described = {
        "channel_names": {"0": "T1", "1": "T1ce", "2": "T2", "3": "FLAIR"},
        "labels": REGIONS if labels is None else labels,
        "regions_class_order": [1, 2, 3],
        "file_ending": ".nii.gz",
        **dataset,
    }
    (result / "dataset.json").write_text(json.dumps(described))
    plans = {"dataset_name": "Dataset137_Gliomas", "image_reader_writer": "SimpleITKIO", "configurations": {}}
    (result / "plans.json").write_text(json.dumps(plans))
    return result


def write_bundle(folder: Path, outputs: tuple[str, ...]) -> Path:
    """Write a MONAI bundle whose weights hold nothing."""
    for name in ("configs", "models", "scripts"):
        (folder / name).mkdir(parents=True)
    channels = {"0": "FLAIR", "1": "T1Gd"}
    described = {
        "name": "Gliomas",
        "version": "0.2.0",
        "network_data_format": {
            "inputs": {"image": {"channel_def": channels}},
            "outputs": {"pred": {"channel_def": {str(n): name for n, name in enumerate(outputs)}}},
        },
    }
    (folder / "configs" / "metadata.json").write_text(json.dumps(described))
    (folder / "configs" / "inference.json").write_text("{}")
    (folder / "models" / "model.pt").write_bytes(b"weights")
    (folder / "scripts" / "own.py").write_text("")
    return folder
