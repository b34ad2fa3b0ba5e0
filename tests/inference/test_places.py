import threading
from contextlib import suppress

import pytest
import torch

from napari_brainseg.base.errors import Cancelled
from napari_brainseg.base.progress import CancelToken
from napari_brainseg.inference.places import Places

CPU = torch.device("cpu")


def _most_at_once(places: Places, every: bool, workers: int = 4) -> tuple[int, set[int]]:
    """Return how many of the workers held a place at one time at most, and with how many threads of torch."""
    now: list[int] = []
    most, threads, lock, meeting = 0, set(), threading.Lock(), threading.Barrier(2, timeout=0.2)

    def work() -> None:
        nonlocal most
        with places.taken(every, CancelToken()):
            with lock:
                now.append(1)
                most = max(most, len(now))
                threads.add(torch.get_num_threads())
            with suppress(threading.BrokenBarrierError):
                meeting.wait()  # gives another one the time to come in, where it can
            with lock:
                now.pop()

    crew = [threading.Thread(target=work) for _ in range(workers)]
    for one in crew:
        one.start()
    for one in crew:
        one.join()
    return most, threads


def test_two_slices_networks_compute_at_once_on_half_of_the_cores_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 4)
    counts: list[int] = []
    monkeypatch.setattr(torch, "set_num_threads", counts.append)
    with Places.on(CPU, 5) as places:
        assert _most_at_once(places, every=False)[0] == 2
        assert set(counts) == {2}
        assert _most_at_once(places, every=True)[0] == 1
        assert set(counts) == {2, 4}
    assert counts[-1] == 4


@pytest.mark.parametrize(("device", "cases"), [(torch.device("cuda"), 5), (CPU, 1)])
def test_a_gpu_or_a_single_case_has_one_place_and_all_threads(device: torch.device, cases: int) -> None:
    with Places.on(device, cases) as places:
        assert _most_at_once(places, every=False) == (1, {torch.get_num_threads()})


def test_waiting_for_a_place_ends_when_it_is_cancelled() -> None:
    places, token = Places(1), CancelToken()
    token.cancel()
    with places.taken(False, CancelToken()), pytest.raises(Cancelled), places.taken(False, token):
        pass
    with places.taken(False, token):  # and the place is free again
        pass
