"""The portraits as a dataset: endless, free of licences, drawn when they are asked for."""

from __future__ import annotations

from semanticgan.data.pairs import Pair, PairDataset, content_key, to_pair
from semanticgan.errors import InputError
from semanticgan.portraits.attributes import PortraitAttributes
from semanticgan.portraits.portrait import draw_portrait, portrait_attributes
from semanticgan.portraits.styles import DrawingStyle, drawing_style
from semanticgan.regions import CELEBAMASK_13
from semanticgan.seeds import require_seed

_EDITION = 3
"""Raised whenever a change alters what is drawn, so that a cache of old portraits is not taken for the new ones."""


class PortraitDataset(PairDataset):
    """Drawn portraits 0 .. length-1 of a seed, in the 13 regions.

    Args:
        size: side of the pictures in pixels, 16 to 1024.
        length: how many; they are not stored, so a million costs nothing.
        seed: 0 to 2^63 - 1; another seed is another series.
        style: a drawing style or its name.

    Raises:
        InputError: a value out of range or an unknown style.
    """

    key_knows_pixels = True

    def __init__(
        self, size: int, length: int = 1_000_000, seed: int = 0, style: str | DrawingStyle = "storybook"
    ) -> None:
        if not 16 <= size <= 1024:
            raise InputError(f"portrait size {size}: give a resolution of 16 to 1024 pixels.")
        if length < 1:
            raise InputError(f"{length} portraits of seed {seed}: give a length of 1 or more.")
        self.regions = CELEBAMASK_13
        self.size = size
        self.seed = require_seed(seed)
        self.style = drawing_style(style)
        self._length = length

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: int) -> Pair:
        """Portrait ``index`` as image uint8 [3, S, S] and labels uint8 [S, S]."""
        portrait = draw_portrait(self.seed, self._checked(index), self.size, self.style)
        return to_pair(portrait.image, portrait.labels)

    def attributes(self, index: int) -> PortraitAttributes:
        """The record of portrait ``index``, without drawing it."""
        return portrait_attributes(self.seed, self._checked(index))

    def key(self) -> str:
        parts = ["portraits", _EDITION, self.style, self.size, self.seed, self._length]
        return content_key(parts if self.style.technique == "paint" else [*parts, self.style.technique])

    def _checked(self, index: int) -> int:
        if not 0 <= index < self._length:
            raise IndexError(f"portrait {index} of {self._length}")
        return index
