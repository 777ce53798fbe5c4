"""Pairs that an unfinished preparation has written, and which of them a repeated one may keep.

A journal has a line per pair: its number, the fingerprint of its source and the digests of its two files. A pair is
kept while its source has that fingerprint and its files have these digests; so a source that was replaced, a file that
was cut short and one of another run are all written anew.
"""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from torch.utils.data import Dataset

from semanticgan.data.encoding import PICTURE_SUFFIX, Encoded, Encoder, Record
from semanticgan.data.label_maps import read_labels
from semanticgan.data.prepared_files import JOURNAL
from semanticgan.errors import InputError, UnwritableError
from semanticgan.files import written_aside


class Entry(NamedTuple):
    """A line of the journal.

    Attributes:
        fingerprint: of the pair's source, ``PairDataset.fingerprint``.
        image: SHA-256 of the stored picture.
        labels: SHA-256 of the stored label map.
    """

    fingerprint: str
    image: str
    labels: str


class Journal:
    """What was written from what; appended as pairs are done, read by a later run.

    Args:
        folder: of the unfinished set.

    Attributes:
        entries: by number of the pair, as they were when this was opened.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / JOURNAL
        self.entries: dict[int, Entry] = {}
        content = self._path.read_bytes() if self._path.exists() else b""
        for line in content.splitlines():
            try:
                index, *texts = json.loads(line)
                self.entries[int(index)] = Entry(*map(str, texts))
            except (ValueError, TypeError):  # cut short
                continue
        # Without a buffer: nothing is left to be written, and to fail once more, when it is closed.
        self._file = open(self._path, "ab", buffering=0)  # noqa: SIM115  (closed by close)
        if content and not content.endswith(b"\n"):
            self._file.write(b"\n")

    def add(self, index: int, fingerprint: str, record: Record) -> None:
        """Note that a pair is written.

        Raises:
            UnwritableError: the system refuses; the message says that the command continues when it is repeated.
        """
        line = (json.dumps([index, *Entry(fingerprint, record.image, record.labels)]) + "\n").encode()
        try:
            if self._file.write(line) < len(line):  # the next opening passes over a line that is cut short
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            raise _unwritable(self._path, error) from error

    def close(self) -> None:
        self._file.close()


class Done(NamedTuple):
    """A pair that is prepared.

    Attributes:
        encoded: the pair as it is stored; without its files where these are written already.
        fingerprint: of its source.
        taken_up: whether an earlier run has prepared it.
    """

    encoded: Encoded
    fingerprint: str
    taken_up: bool


class Refused(NamedTuple):
    """A pair that cannot be prepared, and why."""

    complaint: str


class PairFiles:
    """Files of pairs in ``image/`` and ``label/`` of a folder.

    Args:
        folder: of the set.
        count: pairs in the whole set, which decides the digits of names.
        picture_format: "png" or "jpeg".
    """

    def __init__(self, folder: Path, count: int, picture_format: str) -> None:
        self._folder = folder
        self._digits = max(5, len(str(count - 1)))
        self._suffix = PICTURE_SUFFIX[picture_format]

    def names(self, index: int) -> tuple[str, str]:
        """Names of the picture and the label map of a pair, relative to the folder."""
        name = f"{index:0{self._digits}}"
        return f"image/{name}{self._suffix}", f"label/{name}.png"

    def read(self, index: int) -> tuple[bytes, bytes]:
        """Picture and label map.

        Raises:
            OSError: they are not both there.
        """
        image, labels = ((self._folder / name).read_bytes() for name in self.names(index))
        return image, labels

    def write(self, index: int, image: bytes, labels: bytes) -> None:
        """Write a pair.

        Raises:
            UnwritableError: there is no room, for example.
        """
        for name, content in zip(self.names(index), (image, labels), strict=True):
            write(self._folder / name, content)


class Preparing(Dataset[Done | Refused]):
    """Item i is pair i, encoded now or kept from an earlier run; made to be read by several processes.

    Args:
        encoder: of the source.
        files: where kept pairs are.
        entries: of the journal of the earlier runs.
        write: write a pair that is encoded now into ``files``, and give its record only.
    """

    def __init__(self, encoder: Encoder, files: PairFiles, entries: Mapping[int, Entry], write: bool) -> None:
        self._encoder, self._files, self._entries, self._write = encoder, files, entries, write

    def __len__(self) -> int:
        return len(self._encoder)

    def __getitem__(self, index: int) -> Done | Refused:
        try:
            fingerprint = self._encoder.dataset.fingerprint(index)  # before reading: a later change is seen next time
            kept = self._kept(index, fingerprint)
            encoded = kept or self._encoder[index]
        except InputError as error:
            return Refused(str(error))
        if self._write:
            if kept is None:
                self._files.write(index, encoded.image, encoded.labels)
            encoded = Encoded(b"", b"", encoded.record)  # need not be sent to the process that writes the journal
        return Done(encoded, fingerprint, kept is not None)

    def _kept(self, index: int, fingerprint: str) -> Encoded | None:
        entry = self._entries.get(index)
        if entry is None or entry.fingerprint != fingerprint:
            return None
        try:
            image, stored = self._files.read(index)
            labels = read_labels(stored, f"label map {index}", self._encoder.dataset.regions)
        except (InputError, OSError):
            return None
        record = self._encoder.record(index, image, stored, labels)
        return Encoded(image, stored, record) if (record.image, record.labels) == entry[1:] else None


def write(path: Path, content: bytes) -> None:
    """Write a file whole, or not at all.

    Raises:
        UnwritableError: the system refuses; the message says that the command continues when it is repeated.
    """
    try:
        with written_aside(path, overwrite=True) as aside:
            aside.write_bytes(content)
    except InputError:
        raise
    except OSError as error:
        raise _unwritable(path, error) from error


def _unwritable(path: Path, error: OSError) -> UnwritableError:
    return UnwritableError(
        f"cannot write {str(path)!r} ({error.strerror}). Make room, then repeat the command: it continues."
    )
