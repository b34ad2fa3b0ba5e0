"""Adding models of other programs from the shell: consent first."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from external_models import write_bundle

from napari_brainseg.cli import main
from napari_brainseg.model_store.consent import is_allowed
from napari_brainseg.model_store.store import find_model


def test_a_bundle_is_added_only_where_its_code_may_run(
    tmp_path: Path, own_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = write_bundle(tmp_path / "gliomas", ("Tumor core", "Whole tumor", "Enhancing tumor"))
    command = ["models", "add", str(bundle), "--python", sys.executable]  # where MONAI is installed
    assert main(command) == 2
    assert (
        "the code in configs/inference.json and 1 Python files of it, with all your rights" in capsys.readouterr().out
    )
    assert not own_home.exists()
    assert main([*command, "--allow-code"]) == 0
    record = find_model("gliomas")
    assert record.external is not None
    assert is_allowed(record.external)
    capsys.readouterr()
    assert main(["models"]) == 0
    assert f"MONAI bundle in {bundle}, runs in {sys.executable}" in capsys.readouterr().out


def test_what_somebody_else_added_is_allowed_by_each_user(
    tmp_path: Path, own_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = write_bundle(tmp_path / "gliomas", ("tumor",))
    project = ["--project", str(tmp_path / "project")]
    assert main(["models", "add", str(bundle), "--python", sys.executable, "--allow-code", *project]) == 0
    (own_home / "allowed_models.json").unlink()  # as for another user
    assert main(["models", "allow", "gliomas", *project]) == 2
    assert main(["models", "allow", "gliomas", "--yes", *project]) == 0
    record = find_model("gliomas", [tmp_path / "project" / "models"])
    assert record.external is not None
    assert is_allowed(record.external)
    assert main(["models", "allow", "brats", "--yes"]) == 2
    assert "nothing to allow" in capsys.readouterr().err
    assert main(["models", "export", "gliomas", str(tmp_path), *project]) == 2
    assert "cannot be fine-tuned, exported" in capsys.readouterr().err
