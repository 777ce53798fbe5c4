"""Curves and their charts: smoothing against closed forms, axes that hold their points, points where axes say."""

from __future__ import annotations

import json
import math
from xml.etree import ElementTree

import numpy as np
import pytest

from semanticgan.runs.charts import Chart, Mark, chart_svg, draw_chart
from semanticgan.runs.curves import Curve, images_axis, round_ticks, short_number, value_axis


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


def test_thinning_keeps_every_spike_and_both_ends() -> None:
    values = np.zeros(10_000)
    values[[0, 1234, 5678, 9999]] = 3, 9, -9, 4
    thin = Curve("a", np.arange(10_000.0), values).thinned(400)
    assert len(thin) <= 402
    assert {3.0, 9.0, -9.0, 4.0} <= set(thin.values.tolist())
    assert (np.diff(thin.images) > 0).all()


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [(0, 1, (0, 0.2, 0.4, 0.6, 0.8, 1)), (-4.2, 5.1, (-4, -2, 0, 2, 4)), (0, 98_000, (0, 20e3, 40e3, 60e3, 80e3))],
)
def test_ticks_are_round(low: float, high: float, ticks: tuple[float, ...]) -> None:
    assert round_ticks(low, high, 5) == ticks


@pytest.mark.parametrize("values", [[3.0] * 60, [0.0] * 60, [-2.0], [1e-9, 2e-9], [-1e6, 1e6], [math.nan], [0.0, 5.0]])
def test_axes_hold_their_points(values: list[float]) -> None:
    curve = Curve("a", np.arange(1.0, len(values) + 1), np.array(values))
    axis = value_axis([curve])
    places = axis.place(curve.finite().values)
    assert ((places >= 0) & (places <= 1)).all()
    assert axis.low < axis.high and len(axis.ticks) >= 2
    assert all(axis.low <= tick <= axis.high for tick in axis.ticks)


def test_one_spike_does_not_flatten_a_curve() -> None:
    values = np.sin(np.arange(400.0))
    values[200] = -1000.0
    axis = value_axis([Curve("a", np.arange(400.0), values)])
    chart = Chart("a", (Curve("a", np.arange(400.0), values),), ("a",), 400)
    assert axis.high < 2 and axis.low > -100
    assert chart.caption == "1 beyond the axis"


def test_wide_ranges_are_logarithmic() -> None:
    values = np.geomspace(1, 1e-4, 201)
    axis = value_axis([Curve("a", np.arange(201.0), values)])
    assert axis.log and axis.ticks == pytest.approx((1e-4, 1e-3, 1e-2, 0.1, 1))
    assert np.allclose(np.diff(axis.place(values)), np.diff(axis.place(values))[0])
    assert not value_axis([ramp(100)]).log


def test_a_chart_puts_points_where_its_axes_say() -> None:
    curve = Curve("a", np.array([0.0, 50.0, 100.0]), np.array([0.0, 5.0, 10.0]))
    chart = Chart("a <b>", (curve,), ("a",), 100, unit="images/s", marks=(Mark(5.0, "five"), Mark(50.0, "beyond")))
    svg = ElementTree.fromstring(chart_svg(chart, "plot"))
    assert svg.get("aria-label") == "a <b> over images seen"
    (raw,) = [line for line in svg.iter("polyline") if "raw" in str(line.get("class"))]
    points = [tuple(map(float, point.split(","))) for point in str(raw.get("points")).split()]
    ticks = {
        text.text: (float(str(text.get("x"))), float(str(text.get("y"))))
        for text in svg.iter("text")
        if text.get("text-anchor") != "end" or text.text == "10"
    }
    assert points[0][0] == ticks["0"][0] and points[2][0] == ticks["100"][0]
    assert points[2][1] == pytest.approx(ticks["10"][1] - 4, abs=0.11)
    (dashed,) = [line for line in svg.iter("line") if line.get("class") == "mark"]
    assert float(str(dashed.get("y1"))) == pytest.approx(points[1][1], abs=0.11)
    (shown,) = json.loads(str(svg.get("data-curves")))
    assert shown["numbers"] == [["0", "0"], ["50", "5"], ["100", "10"]]
    drawn = np.asarray(draw_chart(chart))
    x, y = round(points[1][0]), round(points[1][1]) + 28
    assert drawn[y - 1 : y + 2, x - 1 : x + 2].astype(int)[..., 0].min() < 120  # the line goes through its middle


def test_images_axis_ends_where_the_run_is() -> None:
    axis = images_axis(98_000)
    assert (axis.low, axis.high) == (0, 98_000) and axis.ticks[:2] == (0, 20_000)


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
