"""Where an output may be, and that one process at a time writes there."""

from __future__ import annotations

import contextlib
import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from semanticgan.errors import InputError
from semanticgan.files import user_path

_KINDS = {
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFDIR: "a folder",
    stat.S_IFREG: "a file",
}


def require_outside(out: str | Path, source: str | Path, what: str = "output") -> None:
    """Check that an output is neither the data it is made from nor inside of them, where it would be read as data.

    Raises:
        InputError: it is or does.
    """
    out, source = user_path(out, what), user_path(source, "data")
    inner, outer = out.resolve(), source.resolve()
    if inner == outer or outer in inner.parents or any(_same(folder, outer) for folder in (inner, *inner.parents)):
        where = "is" if inner == outer or _same(inner, outer) else "lies inside"
        raise InputError(
            f"{what} {str(out)!r} {where} the source {str(source)!r}, where it would be read as data. Choose one "
            "outside of it."
        )


def require_no_source_inside(out: str | Path, source: str | Path) -> None:
    """Check that the data are not inside the folder that is made from them.

    Raises:
        InputError: they are.
    """
    out, source = user_path(out, "output"), user_path(source, "data")
    if out.resolve() in source.resolve().parents:
        raise InputError(
            f"the source {str(source)!r} lies inside output {str(out)!r}. Choose another output, or move the source."
        )


def require_kind(path: Path, wanted: int) -> None:
    """Check what lies at a path, without following a link; nothing may lie there.

    Args:
        wanted: ``stat.S_IFREG`` or ``stat.S_IFDIR``.

    Raises:
        InputError: something else lies there.
    """
    try:
        found = stat.S_IFMT(path.lstat().st_mode)
    except FileNotFoundError:
        return
    if found != wanted:
        raise InputError(
            f"{str(path)!r} is {_KINDS.get(found, 'no file')}, and must be {_KINDS[wanted]}. Move it away, or "
            "give another folder."
        )


def open_plain(path: Path, flags: int) -> int:
    """Open a file: never through a link, never waiting for a pipe. Returns the handle.

    Args:
        flags: of ``os.open``.

    Raises:
        InputError: it is not a file.
    """
    require_kind(path, stat.S_IFREG)
    safe = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
    handle = os.open(path, flags | safe | getattr(os, "O_BINARY", 0), 0o666)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise InputError(f"{str(path)!r} is not a file. Move it away, or give another folder.")
    return handle


@contextlib.contextmanager
def held(path: Path, refusal: str, keep: bool = True) -> Iterator[None]:
    """Hold a lock file, made where it does not exist, until the end of the block or of the process.

    The lock is the system's own, so that a process that was killed leaves nothing in the way.

    Args:
        path: the lock file; its folder exists.
        refusal: the message where another process holds it.
        keep: leave the file there at the end.

    Raises:
        InputError: another process holds it, or it is not a file.
    """
    with contextlib.ExitStack() as opened:
        while True:
            handle = open_plain(path, os.O_RDWR | os.O_CREAT)
            file = opened.enter_context(open(handle, "r+", encoding="utf-8"))
            if not _lock(file):
                raise InputError(refusal)
            if keep or _is_still(path, file):
                break
        try:
            yield
        finally:
            if not keep:
                with contextlib.suppress(OSError):  # Windows removes no open file: an empty one stays
                    path.unlink()


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


def _is_still(path: Path, file: IO[str]) -> bool:
    """Whether an open file is still there by its name: the process that held it may have removed it since."""
    with contextlib.suppress(OSError):
        return os.path.samestat(os.fstat(file.fileno()), os.stat(path))
    return False


def _same(one: Path, other: Path) -> bool:
    """Whether two paths are one folder: by another mount, or in other letters where case does not count."""
    with contextlib.suppress(OSError):
        return os.path.samefile(one, other)
    return False
