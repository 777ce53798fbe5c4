"""A dataset decoded once and held in memory, so that training on small pictures never waits for a decoder."""

from __future__ import annotations

import torch

from semanticgan.data.pairs import Pair, PairDataset
from semanticgan.data.reading import read_all
from semanticgan.progress import Progress

DEFAULT_LIMIT = 2 * 10**9


class CachedPairs(PairDataset):
    """Every pair of a dataset as two tensors; same pairs, order and key as the dataset itself.

    Args:
        dataset: read completely, here; its damaged files are therefore found before training begins.
        workers: processes that decode; 0 decodes in this one.
        progress: told of every pair; True shows a bar on stderr.

    Attributes:
        images: uint8 [M, 3, S, S], M the length of the dataset.
        labels: uint8 [M, S, S].

    Raises:
        InputError: what the dataset raises for a file that cannot be used.
    """

    def __init__(self, dataset: PairDataset, workers: int = 0, progress: Progress | bool = False) -> None:
        self.regions = dataset.regions
        self.size = dataset.size
        self.labelled = dataset.labelled
        self._key = dataset.key()
        self.images = torch.empty(len(dataset), 3, dataset.size, dataset.size, dtype=torch.uint8)
        self.labels = torch.empty(len(dataset), dataset.size, dataset.size, dtype=torch.uint8)
        for index, pair in enumerate(read_all(dataset, workers, progress)):
            self.images[index], self.labels[index] = pair

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> Pair:
        return Pair(self.images[index], self.labels[index])

    def key(self) -> str:
        return self._key


def num_bytes(dataset: PairDataset) -> int:
    """Bytes that :class:`CachedPairs` would take."""
    return len(dataset) * 4 * dataset.size**2


def cached_if_small(
    dataset: PairDataset, limit: int = DEFAULT_LIMIT, workers: int = 0, progress: Progress | bool = False
) -> PairDataset:
    """``dataset`` in memory if that takes at most ``limit`` bytes, else ``dataset`` itself."""
    if isinstance(dataset, CachedPairs) or num_bytes(dataset) > limit:
        return dataset
    return CachedPairs(dataset, workers, progress)
