"""What directions do, drawn: one row per direction, one picture per strength."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image

from semanticgan.directions.direction import Direction, move
from semanticgan.editing.sheets import draw_sheet, require_grid
from semanticgan.errors import InputError
from semanticgan.latents import LatentCode, require_codes
from semanticgan.model import Model
from semanticgan.rows import Layers, Regions

STRENGTHS = (-6.0, -3.0, 0.0, 3.0, 6.0)


def strip(
    model: Model,
    code: LatentCode,
    directions: Sequence[Direction],
    strengths: Sequence[float] = STRENGTHS,
    regions: Regions | None = None,
    layers: Layers | None = None,
    title: str = "",
) -> Image.Image:
    """A sheet of one code moved along each direction.

    Args:
        model: of code and directions.
        code: of one image.
        directions: a row each.
        strengths: a column each, in standard deviations.
        regions, layers: as of :func:`semanticgan.directions.direction.move`.

    Raises:
        InputError: no direction, a code of several images, more pictures than a sheet holds, or as
            :func:`semanticgan.directions.direction.move`.
    """
    (code,) = require_codes([code])
    if len(code) != 1 or not directions:
        raise InputError(f"a strip needs one image and at least one direction, got {len(code)} images.")
    require_grid(len(directions) * len(strengths), model.size, "Give fewer directions or strengths.")
    rows = [model.render(move(code, each, strengths, regions, layers)).to_pil() for each in directions]
    columns = [f"{strength:+g}" if strength else "0" for strength in strengths]
    return draw_sheet(rows, columns, [each.name for each in directions], title)
