"""Maps of a small rendering: how far each pixel belongs to a region, values continued beyond their region, enlarged.

Shape legend: K regions, s side of the rendering, S side that is wanted.
"""

from __future__ import annotations

import cv2
import numpy as np

SHARPNESS = 4.0
"""Of memberships: scores of a generator are about -1 and 1, so that a region that is clearly seen has 0.9997."""

_WELL_KNOWN = 0.1  # share of a Gaussian's mass from which on its mean counts fully


def enlarged(values: np.ndarray, side: int) -> np.ndarray:
    """float32 [s, s] or [s, s, c] at another side, pixel centres at (i + 0.5) / s: cubic, or means where smaller."""
    if values.shape[0] == side:
        return values
    how = cv2.INTER_CUBIC if side > values.shape[0] else cv2.INTER_AREA
    if values.ndim == 2:
        return cv2.resize(values, (side, side), interpolation=how)
    return np.dstack([cv2.resize(plane, (side, side), interpolation=how) for plane in np.moveaxis(values, 2, 0).copy()])


def memberships(scores: np.ndarray, sharpness: float = SHARPNESS) -> np.ndarray:
    """softmax(sharpness * scores) over the regions: float32 [s, s, K] -> [s, s, K]; of no regions, one that is all."""
    if not scores.shape[2]:
        return np.ones((*scores.shape[:2], 1), np.float32)
    exponentials = np.exp(sharpness * (scores - scores.max(2, keepdims=True)))
    return (exponentials / exponentials.sum(2, keepdims=True)).astype(np.float32)


def continued(values: np.ndarray, weight: np.ndarray, reach: float, pull: float = 1e-6) -> np.ndarray:
    """Values v where their weight w is 1; beyond that the weighted mean of those nearby.

    Gaussians of the standard deviation sigma = reach, 2 reach, 4 reach, ... follow one another; each fills what is
    still open, as far as it knows anything there::

        q = sum over sigma of share * blur(w v) / (blur(w) + pull),    share = open * min(1, blur(w) / 0.1)

    Args:
        values: float32 [s, s, c].
        weight: float32 [s, s] in [0, 1].
        reach: smallest standard deviation in pixels.
        pull: weight of the value 0.

    Returns:
        float32 [s, s, c]; 0 where no value has any weight.
    """
    weighted = values * weight[..., None]
    found, still_open = weighted.copy(), 1 - weight
    sigma = reach
    while sigma < 2 * len(values):
        spread, mass = (cv2.GaussianBlur(x, (0, 0), sigma, borderType=cv2.BORDER_REFLECT) for x in (weighted, weight))
        share = still_open * np.minimum(1, mass / _WELL_KNOWN)
        found += (share / (mass + pull))[..., None] * spread.reshape(values.shape)
        still_open = still_open - share
        sigma *= 2
    return found


def smooth_step(values: np.ndarray) -> np.ndarray:
    """3 t^2 - 2 t^3 of t = values cut to [0, 1]."""
    t = np.clip(values, 0, 1)
    return t * t * (3 - 2 * t)
