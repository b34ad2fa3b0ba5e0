import time

import pytest

from napari_brainseg.base.local_time import local_time


@pytest.fixture
def east(monkeypatch):
    monkeypatch.setenv("TZ", "UTC-2")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_a_moment_is_local_and_to_the_minute(east):
    assert local_time("2026-11-21T23:30:52+00:00") == "2026-11-22 01:30"
    assert local_time("2026-11-21T23:30:52+02:00") == "2026-11-21 23:30"


def test_what_is_no_moment_is_left():
    assert local_time("") == ""
    assert local_time("last week") == "last week"
