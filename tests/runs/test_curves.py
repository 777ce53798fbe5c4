"""Curves and their charts: smoothing against closed forms, axes that hold their points, values where they belong."""

from __future__ import annotations

import math
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from semanticgan.runs.charts import Chart, Mark, chart_svg, draw_chart
from semanticgan.runs.curves import Curve, short_number


def ramp(num_points: int, slope: float = 1.0) -> Curve:
    images = np.arange(1, num_points + 1, dtype=np.float64)
    return Curve("a/ramp", images, slope * images)


def test_smoothing_keeps_lines_and_means() -> None:
    """A symmetric window leaves a straight line as it is away from the ends, and a constant everywhere."""
    line, smooth = ramp(300), ramp(300).smoothed()
    assert np.allclose(smooth.values[20:-20], line.values[20:-20])
    assert np.allclose(Curve("c", line.images, np.full(300, 2.5)).smoothed().values, 2.5)
    noise = np.random.default_rng(0).normal(size=3000)
    smooth_noise = Curve("n", np.arange(3000.0), noise).smoothed().values
    sigma = 3000 / 60  # of the window, by which the spread of white noise shrinks to (4 pi sigma^2)^(-1/4)
    assert smooth_noise.std() == pytest.approx((4 * math.pi * sigma**2) ** -0.25, rel=0.35)


def chart_of(values: list[float] | np.ndarray) -> Chart:
    return Chart("a", (Curve("a", np.arange(1.0, len(values) + 1), np.array(values)),), ("a",), len(values))


def drawn(chart: Chart) -> Axes:
    figure = Figure()
    axes = figure.add_subplot()
    draw_chart(chart, axes)
    figure.draw_without_rendering()
    return axes


@pytest.mark.parametrize("values", [[3.0] * 60, [0.0] * 60, [-2.0], [1e-9, 2e-9], [-1e6, 1e6], [math.nan], [0.0, 5.0]])
def test_axes_hold_their_points(values: list[float]) -> None:
    chart = chart_of(values)
    low, high = drawn(chart).get_ylim()
    assert low < high and ((chart.values >= low) & (chart.values <= high)).all() and chart.caption == ""


def test_one_spike_does_not_flatten_a_curve() -> None:
    values = np.sin(np.arange(400.0))
    values[200] = -1000.0
    chart = chart_of(values)
    low, high = drawn(chart).get_ylim()
    assert high < 2 and low > -100
    assert chart.caption == "1 beyond the axis"


def test_wide_ranges_are_logarithmic() -> None:
    axes = drawn(chart_of(np.geomspace(1, 1e-4, 201)))
    assert axes.get_yscale() == "log"
    low, high = axes.get_ylim()
    ticks = [tick for tick in axes.get_yticks() if low <= tick <= high]
    assert ticks == pytest.approx([1e-4, 1e-3, 1e-2, 0.1, 1])
    assert drawn(chart_of(np.arange(1.0, 101))).get_yscale() == "linear"


def test_a_chart_tells_its_curve_and_marks() -> None:
    curve = Curve("a", np.array([0.0, 50.0, 100.0]), np.array([0.0, 5.0, 10.0]))
    chart = Chart("a <b>", (curve,), ("a",), 100, unit="images/s", marks=(Mark(5.0, "five"), Mark(50.0, "beyond")))
    axes = drawn(chart)
    raw, smooth, five, _ = axes.lines
    assert np.array_equal(raw.get_xydata(), [[0, 0], [50, 5], [100, 10]])
    assert np.array_equal(smooth.get_xydata(), raw.get_xydata())
    assert np.array_equal(five.get_ydata(), [5, 5])
    assert axes.get_xlim() == (0, 100) and axes.get_ylim() == (0, 10.5)  # the mark at 50 is out of reach
    (shown,) = chart.readout()
    assert [point[1:] for point in shown["points"]] == [["0", "0"], ["50", "5"], ["100", "10"]]
    root = ElementTree.fromstring(chart_svg(chart))
    left, _, width, _ = map(float, str(root.get("viewBox")).split())
    (line,) = [group for group in root.iter() if group.get("id") == "line2d_1"] or [None]
    assert root.tag.endswith("svg") and left == 0 and width > 400
    assert line is not None


def test_a_long_log_is_a_short_picture() -> None:
    noise = np.random.default_rng(0).normal(size=100_000)
    assert len(chart_svg(chart_of(noise))) < 300_000


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (1.386, "1.39"),
        (-4, "-4"),
        (1600, "1600"),
        (40_000, "40k"),
        (6.4e6, "6.4M"),
        (3e-6, "3e-6"),
        (0.00185, "1.85e-3"),
        (0.0012, "0.0012"),
        (-0.25, "-0.25"),
        (9999.0, "9999"),
        (9999.9, "10k"),
        (0.02686, "0.0269"),
        (math.inf, "inf"),
        (5e9, "5G"),
    ],
)
def test_short_numbers(value: float, text: str) -> None:
    assert short_number(value) == text
