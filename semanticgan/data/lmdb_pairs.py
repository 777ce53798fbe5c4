"""Pairs in one LMDB: a folder with ``data.mdb``, for sets too large for a folder of files.

Keys, in the order of the file: for pair 17 ``00000017/image`` (a PNG or JPEG), ``00000017/labels`` (an indexed PNG) and
``00000017/record`` (JSON, :class:`semanticgan.data.encoding.Record`); then ``metadata`` (JSON: regions, side, count,
picture format, key of the source, digest, share of each region). A file without ``metadata`` is unfinished.
"""

from __future__ import annotations

import json
import mmap
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from semanticgan.data import pictures
from semanticgan.data.encoding import Encoded, Record
from semanticgan.data.folders import find_scheme, require_begins
from semanticgan.data.label_maps import read_labels
from semanticgan.data.pairs import Pair, PairDataset, content_key, to_pair
from semanticgan.errors import InputError, MissingFileError, UnwritableError
from semanticgan.files import user_path
from semanticgan.formats import strict_json
from semanticgan.regions import RegionScheme

if TYPE_CHECKING:
    import lmdb

FILE = "data.mdb"
FORMAT = 1
PAIRS_A_COMMIT = 128

_METADATA = b"metadata"  # letters sort after digits: the last record of the file
_KINDS = ("image", "labels", "record")
_STEP = 2**20  # of the room for a commit; a whole number of pages on every system

_Identity = tuple[str, int, int]
"""Path, inode and time of change of a file: another file of the same name is another one."""

_opened: dict[_Identity, tuple[int, lmdb.Environment]] = {}
"""Environments with the process that opened them: LMDB refuses to open a file twice in one process, but a training and
its evaluation may both read it."""


class LmdbDataset(PairDataset):
    """The pairs that ``prepare`` wrote into an LMDB, at the side that they were prepared for.

    The file is opened when it is first read, in each process anew, read-only and without a lock: any number of worker
    processes, forked or spawned, read at once, from a write-protected disk too.

    Args:
        path: the folder that holds ``data.mdb``, or that file.
        size: side of the pairs in pixels, which must be theirs; None for whatever it is.
        scheme: what the labels mean, if more regions than the file says: a scheme that begins with the file's.

    Attributes:
        metadata: the file's metadata.

    Raises:
        MissingFileError: there is nothing at ``path``.
        InputError: no LMDB, a damaged or unfinished one, one of other contents, size or regions.
    """

    key_knows_pixels = True

    def __init__(self, path: str | Path, size: int | None = None, scheme: RegionScheme | str | None = None) -> None:
        self._path = _find_file(path)
        self._identity = _identity(self._path)
        self.metadata = self._read_metadata()
        self.size, self._length = self.metadata["size"], self.metadata["count"]
        if size is not None and size != self.size:
            raise InputError(
                f"{str(path)!r} holds pairs of {self.size} pixels, but {size} are asked for. Ask for {self.size}, or "
                f"prepare another with `prepare-data ... --size {size} --format lmdb`."
            )
        self.regions = stored = RegionScheme.from_dict(self.metadata["regions"])
        if scheme not in (None, "guess"):
            self.regions = find_scheme(scheme)
            require_begins(self.regions, stored, f"{str(path)!r}")

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: int) -> Pair:
        if not 0 <= index < self._length:
            raise IndexError(f"pair {index} of {self._length}")
        image, encoded = (self.read(index, kind) for kind in ("image", "labels"))
        picture = pictures.read_picture(image, self.label(index, "image"))
        labels = read_labels(encoded, self.label(index, "labels"), self.regions)
        for found, kind in ((picture, "image"), (labels, "labels")):
            if found.shape[:2] != (self.size, self.size):
                raise InputError(
                    f"{self.label(index, kind)!r} is {found.shape[1]}x{found.shape[0]}, not {self.size}x{self.size}. "
                    f"{_ANEW}"
                )
        return to_pair(picture, labels)

    def key(self) -> str:
        """Digest of the digest of all files, side and regions: no pair is read."""
        return content_key(["lmdb", self.metadata["digest"], self.size, self.regions.to_dict()])

    def record(self, index: int) -> Record:
        """What is known of a pair beside its pixels: digests, where it comes from, what is depicted."""
        try:
            return Record.from_dict(json.loads(self.read(index, "record")))
        except (ValueError, TypeError, KeyError) as error:
            raise InputError(f"{self.label(index, 'record')!r} cannot be understood ({error}). {_ANEW}") from error

    def read(self, index: int, kind: str) -> bytes:
        """The stored bytes of a pair's "image", "labels" or "record".

        Raises:
            InputError: it is not there, or the file is damaged.
        """
        with _damage_named(self._path), _environment(self._identity).begin() as transaction:
            content = transaction.get(_key(index, kind))
        if content is None:
            raise InputError(f"{self.label(index, kind)!r} is missing. {_ANEW}")
        return content

    def label(self, index: int, kind: str) -> str:
        """How messages name a record."""
        return f"{self._path}:{_key(index, kind).decode()}"

    def _read_metadata(self) -> dict[str, Any]:
        with _damage_named(self._path), _environment(self._identity).begin() as transaction:
            content, begun = transaction.get(_METADATA), transaction.get(_key(0, "record"))
        if content is None and begun is not None:
            raise InputError(
                f"{str(self._path)!r} is unfinished. Repeat the prepare-data command that writes it: it continues."
            )
        try:
            metadata = strict_json.loads(content or b"", str(self._path))
            ours = type(metadata["format"]) is int
            if ours and metadata["format"] <= FORMAT:
                ours = all(type(metadata[name]) is int for name in ("size", "count"))
                ours = ours and isinstance(metadata["digest"], str) and "names" in metadata["regions"]
        except (InputError, TypeError, KeyError):
            ours = False
        if not ours:
            raise InputError(
                f"{str(self._path)!r} is an LMDB but was not written by prepare-data. Give one that was "
                "(prepare-data ... --format lmdb)."
            )
        if metadata["format"] > FORMAT:
            raise InputError(
                f"{str(self._path)!r} has format {metadata['format']}, this version reads up to {FORMAT}. "
                "Update semanticgan, or prepare the data again."
            )
        try:
            RegionScheme.from_dict(metadata["regions"])
        except InputError as error:
            raise InputError(f"the regions of {str(self._path)!r} are not a region scheme: {error} {_ANEW}") from error
        return metadata


