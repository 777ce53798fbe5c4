"""Which part of a picture face-api's networks see, and how it becomes their input.

A crop of H x W is padded to a square with black, d = |H - W| pixels: floor(d/2 + 1/2) of them after it (at the right or
below), the others before. The square of n pixels is resized to S without half-pixel centres and without antialiasing:

    output i = (1 - f) x[floor(p)] + f x[min(floor(p) + 1, n - 1)],  p = i n / S,  f = p - floor(p)

in both directions; then (x - mean) / 255. A square within an aligned picture is read the same way, p = start + i n / S
with n and start in pixels, whole or not. One that shrinks to less than half is made smaller with antialiasing before,
which the original is not.

Shape legend: N pictures, H W their sides, S the side that a network takes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from semanticgan.errors import InputError

MEAN = (122.782, 117.001, 104.298)


@dataclass(frozen=True)
class Square:
    """Where the face lies in an aligned picture.

    Attributes:
        x, y: left and upper edge, shares of the picture's side.
        side: share of the picture's side.

    Raises:
        InputError: it reaches over the picture's edge.
    """

    x: float
    y: float
    side: float

    def __post_init__(self) -> None:
        edges = (self.x, self.y, self.x + self.side, self.y + self.side)
        if not (self.side > 0 and all(0 <= edge <= 1 + 1e-9 for edge in edges)):
            raise InputError(f"a square of a face lies within its picture, shares 0 to 1, got {self}.")


PHOTOGRAPH = Square(0.178, 0.236, 0.632)
"""The central 176 of LFW's 250 pixels, as ``faces-64`` has them."""
FFHQ = Square(0.17, 0.28, 0.64)
"""Pictures framed as CelebA-HQ and FFHQ."""


def network_input(pixels: Tensor, side: int, square: Square | None = None) -> Tensor:
    """What a network takes.

    Args:
        pixels: float32 [N, 3, H, W], 0..255, RGB.
        side: S.
        square: the part of it; None is the whole, padded to a square.

    Returns:
        float32 [N, 3, S, S], about -0.5 to 0.6.
    """
    if square is None:
        pixels = F.pad(pixels, padding(*pixels.shape[-2:]))
        start, length = (0.0, 0.0), float(pixels.shape[-1])
    else:
        height, width = pixels.shape[-2:]
        if height != width:
            raise InputError(f"a square of a face is one of a square picture, got {width} x {height}. Align it first.")
        if square.side * width > 2 * side:
            smaller = math.ceil(2 * side / square.side)
            pixels = F.interpolate(pixels, smaller, mode="bilinear", align_corners=False, antialias=True)
            width = smaller
        start, length = (square.y * width, square.x * width), square.side * width
    for axis, first in zip((-2, -1), start, strict=True):
        pixels = _resampled(pixels, axis, first, length, side)
    return (pixels - pixels.new_tensor(MEAN)[:, None, None]) / 255


def padding(height: int, width: int) -> tuple[int, int, int, int]:
    """Black pixels at the left, right, above and below that make a square."""
    missing = abs(height - width)
    after = (missing + 1) // 2
    before = missing - after
    return (before, after, 0, 0) if width < height else (0, 0, before, after)


def _resampled(pixels: Tensor, axis: int, start: float, length: float, side: int) -> Tensor:
    """One direction of the resizing, of ``length`` pixels from ``start`` on."""
    last = pixels.shape[axis] - 1
    places = start + torch.arange(side, dtype=torch.float64) * length / side
    low = places.floor()
    share = (places - low).to(pixels)
    share = share[:, None] if axis == -2 else share
    indices = low.long().clamp(0, last).to(pixels.device)
    lower, upper = pixels.index_select(axis, indices), pixels.index_select(axis, (indices + 1).clamp(max=last))
    return lower + share * (upper - lower)


@dataclass(frozen=True)
class Rectangle:
    """Pixels of a picture: x, y of the left upper corner, width, height."""

    x: float
    y: float
    width: float
    height: float

    def clipped(self, width: int, height: int) -> Rectangle:
        """The part within a picture of that size, in whole pixels."""
        x, y = max(0.0, self.x), max(0.0, self.y)
        wide, high = min(self.width + min(0.0, self.x), width - x), min(self.height + min(0.0, self.y), height - y)
        return Rectangle(math.floor(x), math.floor(y), math.floor(wide), math.floor(high))

    def of(self, pictures: Tensor) -> Tensor:
        """That part of pictures [N, 3, H, W].

        Raises:
            InputError: nothing of them lies in it.
        """
        height, width = pictures.shape[-2:]
        part = self.clipped(width, height)
        x, y, wide, high = (int(value) for value in (part.x, part.y, part.width, part.height))
        if wide < 1 or high < 1:
            raise InputError(f"no pixel of a picture of {width} x {height} lies in {self}. Give landmarks within it.")
        return pictures[..., y : y + high, x : x + wide]


def descriptor_rectangle(landmarks: np.ndarray, box: Rectangle) -> Rectangle:
    """What :class:`~semanticgan.perception.face_api.Identity` sees of a face: dlib's crop, not turned.

    With c1, c2, c3 the centres of both eyes and the mouth, d the mean distance of the mouth to the eyes, c the mean of
    the three: a square of s = floor(d / 0.45), its corner at c - (0.5 s, 0.43 s).

    Args:
        landmarks: float [68, 2], pixels of the picture.
        box: that they were found in.
    """
    eyes = landmarks[36:42].mean(0), landmarks[42:48].mean(0)
    mouth = landmarks[48:68].mean(0)
    side = math.floor(float(np.mean([np.linalg.norm(mouth - eye) for eye in eyes])) / 0.45)
    centre = (eyes[0] + eyes[1] + mouth) / 3
    x = math.floor(max(0.0, float(centre[0]) - 0.5 * side))
    y = math.floor(max(0.0, float(centre[1]) - 0.43 * side))
    return Rectangle(x, y, float(min(side, box.width + x)), float(min(side, box.height + y)))


def face_rectangle(landmarks: np.ndarray) -> Rectangle:
    """What the networks of age, gender and expression see: the landmarks' bounding box and 10 % more at each side.

    Args:
        landmarks: float [68, 2], pixels of the picture.
    """
    low, high = landmarks.min(0), landmarks.max(0)
    width, height = (float(length) for length in high - low)
    return Rectangle(float(low[0]) - 0.1 * width, float(low[1]) - 0.1 * height, 1.2 * width, 1.2 * height)
