import subprocess
import sys

import pytest

from napari_brainseg.base.allocation import reusing_memory

# Pages that the system clears while a large block is taken and freed eight times, within and afterwards. In a process
# of its own: in one that has freed as much before, the block may find room there.
COUNTS = """
import resource
from napari_brainseg.base.allocation import reusing_memory

SIZE = 64 * 2**20

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(8):
        bytearray(SIZE)
    return (resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) / (SIZE // resource.getpagesize())

with reusing_memory():
    bytearray(SIZE)
    print(faults())
print(faults())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="counts the faults of glibc")
def test_a_freed_block_is_taken_again_without_the_system() -> None:
    printed = subprocess.run([sys.executable, "-c", COUNTS], capture_output=True, text=True, check=True, timeout=60)
    within, afterwards = map(float, printed.stdout.split())
    assert within < 1
    assert afterwards > 4  # given back again


def test_errors_pass_through() -> None:
    with pytest.raises(ValueError, match="so"), reusing_memory():
        raise ValueError("so")
