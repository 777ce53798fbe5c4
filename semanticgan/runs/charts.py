"""Charts of curves over the pictures seen, drawn with matplotlib."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from semanticgan.runs.curves import Curve, short_number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Read as well on the white as on the dark page.
SERIES = ("#3b78d8", "#d9701e", "#1f9a6d", "#a855c0")
PALE = "#7f8694"
_SIZE = (6.1, 3.2)  # inches
_PLACE = (0.11, 0.17, 0.86, 0.72)  # of the axes in the picture: left, bottom, width and height as shares
_OUTLIERS = 0.5  # percent at either end that may be cut off
_LONELY = 1.5  # times the range of the rest, from which outliers are cut off
_FEWEST_CUT = 50  # points below which none is
_MARGIN = 0.05  # of the range, beyond the points
_LOG_FROM = 8.0  # largest value / median from which a positive curve is drawn on a logarithmic axis
_MOST_READ = 220  # points of a curve that the page tells under the pointer


@dataclass(frozen=True)
class Mark:
    """A value worth knowing, drawn across a chart if its axis reaches it."""

    value: float
    text: str


@dataclass(frozen=True)
class Chart:
    """Curves on common axes.

    Attributes:
        title: what is shown.
        curves: at least one, at most ``len(SERIES)``.
        labels: one per curve, shown where there is more than one.
        images: where the axis of pictures ends.
        unit: of the values, if they have one.
        marks: values worth knowing.
    """

    title: str
    curves: tuple[Curve, ...]
    labels: tuple[str, ...]
    images: int
    unit: str = ""
    marks: tuple[Mark, ...] = ()

    def __post_init__(self) -> None:
        assert 0 < len(self.curves) == len(self.labels) <= len(SERIES)

    @property
    def values(self) -> np.ndarray:
        """All that are numbers, float64 [n]."""
        return np.concatenate([curve.finite().values for curve in self.curves])

    @property
    def log(self) -> bool:
        """Whether the axis of values is logarithmic."""
        values = self.values
        return len(values) > 0 and values.min() > 0 and values.max() > _LOG_FROM * np.median(values)

    @property
    def limits(self) -> tuple[float, float]:
        """The axis of values, with all points but rare outliers far from the rest."""
        values = self.values if len(self.values) else np.array([0.0, 1.0])
        low, high = float(values.min()), float(values.max())
        if self.log:
            return low / 1.1, high * 1.1
        if len(values) >= _FEWEST_CUT:
            inner_low, inner_high = np.percentile(values, [_OUTLIERS, 100 - _OUTLIERS]).tolist()
            if high - low > _LONELY * (inner_high - inner_low) > 0:
                low, high = inner_low, inner_high
        if high - low <= 1e-9 * max(abs(low), abs(high)):  # a constant
            margin = 0.5 * abs(high) or 1.0
            return low - margin, high + margin
        margin = _MARGIN * (high - low)
        return 0.0 if 0 <= low < 0.5 * high else low - margin, 0.0 if 0.5 * low < high <= 0 else high + margin

    @property
    def caption(self) -> str:
        """Unit, kind of axis, and how much lies beyond it."""
        low, high = self.limits
        beyond = int(((self.values < low) | (self.values > high)).sum())
        parts = [self.unit, "logarithmic" if self.log else "", f"{beyond} beyond the axis" if beyond else ""]
        return ", ".join(part for part in parts if part)

    def readout(self) -> list[dict[str, Any]]:
        """What the page shows under the pointer: x as a share of the picture, images and value of smoothed curves."""
        shown = []
        for curve, label in zip(self.curves, self.labels, strict=True):
            smooth = curve.smoothed()
            every = slice(None, None, -(-len(smooth) // _MOST_READ) or 1)
            points = [
                [round(_PLACE[0] + _PLACE[2] * images / self.images, 4), short_number(images), short_number(value)]
                for images, value in zip(smooth.images[every], smooth.values[every], strict=True)
            ]
            shown.append({"label": label if len(self.curves) > 1 else "", "points": points})
        return shown


def draw_chart(chart: Chart, axes: Axes) -> None:
    """Draw the curves pale as logged and bold smoothed, the marks dashed."""
    from matplotlib import ticker

    low, high = chart.limits
    for curve, colour in zip(chart.curves, SERIES, strict=False):
        axes.plot(curve.images, curve.values, color=colour, alpha=0.33, linewidth=1)
    for curve, label, colour in zip(chart.curves, chart.labels, SERIES, strict=False):
        smooth = curve.smoothed()
        dot = "o" if len(smooth) == 1 else ""
        axes.plot(smooth.images, smooth.values, dot + "-", color=colour, linewidth=2.2, label=label)
    for mark in chart.marks:
        axes.axhline(mark.value, color=PALE, linewidth=1, linestyle="--")
    if chart.log:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(ticker.LogLocator(subs=(1,) if high / low > 100 else (1, 2, 5)))
        axes.yaxis.set_minor_locator(ticker.NullLocator())
    else:
        axes.yaxis.set_major_locator(ticker.MaxNLocator(5, steps=[1, 2, 5, 10]))
    axes.set(xlim=(0, chart.images), ylim=(low, high))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(ticker.FuncFormatter(lambda value, _: short_number(value)))
    axes.tick_params(length=3, colors=PALE, labelsize=9)
    axes.set_xlabel("images", loc="right", fontsize=9, color=PALE)
    axes.grid(axis="y", color=PALE, alpha=0.3)
    axes.spines[:].set_visible(False)
    if len(chart.curves) > 1:
        corner = (1.0, 1.0)
        axes.legend(loc="lower right", bbox_to_anchor=corner, ncols=4, frameon=False, labelcolor=PALE, borderpad=0)


def chart_svg(chart: Chart) -> str:
    """A chart as SVG without its title, transparent where nothing is drawn."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=_SIZE)
    draw_chart(chart, figure.add_axes(_PLACE))
    drawn = io.StringIO()
    figure.savefig(drawn, format="svg", transparent=True)
    return drawn.getvalue()
