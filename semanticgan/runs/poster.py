"""The essentials of a report as one picture, for a chat or a slide: curves and the newest sheet."""

from __future__ import annotations

import textwrap

from PIL import Image, ImageDraw, ImageFont

from semanticgan.runs.charts import GRID, HEIGHT, INK, PALE_INK, PAPER, SERIES, WIDTH, Chart, draw_chart
from semanticgan.runs.excerpts import Sheet, chosen_sheets
from semanticgan.runs.facts import facts, progress, progress_line
from semanticgan.runs.panels import panels
from semanticgan.runs.record import RunRecord

_COLUMNS = 3
_MARGIN, _GAP = 32, 16
_INNER = _COLUMNS * WIDTH + (_COLUMNS - 1) * _GAP
_WARNING_INK = (170, 92, 0)
_NUM_STRIP = 12
_LARGEST_CELL = 160  # of the strip


def draw_poster(record: RunRecord, warnings: tuple[str, ...]) -> Image.Image:
    """RGB on white paper, about 1400 pixels wide."""
    blocks = [_header(record), *([_warning_lines(warnings)] if warnings else [])]
    sheets = chosen_sheets(record, _NUM_STRIP)
    if len(sheets) > 1:
        blocks += [_strip(record, sheets)]
    blocks += [_charts([chart for panel in panels(record) for chart in panel.charts])]
    if sheets:
        blocks += [_newest(record, sheets[-1])]
    height = 2 * _MARGIN + sum(block.height for block in blocks) + _GAP * (len(blocks) - 1)
    poster = Image.new("RGB", (_INNER + 2 * _MARGIN, height), PAPER)
    y = _MARGIN
    for block in blocks:
        poster.paste(block, (_MARGIN, y))
        y += block.height + _GAP
    return poster


def _header(record: RunRecord) -> Image.Image:
    block = Image.new("RGB", (_INNER, 128), PAPER)
    draw = ImageDraw.Draw(block)
    draw.text((0, 26), record.name, INK, ImageFont.load_default(30), anchor="ls")
    draw.text((0, 52), str(record.config.get("description") or ""), PALE_INK, ImageFont.load_default(16), anchor="ls")
    draw.text((_INNER, 26), progress_line(record), INK, ImageFont.load_default(16), anchor="rs")
    share = progress(record)
    if share is not None:
        draw.rounded_rectangle((0, 64, _INNER - 1, 71), 4, GRID)
        draw.rounded_rectangle((0, 64, max(8, round(share * (_INNER - 1))), 71), 4, SERIES[0])
    shown = facts(record)
    pitch = _INNER // max(len(shown), 1)
    for index, fact in enumerate(shown):
        draw.text((index * pitch, 96), fact.name, PALE_INK, ImageFont.load_default(13), anchor="ls")
        value = _shortened(fact.value, pitch - 12, ImageFont.load_default(16))
        draw.text((index * pitch, 116), value, INK, ImageFont.load_default(16), anchor="ls")
    return block


def _warning_lines(warnings: tuple[str, ...]) -> Image.Image:
    font = ImageFont.load_default(16)
    lines = [line for warning in warnings for line in textwrap.wrap(f"Warning: {warning}", 175)]
    block = Image.new("RGB", (_INNER, 22 * len(lines) + 8), PAPER)
    draw = ImageDraw.Draw(block)
    for index, line in enumerate(lines):
        draw.text((0, 18 + 22 * index), line, _WARNING_INK, font, anchor="ls")
    return block


def _strip(record: RunRecord, sheets: list[Sheet]) -> Image.Image:
    """The first sample from sheet to sheet."""
    side = min(_LARGEST_CELL, (_INNER + 4) // len(sheets) - 4)
    block = Image.new("RGB", (_INNER, side + 24), PAPER)
    draw = ImageDraw.Draw(block)
    for index, sheet in enumerate(sheets):
        x = index * (side + 4)
        block.paste(sheet.cell(0, 0).resize((side, side), Image.Resampling.BICUBIC), (x, 0))
        text = f"{record.images_at(sheet.step):,}" + ("" if index else " images")
        draw.text((x + side // 2, side + 17), text, PALE_INK, ImageFont.load_default(14), anchor="ms")
    return block


def _charts(charts: list[Chart]) -> Image.Image:
    drawn = [draw_chart(chart) for chart in charts]
    pitch = HEIGHT + 28 + 8
    block = Image.new("RGB", (_INNER, -(-len(drawn) // _COLUMNS) * pitch), PAPER)
    for index, chart in enumerate(drawn):
        row, column = divmod(index, _COLUMNS)
        block.paste(chart, (column * (WIDTH + _GAP), row * pitch))
    return block


def _newest(record: RunRecord, sheet: Sheet) -> Image.Image:
    rows = sheet.top()
    height = round(rows.height * _INNER / rows.width)
    block = Image.new("RGB", (_INNER, height + 26), PAPER)
    title = f"Newest sheet, {record.images_at(sheet.step):,} images: picture, segmentation, coarse mask"
    ImageDraw.Draw(block).text((0, 16), title, PALE_INK, ImageFont.load_default(15), anchor="ls")
    block.paste(rows.resize((_INNER, height), Image.Resampling.BICUBIC), (0, 26))
    return block


def _shortened(text: str, width: int, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    """As much of a text as fits, with dots for the rest."""
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(f"{text}...") > width:
        text = text[:-1]
    return f"{text.rstrip()}..."
