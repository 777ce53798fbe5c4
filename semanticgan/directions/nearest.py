"""Distances and nearest pixels of label maps, for regions that are moved or dragged.

Shape legend: S side of the label map.
"""

from __future__ import annotations

import cv2
import numpy as np


def pixel_points(side: int) -> np.ndarray:
    """The centres of pixels as shares of the side, (x, y), float64 [S, S, 2]."""
    line = (np.arange(side) + 0.5) / side
    return np.stack(np.meshgrid(line, line), axis=-1)


def distance_to(mask: np.ndarray) -> np.ndarray:
    """Distance of each pixel to a mask in pixels.

    Args:
        mask: bool [S, S].

    Returns:
        float32 [S, S], 0 on the mask; twice the side where the mask is empty.
    """
    if not mask.any():
        return np.full(mask.shape, 2.0 * len(mask), np.float32)
    return cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)


def nearest_beyond(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The nearest pixel beyond a mask, by distances that OpenCV approximates in 5 x 5 steps.

    Args:
        mask: bool [S, S], not everywhere.

    Returns:
        Row and column of it, int64 [S, S] each: an index of any map [S, S, ...]. Beyond the mask a pixel is its own.
    """
    _, numbers = cv2.distanceTransformWithLabels(
        mask.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    rows, columns = np.nonzero(~mask)  # each has its own number
    row_of, column_of = np.zeros((2, int(numbers.max()) + 1), np.int64)
    row_of[numbers[rows, columns]], column_of[numbers[rows, columns]] = rows, columns
    return row_of[numbers], column_of[numbers]


def without_region(labels: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The labels [S, S], those on a mask replaced by that of the nearest pixel beyond it.

    Args:
        mask: bool [S, S]; where it is everything, nothing is replaced.
    """
    return labels.copy() if mask.all() else labels[nearest_beyond(mask)]
