"""The names that users import, and what importing the package costs."""

import subprocess
import sys

import pytest

import napari_brainseg


@pytest.mark.parametrize("name", napari_brainseg.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(napari_brainseg, name) is not None


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="nothing"):
        _ = napari_brainseg.nothing  # type: ignore[attr-defined]


def test_importing_the_package_and_reading_a_case_loads_neither_torch_nor_qt() -> None:
    code = (
        "import sys, napari_brainseg; napari_brainseg.read_case; napari_brainseg.write_labels; "
        "print(sorted({'torch', 'monai', 'napari', 'qtpy'} & set(sys.modules)))"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == "[]"
