"""A canvas several times the picture's size, on which colour and labels are painted from the same shapes.

Averaging it down gives anti-aliased colour; the label of a pixel is the region that covers most of it.
All outlines are [P, 2] arrays of x, y as fractions of the picture's side, whatever its size.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from semanticgan.portraits.geometry import Array
from semanticgan.portraits.palette import Colour
from semanticgan.regions import CELEBAMASK_13

Mask = NDArray[np.uint8]
_SHIFT = 4  # Outlines are handed to OpenCV with four binary places.
_SMALLEST_PATCH = 0.0007
"""Patches of a region smaller than this share of the picture are given to the regions beneath and around them."""


class Canvas:
    """Colour (uint8 [n, n, 3] RGB) and labels (uint8 [n, n]) under the brush."""

    def __init__(self, size: int) -> None:
        self.size = size
        # Fine detail needs more samples a pixel where pixels are few.
        self.factor = 4 if size <= 96 else 3
        self.side = size * self.factor
        self.colour = np.zeros((self.side, self.side, 3), dtype=np.uint8)
        self.labels: Mask = np.zeros((self.side, self.side), dtype=np.uint8)

    def fixed(self, outline: Array) -> NDArray[np.int32]:
        """An outline in OpenCV's fixed-point pixel coordinates, in which whole numbers are the centres of pixels."""
        return np.round((outline * self.side - 0.5) * (1 << _SHIFT)).astype(np.int32)

    def blank(self) -> Mask:
        """An empty mask, uint8 [n, n], 0 or 255."""
        return np.zeros((self.side, self.side), dtype=np.uint8)

    def cover(self, *outlines: Array, mask: Mask | None = None, value: int = 255) -> Mask:
        """Fills outlines, one after the other, into a mask (a new one by default)."""
        mask = self.blank() if mask is None else mask
        for outline in outlines:
            cv2.fillPoly(mask, [self.fixed(outline)], value, cv2.LINE_8, _SHIFT)
        return mask

    def fill(self, outline: Array, colour: Colour, region: str | None = None) -> None:
        """Paints one outline in one colour; with ``region`` it also becomes that region."""
        points = [self.fixed(outline)]
        cv2.fillPoly(self.colour, points, tuple(round(c) for c in colour), cv2.LINE_8, _SHIFT)
        if region is not None:
            cv2.fillPoly(self.labels, points, CELEBAMASK_13.index(region), cv2.LINE_8, _SHIFT)

    def paint(self, mask: Mask, paint: Colour | NDArray[np.uint8], region: str | None = None) -> None:
        """Paints a mask with one colour or with a texture [n, n, 3]; with ``region`` it also becomes that region."""
        box = self.box(mask)
        if box is None:
            return
        if isinstance(paint, np.ndarray):
            cv2.copyTo(paint[box], mask[box], self.colour[box])
        else:
            self.colour[box][mask[box] > 0] = np.round(paint).astype(np.uint8)
        if region is not None:
            self.labels[box][mask[box] > 0] = CELEBAMASK_13.index(region)

    def veil(
        self, outline: Array, colour: Colour, strength: float, soft: float = 0.0, within: tuple[str, ...] = ()
    ) -> None:
        """Tints one outline, its edge blurred over ``soft`` of the side, only ``within`` the named regions."""
        low = np.maximum(np.floor((outline.min(axis=0) - 2 * soft) * self.side).astype(int), 0)
        high = np.minimum(np.ceil((outline.max(axis=0) + 2 * soft) * self.side).astype(int) + 1, self.side)
        if (high <= low).any():
            return
        # A blurred edge needs few samples: the mask is drawn coarse and enlarged.
        coarse = max(1, int(soft * self.side / 3)) if soft else 1
        width, height = (-(-int(extent) // coarse) for extent in high - low)
        mask = np.zeros((height, width), dtype=np.uint8)
        points = np.round(((outline * self.side - low) / coarse - 0.5) * (1 << _SHIFT)).astype(np.int32)
        cv2.fillPoly(mask, [points], 255, cv2.LINE_AA, _SHIFT)
        if soft:
            mask = np.asarray(cv2.GaussianBlur(mask, (0, 0), soft * self.side / coarse / 1.8), dtype=np.uint8)
            mask = np.asarray(cv2.resize(mask, (width * coarse, height * coarse)), dtype=np.uint8)
        mask = mask[: high[1] - low[1], : high[0] - low[0]]
        box = (slice(low[1], high[1]), slice(low[0], high[0]))
        if within:
            mask = mask & self.where(within, box)
        patch = self.colour[box]
        weight = mask * np.float32(strength / 255)
        paint = np.empty_like(patch)
        paint[:] = np.round(colour)
        self.colour[box] = cv2.blendLinear(patch, paint, 1 - weight, weight)

    def where(self, regions: tuple[str, ...], box: tuple[slice, slice] | None = None) -> Mask:
        """The pixels that belong to any of the named regions, 0 or 255; of a box or of the whole canvas."""
        table = np.zeros(256, dtype=np.uint8)
        table[[CELEBAMASK_13.index(name) for name in regions]] = 255
        return np.asarray(cv2.LUT(self.labels if box is None else self.labels[box], table), dtype=np.uint8)

    def stroke(self, line: Array, width: float | Array, colour: Colour, region: str | None = None) -> None:
        """A brush stroke along a line [P, 2], of one width or of a width for every point (fractions of the side)."""
        self.fill(ribbon(line, width), colour, region)

    def hairlines(self, target: Mask, lines: Array, value: int, width: float) -> None:
        """Thin lines [M, P, 2] of one grey value on a mask."""
        cv2.polylines(
            target, list(self.fixed(lines)), False, value, max(1, round(width * self.side)), cv2.LINE_8, _SHIFT
        )

    def box(self, mask: Mask) -> tuple[slice, slice] | None:
        """The rows and columns that a mask touches; None when it is empty."""
        x, y, width, height = cv2.boundingRect(mask)
        return (slice(y, y + height), slice(x, x + width)) if width else None

    def finish(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """The picture, uint8 [size, size, 3], and its labels, uint8 [size, size]."""
        image = np.asarray(
            cv2.resize(self.colour, (self.size, self.size), interpolation=cv2.INTER_AREA), dtype=np.uint8
        )
        present = np.flatnonzero(np.bincount(self.labels.ravel(), minlength=len(CELEBAMASK_13)))
        covers = np.stack([self._coverage(int(label)) for label in present])
        winner = covers.argmax(axis=0)
        strays = [(k, patch) for k in range(len(present)) for patch in self._stray_patches(winner == k)]
        if strays:
            # Where a stray patch filled whole pixels, the regions around decide.
            weights = covers + 0.001 * np.stack([cv2.blur(cover, (5, 5)) for cover in covers])
            for k, patch in strays:
                weights[k][patch] = -1
            winner = weights.argmax(axis=0)
        return image, present[winner].astype(np.uint8)

    def _coverage(self, label: int) -> Mask:
        """How much of every pixel a region covers, uint8 [size, size], 0 to 255."""
        member = np.equal(self.labels, label).view(np.uint8) * np.uint8(255)
        return np.asarray(cv2.resize(member, (self.size, self.size), interpolation=cv2.INTER_AREA), dtype=np.uint8)

    def _stray_patches(self, member: NDArray[np.bool_]) -> list[NDArray[np.bool_]]:
        smallest = max(2.0, _SMALLEST_PATCH * self.size**2)
        count, patches, statistics, _ = cv2.connectedComponentsWithStats(member.view(np.uint8), connectivity=8)
        return [patches == i for i in range(1, count) if statistics[i, cv2.CC_STAT_AREA] < smallest]


def ribbon(line: Array, width: float | Array) -> Array:
    """The outline [2P, 2] of a stroke along a line [P, 2]."""
    steps = line[1:] - line[:-1]
    along = np.empty_like(line)
    along[0], along[-1] = steps[0], steps[-1]
    along[1:-1] = steps[1:] + steps[:-1]
    reach = np.asarray(width) / 2 / np.maximum(np.hypot(along[:, 0], along[:, 1]), 1e-9)
    across = np.empty_like(line)
    across[:, 0], across[:, 1] = -along[:, 1] * reach, along[:, 0] * reach
    return np.concatenate([line + across, (line - across)[::-1]])
