"""What every test gets: its own user folders and few threads."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

# Numeric libraries read these when they are first imported, so they are set before any test module is. Tests are small:
# more threads only get into each other's way.
for _name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

_napari_home = tempfile.TemporaryDirectory(prefix="brainseg-tests-")
os.environ["NAPARI_CONFIG"] = str(Path(_napari_home.name) / "settings.yaml")


# Tests that start processes or open windows take longest. They come first, so that at the end quick ones are left to
# share out, and no worker waits for another one's last file.
_FIRST = ("training", "cli", "plugin")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Bring the folders of long tests to the front."""
    items.sort(key=lambda item: _FIRST.index(folder) if (folder := item.path.parent.name) in _FIRST else len(_FIRST))


def pytest_unconfigure() -> None:
    """Remove the settings folder that napari wrote to."""
    _napari_home.cleanup()


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give each test a user folder of its own, so that none reads or writes the developer's."""
    home = tmp_path / "brainseg-home"
    monkeypatch.setenv("BRAINSEG_HOME", str(home))
    return home


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Return the folder of real cases, `BRAINSEG_DATA` with `kaggle_3m/` and `BraTS18/` in it; skip without one."""
    folder = os.environ.get("BRAINSEG_DATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("set BRAINSEG_DATA to a folder with kaggle_3m/ and BraTS18/ to run this test")
    return Path(folder)
