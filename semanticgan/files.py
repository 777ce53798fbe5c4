"""Outputs that appear whole or not at all, and never replace a user's file unasked."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
import unicodedata
from collections.abc import Iterator
from pathlib import Path

from semanticgan.errors import ExistingFileError, InputError, MissingFileError, UnwritableError

_LONGEST_NAME = 255  # bytes of a file's name on the usual file systems
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
            f"{what} {text!a} has control characters or characters that are no Unicode. Rename it, or choose "
            "another name."
        )
    if len(os.fsencode(text)) > _LONGEST_PATH:
        raise InputError(f"{what} has {len(os.fsencode(text))} bytes. A path has at most {_LONGEST_PATH}.")
    found = _with_home(text, what) if text.startswith("~") else Path(text)
    for name in found.parts:
        if len(os.fsencode(name)) > _LONGEST_NAME:
            raise InputError(
                f"{what} has a name of {len(os.fsencode(name))} bytes, {name[:20]!r}... Names have at most "
                f"{_LONGEST_NAME} bytes."
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
        found = "is a folder" if path.is_dir() else "does not exist"
        raise MissingFileError(f"{what} {str(path)!r} {found}. Give the path of an existing file.")
    return path


def require_free(path: str | Path, overwrite: bool = False) -> Path:
    """Return ``path`` if it may be written, checked before long work starts.

    Raises:
        ExistingFileError: it exists and ``overwrite`` is false.
        UnwritableError: its folder cannot be written, or, where it does not exist yet, be created.
    """
    path = user_path(path, "output")
    if path.exists() and not overwrite:
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
    """
    path = require_free(path, overwrite)
    if path.is_dir():
        raise ExistingFileError(f"output {str(path)!r} is a folder, which is not replaced. Choose another name.")
    _make_folder(path.absolute().parent)
    handle, name = tempfile.mkstemp(prefix=f".{path.stem}-", suffix=path.suffix, dir=path.absolute().parent)
    os.close(handle)
    aside = Path(name)
    try:
        yield aside
        os.chmod(aside, 0o666 & ~_umask())
        _sync_file(aside)
        if path.exists() and not overwrite:  # appeared while we worked
            raise ExistingFileError(
                f"output {str(path)!r} appeared while it was being written. Choose another name, or add --overwrite."
            )
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)


@contextlib.contextmanager
def folder_written_aside(path: str | Path) -> Iterator[Path]:
    """Yield a temporary folder beside ``path``, published there by one rename on success and removed on failure.

    Raises:
        ExistingFileError, UnwritableError: as :func:`require_free`; an existing folder is never replaced.
    """
    path = require_free(path)
    _make_folder(path.absolute().parent)
    aside = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.absolute().parent))
    try:
        yield aside
        os.chmod(aside, 0o777 & ~_umask())
        for written in aside.rglob("*"):
            if written.is_file():
                _sync_file(written)
        sync_folder(aside)
        os.rename(aside, path)
        sync_folder(path.absolute().parent)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


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


def _make_folder(folder: Path) -> None:
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
