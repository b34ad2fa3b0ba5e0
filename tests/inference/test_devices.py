import pytest
import torch

from napari_brainseg.inference.devices import available_devices


@pytest.mark.parametrize(("threads", "words"), [(1, "CPU, 1 core"), (8, "CPU, 8 cores")])
def test_the_cpu_is_told_with_its_cores(monkeypatch: pytest.MonkeyPatch, threads: int, words: str) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    assert dict(available_devices())["cpu"] == words
