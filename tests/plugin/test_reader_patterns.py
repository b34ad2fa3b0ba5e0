import pytest
from napari.settings import get_settings

from napari_brainseg.plugin.widgets.reader_patterns import (
    PATTERNS,
    PLUGIN,
    PatternsRow,
    register,
    registered,
    take_back,
)


@pytest.fixture(autouse=True)
def settings(monkeypatch):
    before = dict(get_settings().plugins.extension2reader)
    get_settings().plugins.extension2reader = {}
    yield get_settings().plugins
    get_settings().plugins.extension2reader = before


def test_choices_of_the_user_stay(settings):
    settings.extension2reader = {"*_flair.nii.gz": "someone-else", "*.png": "napari"}
    register()
    assert settings.extension2reader["*_flair.nii.gz"] == "someone-else"
    assert "*_flair.nii.gz" not in registered()
    assert settings.extension2reader["*-t2f.nii.gz"] == PLUGIN

    take_back()
    assert settings.extension2reader == {"*_flair.nii.gz": "someone-else", "*.png": "napari"}


def test_no_pattern_takes_folders_or_every_image():
    assert not any(pattern.endswith("/") for pattern in PATTERNS)
    assert not {"*.nii", "*.nii.gz", "*.tif"} & set(PATTERNS)


def test_napari_chooses_this_plugin_for_a_matching_file(settings, tmp_path):
    from napari.plugins.utils import get_preferred_reader

    register()
    for name in ("a_flair.nii.gz", "a-t2f.nii.gz", "TCGA_CS_4941_19960909_1.tif"):
        (tmp_path / name).touch()
        assert get_preferred_reader(str(tmp_path / name)) == PLUGIN
    assert get_preferred_reader(str(tmp_path / "cells.tif")) is None
    assert get_preferred_reader(str(tmp_path)) is None


def test_the_offer_comes_once_and_can_be_taken_back(qtbot, settings, own_home):
    row = PatternsRow()
    qtbot.addWidget(row)
    assert not row.isHidden()
    row.yes_button.click()
    assert len(registered()) == len(PATTERNS)
    assert f"{len(PATTERNS)} file patterns" in row.label.text()

    later = PatternsRow()
    qtbot.addWidget(later)
    assert later.isHidden()
    later.show_in_use()
    later.back_button.click()
    assert registered() == ()


def test_a_no_is_remembered(qtbot, own_home):
    row = PatternsRow()
    qtbot.addWidget(row)
    row.no_button.click()
    later = PatternsRow()
    qtbot.addWidget(later)

    assert row.isHidden()
    assert later.isHidden()
    assert registered() == ()
