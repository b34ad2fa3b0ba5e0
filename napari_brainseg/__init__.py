"""Segment brain tumours in MRI, correct the labels, teach the model and export. For research use, not for diagnosis."""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any

__version__ = "0.1.0"

# How long a thread of torch waits busily for the others before it sleeps; read when torch loads. The library's own
# choice (some milliseconds) makes threads stand in each other's way where another program, or the window, uses a core:
# a case then takes a fifth more time. This is as fast on an idle machine. Whoever has set it knows better.
os.environ.setdefault("GOMP_SPINCOUNT", "20000")

# Every public name and where it lives; loaded when it is first asked for, so that importing the package loads no torch.
_PUBLIC = {
    "read_case": "napari_brainseg.cases.reading",
    "find_cases": "napari_brainseg.cases.reading",
    "OpenOptions": "napari_brainseg.cases.reading",
    "write_labels": "napari_brainseg.cases.writing",
    "segment": "napari_brainseg.inference.engine",
    "segment_cohort": "napari_brainseg.inference.cohort",
    "CohortSettings": "napari_brainseg.inference.cohort_plan",
    "SegmentSettings": "napari_brainseg.inference.settings",
    "finetune": "napari_brainseg.training.finetuning",
    "FinetuneSettings": "napari_brainseg.training.finetune_settings",
    "train": "napari_brainseg.training.loop",
    "TrainingSettings": "napari_brainseg.training.settings",
    "run_to_end": "napari_brainseg.base.progress",
    "create_network": "napari_brainseg.networks",
    "list_models": "napari_brainseg.model_store.store",
    "load_model": "napari_brainseg.model_store.model",
}

__all__ = ["__version__", *_PUBLIC]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
