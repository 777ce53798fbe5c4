"""Pieces of a run's sheets: their upper rows, and how one sample developed from sheet to sheet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from PIL import Image

from semanticgan.data.pictures import read_picture
from semanticgan.errors import InputError
from semanticgan.runs.record import RunRecord

T = TypeVar("T")

_NUM_ROWS = 3  # of a sheet, the ones that mean something at a glance: picture, segmentation, coarse mask
_LARGEST_CELL = 128  # pixels
_LARGEST_SHEET = 256.0  # megapixels


@dataclass(frozen=True)
class Sheet:
    """A sheet that could be read.

    Attributes:
        step: steps done when it was written.
        picture: all of it.
        side: of one cell, in pixels.
    """

    step: int
    picture: Image.Image
    side: int

    @property
    def num_samples(self) -> int:
        return self.picture.width // self.side

    def top(self) -> Image.Image:
        """Picture, segmentation and coarse mask of every sample; cells of at most 128 pixels."""
        rows = min(_NUM_ROWS, self.picture.height // self.side)
        return _reduced(self.picture.crop((0, 0, self.picture.width, rows * self.side)), self.side)

    def whole(self) -> Image.Image:
        """The pseudo-depths too; cells of at most 128 pixels."""
        return _reduced(self.picture, self.side)

    def cell(self, sample: int, row: int) -> Image.Image:
        """One sample's picture (row 0) or segmentation (row 1)."""
        left, top = sample * self.side, row * self.side
        return _reduced(self.picture.crop((left, top, left + self.side, top + self.side)), self.side)


def read_sheet(step: int, path: Path, side: int | None) -> Sheet | None:
    """A sheet, or None where it cannot be read (a training may replace it meanwhile).

    Args:
        step: steps done when it was written.
        side: of one cell in pixels; where unknown or not fitting, the sheet counts as one cell.
    """
    try:
        picture = Image.fromarray(read_picture(path, max_megapixels=_LARGEST_SHEET))
    except InputError:
        return None
    if not side or side < 0 or picture.width % side or picture.height % side:
        side = max(picture.size)
    return Sheet(step, picture, side)


def chosen_sheets(record: RunRecord, count: int) -> list[Sheet]:
    """At most ``count`` sheets spread over the training, those that can be read."""
    side = record.config.get("size")
    found = (
        read_sheet(step, path, side if isinstance(side, int) else None)
        for step, path in spread_over(record.sheets, count)
    )
    return [sheet for sheet in found if sheet is not None]


def spread_over(items: Sequence[T], count: int) -> list[T]:
    """At most ``count`` items (2 or more): the last, those at equal distances before it, and the first."""
    if not items:
        return []
    stride = max(1, -(-(len(items) - 1) // (count - 1)))
    chosen = list(items[::-1][::stride][::-1])
    return chosen if (len(items) - 1) % stride == 0 else [items[0], *chosen]


def _reduced(picture: Image.Image, side: int) -> Image.Image:
    if side <= _LARGEST_CELL:
        return picture
    scale = _LARGEST_CELL / side
    return picture.resize(
        (max(1, round(picture.width * scale)), max(1, round(picture.height * scale))), Image.Resampling.BOX
    )
