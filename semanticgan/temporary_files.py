"""Temporary files and folders beside an output, held by locks, and what killed processes left of them.

``.NAME-RANDOM.partial.SUFFIX`` is what is being written, ``.NAME-RANDOM.replaced`` a folder that is being replaced.
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
import shutil
import stat
import sys
import tempfile
from pathlib import Path

LONGEST_NAME = 255
"""Bytes of a file's name on the usual file systems."""
_ADDED = len(".-12345678.replaced")  # bytes that the name of a temporary file has more
_PARTIAL = re.compile(r"\..+-[a-z0-9_]{8}\.partial(\..+)?", re.DOTALL)
_REPLACED = re.compile(r"\.(.+)-[a-z0-9_]{8}\.replaced", re.DOTALL)


@functools.cache
def remove_leftovers(folder: Path) -> None:
    """Remove what killed processes left in a folder, once in this process; what is still being written stays.

    A folder that a killed process had moved aside to replace it comes back, unless the new one is in place.

    Args:
        folder: absolute; may be missing.
    """
    with contextlib.suppress(OSError):
        for entry in os.scandir(folder):
            if entry.is_symlink():
                continue
            with contextlib.suppress(OSError):
                if _PARTIAL.fullmatch(entry.name):
                    _remove_if_left(Path(entry.path))
                elif (found := _REPLACED.fullmatch(entry.name)) and entry.is_dir():
                    _move_back_if_left(Path(entry.path), folder / found[1])


def _remove_if_left(path: Path) -> None:
    """Remove a partial file or folder that nobody holds. Where the system has no locks, it stays."""
    if sys.platform == "win32":
        return
    import fcntl

    kind = path.lstat().st_mode
    if not (stat.S_ISREG(kind) or stat.S_ISDIR(kind)):
        return
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if stat.S_ISDIR(kind):
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink()
    finally:
        os.close(handle)


def beginning_of(name: str, suffix: str = "") -> str:
    """What the names of temporary files for ``name`` begin with; a long name is cut, so that theirs are allowed."""
    room = LONGEST_NAME - _ADDED - len(os.fsencode(suffix))
    return f".{name.encode()[: max(room, 1)].decode(errors='ignore')}-"


def partial_file(path: Path) -> tuple[Path, int]:
    """A new temporary file for ``path``, held by a lock, and its open handle."""
    folder = path.absolute().parent
    while True:
        own, suffix = beginning_of(path.stem, path.suffix), f".partial{path.suffix}"
        handle, name = tempfile.mkstemp(prefix=own, suffix=suffix, dir=folder)
        if hold(handle, name):
            return Path(name), handle


def _move_back_if_left(old: Path, path: Path) -> None:
    """Give a folder its name back where nobody holds it and nothing has that name; a cut name is not guessed."""
    if sys.platform == "win32" or os.path.lexists(path) or len(os.fsencode(path.name)) >= LONGEST_NAME - _ADDED - 3:
        return
    import fcntl

    handle = os.open(old, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.rename(old, path)
    finally:
        os.close(handle)


def partial_folder(path: Path) -> tuple[Path, int | None]:
    """A new temporary folder for ``path``, held by a lock, and its open handle where the system has one."""
    while True:
        name = tempfile.mkdtemp(prefix=beginning_of(path.name), suffix=".partial", dir=path.absolute().parent)
        if sys.platform == "win32":
            return Path(name), None
        handle = os.open(name, os.O_RDONLY)
        if hold(handle, name):
            return Path(name), handle


def hold(handle: int, name: str) -> bool:
    """Lock an open file until it is closed or the process ends; False where another process took it for a leftover.

    Without effect where the system or the file system has no locks.
    """
    if sys.platform == "win32":
        os.close(handle)  # an open file cannot be renamed there
        return True
    import fcntl

    with contextlib.suppress(OSError):
        fcntl.flock(handle, fcntl.LOCK_EX)
    if os.path.lexists(name):
        return True
    os.close(handle)
    return False


def close(handle: int | None) -> None:
    if sys.platform != "win32" and handle is not None:
        os.close(handle)
