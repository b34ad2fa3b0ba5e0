import threading

import pytest

from napari_brainseg.base.errors import ModelError
from napari_brainseg.base.progress import CancelToken, Progress
from napari_brainseg.plugin.widgets.background import run_in_background, sentence


class _Record:
    def __init__(self):
        self.events = []

    def callbacks(self):
        return {
            "progressed": lambda p: self.events.append(("progressed", p.done)),
            "returned": lambda r: self.events.append(("returned", r)),
            "errored": lambda text: self.events.append(("errored", text)),
            "finished": lambda: self.events.append(("finished", threading.current_thread() is threading.main_thread())),
        }


def _counting(n):
    for i in range(n):
        yield Progress(i, n)
    return "done"


def _failing(error):
    yield Progress(0, 1)
    raise error


def _wait(qtbot, record):
    qtbot.waitUntil(lambda: any(e[0] == "finished" for e in record.events), timeout=5000)


def test_reports_then_result_then_finished_in_the_main_thread(qtbot):
    record = _Record()
    task = run_in_background(_counting(2), **record.callbacks())
    _wait(qtbot, record)

    assert record.events == [("progressed", 0), ("progressed", 1), ("returned", "done"), ("finished", True)]
    assert task.over


@pytest.mark.parametrize("error", [RuntimeError("mat1 and mat2 shapes differ"), ValueError("no"), ModelError("Bad.")])
def test_every_kind_of_error_is_a_sentence_and_finishes(qtbot, error):
    record = _Record()
    task = run_in_background(_failing(error), **record.callbacks())
    _wait(qtbot, record)

    kinds = [kind for kind, _ in record.events]
    assert kinds == ["progressed", "errored", "finished"]
    assert str(error).rstrip(".") in record.events[1][1]
    assert task.over


def test_cancel_frees_at_once_and_drops_the_result(qtbot):
    inside, release, ended = threading.Event(), threading.Event(), threading.Event()
    token = CancelToken()

    def slow():
        try:
            yield Progress(0, 1)
            inside.set()
            release.wait(5)
            yield Progress(1, 1)
            return "unwanted"
        finally:
            ended.set()

    record = _Record()
    task = run_in_background(slow(), token=token, **record.callbacks())
    qtbot.waitUntil(inside.is_set, timeout=5000)
    task.cancel()
    assert record.events[-1][0] == "finished"
    assert token.cancelled

    release.set()
    qtbot.waitUntil(ended.is_set, timeout=5000)
    qtbot.wait(50)
    assert [kind for kind, _ in record.events].count("finished") == 1
    assert "returned" not in [kind for kind, _ in record.events]


def test_an_error_of_ours_while_showing_the_result_is_said(qtbot):
    record = _Record()
    callbacks = record.callbacks()

    def show(_):
        raise ModelError("No room.")

    callbacks["returned"] = show
    task = run_in_background(_counting(1), **callbacks)
    _wait(qtbot, record)

    assert ("errored", "No room.") in record.events
    assert task.over


def test_full_memory_is_named():
    assert "memory is full" in sentence(RuntimeError("CUDA out of memory. Tried to allocate"))
