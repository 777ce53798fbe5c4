"""Files by name from a folder or a zip, read in any process without unpacking anything."""

from __future__ import annotations

import os
import zipfile
import zlib
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from semanticgan.errors import InputError, MissingFileError
from semanticgan.files import user_path

_NAMED_IN_MESSAGES = 5


class Storage(ABC):
    """Named files; names are relative and parted by "/".

    Attributes:
        path: the folder or zip.
        sizes: bytes of each file by name, in sorted order of the names; hidden files and folders are left out.
    """

    path: Path
    sizes: Mapping[str, int]

    @abstractmethod
    def read(self, name: str) -> bytes:
        """The content of one file.

        Raises:
            InputError: it cannot be read.
        """

    def label(self, name: str) -> str:
        """How messages name a file."""
        return f"{self.path}/{name}"


class FolderStorage(Storage):
    """The files below a folder."""

    def __init__(self, path: Path) -> None:
        self.path = path
        found: dict[str, int] = {}
        pending = [("", str(path))]
        while pending:
            prefix, folder = pending.pop()
            try:
                entries = list(os.scandir(folder))
            except OSError as error:
                raise InputError(
                    f"folder {folder!r} cannot be read ({error.strerror}). Give a readable folder."
                ) from error
            for entry in entries:
                if _is_hidden(entry.name):
                    continue
                if entry.is_dir():
                    pending.append((f"{prefix}{entry.name}/", entry.path))
                elif entry.is_file():
                    found[prefix + entry.name] = entry.stat().st_size
        self.sizes = dict(sorted(found.items()))

    def read(self, name: str) -> bytes:
        try:
            return (self.path / name).read_bytes()
        except OSError as error:
            raise InputError(
                f"file {self.label(name)!r} cannot be read ({error.strerror}). Restore it, or begin anew."
            ) from error


class ZipStorage(Storage):
    """The files in a zip.

    The zip is opened anew in every process: a handle shared by forked processes would share its position,
    and one cannot be sent to a spawned process at all.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._opened: tuple[int, zipfile.ZipFile] | None = None
        entries = (entry for entry in self._archive().infolist() if not entry.is_dir())
        self.sizes = dict(
            sorted((entry.filename, entry.file_size) for entry in entries if not _is_hidden_path(entry.filename))
        )

    def read(self, name: str) -> bytes:
        try:
            return self._archive().read(name)
        except (zipfile.BadZipFile, zlib.error, OSError, EOFError, RuntimeError, NotImplementedError) as error:
            raise InputError(
                f"file {self.label(name)!r} cannot be read from the zip ({error}). Replace the zip by an intact one."
            ) from error

    def _archive(self) -> zipfile.ZipFile:
        if self._opened is None or self._opened[0] != os.getpid():
            try:
                self._opened = (os.getpid(), zipfile.ZipFile(self.path))
            except FileNotFoundError as error:
                raise MissingFileError(
                    f"zip {str(self.path)!r} does not exist. Give the path of an existing file."
                ) from error
            except (zipfile.BadZipFile, OSError) as error:
                raise InputError(
                    f"{str(self.path)!r} is no intact zip ({error}). Give a folder or a zip of pictures."
                ) from error
        return self._opened[1]

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_opened": None}


def open_storage(path: str | Path) -> Storage:
    """The folder or zip at ``path``.

    Raises:
        MissingFileError: there is nothing at ``path``.
        InputError: it is neither a folder nor an intact zip.
    """
    path = user_path(path, "data")
    if path.is_dir():
        return FolderStorage(path)
    if path.exists():
        return ZipStorage(path)
    raise MissingFileError(f"data {str(path)!r} does not exist. Give the path of a folder or zip of pictures.")


def first_names(names: Sequence[str]) -> str:
    """A few of many names, for messages."""
    return ", ".join(names[:_NAMED_IN_MESSAGES]) + (", ..." if len(names) > _NAMED_IN_MESSAGES else "")


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name == "__MACOSX"


def _is_hidden_path(name: str) -> bool:
    return any(_is_hidden(part) for part in name.split("/"))