def is_lmdb(path: str | Path) -> bool:
    """Whether there is an LMDB at ``path``: a folder with ``data.mdb``, or such a file."""
    path = user_path(path, "data")
    return (path / FILE).is_file() or (path.name == FILE and path.is_file())


def digest_of(path: Path) -> str:
    """The digest of a finished LMDB, which is not left open: it may be renamed and removed.

    Raises:
        InputError: there is none.
    """
    identity = _identity(_find_file(path))
    was_open = identity in _opened
    try:
        return str(LmdbDataset(path).metadata["digest"])
    finally:
        if not was_open and identity in _opened:
            _opened.pop(identity)[1].close()


class PairWriter:
    """Pairs appended to a ``data.mdb`` in commits of :data:`PAIRS_A_COMMIT`; a later writer continues.

    The file's bytes depend on the pairs alone, not on how often writing was cut off. For that every commit opens the
    file anew: the pages it takes then follow from the file alone, where an environment kept open would also remember
    earlier commits. Pages are cleared before use (``meminit``), so nothing of the memory leaks into the file either.

    Args:
        folder: holds ``data.mdb``, or will.

    Attributes:
        records: what is known of the pairs written so far, in order.
        metadata: of a finished file, None of an unfinished one.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self.records: list[Record] = []
        self.metadata: dict[str, Any] | None = None
        self._waiting: list[Encoded] = []
        if self._path.exists() and self._path.stat().st_size:
            with _damage_named(self._path), _unlocked(self._path) as transaction:
                for index in range(transaction.stat()["entries"] // len(_KINDS)):
                    stored = bytes(transaction.get(_key(index, "record")) or b"")
                    self.records.append(Record.from_dict(json.loads(stored)))
                content = transaction.get(_METADATA)
                self.metadata = None if content is None else json.loads(bytes(content))

    def append(self, encoded: Encoded) -> None:
        """Add a pair, on disk when this is the last of a commit."""
        self._waiting.append(encoded)
        if len(self._waiting) == PAIRS_A_COMMIT:
            self._commit_pairs()

    def take_waiting(self) -> list[Encoded]:
        """Pairs that were added and are not on disk; they are forgotten here."""
        waiting, self._waiting = self._waiting, []
        return waiting

    def read(self, index: int) -> tuple[bytes, bytes]:
        """Picture and label map of a pair on disk."""
        with _damage_named(self._path), _unlocked(self._path) as transaction:
            image, labels = (bytes(transaction.get(_key(index, kind)) or b"") for kind in ("image", "labels"))
        return image, labels

    def finish(self, metadata: Mapping[str, Any]) -> None:
        """Write what is waiting and the metadata, if they are not there."""
        if self._waiting:
            self._commit_pairs()
        self._commit([(_METADATA, json.dumps(metadata).encode())])

    def _commit_pairs(self) -> None:
        first = len(self.records)
        items = []
        for index, pair in enumerate(self._waiting, first):
            contents = (pair.image, pair.labels, json.dumps(pair.record.to_dict()).encode())
            items += [(_key(index, kind), content) for kind, content in zip(_KINDS, contents, strict=True)]
        self._commit(items)
        self.records += [pair.record for pair in self._waiting]
        self._waiting = []

    def _commit(self, items: list[tuple[bytes, bytes]]) -> None:
        import lmdb

        try:
            self._write(items)
        except lmdb.Error as error:
            raise UnwritableError(
                f"cannot write {str(self._path)!r} ({error}). Make room, then repeat the command: it continues."
            ) from error

    def _write(self, items: list[tuple[bytes, bytes]]) -> None:
        import lmdb

        size = self._path.stat().st_size if self._path.exists() else 0
        room = size + sum(len(content) for _, content in items) + 2 * (len(items) + 64) * mmap.PAGESIZE
        with lmdb.open(str(self._path.parent), map_size=-(-room // _STEP) * _STEP, meminit=True) as environment:
            if environment.stat()["entries"] != len(_KINDS) * len(self.records):
                if items[0][0] == _METADATA and _metadata_is(environment, items[0][1]):
                    return
                raise InputError(
                    f"another process is writing {str(self._path)!r}. Wait until it ends, or choose another output."
                )
            with environment.begin(write=True) as transaction:
                for key, content in items:
                    transaction.put(key, content, append=True)


_ANEW = "Restore the file from a copy, or prepare it again."


def _key(index: int, kind: str) -> bytes:
    return f"{index:08d}/{kind}".encode()


@contextmanager
def _unlocked(path: Path) -> Iterator[lmdb.Transaction]:
    """A file that only this process writes, opened without the reader table, which a killed reader would block."""
    import lmdb

    with lmdb.open(str(path.parent), readonly=True, lock=False) as environment, environment.begin() as transaction:
        yield transaction


def _metadata_is(environment: lmdb.Environment, expected: bytes) -> bool:
    with environment.begin() as transaction:
        return transaction.get(_METADATA) == expected


def _find_file(path: str | Path) -> Path:
    path = user_path(path, "data")
    if not path.exists():
        raise MissingFileError(f"LMDB {str(path)!r} does not exist. Give the folder that holds its {FILE}.")
    if not is_lmdb(path):
        others = "It is a folder of pictures: give the kind 'folder'." if (path / "image").is_dir() else ""
        raise InputError(
            f"{str(path)!r} is not an LMDB: it holds no {FILE}. "
            + (others or "Give the folder that `prepare-data ... --format lmdb` wrote.")
        )
    return (path if path.name == FILE else path / FILE).resolve()


def _identity(path: Path) -> _Identity:
    state = path.stat()
    return str(path), state.st_ino, state.st_mtime_ns


def _environment(identity: _Identity) -> lmdb.Environment:
    """The environment of a file in this process, opened if it is not open."""
    import lmdb

    process, environment = _opened.get(identity, (0, None))
    if environment is not None and process == os.getpid():
        return environment
    if environment is not None:  # inherited by a fork: the parent's own stays as it is
        environment.close()
    path = Path(identity[0])
    if _identity(path) != identity:
        raise InputError(f"{str(path)!r} was replaced while it was being read. Run the command again.")
    size = path.stat().st_size
    environment = lmdb.open(str(path.parent), readonly=True, lock=False, readahead=size < _memory(), max_spare_txns=1)
    needed = (environment.info()["last_pgno"] + 1) * environment.stat()["psize"]
    if size < needed:
        environment.close()
        raise InputError(f"{str(path)!r} is cut off: it has {size} of {needed} bytes. {_ANEW}")
    _opened[identity] = os.getpid(), environment
    return environment


def _memory() -> int:
    """Bytes of memory in this machine, 0 if it does not say."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return 0


@contextmanager
def _damage_named(path: Path) -> Iterator[None]:
    """LMDB's complaints about a file's content as one clear line."""
    import lmdb

    try:
        yield
    except lmdb.Error as error:
        raise InputError(f"{str(path)!r} is not an intact LMDB ({error}). {_ANEW}") from error
    except FileNotFoundError as error:
        raise MissingFileError(f"LMDB {str(path)!r} is gone. {_ANEW}") from error
