"""The configurations in docs/studies, and every row that their README promises, are valid and have the size printed."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import torch

from napari_brainseg.base.errors import ModelError
from napari_brainseg.model_store.model import new_network
from napari_brainseg.training.checking import check_settings
from napari_brainseg.training.session import loss_terms, record_of
from napari_brainseg.training.settings import TrainingSettings, read_settings

FOLDER = Path(__file__).parents[1] / "docs" / "studies"
STUDIES = ("brats_2d", "lgg_monai", "quarter_unet", "unext_lgg")
TEXT = (FOLDER / "README.md").read_text(encoding="utf-8")
ROWS = [
    (columns[0].strip(), shlex.split(columns[2].strip()[1:-1]), columns[3])
    for columns in (line.strip("|").split("|") for line in TEXT.splitlines() if line.startswith("| "))
    if len(columns) == 4 and "key=value" not in columns[2] and re.fullmatch(r"`[^`]+`|", columns[2].strip())
]
SIZES = [
    (name, overrides, int(size.partition(", same")[0].replace(",", "")))
    for name, overrides, size in ROWS
    if ", same" in size
]


def settings_of(study: str, overrides: list[str]) -> TrainingSettings:
    return read_settings(FOLDER / f"{study}.yaml", ["data=a", "out=b", *overrides])


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_configuration_is_valid(path: Path) -> None:
    # A second training of layers that stay as they are given says so without a model to begin with.
    settings = settings_of(path.stem, ["start_from=lgg"] if path.stem == "lgg_efficientnet_second" else [])
    check_settings(settings, record_of(settings), loss_terms(settings))
    assert path.stem in TEXT


@pytest.mark.parametrize(("name", "overrides", "size"), SIZES, ids=[name for name, *_ in SIZES])
def test_networks_have_the_size_that_the_study_prints(name: str, overrides: list[str], size: int) -> None:
    record = record_of(settings_of("brats_2d", overrides))
    with torch.device("meta"):
        weights = new_network(record).state_dict()
    assert sum(w.numel() for key, w in weights.items() if not key.endswith("num_batches_tracked")) == size


def test_every_row_of_the_first_study_is_valid_at_a_small_width() -> None:
    assert len(ROWS) > 25
    for name, overrides, _ in ROWS:
        narrow = [o for o in overrides if not o.startswith("start_from")] + ["options.base_width=4"]
        settings = settings_of("brats_2d", narrow)
        try:
            check_settings(settings, record_of(settings), loss_terms(settings))
        except ModelError as error:
            pytest.fail(f"{name}: {error}")


SPANS = [
    span
    for span in re.findall(r"`([^`]+)`", TEXT.partition("## 2.")[2])
    if re.match(r"\"?[a-z_.]+=", span) and "…" not in span and span != "key=value"
]


@pytest.mark.parametrize("overrides", SPANS)
def test_rows_of_the_other_studies_are_read(overrides: str) -> None:
    for study in STUDIES[1:]:
        settings_of(study, shlex.split(overrides))
