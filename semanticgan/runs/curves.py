"""Curves of a training as numbers: smoothing, thinning, and axes with round numbers. Drawn by ``charts.py``."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_SMOOTHING = 1 / 60  # standard deviation of the Gaussian, as a share of the points
_FEWEST_SMOOTHED = 12  # points below which the raw curve is all there is to see
_OUTLIERS = 0.5  # percent at either end that may be cut off
_LONELY = 1.5  # times the range of the rest, from which outliers are cut off
_FEWEST_CUT = 50  # points below which none is
_MARGIN = 0.05  # of the range, beyond the points
_WIDE = 100.0  # highest / lowest from which a logarithmic axis has one tick per decade
_LOG_FROM = 8.0  # largest value / median from which a positive curve is drawn on a logarithmic axis


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

    def thinned(self, num_points: int) -> Curve:
        """About ``num_points`` points: lowest and highest of every stretch, so that no spike is lost."""
        if len(self) <= num_points:
            return self
        keep = {0, len(self) - 1}
        for stretch in np.array_split(np.arange(len(self)), max(1, num_points // 2)):
            keep |= {int(stretch[self.values[stretch].argmin()]), int(stretch[self.values[stretch].argmax()])}
        chosen = np.array(sorted(keep))
        return Curve(self.name, self.images[chosen], self.values[chosen])


@dataclass(frozen=True)
class Axis:
    """A range of values with round numbers along it.

    Attributes:
        low: value at the start.
        high: value at the end, more than ``low``.
        ticks: round values within.
        log: logarithmic; then ``low`` is more than 0.
    """

    low: float
    high: float
    ticks: tuple[float, ...]
    log: bool = False

    def place(self, values: np.ndarray) -> np.ndarray:
        """Where values lie between start (0) and end (1) of the axis; beyond it, less than 0 or more than 1."""
        if not self.log:
            return (values - self.low) / (self.high - self.low)
        low, high = math.log10(self.low), math.log10(self.high)
        tiny = self.low * 1e-3  # zeros have no logarithm
        return (np.log10(np.maximum(values, tiny)) - low) / (high - low)


def images_axis(images: int) -> Axis:
    """0 to the pictures seen."""
    high = float(max(images, 1))
    return Axis(0.0, high, round_ticks(0.0, high, 6))


def value_axis(curves: Sequence[Curve]) -> Axis:
    """An axis for all points of several curves; rare outliers far from the rest lie beyond it."""
    finite = [curve.finite() for curve in curves]
    values = np.concatenate([curve.values for curve in finite])
    if not len(values):
        return Axis(0.0, 1.0, (0.0, 0.5, 1.0))
    low, high = float(values.min()), float(values.max())
    if low > 0 and high > _LOG_FROM * float(np.median(values)):
        return _log_axis(low, high)
    if len(values) >= _FEWEST_CUT:
        inner_low, inner_high = np.percentile(values, [_OUTLIERS, 100 - _OUTLIERS]).tolist()
        if high - low > _LONELY * (inner_high - inner_low) > 0:
            low, high = inner_low, inner_high
    return _linear_axis(low, high)


def _linear_axis(low: float, high: float) -> Axis:
    if high - low <= 1e-9 * max(abs(low), abs(high)):  # a constant
        margin = 0.5 * abs(high) or 1.0
        low, high = low - margin, high + margin
    elif 0 <= low < 0.5 * high:
        low, high = 0.0, high + _MARGIN * high
    elif 0.5 * low < high <= 0:
        low, high = low + _MARGIN * low, 0.0
    else:
        margin = _MARGIN * (high - low)
        low, high = low - margin, high + margin
    return Axis(low, high, round_ticks(low, high, 5))


def _log_axis(low: float, high: float) -> Axis:
    decades = range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 1)
    wide = high / low > _WIDE
    marks = [factor * 10.0**power for power in decades for factor in ((1,) if wide else (1, 2, 5))]
    low, high = low / 1.1, high * 1.1
    return Axis(low, high, tuple(mark for mark in marks if low <= mark <= high), log=True)


def round_ticks(low: float, high: float, count: int) -> tuple[float, ...]:
    """About ``count`` round values (multiples of 1, 2 or 5 times a power of ten) between low and high."""
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)
    digits = 1 - math.floor(math.log10(step))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return tuple(round(index * step, digits) for index in range(first, last + 1))


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
