"""A dataset in which a picture that cannot be used is named and replaced by the next, not the end of a training."""

from __future__ import annotations

import logging

import torch

from semanticgan.data.pairs import Pair, PairDataset
from semanticgan.errors import InputError

_MOST_IN_A_ROW = 100


class ForgivingPairs(PairDataset):
    """The pairs of ``dataset``; in place of one that cannot be used comes the next that can.

    Each unusable file is named once in a warning of the logger "semanticgan.data", which Python shows on stderr; the
    processes of a training that is shared by several name it once each.
    """

    def __init__(self, dataset: PairDataset) -> None:
        self.regions, self.size, self.labelled = dataset.regions, dataset.size, dataset.labelled
        self._dataset = dataset
        # Which were named, bool [M], M the length: in memory that the processes reading ahead share with this one.
        self._named = torch.zeros(len(dataset), dtype=torch.bool).share_memory_()

    def __len__(self) -> int:
        return len(self._dataset)

    def __getitem__(self, index: int) -> Pair:
        """Pair ``index``, or the next that can be used.

        Raises:
            InputError: none of the next hundred can be used either.
        """
        tries = min(len(self), _MOST_IN_A_ROW)
        for further in range(tries):
            place = (index + further) % len(self)
            try:
                return self._dataset[place]
            except InputError as error:
                last = error
                if not self._named[place]:
                    self._named[place] = True
                    logging.getLogger("semanticgan.data").warning("skipped: %s", error)
        raise InputError(f"no usable picture among {tries} in a row. The last: {last}") from last

    def key(self) -> str:
        return self._dataset.key()
