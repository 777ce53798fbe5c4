"""Rectangles of cells, and how far a change reaches through each layer of the renderer.

A half-open span [a, b) of changed cells along one axis changes, one layer further, this span:

======================  ===========================  ========================================================
layer                   changed cells                source of the formula
======================  ===========================  ========================================================
mean over p cells       [floor(a / p), ceil(b / p))  cell j reads p j .. p j + p - 1
3x3 convolution         [a - 1, b + 1)               cell j reads j - 1 .. j + 1
upsampling convolution  [2a - 2, 2b + 2)             i reaches 2i .. 2i + 2, then FIR: j reads j - 1 .. j + 2
FIR upsampling          [2a - 1, 2b + 1)             i reaches 2i - 1 .. 2i + 2
bilinear upsampling     [2a - 1, 2b + 1)             j reads the two cells nearest to (j - 1/2) / 2
======================  ===========================  ========================================================

So a block, an upsampling and a 3x3 convolution, makes [2a - 3, 2b + 3) of [a, b), and L blocks 2^L a - 3 (2^L - 1) and
2^L b + 3 (2^L - 1). The other way, what a span of the output reads is :meth:`Box.read_by_upsampling`. All is cut at the
picture's border.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class Box(NamedTuple):
    """Cells of rows ``top`` .. ``bottom`` - 1 and columns ``left`` .. ``right`` - 1."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def num_cells(self) -> int:
        return (self.bottom - self.top) * (self.right - self.left)

    def of(self, x: Tensor, origin: Box | None = None) -> Tensor:
        """The cells of [..., H, W], a view. Args: ``origin``, where the first cell of x lies; None: at the corner."""
        top, left = (0, 0) if origin is None else (origin.top, origin.left)
        return x[..., self.top - top : self.bottom - top, self.left - left : self.right - left]

    def grown(self, by: int, side: int) -> Box:
        """Larger by ``by`` cells on each side, cut at the border of a map of ``side``."""
        return Box(self.top - by, self.bottom + by, self.left - by, self.right + by).cut(side)

    def cut(self, side: int) -> Box:
        return Box(max(self.top, 0), min(self.bottom, side), max(self.left, 0), min(self.right, side))

    def pooled(self, factor: int) -> Box:
        """After a mean over ``factor`` cells."""
        return Box(self.top // factor, -(-self.bottom // factor), self.left // factor, -(-self.right // factor))

    def doubled(self, by: int, side: int) -> Box:
        """[2a - by, 2b + by), cut at the border of the map of ``side``; without growth the cells at twice the side."""
        return Box(*(2 * edge for edge in self)).grown(by, side)

    def read_by_upsampling(self, before: int, after: int, side: int) -> Box:
        """The cells that these cells read of a map of half the side.

        Cell j reads cells i with (j - before) / 2 <= i <= (j + after) / 2: an upsampling convolution with ``before``
        3 and ``after`` 2, FIR and bilinear upsampling with 2 and 1.

        Args:
            side: of the map that is read.
        """
        (top, bottom), (left, right) = (
            (-(-(first - before) // 2), (last - 1 + after) // 2 + 1)
            for first, last in ((self.top, self.bottom), (self.left, self.right))
        )
        return Box(top, bottom, left, right).cut(side)


def whole(side: int) -> Box:
    """All cells of a map."""
    return Box(0, side, 0, side)


def union(*boxes: Box | None) -> Box | None:
    """The smallest box around all; None, no cell, where there is none."""
    given = [box for box in boxes if box is not None]
    if not given:
        return None
    tops, bottoms, lefts, rights = zip(*given, strict=True)
    return Box(min(tops), max(bottoms), min(lefts), max(rights))


def box_of(cells: Tensor, origin: Box | None = None) -> Box | None:
    """The smallest box around the true cells.

    Args:
        cells: bool [H, W].
        origin: where the first cell lies; None: at the corner.
    """
    rows, columns = (cells.any(axis).nonzero().flatten().tolist() for axis in (1, 0))
    if not rows:
        return None
    top, left = (0, 0) if origin is None else (origin.top, origin.left)
    return Box(top + rows[0], top + rows[-1] + 1, left + columns[0], left + columns[-1] + 1)


def differing(new: Tensor, kept: Tensor, tolerance: float, origin: Box | None = None) -> Box | None:
    """The box around the cells in which two maps [N, C, H, W] differ by more than ``tolerance`` in any channel."""
    assert new.dtype == kept.dtype and new.shape == kept.shape
    largest = (new - kept).abs().amax((0, 1))
    return box_of(~(largest <= tolerance), origin)  # what is not a number differs


def root_mean_square(x: Tensor) -> float:
    return float(torch.linalg.vector_norm(x, dtype=torch.promote_types(x.dtype, torch.float32)) / x.numel() ** 0.5)
