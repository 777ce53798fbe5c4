"""Files by name from a folder or a zip, read in any process without unpacking anything."""

from __future__ import annotations

import os
import stat
import warnings
import zipfile
import zlib
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from semanticgan.data.entries import ICLOUD_PLACEHOLDER, comparable, is_system_name, name_of_entry
from semanticgan.errors import DataWarning, InputError, MissingFileError
from semanticgan.files import user_path

LARGEST_FILE = 256 * 2**20
"""Bytes of the largest file that is read, unpacked: more than a picture of 64 megapixels takes without compression."""

_NAMED_IN_MESSAGES = 5
_PIECE = 4096  # bytes asked for at once where Python unpacks all that a piece holds, whatever was asked for
_DEAD_LINKS, _SPECIAL_FILES = "links that lead nowhere", "neither files nor folders"
_IN_ICLOUD, _LINKS_IN_ZIP = "in iCloud only, not on this disk", "links in a zip, which are not followed"


class Storage(ABC):
    """Named files; names are relative, composed (NFC) and separated by "/".

    Attributes:
        path: the folder or zip.
        sizes: bytes of each file by name, in sorted order of the names; hidden files and those of the system are left
            out (:mod:`semanticgan.data.entries`).
        left_out: names of what else is left out, by the reason in words.
    """

    path: Path
    sizes: Mapping[str, int]
    left_out: Mapping[str, Sequence[str]]

    def read(self, name: str) -> bytes:
        """The content of one file.

        Raises:
            InputError: it cannot be read, or is larger than :data:`LARGEST_FILE`.
        """
        size = self._size_now(name)
        if size > LARGEST_FILE:
            raise InputError(
                f"file {self.label(name)!r} has {size // 2**20} MiB; at most {LARGEST_FILE // 2**20} MiB are read. "
                "Remove it, or put a smaller picture in its place."
            )
        return self._read(name, size)

    @abstractmethod
    def stamp(self, name: str) -> tuple[int, ...]:
        """Numbers that change when a file is replaced; nothing is read for them.

        Raises:
            InputError: the file is gone.
        """

    def repeated(self, names: Collection[str]) -> Mapping[str, str]:
        """Those of ``names`` that lead by a link to the file of another of them -> that other."""
        return {}

    def label(self, name: str) -> str:
        """How messages name a file."""
        return f"{self.path}/{name}"

    @abstractmethod
    def _size_now(self, name: str) -> int: ...

    @abstractmethod
    def _read(self, name: str, size: int) -> bytes: ...


class FolderStorage(Storage):
    """The files below a folder, those behind links too; a link to a folder that it lies in is not followed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._on_disk: dict[str, str] = {}  # names that are composed here and not on the disk
        self._linked: set[str] = set()
        found: dict[str, int] = {}
        left_out: defaultdict[str, list[str]] = defaultdict(list)
        for name, on_disk, entry, linked in _entries_below(path, left_out):
            if name in found:
                raise InputError(
                    f"two files in {str(path)!r} have the name {name!r}, once in composed and once in "
                    "decomposed Unicode (NFC, NFD). Remove or rename one of them."
                )
            try:
                found[name] = entry.stat().st_size
            except OSError:  # gone since it was listed
                left_out[_DEAD_LINKS].append(name)
                continue
            if name != on_disk:
                self._on_disk[name] = on_disk
            if linked:
                self._linked.add(name)
        self.sizes = dict(sorted(found.items()))
        self.left_out = dict(left_out)

    def stamp(self, name: str) -> tuple[int, ...]:
        state = self._state(name)
        return state.st_size, state.st_mtime_ns, state.st_ctime_ns

    def repeated(self, names: Collection[str]) -> Mapping[str, str]:
        if self._linked.isdisjoint(names):
            return {}
        first: dict[tuple[int, int], str] = {}
        found = {}
        for name in sorted(names, key=lambda name: (name in self._linked, name)):
            state = self._state(name)
            other = first.setdefault((state.st_dev, state.st_ino), name)
            if name in self._linked and other != name:
                found[name] = other
        return found

    def _size_now(self, name: str) -> int:
        return self._state(name).st_size

    def _read(self, name: str, size: int) -> bytes:
        try:
            return self._path_of(name).read_bytes()
        except OSError as error:
            raise self._unreadable(name, error) from error

    def _state(self, name: str) -> os.stat_result:
        try:
            return self._path_of(name).stat()
        except OSError as error:
            raise self._unreadable(name, error) from error

    def _path_of(self, name: str) -> Path:
        return self.path / self._on_disk.get(name, name)

    def _unreadable(self, name: str, error: OSError) -> InputError:
        return InputError(
            f"file {self.label(name)!r} cannot be read ({error.strerror}). Restore it, or prepare the data again."
        )


class ZipStorage(Storage):
    """The files in a zip.

    The zip is opened anew in every process: a handle shared by forked processes would share its position,
    and one cannot be sent to a spawned process at all.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._opened: tuple[int, zipfile.ZipFile] | None = None
        self._in_zip: dict[str, str] = {}  # names that are written otherwise in the zip
        found: dict[str, int] = {}
        links = []
        for entry in self._archive().infolist():
            name = name_of_entry(entry)
            if not name or name.endswith("/") or any(map(is_system_name, name.split("/"))):
                continue
            if stat.S_ISLNK(entry.external_attr >> 16):
                links.append(name)
                continue
            if entry.flag_bits & 1:
                raise InputError(f"{self.label(name)!r} is encrypted. Pack the zip again without a password.")
            if name in found:
                raise InputError(
                    f"{str(path)!r} has two entries of the name {name!r}, or of names that differ only in writing "
                    "(./, backslash, composed and decomposed Unicode). Pack the folder again."
                )
            found[name] = entry.file_size
            if name != entry.filename:
                self._in_zip[name] = entry.filename
        self.sizes = dict(sorted(found.items()))
        self.left_out = {_LINKS_IN_ZIP: links} if links else {}

    def stamp(self, name: str) -> tuple[int, ...]:
        entry = self._entry(name)
        return entry.file_size, entry.CRC

    def _size_now(self, name: str) -> int:
        return self._entry(name).file_size

    def _read(self, name: str, size: int) -> bytes:
        entry = self._entry(name)
        # The size in the zip's directory may be wrong. zipfile gives no more than that and then checks the sum, and
        # unpacks no more than it is asked for, except by bzip2 and LZMA: there it is asked for small pieces.
        bounded = entry.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
        try:
            with self._archive().open(entry) as file:
                return file.read(size) if bounded else b"".join(iter(lambda: file.read(_PIECE), b""))
        except (zipfile.BadZipFile, zlib.error, OSError, EOFError, RuntimeError, NotImplementedError) as error:
            raise InputError(
                f"file {self.label(name)!r} cannot be read from the zip ({error}). Replace the zip by an intact one."
            ) from error

    def _entry(self, name: str) -> zipfile.ZipInfo:
        return self._archive().getinfo(self._in_zip.get(name, name))

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
                    f"{str(self.path)!r} is not an intact zip ({error}). Give a folder or a zip of pictures."
                ) from error
        return self._opened[1]

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_opened": None}


