"""Charts of curves over the pictures seen: one layout, drawn as SVG for a page and with Pillow for a picture.

Lengths are in points of a chart :data:`WIDTH` wide and :data:`HEIGHT` high.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from semanticgan.runs.curves import Axis, Curve, images_axis, short_number, value_axis

WIDTH, HEIGHT = 440, 240
_LEFT, _RIGHT, _TOP, _BOTTOM = 54, 428, 10, 200
_RAW_POINTS, _SMOOTH_POINTS = 700, 220

# The same colours as in page.py on white paper.
PAPER, INK, PALE_INK, GRID = (255, 255, 255), (31, 35, 44), (105, 112, 126), (228, 231, 237)
SERIES = ((42, 102, 204), (214, 104, 24), (24, 140, 98), (158, 66, 176))
_SCALE = 2  # a picture is drawn at this multiple of its size and then reduced, which smooths its lines


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
    axis: Axis = field(init=False)

    def __post_init__(self) -> None:
        assert 0 < len(self.curves) == len(self.labels) <= len(SERIES)
        object.__setattr__(self, "axis", value_axis(self.curves))

    @property
    def caption(self) -> str:
        """Unit, kind of axis, and how much lies beyond it."""
        values = np.concatenate([curve.finite().values for curve in self.curves])
        beyond = int(((values < self.axis.low) | (values > self.axis.high)).sum())
        parts = [self.unit, "logarithmic" if self.axis.log else "", f"{beyond} beyond the axis" if beyond else ""]
        return ", ".join(part for part in parts if part)

    def points(self, curve: Curve) -> np.ndarray:
        """Where a curve's points lie in the chart, float64 [n, 2] of x and y."""
        x = _LEFT + (_RIGHT - _LEFT) * images_axis(self.images).place(curve.images)
        y = _BOTTOM - (_BOTTOM - _TOP) * self.axis.place(curve.values)
        # Far beyond the axis is as good as beyond it, and keeps coordinates short.
        return np.stack([x, y.clip(_TOP - HEIGHT, _BOTTOM + HEIGHT)], axis=1)

    def grid(self) -> tuple[list[tuple[float, str]], list[tuple[float, str]]]:
        """Ticks along images (x and number) and values (y and number)."""
        along = images_axis(self.images)
        xs = _LEFT + (_RIGHT - _LEFT) * along.place(np.array(along.ticks))
        ys = _BOTTOM - (_BOTTOM - _TOP) * self.axis.place(np.array(self.axis.ticks))
        return (
            [(float(x), short_number(tick)) for x, tick in zip(xs, along.ticks, strict=True)],
            [(float(y), short_number(tick)) for y, tick in zip(ys, self.axis.ticks, strict=True)],
        )

    def dashes(self) -> list[float]:
        """y of the marks within the axis."""
        shares = self.axis.place(np.array([mark.value for mark in self.visible_marks()]))
        return [float(y) for y in _BOTTOM - (_BOTTOM - _TOP) * shares]

    def visible_marks(self) -> list[Mark]:
        """Those within the axis."""
        return [mark for mark in self.marks if self.axis.low <= mark.value <= self.axis.high]


def _segments(chart: Chart, curve: Curve) -> list[np.ndarray]:
    """The raw curve, split where values are missing, as points in the chart."""
    gaps = np.flatnonzero(~np.isfinite(curve.values))
    parts = []
    for part in np.split(np.arange(len(curve)), gaps):
        kept = part[np.isfinite(curve.values[part])]
        if len(kept):
            piece = Curve(curve.name, curve.images[kept], curve.values[kept])
            parts.append(chart.points(piece.thinned(_RAW_POINTS)))
    return parts


