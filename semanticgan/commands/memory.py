"""Memory of a program: what the allocator and the collector do, and what to make smaller where it runs out."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import sys
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from semanticgan.errors import InputError, OutOfMemory, is_of_memory

# malloc.h of glibc
_M_TRIM_THRESHOLD = -1
_M_MMAP_MAX = -4

SMALLER: Mapping[str, str] = MappingProxyType(
    {
        "generate": "fewer --seeds at a time, or leave --sheet out",
        "edit-region": "smaller --variations or --interpolate, or leave --sheet out",
        "invert": "fewer photographs at a time, or smaller ones",
        "reconstruct": "fewer pictures at a time",
        "mix": "fewer --seeds or --with-seeds, or one --schema at a time",
        "studio": "a smaller --model",
        "inspect": "a smaller file",
        "interpolate": "smaller --frames, fewer --seeds, or a name in .mp4",
        "components": "fewer names in --order, or a smaller --model",
        "find-directions": "a smaller --num",
        "locality": "fewer --seeds at a time",
        "evaluate": "smaller --batch, --num-generated, --num-real, --num-edits or --num-variations",
        "compare": "smaller --batch, --num-generated, --num-real, --num-edits or --projections",
        "prepare-data": "smaller --size, --count or --workers",
        "train-parser": "smaller --batch, --size, --count or --held-out",
        "label": "a smaller photograph",
        "label-regions": "a smaller --size",
        "train-classifier": "smaller --batch, --size, --count, --held-out or --workers",
        "train": "smaller batch, size, data.length or data.cache_gigabytes, or larger accumulate, each as KEY=VALUE",
        "report": "a name in .png for --out",
        "export": "--precision float16",
        "blend": "--precision float16, or smaller models",
        "convert-checkpoint": "--precision float16 or --without-discriminator",
        "benchmark": "smaller --batch or --size",
    }
)
"""Verb -> what makes it need less memory."""


@contextlib.contextmanager
def out_of_memory_as_a_line(verb: str) -> Iterator[None]:
    """Turn what any library says of too little memory into what the user can do.

    Raises:
        OutOfMemory: memory ran out within the block.
    """
    try:
        yield
    except OutOfMemory:
        raise
    except Exception as error:
        cause: BaseException | None = error.__cause__ if isinstance(error, InputError) else error
        while cause is not None and not is_of_memory(cause):  # a reader may have taken it for a damaged file
            cause = cause.__cause__
        if cause is None:
            raise
        said = " ".join(str(cause).split())[:120]
        reason = f" ({said})" if said else ""
        raise OutOfMemory(
            f"out of memory{reason}. Close other programs, or give {SMALLER.get(verb, 'less work at a time')}."
        ) from error


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


def import_torch() -> None:
    """Import torch with the garbage collector off, and leave what that makes out of all later collections.

    The import makes 170,000 objects that stay. The collector would look at them again and again and free nothing, which
    takes a third of the time of the import. Nothing is done where torch is imported already.
    """
    if "torch" in sys.modules:
        return
    was_on = gc.isenabled()
    gc.disable()
    try:
        import torch  # noqa: F401
    finally:
        gc.freeze()
        if was_on:
            gc.enable()
