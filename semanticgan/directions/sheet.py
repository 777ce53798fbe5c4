"""A sheet of directions: one line of pictures per direction, at equal distances to both sides of a code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from PIL import Image
from torch import Tensor

from semanticgan.directions.vectors import distances_of, moved
from semanticgan.editing.sheets import draw_sheet, require_grid
from semanticgan.errors import InputError
from semanticgan.latents import LatentCode, require_codes
from semanticgan.model import Model

DISTANCES = (-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0)
"""In units of the spread of w along a direction."""


@dataclass(frozen=True, eq=False)
class Line:
    """One direction of a sheet.

    Attributes:
        name: stands before its pictures.
        rows: numbers of the rows that it is added to.
        vector: the step of distance 1, [D] or [R', D], such as a unit vector times the spread of w along it.
    """

    name: str
    rows: Sequence[int]
    vector: Tensor


def draw_directions(
    model: Model, code: LatentCode, lines: Sequence[Line], distances: Any = DISTANCES, title: str = ""
) -> Image.Image:
    """Draw directions as lines of pictures.

    Args:
        model: what renders them.
        code: of one image, from which all lines start.
        lines: at least one.
        distances: P numbers, one per column.
        title: above the sheet.

    Raises:
        InputError: no line, a code of several images, or more pictures than a sheet holds.
    """
    (code,) = require_codes([code])
    if len(code) != 1 or not lines:
        raise InputError(f"a sheet of directions needs one image and at least one direction, got {len(code)} images.")
    steps = distances_of(distances)
    require_grid(len(lines) * len(steps), model.size, "Give fewer directions or distances.")
    pictures = [model.render(moved(code, line.rows, line.vector, steps)).to_pil() for line in lines]
    columns = [f"{step:+g}" if step else "0" for step in steps.tolist()]
    return draw_sheet(pictures, columns, [line.name for line in lines], title)
