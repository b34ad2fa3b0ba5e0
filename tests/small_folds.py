"""Small models of the folds of one cross-validation, as `brainseg train` leaves them, for tests that join them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from napari_brainseg.cases.case import BRATS_CHANNELS
from napari_brainseg.model_store.model import Model, new_network, save_model
from napari_brainseg.model_store.store import ModelRecord

IDS = ("a", "b", "c", "d")


def write_folds(place: Path, count: int = 2, **changes: object) -> list[ModelRecord]:
    """Write fold models that validate on a case each and learn from the others; `changes` are the last one's."""
    records = []
    for fold in range(count):
        record = ModelRecord(
            name="m",
            version="1",
            title="Tumours of tests",
            network={"name": "unext", "options": {"widths": [4, 4, 8, 8, 8]}},
            channels=BRATS_CHANNELS,
            scheme_id="brats2017",
            outputs=("WT", "TC", "ET"),
            trained_to_miss=("flair", "t1") if fold else ("t1", "t2"),
            training={
                "settings": {"name": "m", "epochs": 3, "split_name": f"fold{fold}", "source": "Made up, CC0."},
                "torch": "2.13.0",
                "command": f"brainseg train --config m.yaml data=FOLDER out=FOLDER split_name=fold{fold}",
                "cases": {"train": [i for i in IDS if i != IDS[fold]], "validation": [IDS[fold]], "test": []},
                "domain": {"cases": fold},
            },
            scores={
                "validation": {
                    "mean": {"WT": 0.5 + fold / 4, "TC": 0.5, "ET": 0.0},
                    "cases": {IDS[fold]: {"WT": 0.5 + fold / 4, "TC": 0.5, "ET": 0.0}},
                }
            },
        )
        if fold == count - 1:
            record = replace(record, **changes)
        torch.manual_seed(fold)
        records.append(save_model(Model(record, new_network(record)), place / f"fold{fold}" / "m", ""))
    return records
