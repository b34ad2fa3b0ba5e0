"""Keep freed memory for the next allocation of the same size, where the C library would give it back to the system.

A training step frees and takes again the same tensors of tens of megabytes. glibc asks the system for each of them, and
the system clears every page: a third of the time of a step on a CPU.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager

# mallopt(3): M_TRIM_THRESHOLD, M_MMAP_THRESHOLD.
_TRIM, _MAP = -1, -3
_ALL = 2**31 - 1
# Where glibc's own rule ends up once blocks of such sizes have been freed (DEFAULT_MMAP_THRESHOLD_MAX, and twice that).
_USUAL_MAP, _USUAL_TRIM = 32 * 2**20, 64 * 2**20


@contextmanager
def reusing_memory() -> Iterator[None]:
    """Keep freed memory within the block, and give it back at its end; does nothing where there is no glibc.

    It holds for the whole process. Blocks that other threads than the first one ask for are left as they are.
    """
    library = _glibc()
    if library is None:
        yield
        return
    library.mallopt(_MAP, 2**30)
    library.mallopt(_TRIM, _ALL)
    try:
        yield
    finally:
        library.mallopt(_MAP, _USUAL_MAP)
        library.mallopt(_TRIM, _USUAL_TRIM)
        library.malloc_trim(0)


def _glibc() -> ctypes.CDLL | None:
    if sys.platform != "linux":
        return None
    library = ctypes.CDLL(None)
    return library if hasattr(library, "gnu_get_libc_version") else None
