"""Outputs that appear whole or not at all, and never replace a user's file unasked.

An output is written into a hidden file beside it, ``.NAME-RANDOM.partial.SUFFIX``, and renamed at the end. The writing
process holds a lock on that file. A partial file without a lock is what a killed process left, and is removed.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import shutil
import sys
import unicodedata
from collections.abc import Iterator
from pathlib import Path

from semanticgan.errors import ExistingFileError, InputError, MissingFileError, UnwritableError
from semanticgan.temporary_files import (
    LONGEST_NAME,
    beginning_of,
    close,
    hold,
    partial_file,
    partial_folder,
    remove_leftovers,
)

_NOT_WRITTEN = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS, errno.ENODEV, errno.ENXIO)
SYSTEM_REASONS = tuple(os.strerror(number) for number in _NOT_WRITTEN)
"""What the system says of a failed write, as programs repeat it."""
# What libraries say of a failed write in errors of their own: torch's zip writer and stream, safetensors, Pillow's
# encoders and numpy's tofile.
_SAID_OF_A_FAILED_WRITE = re.compile(
    r"PytorchStreamWriter|unexpected pos|iostream error|I/O error|IoError|^encoder error|requested and \d+ written"
)
_LONGEST_PATH = 4095  # bytes, on Linux
_NOT_IN_PATHS = ("Cc", "Cs", "Zl", "Zp")  # Unicode categories: control characters, lone surrogates, line separators


def user_path(path: str | os.PathLike[str], what: str = "path") -> Path:
    """The path that a user gave, with ``~`` and ``~NAME`` replaced by the home folder.

    Every path from outside enters the package here. A path that came through once may come through again. A name that
    begins with ``~`` is written ``./~name`` as text; ``Path`` drops the ``./`` and cannot say it.

    Args:
        path: as it was given.
        what: what it is the path of; the message begins with it.

    Raises:
        InputError: no path, an empty one, one with control characters or too long a name, or an unknown home folder.
    """
    text = os.fspath(path) if isinstance(path, (str, os.PathLike)) else path
    if not isinstance(text, str):
        raise InputError(f"{what} is text or a pathlib.Path, got {type(path).__name__}.")
    if not text.strip():
        raise InputError(f"{what} is empty. Give the path of a file or folder.")
    if any(unicodedata.category(character) in _NOT_IN_PATHS for character in text):
        raise InputError(
            f"{what} {text!a} has control characters or characters that are not Unicode. Rename it, or choose "
            "another name."
        )
    if len(os.fsencode(text)) > _LONGEST_PATH:
        raise InputError(f"{what} has {len(os.fsencode(text))} bytes. A path has at most {_LONGEST_PATH}.")
    found = _with_home(text, what) if text.startswith("~") else Path(text)
    for name in found.parts:
        if len(os.fsencode(name)) > LONGEST_NAME:
            raise InputError(
                f"{what} has a name of {len(os.fsencode(name))} bytes, {name[:20]!r}... Names have at most "
                f"{LONGEST_NAME} bytes."
            )
    # "./~x" is a name in this folder. Path drops the dot, so that only the whole path still says it.
    return found.absolute() if found.parts and found.parts[0].startswith("~") else found


def _with_home(text: str, what: str) -> Path:
    """``~/x`` or ``~NAME/x`` below the home folder. A missing HOME is not guessed: ``~`` would be another folder."""
    name = text.partition("/")[0]
    home: str | None = os.environ.get("HOME") if name == "~" and os.name == "posix" else os.path.expanduser(name)
    if not home or not os.path.isabs(home) or not os.path.isdir(home):
        why = f"the home folder of {name!r} is not known or does not exist"
        if name == "~":
            why = f"the home folder is not known: HOME is {home!r}" if home else "the home folder is not known"
        raise InputError(
            f"{what} {text!r} cannot be found: {why}. Give the whole path, or ./{text} for that name here."
        )
    return Path(home + text[len(name) :])


def require_file(path: str | Path, what: str) -> Path:
    """Return ``path`` as a Path if it is a file.

    Raises:
        MissingFileError: there is no such file, or it is a folder.
    """
    path = user_path(path, what)
    if not path.is_file():
        found = "is a folder" if path.is_dir() else "is not a regular file" if path.exists() else "does not exist"
        raise MissingFileError(f"{what} {str(path)!r} {found}. Give the path of an existing file.")
    return path


def require_free(path: str | Path, overwrite: bool = False) -> Path:
    """Return ``path`` if it may be written, checked before long work starts.

    What a killed process left of an output in its folder is removed.

    Raises:
        ExistingFileError: it exists and ``overwrite`` is false.
        UnwritableError: its folder cannot be written, or, where it does not exist yet, be created.
    """
    path = user_path(path, "output")
    remove_leftovers(path.absolute().parent)
    if os.path.lexists(path) and not overwrite:
        raise ExistingFileError(
            f"output {str(path)!r} exists already. Choose another name, or add --overwrite to replace it."
        )
    folder = path.absolute().parent
    while not folder.exists():
        folder = folder.parent
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise UnwritableError(f"cannot write to {str(folder)!r}. Choose another output path.")
    return path


@contextlib.contextmanager
def written_aside(path: str | Path, overwrite: bool = False) -> Iterator[Path]:
    """Yield a temporary path of the same suffix beside ``path``, renamed onto it on success and removed on failure.

    Raises:
        ExistingFileError, UnwritableError: as :func:`require_free`; a folder is never replaced.
        UnwritableError: it could not be written, the disk is full for example; what was there stays as it was.
    """
    path = require_free(path, overwrite)
    if path.is_dir():
        raise ExistingFileError(f"output {str(path)!r} is a folder, which is not replaced. Choose another name.")
    with _folder_made(path.absolute().parent), _failed_writes_named(path, beginning_of(path.stem, path.suffix)):
        aside, handle = partial_file(path)
        try:
            yield aside
            os.chmod(aside, 0o666 & ~_umask())
            _sync_file(aside)
            if os.path.lexists(path) and not overwrite:  # appeared while we worked
                raise ExistingFileError(
                    f"output {str(path)!r} appeared while it was being written. Choose another name, or add "
                    "--overwrite."
                )
            os.replace(aside, path)
        finally:
            aside.unlink(missing_ok=True)
            close(handle)


@contextlib.contextmanager
def folder_written_aside(path: str | Path, overwrite: bool = False) -> Iterator[Path]:
    """Yield a temporary folder beside ``path``, published there by one rename on success and removed on failure.

    Args:
        path: of the folder.
        overwrite: replace an existing folder and all that is in it; the caller has looked at what that is. It is moved
            aside as ``.NAME-RANDOM.replaced``, and removed once the new one is in place.

    Raises:
        ExistingFileError, UnwritableError: as :func:`require_free`; a file or link is never replaced.
        UnwritableError: it could not be written.
    """
    path = require_free(path, overwrite)
    if os.path.lexists(path) and (path.is_symlink() or not path.is_dir()):
        raise ExistingFileError(f"output {str(path)!r} is no folder, so it is not replaced. Choose another name.")
    folder = path.absolute().parent
    with _folder_made(folder), _failed_writes_named(path, beginning_of(path.name)):
        aside, handle = partial_folder(path)
        try:
            yield aside
            os.chmod(aside, 0o777 & ~_umask())
            for written in aside.rglob("*"):
                if written.is_file():
                    _sync_file(written)
            sync_folder(aside)
            _publish_folder(aside, path, overwrite)
            sync_folder(folder)
        finally:
            shutil.rmtree(aside, ignore_errors=True)
            close(handle)


def _publish_folder(aside: Path, path: Path, overwrite: bool) -> None:
    """Rename ``aside`` to ``path``; what is there is moved away before, moved back where that fails, else removed.

    A lock says that this process is at work; after a kill in between, :func:`remove_leftovers` moves it back.
    """
    if not (overwrite and path.is_dir()):
        os.rename(aside, path)
        return
    old = Path(f"{aside}".removesuffix(".partial") + ".replaced")
    handle = None if sys.platform == "win32" else os.open(path, os.O_RDONLY)
    if handle is not None and not hold(handle, str(path)):  # it is closed then
        handle = None
    try:
        os.rename(path, old)
        try:
            os.rename(aside, path)
        except BaseException:
            os.rename(old, path)
            raise
        shutil.rmtree(old, ignore_errors=True)
    finally:
        close(handle)


@contextlib.contextmanager
def _failed_writes_named(path: Path, own: str) -> Iterator[None]:
    """Turn what the system or a library says of a failed write within the block into one line.

    Args:
        path: what is being written.
        own: what the names of its temporary files begin with.

    Raises:
        UnwritableError: the write failed. Other errors pass, those of files that were read among them.
    """
    try:
        yield
    except (OSError, RuntimeError, _safetensors_error()) as error:
        if isinstance(error, InputError) or not is_failed_write(error):
            raise
        named = getattr(error, "filename", None)
        if isinstance(named, str) and own not in named:
            raise
        raise UnwritableError(
            f"output {str(path)!r} could not be written ({_reason(error)}). Nothing was replaced. Make room or choose "
            "another place, then run this again."
        ) from error


def is_failed_write(error: BaseException) -> bool:
    """Whether an error says that a file could not be written: no room, a quota, a limit, a broken or lost disk."""
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno in _NOT_WRITTEN
    return bool(_SAID_OF_A_FAILED_WRITE.search(str(error)))


def _reason(error: BaseException) -> str:
    """Why a write failed, in the system's words where it says them."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    found = re.search(r"os error (\d+)", str(error))
    return os.strerror(int(found[1])) if found else "the disk is full or gone"


def _safetensors_error() -> type[Exception]:
    """The error of safetensors, which is neither an OSError nor a RuntimeError, where the library is in use."""
    safetensors = sys.modules.get("safetensors")
    error: type[Exception] = OSError if safetensors is None else safetensors.SafetensorError
    return error


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's content, 64 hexadecimal digits, read a piece at a time."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _sync_file(path: Path) -> None:
    with open(path, "r+b") as file:  # Windows flushes only files that are open for writing
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Make renames in ``folder`` durable where the platform can (a folder cannot be opened on Windows)."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


@contextlib.contextmanager
def _folder_made(folder: Path) -> Iterator[None]:
    """Make a folder, and remove what was made of it where the block fails and left it empty."""
    missing = [parent for parent in (folder, *folder.parents) if not parent.exists()]
    make_folder(folder)
    try:
        yield
    except BaseException:
        for made in missing:
            with contextlib.suppress(OSError):
                made.rmdir()
        raise


def make_folder(folder: Path) -> None:
    """Make a folder and those above it.

    Raises:
        UnwritableError: the system refuses.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UnwritableError(
            f"cannot create the folder {str(folder)!r} ({error.strerror}). Choose another."
        ) from error


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current
