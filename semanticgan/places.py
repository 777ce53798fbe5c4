"""Where an output may be, and that one process at a time writes there."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from semanticgan.errors import InputError


def require_outside(out: str | Path, source: str | Path, what: str = "output") -> None:
    """Check that an output is neither the data it is made from nor inside of them, where it would be read as data.

    Raises:
        InputError: it is or does.
    """
    out, source = Path(out).expanduser(), Path(source).expanduser()
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
    out, source = Path(out).expanduser(), Path(source).expanduser()
    if out.resolve() in source.resolve().parents:
        raise InputError(
            f"the source {str(source)!r} lies inside output {str(out)!r}. Choose another output, or move the source."
        )


@contextlib.contextmanager
def held(path: Path, refusal: str, keep: bool = True) -> Iterator[None]:
    """Hold a lock file, made where it does not exist, until the end of the block or of the process.

    The lock is the system's own, so that a process that was killed leaves nothing in the way.

    Args:
        path: the lock file; its folder exists.
        refusal: the message where another process holds it.
        keep: leave the file there at the end.

    Raises:
        InputError: another process holds it.
    """
    with contextlib.ExitStack() as opened:
        while True:
            file = opened.enter_context(open(path, "a", encoding="utf-8"))
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
