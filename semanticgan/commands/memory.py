"""The C library's allocator, told to keep what it was given; for programs only, never for the library."""

from __future__ import annotations

import ctypes

# malloc.h of glibc
_M_TRIM_THRESHOLD = -1
_M_MMAP_MAX = -4


def keep_freed_memory() -> bool:
    """Let glibc keep freed pages for the next tensor; False, and nothing done, where the C library is another one.

    By default glibc returns every large tensor to the kernel and faults its pages in again at the next layer, which
    takes about as long as the arithmetic of a render. The price is that the process never shrinks.
    """
    try:
        libc = ctypes.CDLL(None)
        libc.gnu_get_libc_version  # noqa: B018  (only glibc has it; others give these numbers other meanings)
    except (AttributeError, OSError, TypeError):
        return False
    return bool(libc.mallopt(_M_MMAP_MAX, 0)) and bool(libc.mallopt(_M_TRIM_THRESHOLD, -1))
