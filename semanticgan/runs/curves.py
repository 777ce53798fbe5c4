"""Curves of a training as numbers: smoothed, and written short. Drawn by ``charts.py``."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

_SMOOTHING = 1 / 60  # standard deviation of the Gaussian, as a share of the points
_FEWEST_SMOOTHED = 12  # points below which the raw curve is all there is to see


@dataclass(frozen=True)
class Curve:
    """One scalar over a training.

    Attributes:
        name: as in the log, ``loss/generator``.
        images: pictures seen, float64 [n], rising.
        values: float64 [n]; may hold nan and infinities, which are drawn as gaps.
    """

    name: str
    images: np.ndarray
    values: np.ndarray

    def __len__(self) -> int:
        return len(self.values)

    def finite(self) -> Curve:
        """The points that are numbers."""
        keep = np.isfinite(self.values)
        return Curve(self.name, self.images[keep], self.values[keep])

    def smoothed(self) -> Curve:
        """Weighted means of each point's neighbours on both sides (Gaussian), so that the curve does not lag."""
        curve = self.finite()
        if len(curve) < _FEWEST_SMOOTHED:
            return curve
        sigma = max(1.0, len(curve) * _SMOOTHING)
        reach = min(math.ceil(3 * sigma), (len(curve) - 1) // 2)
        weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
        # At the ends fewer neighbours share the weight.
        total = np.convolve(np.ones(len(curve)), weights, mode="same")
        return Curve(curve.name, curve.images, np.convolve(curve.values, weights, mode="same") / total)


def short_number(value: float) -> str:
    """A number for people, three digits or so: ``1.39``, ``0.0012``, ``1.85e-3``, ``1600``, ``40k``, ``6.4M``."""
    size = abs(value)
    for first, unit, letter in ((999.5e6, 1e9, "G"), (999.5e3, 1e6, "M"), (9999.5, 1e3, "k")):
        if first <= size < math.inf:
            return f"{value / unit:.3g}{letter}"
    if 1000 <= size < math.inf:  # four digits are read as fast as 1.6k
        return f"{value:.0f}"
    text = f"{value:.3g}"
    if 0 < size < 1 and ("e" in text or len(text) > len("0.0012")):
        power = math.floor(math.log10(size))
        return f"{value / 10.0**power:.3g}e{power}"
    return text
