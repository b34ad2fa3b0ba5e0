from pathlib import Path

import pytest
import torch

from napari_brainseg.base.errors import InputError
from napari_brainseg.inference import memory
from napari_brainseg.inference.memory import in_words, left_to_container, peak_bytes, ran_out_of_memory, require_memory


def test_the_peak_counts_what_lives_at_one_time() -> None:
    def compute() -> None:
        first = torch.zeros(1000)  # 4000 bytes
        second = first + 1  # 8000
        del first
        third = second.reshape(10, 100) + 1  # 8000 again; a view is no memory of its own
        second.relu_()
        del second, third
        torch.zeros(100)

    assert peak_bytes(compute) == 8000


def test_what_is_given_is_not_counted() -> None:
    given = torch.zeros(1000)
    assert peak_bytes(lambda: given[:500].add_(1)) == 0


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), True),
        (RuntimeError("[enforce fail at alloc_cpu.cpp:127] . DefaultCPUAllocator: can't allocate memory"), True),
        (RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"), True),
        (MemoryError(), True),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
        (ValueError("out of memory"), False),
    ],
)
def test_errors_of_memory_are_told_from_others(error: Exception, expected: bool) -> None:
    assert ran_out_of_memory(error) is expected


def test_what_cannot_fit_says_so_with_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "free_memory", lambda device: 3_100_000_000)
    require_memory(3.0e9, "The case")
    with pytest.raises(InputError, match=r"The case needs 12\.3 GB of memory and 3\.1 GB are free\."):
        require_memory(12.3e9, "The case")


def test_bytes_in_words() -> None:
    assert (in_words(3.14e9), in_words(120e6), in_words(10)) == ("3.1 GB", "120 MB", "1 MB")


def test_a_container_leaves_what_it_does_not_hold_or_can_give_up(tmp_path: Path) -> None:
    (tmp_path / "memory.max").write_text("1000\n")
    (tmp_path / "memory.current").write_text("700\n")
    (tmp_path / "memory.stat").write_text("anon 400\ninactive_file 250\ninactive_file_other 9\n")
    assert left_to_container(tmp_path) == 1000 - 700 + 250


def test_a_container_of_the_older_kind_is_known_too(tmp_path: Path) -> None:
    folder = tmp_path / "memory"
    folder.mkdir()
    (folder / "memory.limit_in_bytes").write_text("1000\n")
    (folder / "memory.usage_in_bytes").write_text("1100\n")
    (folder / "memory.stat").write_text("total_inactive_file 40\n")
    assert left_to_container(tmp_path) == 0


def test_a_container_without_a_limit_sets_none(tmp_path: Path) -> None:
    (tmp_path / "memory.max").write_text("max\n")
    (tmp_path / "memory.current").write_text("700\n")
    (tmp_path / "memory.stat").write_text("")
    assert left_to_container(tmp_path) is None
    assert left_to_container(tmp_path / "nowhere") is None


def test_a_run_in_a_container_plans_with_what_that_leaves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "memory.max").write_text("5000\n")
    (tmp_path / "memory.current").write_text("1000\n")
    (tmp_path / "memory.stat").write_text("inactive_file 0\n")
    monkeypatch.setattr(memory, "_CGROUPS", tmp_path)
    assert memory.free_memory(torch.device("cpu")) == 4000
