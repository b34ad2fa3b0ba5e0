import resource
import sys

import pytest

from napari_brainseg.base.allocation import reusing_memory

SIZE = 64 * 2**20


def faults() -> int:
    """Return how many pages the system cleared while a large block was taken and freed eight times."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(8):
        bytearray(SIZE)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


@pytest.mark.skipif(sys.platform != "linux", reason="counts the faults of glibc")
def test_a_freed_block_is_taken_again_without_the_system() -> None:
    pages = SIZE // resource.getpagesize()
    with reusing_memory():
        bytearray(SIZE)
        assert faults() < pages
    assert faults() > 4 * pages  # given back again


def test_errors_pass_through() -> None:
    with pytest.raises(ValueError, match="so"), reusing_memory():
        raise ValueError("so")
