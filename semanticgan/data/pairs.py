"""What every dataset yields: a picture and its label map, both square and of one side.

Shapes: H = W = S, the dataset's side in pixels; values are uint8, so that workers move a quarter of the bytes
of float32 and the device does the conversion (:func:`semanticgan.data.batches.to_network`).
"""

from __future__ import annotations

import hashlib
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import torch
from torch.utils.data import Dataset

from semanticgan.errors import DataWarning
from semanticgan.regions import RegionScheme


class Pair(NamedTuple):
    """A picture and the regions in it.

    Attributes:
        image: uint8 [3, S, S], RGB.
        labels: uint8 [S, S], ids of the dataset's region scheme.
    """

    image: torch.Tensor
    labels: torch.Tensor


class PairDataset(Dataset[Pair], ABC):
    """A dataset of :class:`Pair`.

    Attributes:
        regions: what the label ids mean.
        size: S, the side of every picture in pixels.
        labelled: whether the labels mean anything; without, they are all 0.
        key_knows_pixels: whether :meth:`key` changes with every pixel; keys of folders know names and byte counts.
    """

    regions: RegionScheme
    size: int
    labelled: bool = True
    key_knows_pixels: bool = False

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def __getitem__(self, index: int) -> Pair: ...

    def stem(self, index: int) -> str:
        """What a pair is called: the name of its picture's file without folder and suffix, its number without one."""
        return str(index)

    @abstractmethod
    def key(self) -> str:
        """A short digest of what the dataset contains: equal keys mean equal pairs in equal order."""

    def fingerprint(self, index: int) -> str:
        """A short digest of where pair ``index`` comes from, made without reading it.

        Of datasets with equal sides and regions, equal fingerprints at one index mean equal pairs. A file that is
        replaced changes it. By default it is the whole dataset's :meth:`key`.

        Raises:
            InputError: the pair's files are gone.
        """
        return self.key()

    def picture_digest(self, index: int) -> bytes:
        """Digest of what a picture's pixels depend on; datasets of files read the file and do not decode it.

        Raises:
            InputError: a picture that cannot be used.
        """
        return hashlib.sha256(self[index].image.numpy().tobytes()).digest()


def to_pair(image: np.ndarray, labels: np.ndarray) -> Pair:
    """A picture uint8 [S, S, 3] and its labels uint8 [S, S] as a :class:`Pair` that owns its memory."""
    return Pair(
        torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1))),
        torch.from_numpy(np.ascontiguousarray(labels)),
    )


def content_key(parts: Iterable[object]) -> str:
    """16 hexadecimal digits over the text of ``parts``, in their order."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(str(part).encode())
        digest.update(b"\0")
    return digest.hexdigest()[:16]


class FirstPairs(PairDataset):
    """The first ``length`` pairs of a longer dataset."""

    def __init__(self, dataset: PairDataset, length: int) -> None:
        self.regions = dataset.regions
        self.size = dataset.size
        self.labelled = dataset.labelled
        self.key_knows_pixels = dataset.key_knows_pixels
        self._dataset = dataset
        self._length = length

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: int) -> Pair:
        if not 0 <= index < self._length:
            raise IndexError(f"pair {index} of {self._length}")
        return self._dataset[index]

    def stem(self, index: int) -> str:
        return self._dataset.stem(index)

    def key(self) -> str:
        return content_key([self._dataset.key(), self._length])

    def fingerprint(self, index: int) -> str:
        return self._dataset.fingerprint(index)

    def picture_digest(self, index: int) -> bytes:
        return self._dataset.picture_digest(index)


def first_pairs(dataset: PairDataset, length: int | None) -> PairDataset:
    """The first ``length`` pairs of a dataset, all for None; where it has fewer, a :class:`DataWarning` says so."""
    if length is None or length == len(dataset):
        return dataset
    if length < len(dataset):
        return FirstPairs(dataset, length)
    warnings.warn(
        f"the data have only {len(dataset)} of {length} pictures that were asked for. All {len(dataset)} are used.",
        DataWarning,
        stacklevel=2,
    )
    return dataset
