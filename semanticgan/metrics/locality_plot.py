"""The matrix of a locality measurement as a picture: rows are edited regions, columns the regions that change."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from semanticgan.metrics.locality import Locality
from semanticgan.metrics.metric import EDITED

_PAPER, _INK, _PALE_INK, _EMPTY = (255, 255, 255), (31, 35, 44), (105, 112, 126), (240, 242, 246)
_LOW, _HIGH = np.array([255, 255, 255]), np.array([32, 74, 160])
_CELL_WIDTH, _CELL_HEIGHT, _MARGIN, _GAP = 78, 34, 16, 12
_TOP = 96
_SCORE_WIDTH = 64


def draw_locality(locality: Locality, what: str) -> Image.Image:
    """Edits of the regions' structure or texture, with the score of each row at its right.

    A cell is darker the more changes there, by the square root, and the darkest of all is the largest change. A dash
    stands for a region that is never seen.

    Args:
        locality: what was measured.
        what: "structure" or "texture".
    """
    edits, matrix = locality.of(what), locality.matrix(what)
    fonts = {size: ImageFont.load_default(size) for size in (12, 13, 14, 18)}
    left = _MARGIN + 12 + max(math.ceil(fonts[14].getlength(edit.region)) for edit in edits)
    across = left + len(locality.names) * _CELL_WIDTH
    width = max(across + _GAP + _SCORE_WIDTH + _MARGIN, 640)
    bottom = _TOP + len(edits) * _CELL_HEIGHT
    picture = Image.new("RGB", (width, bottom + 64), _PAPER)
    draw = ImageDraw.Draw(picture)
    draw.text((_MARGIN, 14), f"What changes when a region's {what} is swapped", _INK, fonts[18])
    draw.text(
        (_MARGIN, 40),
        f"mean absolute change, levels of 0..255, over {locality.num_seeds} pictures",
        _PALE_INK,
        fonts[13],
    )
    for column, name in enumerate(locality.names):
        draw.text((left + (column + 0.5) * _CELL_WIDTH, _TOP - 10), name, _INK, fonts[13], anchor="ms")
    draw.text((across + _GAP + _SCORE_WIDTH / 2, _TOP - 10), "score", _INK, fonts[13], anchor="ms")
    top = float(np.nanmax(matrix, initial=0.0)) or 1.0
    for row, edit in enumerate(edits):
        y = _TOP + row * _CELL_HEIGHT
        draw.text((left - 10, y + _CELL_HEIGHT / 2), edit.region, _INK, fonts[14], anchor="rm")
        for column, value in enumerate(matrix[row]):
            box = (left + column * _CELL_WIDTH, y)
            _draw_cell(draw, box, float(value), top, fonts[13], edit.region == locality.names[column])
        score = "none" if edit.score is None else f"{edit.score:.3f}"
        place = (across + _GAP + _SCORE_WIDTH / 2, y + _CELL_HEIGHT / 2)
        draw.text(place, score, _PALE_INK if edit.score is None else _INK, fonts[14], anchor="mm")
    for line, text in enumerate(
        (
            "framed: the edited region itself, feathered; all others: their pixels outside of it",
            "score: change outside / change inside, 0 is perfectly local; none: no change, or the region never occurs",
        )
    ):
        draw.text((_MARGIN, bottom + 12 + 19 * line), text, _PALE_INK, fonts[12])
    return picture


def draw_localities(locality: Locality) -> Image.Image:
    """What edits of structure change, over what edits of texture change."""
    plots = [draw_locality(locality, what) for what in EDITED]
    picture = Image.new("RGB", (plots[0].width, sum(plot.height for plot in plots)), _PAPER)
    for index, plot in enumerate(plots):
        picture.paste(plot, (0, index * plots[0].height))
    return picture


def _draw_cell(
    draw: ImageDraw.ImageDraw,
    place: tuple[int, int],
    value: float,
    top: float,
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
    framed: bool,
) -> None:
    x, y = place
    share = 0.0 if math.isnan(value) else math.sqrt(max(value, 0.0) / top)
    red, green, blue = (int(part) for part in (_LOW + share * (_HIGH - _LOW)).round())
    box = (x + 1, y + 1, x + _CELL_WIDTH - 2, y + _CELL_HEIGHT - 2)
    fill = _EMPTY if math.isnan(value) else (red, green, blue)
    draw.rectangle(box, fill, _INK if framed else _EMPTY, 2 if framed else 1)
    text = "-" if math.isnan(value) else f"{value:.1f}" if value >= 10 else f"{value:.2f}"
    draw.text((x + _CELL_WIDTH / 2, y + _CELL_HEIGHT / 2), text, _PAPER if share > 0.6 else _INK, font, anchor="mm")
