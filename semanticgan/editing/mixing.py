"""Style mixing: the layers of two codes by a schema of letters (the figures of arXiv 2004.04467 and 1812.04948).

N and M images.
"""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image

from semanticgan.editing.sheets import draw_sheet, require_grid
from semanticgan.errors import InputError
from semanticgan.latents import LatentCode, mix_by_schema
from semanticgan.model import Model

_LONGEST_NAME = 20


def mixing_sheet(
    model: Model,
    sources: LatentCode,
    destinations: LatentCode,
    schemas: Sequence[str],
    names: Sequence[str],
    names_below: Sequence[str],
) -> Image.Image:
    """A block of rows for each schema: sources above, destinations at the left, the mix of both where they meet.

    Args:
        model: a layered model.
        sources: whose layers the letter S takes, N images.
        destinations: whose layers the letter D takes, M images.
        schemas: one letter a layer each, as :func:`semanticgan.latents.mix_by_schema` takes them.
        names: of the sources.
        names_below: of the destinations.

    Raises:
        InputError: no schema, one that does not fit the model, a model of regions, or more pictures than a sheet holds.
    """
    if model.rows.regions is not None:
        raise InputError(
            f"{model.metadata.description} has regions, not layers to mix. Give --model of a layered model, or use "
            "edit-region."
        )
    if not schemas:
        example = "S" * (len(model.rows) // 2)
        raise InputError(f"no schema is given. Add --schema, such as --schema {example:D<{len(model.rows)}}.")
    count = len(schemas) * (len(sources) + 1) * (len(destinations) + 1)
    require_grid(count, model.size, "Give fewer codes or fewer schemas.")
    mixed = [[mix_by_schema(sources, one, schema) for one in destinations] for schema in schemas]  # checks all first
    above, left = model.render(sources).to_pil(), model.render(destinations).to_pil()
    blank = Image.new("RGB", (model.size, model.size), "white")
    rows, below, before = [], [], []
    for schema, codes in zip(schemas, mixed, strict=True):
        rows.append([blank, *above])
        below.append(["", *(_short(name) for name in names)])
        before.append(schema)
        for picture, name, code in zip(left, names_below, codes, strict=True):
            rows.append([picture, *model.render(code).to_pil()])
            below.append([_short(name), *[""] * len(sources)])
            before.append("")
    caption = "S: the layer of the picture above, D: that of the picture at the left; coarse layers first"
    return draw_sheet(rows, row_names=before, caption=caption, names=below)


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 3]}..."
