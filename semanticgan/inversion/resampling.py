"""A picture resampled under a similarity: sub-pixel, antialiased where it shrinks, reflected at its border.

The picture is a cubic spline through its pixels, f(x) = sum_k c_k b(x - k), b the cubic B-spline. Its coefficients are

    c = h * f,  h_k = sqrt(3) z^|k|,  z = sqrt(3) - 2

and c is read at four points per pixel instead of sixteen: two neighbouring weights of one sign are one bilinear look
between their coefficients. A picture that shrinks is reduced first, so that it holds nothing finer than the new pixels.

Sources: Unser, "Splines: a perfect fit for signal and image processing" (1999), equations 5 and 15; GPU Gems 2,
chapter 20.

Pixel i covers i to i + 1, its centre is i + 0.5.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

Box = tuple[int, int, int, int]
"""x0, y0, x1, y1: from x0 and y0 up to but not including x1 and y1, in pixels."""

Read = Callable[[Box], NDArray[np.float32]]
"""A box within the picture -> float32 [h, w, c]."""

_POLE = math.sqrt(3) - 2
_REACH = 12  # |z|^12 is 1e-7
_MARGIN = _REACH + 4
_KEPT = 1.05  # shrinking that needs no reduction
_STRIPE = 2**18  # pixels at a time


def resampled(
    read: Read,
    shape: tuple[int, int],
    matrix: NDArray[np.float64],
    out: tuple[int, int],
    antialias: bool = True,
) -> NDArray[np.float32]:
    """A picture under a similarity.

    Args:
        read: gives a box of the picture.
        shape: (height, width) of the picture.
        matrix: float64 [2, 3], (x, y) of the result -> (x, y) of the picture, both in pixels.
        out: (height, width) of the result.
        antialias: whether a picture that shrinks is reduced first.

    Returns:
        float32 [height, width, c].
    """
    x0, y0, x1, y1 = _corners(matrix, out)
    shrink = math.sqrt(abs(np.linalg.det(matrix[:, :2])))
    if not antialias or shrink <= _KEPT:
        window = (math.floor(x0) - _MARGIN, math.floor(y0) - _MARGIN, math.ceil(x1) + _MARGIN, math.ceil(y1) + _MARGIN)
        return _evaluated(_window(read, shape, window), _shifted(matrix, window[:2], (1.0, 1.0)), out)
    step = max(1, math.floor(shrink / 2))  # means of step x step pixels, then a true filter over the last two or three
    margin = math.ceil(_MARGIN * shrink)
    left, top = math.floor(x0) - margin, math.floor(y0) - margin
    width, height = (math.ceil((math.ceil(end) + margin - start) / step) for end, start in ((x1, left), (y1, top)))
    means = _means(read, shape, (left, top), (height, width), step)
    size = (math.ceil(height * step / shrink), math.ceil(width * step / shrink))
    small = F.interpolate(_chw(means), size=size, mode="bicubic", antialias=True, align_corners=False)
    scales = (size[1] / (width * step), size[0] / (height * step))
    return _evaluated(np.ascontiguousarray(small[0].permute(1, 2, 0)), _shifted(matrix, (left, top), scales), out)


def _corners(matrix: NDArray[np.float64], out: tuple[int, int]) -> tuple[float, float, float, float]:
    """The box in the picture around the whole result: x0, y0, x1, y1."""
    corners = matrix @ np.array([[0, out[1], 0, out[1]], [0, 0, out[0], out[0]], [1, 1, 1, 1]], dtype=np.float64)
    (x0, y0), (x1, y1) = corners.min(1), corners.max(1)
    return float(x0), float(y0), float(x1), float(y1)


def _shifted(matrix: NDArray[np.float64], origin: tuple[int, int], scales: tuple[float, float]) -> NDArray[np.float64]:
    """The matrix into a window of the picture that was scaled."""
    moved = matrix.copy()
    moved[:, 2] -= origin
    return moved * np.array(scales)[:, None]


def _reflected(start: int, stop: int, length: int) -> NDArray[np.intp]:
    """start..stop as indices 0..length-1: 2 1 0 | 0 1 2 ... at either end."""
    places = np.arange(start, stop) % (2 * length)
    return np.where(places < length, places, 2 * length - 1 - places)


def _window(read: Read, shape: tuple[int, int], box: Box) -> NDArray[np.float32]:
    """A box that may reach beyond the picture, float32 [h, w, c]."""
    columns, rows = _reflected(box[0], box[2], shape[1]), _reflected(box[1], box[3], shape[0])
    left, top = int(columns.min()), int(rows.min())
    inside = read((left, top, int(columns.max()) + 1, int(rows.max()) + 1))
    if inside.shape[:2] == (len(rows), len(columns)) and (np.diff(rows) > 0).all() and (np.diff(columns) > 0).all():
        return np.ascontiguousarray(inside)
    return np.ascontiguousarray(inside[(rows - top)[:, None], columns - left])


def _means(
    read: Read, shape: tuple[int, int], origin: tuple[int, int], size: tuple[int, int], step: int
) -> NDArray[np.float32]:
    """Means over step x step pixels from an origin on, read a stripe at a time."""
    (left, top), (height, width) = origin, size
    rows = max(1, _STRIPE // (width * step * step))
    stripes = []
    for row in range(0, height, rows):
        count = min(rows, height - row)
        start = top + row * step
        stripe = _window(read, shape, (left, start, left + width * step, start + count * step))
        stripes.append(stripe.reshape(count, step, width, step, -1).mean((1, 3)) if step > 1 else stripe)
    return np.concatenate(stripes)


def _chw(values: NDArray[np.float32]) -> Tensor:
    """[h, w, c] -> [1, c, h, w]."""
    return torch.from_numpy(np.ascontiguousarray(values.transpose(2, 0, 1)))[None]


def _evaluated(values: NDArray[np.float32], matrix: NDArray[np.float64], out: tuple[int, int]) -> NDArray[np.float32]:
    """The spline through ``values`` [h, w, c] at the pixels of the result."""
    taps = (math.sqrt(3) * _POLE ** np.abs(np.arange(-_REACH, _REACH + 1))).astype(np.float32)
    filtered: Any = cv2.sepFilter2D(values, cv2.CV_32F, taps, taps, borderType=cv2.BORDER_REFLECT)
    coefficients = _chw(filtered.reshape(values.shape))  # OpenCV drops an axis of one channel
    (height, width), (rows, columns) = values.shape[:2], out
    result = np.empty((rows, columns, values.shape[2]), np.float32)
    x = np.arange(columns) + 0.5
    stripe = max(1, _STRIPE // columns)
    for start in range(0, rows, stripe):
        y = np.arange(start, min(rows, start + stripe))[:, None] + 0.5
        place_x, place_y = (matrix[i, 0] * x + matrix[i, 1] * y + matrix[i, 2] - 0.5 for i in (0, 1))
        total = torch.zeros(())
        for weight_y, at_y in _looks(place_y):
            for weight_x, at_x in _looks(place_x):
                grid = np.stack([(2 * at_x + 1) / width - 1, (2 * at_y + 1) / height - 1], -1)
                look = F.grid_sample(
                    coefficients,
                    torch.from_numpy(grid.astype(np.float32))[None],
                    mode="bilinear",
                    padding_mode="border",
                    align_corners=False,
                )
                total = total + look * torch.from_numpy((weight_x * weight_y).astype(np.float32))
        result[start : start + stripe] = total[0].permute(1, 2, 0)
    return result


def _looks(place: NDArray[np.float64]) -> tuple[tuple[NDArray[np.float64], NDArray[np.float64]], ...]:
    """The two (weight, place) of bilinear looks that give a cubic B-spline's four weights."""
    whole = np.floor(place)
    t = place - whole
    first, second = (1 - t) ** 3 / 6, (4 - 6 * t**2 + 3 * t**3) / 6
    third, fourth = (1 + 3 * t + 3 * t**2 - 3 * t**3) / 6, t**3 / 6
    low, high = first + second, third + fourth
    return (low, whole - 1 + second / low), (high, whole + 1 + fourth / high)