def chart_svg(chart: Chart, name: str) -> str:
    """A chart as an SVG element coloured by the page's style sheet.

    Args:
        chart: what to draw.
        name: unique on the page.
    """
    across, up = chart.grid()
    parts = [
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(chart.title)} over images seen" '
        f'data-curves="{escape(json.dumps(_readout(chart)))}">',
        f'<clipPath id="{name}"><rect x="{_LEFT}" y="{_TOP - 2}" width="{_RIGHT - _LEFT + 2}" '
        f'height="{_BOTTOM - _TOP + 4}"/></clipPath>',
    ]
    for y, text in up:
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{_RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text class="tick" x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{text}</text>')
    for x, text in across:
        parts.append(f'<line class="notch" x1="{x:.1f}" x2="{x:.1f}" y1="{_BOTTOM}" y2="{_BOTTOM + 4}"/>')
        parts.append(f'<text class="tick" x="{x:.1f}" y="{_BOTTOM + 17}" text-anchor="middle">{text}</text>')
    parts.append(f'<text class="tick" x="{_RIGHT}" y="{HEIGHT - 6}" text-anchor="end">images</text>')
    for y in chart.dashes():
        parts.append(f'<line class="mark" x1="{_LEFT}" x2="{_RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
    parts.append(f'<g clip-path="url(#{name})">')
    for index, curve in enumerate(chart.curves):
        parts += [_polyline(segment, f"raw s{index}") for segment in _segments(chart, curve)]
    for index, curve in enumerate(chart.curves):
        parts.append(_polyline(chart.points(curve.smoothed().thinned(_SMOOTH_POINTS)), f"smooth s{index}"))
    return "".join([*parts, "</g></svg>"])


def _polyline(points: np.ndarray, style: str) -> str:
    if len(points) == 1:
        ((x, y),) = points
        return f'<circle class="{style} dot" cx="{x:.1f}" cy="{y:.1f}" r="2.5"/>'
    text = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline class="{style}" points="{text}"/>'


def _readout(chart: Chart) -> list[dict[str, object]]:
    """What the page shows under the pointer: places and numbers of the smoothed curves."""
    shown: list[dict[str, object]] = []
    for curve, label in zip(chart.curves, chart.labels, strict=True):
        smooth = curve.smoothed().thinned(_SMOOTH_POINTS)
        places = [[round(float(x), 1), round(float(y), 1)] for x, y in chart.points(smooth)]
        numbers = [
            [short_number(images), short_number(value)]
            for images, value in zip(smooth.images, smooth.values, strict=True)
        ]
        shown.append({"label": label, "places": places, "numbers": numbers})
    return shown


def draw_chart(chart: Chart) -> Image.Image:
    """A chart with its title as a picture on white paper, ``WIDTH`` wide and ``HEIGHT`` + 28 high."""
    title_height = 28
    size = (WIDTH * _SCALE, (HEIGHT + title_height) * _SCALE)
    picture = Image.new("RGB", size, PAPER)
    draw = ImageDraw.Draw(picture)
    _draw_title(draw, chart)
    plot = Image.new("RGB", (size[0], HEIGHT * _SCALE), PAPER)
    _draw_grid(ImageDraw.Draw(plot), chart)
    inside = (_LEFT * _SCALE, (_TOP - 2) * _SCALE, (_RIGHT + 2) * _SCALE, (_BOTTOM + 2) * _SCALE)
    curves = plot.copy()
    pen = ImageDraw.Draw(curves)
    for index, curve in enumerate(chart.curves):
        pale = tuple(round(0.3 * ink + 0.7 * paper) for ink, paper in zip(SERIES[index], PAPER, strict=True))
        for segment in _segments(chart, curve):
            _draw_line(pen, segment, pale, 1.0)
    for index, curve in enumerate(chart.curves):
        _draw_line(pen, chart.points(curve.smoothed().thinned(_SMOOTH_POINTS)), SERIES[index], 2.0)
    plot.paste(curves.crop(inside), inside[:2])
    picture.paste(plot, (0, title_height * _SCALE))
    return picture.resize((WIDTH, HEIGHT + title_height), Image.Resampling.LANCZOS)


def _draw_title(draw: ImageDraw.ImageDraw, chart: Chart) -> None:
    bold, plain = ImageFont.load_default(15 * _SCALE), ImageFont.load_default(12 * _SCALE)
    y = 20 * _SCALE
    draw.text((8 * _SCALE, y), chart.title, INK, bold, anchor="ls")
    x = 8 * _SCALE + bold.getlength(chart.title) + 12 * _SCALE
    if len(chart.curves) > 1:
        for label, colour in zip(chart.labels, SERIES, strict=False):
            draw.rectangle((x, y - 7 * _SCALE, x + 12 * _SCALE, y - 4 * _SCALE), colour)
            draw.text((x + 16 * _SCALE, y), label, INK, plain, anchor="ls")
            x += 28 * _SCALE + plain.getlength(label)
    dashed = [f"dashed: {mark.text}" for mark in chart.visible_marks()]
    caption = ", ".join(part for part in (chart.caption, *dashed) if part)
    draw.text((_RIGHT * _SCALE, y), caption, PALE_INK, plain, anchor="rs")


def _draw_grid(draw: ImageDraw.ImageDraw, chart: Chart) -> None:
    font = ImageFont.load_default(12 * _SCALE)
    left, right, bottom = _LEFT * _SCALE, _RIGHT * _SCALE, _BOTTOM * _SCALE
    across, up = chart.grid()
    for y, text in up:
        draw.line((left, y * _SCALE, right, y * _SCALE), GRID, _SCALE)
        draw.text((left - 6 * _SCALE, y * _SCALE), text, PALE_INK, font, anchor="rm")
    for x, text in across:
        draw.line((x * _SCALE, bottom, x * _SCALE, bottom + 4 * _SCALE), PALE_INK, _SCALE)
        draw.text((x * _SCALE, bottom + 17 * _SCALE), text, PALE_INK, font, anchor="ms")
    draw.text((right, (HEIGHT - 6) * _SCALE), "images", PALE_INK, font, anchor="rs")
    for y in chart.dashes():
        for x in range(left, right, 8 * _SCALE):
            draw.line((x, y * _SCALE, x + 4 * _SCALE, y * _SCALE), PALE_INK, _SCALE)


def _draw_line(draw: ImageDraw.ImageDraw, points: np.ndarray, colour: Sequence[int], width: float) -> None:
    ink = tuple(colour)
    flat = [(float(x) * _SCALE, float(y) * _SCALE) for x, y in points]
    if len(flat) == 1:
        ((x, y),) = flat
        draw.ellipse((x - 5, y - 5, x + 5, y + 5), ink)
    else:
        draw.line(flat, ink, round(width * _SCALE), joint="curve")