def open_storage(path: str | Path) -> Storage:
    """The folder or zip at ``path``; a warning names what in it is left out, if that is no system file.

    Raises:
        MissingFileError: there is nothing at ``path``.
        InputError: it is neither a folder nor an intact zip.
    """
    path = user_path(path, "data")
    storage: Storage
    if path.is_dir():
        storage = FolderStorage(path)
    elif path.is_file():
        storage = ZipStorage(path)
    elif os.path.lexists(path):
        raise InputError(f"data {str(path)!r} is neither a folder nor a file. Give a folder or a zip of pictures.")
    else:
        raise MissingFileError(f"data {str(path)!r} does not exist. Give the path of a folder or zip of pictures.")
    if storage.left_out:
        reasons = "; ".join(f"{why} ({len(names)}): {first_names(names)}" for why, names in storage.left_out.items())
        warnings.warn(f"left out of {str(path)!r}: {reasons}.", DataWarning, stacklevel=2)
    return storage


def first_names(names: Sequence[str]) -> str:
    """A few of many names, for messages."""
    return ", ".join(names[:_NAMED_IN_MESSAGES]) + (", ..." if len(names) > _NAMED_IN_MESSAGES else "")


class _Folder(NamedTuple):
    """A folder that is to be listed.

    Attributes:
        prefix: of the names of its files, as they are compared.
        on_disk: the same as on the disk.
        linked: whether a link leads to it.
        above: device and inode of the folders that it lies in, by these names.
    """

    prefix: str
    on_disk: str
    linked: bool
    above: tuple[tuple[int, int], ...]


def _entries_below(
    path: Path, left_out: defaultdict[str, list[str]]
) -> Iterator[tuple[str, str, os.DirEntry[str], bool]]:
    """Files with their names, their names on the disk, and whether a link leads to them; ``left_out`` takes the rest.

    Folders behind links come last. Within a folder at the top and each folder in that, a real folder is listed once,
    so that many folders linked into each other stay few: a data set's own folders (``image/``) lie there, and one of
    them may be a link to another.
    """
    pending, behind_links = [_Folder("", "", False, ())], list[_Folder]()
    listed: set[tuple[str, int, int]] = set()
    while pending or behind_links:
        folder = pending.pop() if pending else behind_links.pop(0)
        try:
            state = os.stat(path / folder.on_disk)
            entries = sorted(os.scandir(path / folder.on_disk), key=lambda entry: entry.name)
        except OSError as error:
            raise InputError(
                f"folder {str(path / folder.on_disk)!r} cannot be read ({error.strerror}). Give a readable folder."
            ) from error
        identity = state.st_dev, state.st_ino
        place = "/".join(folder.prefix.split("/")[:2]), *identity
        if identity in folder.above or place in listed:
            continue
        listed.add(place)
        for entry in entries:
            name, on_disk = folder.prefix + comparable(entry.name), folder.on_disk + entry.name
            if is_system_name(entry.name):
                if original := ICLOUD_PLACEHOLDER.fullmatch(entry.name):
                    left_out[_IN_ICLOUD].append(folder.prefix + original[1])
                continue
            linked = folder.linked or entry.is_symlink()
            try:
                is_folder, is_file = entry.is_dir(), entry.is_file()
            except OSError:  # a link to itself
                is_folder = is_file = False
            if is_folder:
                below = _Folder(f"{name}/", f"{on_disk}/", linked, (*folder.above, identity))
                (behind_links if linked else pending).append(below)
            elif is_file:
                yield name, on_disk, entry, linked
            else:
                left_out[_DEAD_LINKS if entry.is_symlink() else _SPECIAL_FILES].append(name)
