"""One process a run folder: two that train into one would remove each other's unfinished states and mix their logs."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from semanticgan.errors import InputError
from semanticgan.training.contents import LOCK_FILE, open_plain


@contextmanager
def held(run_dir: Path) -> Iterator[None]:
    """Hold a run's folder, which is made where it does not exist, until the end of the block or of the process.

    The lock is the system's own, so that a process that was killed leaves nothing in the way.

    Raises:
        InputError: another process holds it, or its lock is no file.
    """
    run_dir.mkdir(parents=True, exist_ok=True)
    with open(open_plain(run_dir / LOCK_FILE, os.O_RDWR | os.O_CREAT), "r+", encoding="utf-8") as file:
        if not _lock(file):
            raise InputError(
                f"another process is training in run_dir {str(run_dir)!r}. Wait until it ends, or choose another."
            )
        yield


def _lock(file: IO[str]) -> bool:
    """Whether this process has the lock now, or the folder's file system knows no locks."""
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # of this process alone: its workers do not inherit it
    except (BlockingIOError, PermissionError):
        return False
    except OSError:
        return True
    return True
