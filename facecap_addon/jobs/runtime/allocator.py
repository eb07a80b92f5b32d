"""What glibc does with the memory of arrays that are no longer needed."""

from __future__ import annotations

import ctypes
import sys

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # M_* of <malloc.h>
# The largest block that glibc lets come from its heap, and how much of a heap may lie idle.
_LARGEST_BYTES, _IDLE_BYTES = 32 << 20, 256 << 20


def keep_freed_memory() -> None:
    """Have glibc keep freed memory for the next array instead of giving it back to the system each time.

    Every frame makes the same arrays again; fetching their pages anew took a tenth of a solve's processor time. Does
    nothing where the C library is another.
    """
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, _LARGEST_BYTES)
        mallopt(_TRIM_THRESHOLD, _IDLE_BYTES)
