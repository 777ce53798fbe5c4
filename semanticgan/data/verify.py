"""A prepared dataset read again, all of it: digests, decodability, sides, label ranges."""

from __future__ import annotations

import hashlib
import json
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from torch.utils.data import Dataset

from semanticgan import extras
from semanticgan.data.encoding import Record
from semanticgan.data.folders import FolderDataset
from semanticgan.data.kept import PairFiles
from semanticgan.data.lmdb_pairs import LmdbDataset, is_lmdb
from semanticgan.data.pairs import PairDataset
from semanticgan.data.prepared_files import SUMS
from semanticgan.data.reading import num_processors, read_all
from semanticgan.data.report import Gathered
from semanticgan.data.storage import first_names
from semanticgan.data.workers import WorkerLost
from semanticgan.errors import InputError, MissingFileError
from semanticgan.files import user_path
from semanticgan.progress import Progress


def verify(path: str | Path, workers: int | None = None, progress: Progress | bool = False) -> dict[str, Any]:
    """Read everything that ``prepare`` wrote, in worker processes: a badly damaged LMDB ends a process that reads it.

    Args:
        path: the folder that it wrote.
        workers: processes; None for one per processor; at least one is used.
        progress: told of every pair; True shows a bar on stderr.

    Returns:
        JSON-able: path, count, size, digest, bytes, seconds.

    Raises:
        MissingFileError: there is nothing at ``path``.
        InputError: it is not a prepared dataset, or damaged; the message names the broken pairs.
    """
    path = user_path(path, "data")
    checks, described = _open(path)
    gathered, broken = Gathered(checks.dataset.regions), []
    start = time.perf_counter()
    try:
        workers = max(1, num_processors() if workers is None else workers)
        for checked in read_all(checks, workers, progress, "verifying pictures"):
            if checked.complaint is None:
                gathered.add(checked.name, checked.record)
            else:
                broken.append(checked.complaint)
    except WorkerLost as error:  # pages that no longer make sense can end the process that reads them
        raise InputError(f"{str(path)!r} cannot be verified and may be damaged: {error} {_ANEW}") from error
    if broken:
        raise InputError(
            f"{len(broken)} of {len(checks)} pairs in {str(path)!r} are broken: "
            f"{first_names([complaint.rstrip('.') for complaint in broken])}. {_ANEW}"
        )
    if gathered.count != described["count"] or gathered.digest != described["digest"]:
        raise InputError(
            f"{str(path)!r} holds {gathered.count} sound pairs, but not the {described['count']} that were prepared: "
            f"some were exchanged, added or removed. {_ANEW}"
        )
    return {
        "path": str(path),
        "count": gathered.count,
        "size": checks.dataset.size,
        "digest": gathered.digest,
        "bytes": sum(file.stat().st_size for file in path.rglob("*") if file.is_file()) or path.stat().st_size,
        "seconds": round(time.perf_counter() - start, 2),
    }


_ANEW = "Restore it from a copy, or prepare it again."


class _Checked(NamedTuple):
    """A pair that was read: its name, what it holds, and what is wrong, if anything."""

    name: str
    record: Record
    complaint: str | None


class _Checks(Dataset[_Checked], ABC):
    """Reading item i checks pair i."""

    dataset: PairDataset

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> _Checked:
        name = self.name(index)
        try:
            image, labels, expected = self.stored(index)
            pixels = np.bincount(self.dataset[index].labels.numpy().ravel(), minlength=len(self.dataset.regions))
        except InputError as error:
            return _Checked(name, _NONE, str(error))
        found = Record(hashlib.sha256(image).hexdigest(), hashlib.sha256(labels).hexdigest(), pixels.tolist())
        for what, digest, wanted in (
            ("picture", found.image, expected.image),
            ("label map", found.labels, expected.labels),
        ):
            if wanted and digest != wanted:
                return _Checked(name, _NONE, f"{what} of pair {name!r} is not what was written")
        return _Checked(name, found, None)

    @abstractmethod
    def name(self, index: int) -> str:
        """What the pair is called in the dataset's digest and in messages."""

    @abstractmethod
    def stored(self, index: int) -> tuple[bytes, bytes, Record]:
        """Files of picture and label map, and the record of what they should be; empty digests where unknown."""


_NONE = Record("", "", [])


class _LmdbChecks(_Checks):
    def __init__(self, dataset: LmdbDataset) -> None:
        self.dataset: LmdbDataset = dataset

    def name(self, index: int) -> str:
        return f"{index:08d}"

    def stored(self, index: int) -> tuple[bytes, bytes, Record]:
        return self.dataset.read(index, "image"), self.dataset.read(index, "labels"), self.dataset.record(index)


class _FolderChecks(_Checks):
    def __init__(self, path: Path, described: dict[str, Any]) -> None:
        self.dataset = FolderDataset(path, described["size"])
        self._files = PairFiles(path, described["count"], described.get("picture_format", "png"))
        sums = (path / SUMS).read_text().splitlines() if (path / SUMS).exists() else []
        self._sums = {name: digest for digest, _, name in (line.partition("  ") for line in sums)}

    def name(self, index: int) -> str:
        return Path(self._files.names(index)[0]).name

    def stored(self, index: int) -> tuple[bytes, bytes, Record]:
        try:
            image, labels = self._files.read(index)
        except OSError as error:
            raise InputError(f"pair {self.name(index)!r} cannot be read ({error.strerror})") from error
        picture_sum, labels_sum = (self._sums.get(name, "") for name in self._files.names(index))
        return image, labels, Record(picture_sum, labels_sum, [])


def _open(path: Path) -> tuple[_Checks, dict[str, Any]]:
    if not path.exists():
        raise MissingFileError(f"prepared data {str(path)!r} does not exist. Give the folder that was written.")
    if is_lmdb(path):
        extras.require("lmdb")
        dataset = LmdbDataset(path)
        return _LmdbChecks(dataset), dataset.metadata
    try:
        described = json.loads((path / "dataset.json").read_bytes())
        described["digest"], described["size"], described["count"]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise InputError(
            f"{str(path)!r} is not a prepared dataset: it has no dataset.json with a digest. "
            "Give a folder that prepare-data wrote."
        ) from error
    return _FolderChecks(path, described), described
