"""A dataset in which a picture that cannot be used is named and replaced by the next, not the end of a training."""

from __future__ import annotations

import logging

from semanticgan.data.pairs import Pair, PairDataset
from semanticgan.errors import InputError

_MOST_IN_A_ROW = 100


class ForgivingPairs(PairDataset):
    """The pairs of ``dataset``; in place of one that cannot be used comes the next that can.

    Each unusable file is named once a process in a warning of the logger "semanticgan.data", which Python shows on
    stderr.
    """

    def __init__(self, dataset: PairDataset) -> None:
        self.regions, self.size, self.labelled = dataset.regions, dataset.size, dataset.labelled
        self._dataset = dataset
        self._named: set[int] = set()

    def __len__(self) -> int:
        return len(self._dataset)

    def __getitem__(self, index: int) -> Pair:
        """Raises: InputError: none of the next hundred can be used either."""
        for further in range(min(len(self), _MOST_IN_A_ROW)):
            place = (index + further) % len(self)
            try:
                return self._dataset[place]
            except InputError as error:
                last = error
                if place not in self._named:
                    self._named.add(place)
                    logging.getLogger("semanticgan.data").warning("skipped: %s", error)
        raise InputError(f"no usable picture among {_MOST_IN_A_ROW} in a row. The last: {last}") from last

    def key(self) -> str:
        return self._dataset.key()
