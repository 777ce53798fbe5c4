"""Whether the edge of an edit shows: the gradient across the feather, beside the photograph's own there.

With opacity alpha, normal ``n = grad(alpha) / |grad(alpha)|`` and a picture I smoothed over ``scale`` pixels::

    across(I) = mean over pixels with 0 < alpha < 1, weighted by |grad(alpha)|, of |n . grad(I)|
    seam = across(edited) / across(photograph)

1 is the photograph itself. A soft step of height h adds h times the steepness of the feather.

Hair that becomes pale beside a dark background has a steeper edge without any seam. Seams alone are measured with
``own_edges``, the pixels where the photograph or the edit has an edge of its own (:func:`edges_of`), left out: what is
left is where the mask cuts through something that is one region before and after.

Shape legend: H W of the picture.
"""

from __future__ import annotations

import cv2
import numpy as np

_FAINT = 1 / 255  # a gradient per pixel below which a photograph counts as flat


def seam(
    photograph: np.ndarray,
    edited: np.ndarray,
    opacity: np.ndarray,
    scale: float = 1.0,
    own_edges: np.ndarray | None = None,
) -> float:
    """How much steeper an edited photograph is across the edge of its edit.

    Args:
        photograph: float32 [H, W, 3] in [0, 1].
        edited: of the same shape.
        opacity: float32 [H, W] in [0, 1], the feathered mask.
        scale: standard deviation in pixels of the Gaussian before gradients are taken; the grain is finer.
        own_edges: bool [H, W], pixels that do not count; None: all count.

    Returns:
        The ratio, 1 where the mask has no edge that counts. A photograph flatter than 1/255 per pixel counts as that
        steep.
    """
    right, down = _gradients(opacity[..., None], scale)
    steepness = np.hypot(right, down)[..., 0]
    weight = np.where((opacity > 0) & (opacity < 1), steepness, 0)
    if own_edges is not None:
        weight[own_edges] = 0
    if not weight.any():
        return 1.0
    before, after = (_across(picture, right, down, steepness, weight, scale) for picture in (photograph, edited))
    return max(after, _FAINT) / max(before, _FAINT)


def edges_of(labels: np.ndarray, reach: int = 3) -> np.ndarray:
    """bool [H, W]: pixels at most ``reach`` pixels, along x and y, from another region; labels are [H, W]."""
    window = np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)
    labels = labels.astype(np.uint8)
    return cv2.dilate(labels, window) != cv2.erode(labels, window)


def _across(
    picture: np.ndarray, right: np.ndarray, down: np.ndarray, steepness: np.ndarray, weight: np.ndarray, scale: float
) -> float:
    """Mean size of the derivative along (right, down), per pixel, over channels and weighted pixels."""
    along_x, along_y = _gradients(picture, scale)
    along = np.abs(right * along_x + down * along_y).mean(2) / np.maximum(steepness, 1e-12)
    return float((along * weight).sum() / weight.sum())


def _gradients(picture: np.ndarray, scale: float) -> tuple[np.ndarray, np.ndarray]:
    """Central differences per pixel along x and y: [H, W, C] -> two of [H, W, C]."""
    smooth = cv2.GaussianBlur(picture.astype(np.float32), (0, 0), scale, borderType=cv2.BORDER_REPLICATE)
    down, right = np.gradient(smooth.reshape(picture.shape), axis=(0, 1))
    return right, down
