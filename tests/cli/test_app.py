import builtins
import sys

import pytest

from napari_brainseg.cli import app, main
from napari_brainseg.cli.demo import has_any_screen, has_real_screen


def test_a_missing_napari_is_one_sentence_that_names_the_extra(monkeypatch, capsys):
    monkeypatch.setattr(app, "find_spec", lambda name: None)

    assert main(["app"]) == 2
    assert 'pip install "napari-brainseg[all]"' in capsys.readouterr().err


def test_a_missing_path_is_said_before_a_window_opens(monkeypatch, capsys, tmp_path):
    real = builtins.__import__

    def refuse(name, *arguments, **options):
        if name.startswith("napari_brainseg.plugin"):
            pytest.fail("the window was opened")
        return real(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", refuse)
    assert main(["app", str(tmp_path / "nowhere")]) == 2
    assert "does not exist" in capsys.readouterr().err


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Windows and macOS always have a display")
@pytest.mark.parametrize(
    ("environment", "any_screen", "real"),
    [
        ({}, False, False),
        ({"DISPLAY": ":0"}, True, True),
        ({"DISPLAY": ":99", "XAUTHORITY": "/tmp/xvfb-run.abc/Xauthority"}, True, False),
        ({"WAYLAND_DISPLAY": "wayland-0"}, True, True),
    ],
)
def test_a_virtual_screen_is_told_from_a_real_one(monkeypatch, environment, any_screen, real):
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM", "XAUTHORITY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    assert (has_any_screen(), has_real_screen()) == (any_screen, real)
