"""Uploaded pictures are decoded in a process of their own, with limits on memory and time: a file that breaks a decoder
ends that process, not the studio."""

from __future__ import annotations

import contextlib
import multiprocessing
import threading
from collections.abc import Callable
from multiprocessing.pool import Pool
from pathlib import Path

from PIL import Image

from semanticgan.errors import InputError
from semanticgan.studio.uploads import read_picture

SLOWEST_S = 30.0
"""How long decoding may take, the start of the process included."""
MOST_BYTES = 1_000_000_000
"""Of memory that decoding may take, beyond what the process takes to start."""

Pixels = tuple[tuple[int, int], bytes]  # width and height, RGB


class Decoder:
    """One process that decodes, started with the first picture.

    Args:
        seconds: after which a process is ended.
        read: content of a file -> picture; importable by name.
    """

    def __init__(self, seconds: float = SLOWEST_S, read: Callable[[bytes], Image.Image] = read_picture) -> None:
        self._seconds, self._read = seconds, read
        self._lock = threading.Lock()
        self._pool: Pool | None = None

    def decode(self, content: bytes) -> Image.Image:
        """A picture as RGB; others wait meanwhile.

        Raises:
            InputError: as :func:`semanticgan.studio.uploads.read_picture`, or too much memory or time is taken.
        """
        with self._lock:
            if self._pool is None:
                self._pool = multiprocessing.get_context("spawn").Pool(1, _limit_memory, (MOST_BYTES,))
            waiting = self._pool.apply_async(_decoded, (self._read, content))
            try:
                size, pixels = waiting.get(self._seconds)
            except multiprocessing.TimeoutError as error:
                self._end()
                raise InputError(
                    f"the picture could not be read within {self._seconds:g} seconds. Save it anew and try again."
                ) from error
            except MemoryError as error:
                raise InputError("the picture takes too much memory to be read. Reduce it and try again.") from error
        return Image.frombytes("RGB", size, pixels)

    def close(self) -> None:
        """End the process."""
        with self._lock:
            self._end()

    def _end(self) -> None:
        if self._pool is not None:
            self._pool.terminate()
            self._pool = None


def _decoded(read: Callable[[bytes], Image.Image], content: bytes) -> Pixels:
    picture = read(content)
    return picture.size, picture.tobytes()


def _limit_memory(most_bytes: int) -> None:
    """Let this process take so many bytes more; systems without such limits have none."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        pages = int(Path("/proc/self/statm").read_text().split()[0])
        most = pages * resource.getpagesize() + most_bytes
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
