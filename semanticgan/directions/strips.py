"""What directions do, drawn: one row per direction, one picture per strength."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image

from semanticgan.directions.direction import Direction, move
from semanticgan.editing.outputs import to_image
from semanticgan.editing.sheets import draw_sheet
from semanticgan.latents import LatentCode
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
        InputError: as :func:`semanticgan.directions.direction.move`.
    """
    rows, names = [], []
    for each in directions:
        rendering = model.render(move(code, each, strengths, regions, layers))
        rows.append([to_image(picture) for picture in rendering.to_uint8().cpu()])
        names.append([f"{each.name} {strength:+g}" for strength in strengths])
    return draw_sheet(rows, title=title, names=names)
