"""A trained model's record and results as `brainseg evaluate` and `brainseg robustness` write them, for cards."""

from __future__ import annotations

from typing import Any

from napari_brainseg.model_store.store import ModelRecord

_MEANS = {
    "dice": {"mean": 0.8765432, "low": 0.8, "high": 0.9, "median": 0.9, "deviation": 0.1, "cases": 2},
    "surface_dice": {"mean": 0.7, "low": 0.6, "high": 0.75},
    "border_dice": {"mean": 0.5, "low": None, "high": None},
    "slice_dice_all": {"mean": 0.93, "low": 0.9, "high": 0.95},
    "slice_dice_tumour": {"mean": 0.85, "low": 0.8, "high": 0.87},
    "slice_false_alarms": {"mean": 0.04, "low": 0.01, "high": 0.06},
}
SCORES: dict[str, Any] = {
    "made": "2026-01-02T03:04:05+00:00",
    "version": "0.1.0",
    "predictions": "/somewhere/on/a/machine",
    "models": [
        {"name": "m", "version": "1", "sha256": "x", "split_name": "fold1"},
        {"name": "m", "version": "1", "sha256": "y", "split_name": "fold2"},
    ],
    "scheme": "lgg",
    "part": "validation",
    "patients": 2,
    "set": {"WT": _MEANS, "a class": _MEANS},
    "cases": {
        "b": {"parts": {"WT": {"dice": 0.75, "surface_dice": None, "border_dice": 0.5, "hd95": 3.0}}},
        "a": {"parts": {"WT": {"dice": 1.0, "surface_dice": 1.0, "border_dice": 1.0}}},
    },
}
_OF_BOTH = {"a": {"WT": 1.0}, "b": {"WT": 0.8}}
ROBUSTNESS: dict[str, Any] = {
    "made": "2026-01-02T03:04:05+00:00",
    "version": "0.1.0",
    "command": "brainseg robustness m --cases data",
    "models": SCORES["models"],
    "plain": {"text": "The case as it is.", "mean": {"WT": 0.9}, "cases": _OF_BOTH},
    "groups": {
        "robustness": [
            {"name": "flip", "text": "Left | right.", "mean": {"WT": 0.85}, "difference": {"WT": -0.05},
             "cases": _OF_BOTH, "changed_voxels": None},
            {"name": "stored-RAS", "text": "Stored as RAS.", "mean": {"WT": 0.9}, "difference": {"WT": 0.0},
             "cases": _OF_BOTH, "changed_voxels": 0},
        ],
        "sequences": [
            {"name": "pre+flair", "present": ["pre", "flair"], "text": "", "mean": {"WT": 0.89},
             "difference": {"WT": -0.01}, "cases": _OF_BOTH, "changed_voxels": None},
        ],
    },
}  # fmt: skip


def trained_record(**changes: Any) -> ModelRecord:
    """Return the record of a model that learnt from a and was validated on b."""
    facts: dict[str, Any] = {
        "name": "m",
        "version": "2",
        "title": "Tumours of tests",
        "network": {"name": "unext"},
        "channels": ("pre", "flair"),
        "scheme_id": "lgg",
        "outputs": ("WT",),
        "training": {
            "settings": {
                "split": "s.json",
                "split_name": "mine",
                "source": "Made up, CC0.",
                "epochs": 3,
                "rate": 0.002,
            },
            "command": "brainseg train --config m.yaml",
            "cases": {"train": ["a"], "validation": ["b"], "test": ["c"]},
            "sha256": "own",
            "calibrated_from": ["before"],
            "temperature": {"WT": 2.0},
            "torch": "2.13",
        },
        "scores": {
            "validation": {"mean": {"WT": 0.5}, "cases": {"b": {"WT": 0.5}}},
            "calibration": {
                "scored": ["b"],
                "cross_fitted": False,
                "regions": {
                    "WT": {
                        "temperature": 2.0,
                        "before": {"ece": 0.05, **_bins(8)},
                        "after": {"ece": 0.01, **_bins(9)},
                    }
                },
            },
        },
    }
    return ModelRecord(**{**facts, **changes})


def _bins(true: int) -> dict[str, list[float]]:
    return {"voxels": [90.0, *[0.0] * 13, 10.0], "predicted": [1.0, *[0.0] * 13, 9.9], "true": [0, *[0] * 13, true]}
