"""Models of older versions learn what their training cases look like; nothing else of them changes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from small_models import write_small_model

from napari_brainseg.base.errors import TrainingError
from napari_brainseg.base.progress import run_to_end
from napari_brainseg.cases.phantom import make_volume_phantom
from napari_brainseg.cases.sample_files import write_volume_files
from napari_brainseg.model_store.domain import Domain
from napari_brainseg.model_store.model import load_model
from napari_brainseg.model_store.store import read_record
from napari_brainseg.training.measuring import measure_domain


@pytest.fixture
def data(tmp_path: Path) -> tuple[Path, list[str]]:
    cases = [
        make_volume_phantom(seed, (12, 48, 48), (thickness, 4.0, 4.0)) for seed, thickness in ((1, 11.0), (2, 12.0))
    ]
    for case in cases:
        write_volume_files(case, tmp_path / "data" / case.id)
    return tmp_path / "data", [case.id for case in cases]


def test_the_cases_of_a_folder_are_measured_and_the_weights_stay(data: tuple[Path, list[str]], tmp_path: Path) -> None:
    folder = write_small_model(tmp_path / "models" / "m")
    weights = (folder / "weights.safetensors").read_bytes()

    run_to_end(measure_domain(read_record(folder), data[0]))

    domain = Domain.from_json(read_record(folder).training["domain"])
    assert domain is not None
    assert domain.cases == 2
    np.testing.assert_allclose(domain.spacing, [(11, 12), (4, 4), (4, 4)])
    assert (folder / "weights.safetensors").read_bytes() == weights
    load_model(folder)  # the SHA-256 is still theirs


def test_only_the_cases_that_were_asked_for_are_measured(data: tuple[Path, list[str]], tmp_path: Path) -> None:
    folder = write_small_model(tmp_path / "models" / "m")

    measured = run_to_end(measure_domain(read_record(folder), data[0], data[1][:1]))

    assert measured.training["domain"]["cases"] == 1
    with pytest.raises(TrainingError, match="lacks nobody"):
        run_to_end(measure_domain(read_record(folder), data[0], ["nobody"]))
