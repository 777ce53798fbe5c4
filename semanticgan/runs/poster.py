"""The essentials of a report as one picture, for a chat or a slide: curves and the newest sheet."""

from __future__ import annotations

import math
import textwrap
from typing import TYPE_CHECKING

from PIL import Image

from semanticgan.runs.charts import PALE, SERIES, Chart, draw_chart
from semanticgan.runs.excerpts import Sheet, chosen_sheets
from semanticgan.runs.facts import facts, progress, progress_line
from semanticgan.runs.panels import panels
from semanticgan.runs.record import RunRecord

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

_WIDTH, _ROW = 14.0, 2.6  # inches: of the picture, and of a row of charts
_COLUMNS = 3
_LEFT, _RIGHT = 0.03, 0.97  # edges, as shares of the width
_NUM_STRIP = 12
_WARNING_INK = "#aa5c00"


def draw_poster(record: RunRecord, warnings: tuple[str, ...]) -> Figure:
    """On white paper, 1400 pixels wide."""
    from matplotlib.figure import Figure

    lines = [line for warning in warnings for line in textwrap.wrap(f"Warning: {warning}", 150)]
    charts = [chart for panel in panels(record) for chart in panel.charts]
    sheets = chosen_sheets(record, _NUM_STRIP)
    newest = sheets[-1].top() if sheets else None
    heights = {
        "header": 1.5,
        "warnings": 0.25 * len(lines),
        "strip": min(2.0, _WIDTH / len(sheets) + 0.3) if len(sheets) > 1 else 0.0,
        "charts": _ROW * math.ceil(len(charts) / _COLUMNS),
        "newest": 0.6 + (_RIGHT - _LEFT) * _WIDTH * newest.height / newest.width if newest else 0.0,
    }
    heights = {name: height for name, height in heights.items() if height}
    figure = Figure(figsize=(_WIDTH, sum(heights.values())), dpi=100)
    parts = figure.subfigures(len(heights), 1, squeeze=False, height_ratios=list(heights.values()))
    blocks = dict(zip(heights, parts[:, 0], strict=True))
    _draw_header(blocks["header"], record)
    if lines:
        blocks["warnings"].text(_LEFT, 0.5, "\n".join(lines), color=_WARNING_INK, va="center", parse_math=False)
    if "strip" in blocks:
        _draw_strip(blocks["strip"], record, sheets)
    _draw_charts(blocks["charts"], charts)
    if newest:
        title = f"Newest sheet, {record.images_at(sheets[-1].step):,} images: picture, segmentation, coarse mask"
        bottom = 0.2 / heights["newest"]
        place = (_LEFT, bottom, _RIGHT - _LEFT, 1 - 3 * bottom)
        _show(blocks["newest"].add_axes(place), newest, "")
        blocks["newest"].text(_LEFT, 1 - 1.5 * bottom, title, color=PALE)
    return figure


def _draw_header(block: SubFigure, record: RunRecord) -> None:
    block.text(_LEFT, 0.75, record.name, fontsize=22, parse_math=False)
    block.text(_LEFT, 0.58, str(record.config.get("description") or ""), color=PALE, parse_math=False)
    block.text(_RIGHT, 0.75, progress_line(record), ha="right")
    bar = block.add_axes((_LEFT, 0.44, _RIGHT - _LEFT, 0.06))
    bar.barh(0, progress(record) or 0.0, color=SERIES[0])
    bar.set(xlim=(0, 1), facecolor="#e4e7ed", xticks=[], yticks=[])
    bar.spines[:].set_visible(False)
    shown = facts(record)
    pitch = (_RIGHT - _LEFT) / max(len(shown), 1)
    for index, fact in enumerate(shown):
        value = textwrap.shorten(fact.value, int(120 * pitch), placeholder="...")
        block.text(_LEFT + index * pitch, 0.27, fact.name, color=PALE, fontsize=9)
        block.text(_LEFT + index * pitch, 0.1, value, fontsize=11, parse_math=False)


def _draw_strip(block: SubFigure, record: RunRecord, sheets: list[Sheet]) -> None:
    """The first sample from sheet to sheet."""
    pitch = min((_RIGHT - _LEFT) / len(sheets), 0.12)
    for index, sheet in enumerate(sheets):
        axes = block.add_axes((_LEFT + index * pitch, 0.15, 0.97 * pitch, 0.85))
        _show(axes, sheet.cell(0, 0), f"{record.images_at(sheet.step):,}" + ("" if index else " images"))


def _draw_charts(block: SubFigure, charts: list[Chart]) -> None:
    num_rows = math.ceil(len(charts) / _COLUMNS)
    edge = 0.35 / (_ROW * num_rows)
    block.subplots_adjust(_LEFT + 0.03, edge, _RIGHT, 1 - edge, wspace=0.18, hspace=0.45)
    for place, chart in enumerate(charts, start=1):
        axes = block.add_subplot(num_rows, _COLUMNS, place)
        draw_chart(chart, axes)
        low, high = chart.limits
        dashed = [f"dashed: {mark.text}" for mark in chart.marks if low <= mark.value <= high]
        axes.set_title(chart.title, loc="left", fontsize=11, fontweight="bold", parse_math=False)
        told = [*dashed, *filter(None, [chart.caption]), "images"]
        axes.set_xlabel(", ".join(told), loc="right", fontsize=9, color=PALE)


def _show(axes: Axes, picture: Image.Image, name: str) -> None:
    axes.imshow(picture)
    axes.set_xlabel(name, color=PALE, labelpad=3)
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
