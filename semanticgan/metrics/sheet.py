"""A sheet of the pictures that are scored."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from semanticgan.editing.outputs import to_image
from semanticgan.editing.sheets import draw_sheet
from semanticgan.metrics.evaluation import Evaluation

COLUMNS = 8
"""Pictures in a row."""
_TILE = 160


def draw_pictures(evaluation: Evaluation, model: str, data: str | None) -> Image.Image:
    """The first pictures of the model, and of the data.

    Args:
        evaluation: what is measured.
        model: its name.
        data: their name, or None.
    """
    shown = [(Path(model).name, torch.cat(list(evaluation.pictures(evaluation.seeds[: 4 * COLUMNS], "sheet"))))]
    if evaluation.dataset is not None:
        real = [evaluation.dataset[index].image for index in evaluation.indices[: 2 * COLUMNS]]
        shown.append((Path(data or "").name, torch.stack(real)))
    return draw_named(shown)


def draw_named(shown: Sequence[tuple[str, Tensor]]) -> Image.Image:
    """Names, and the pictures uint8 [N, 3, S, S] of each in rows of :data:`COLUMNS`; large ones are made smaller."""
    rows, names = [], []
    for name, pictures in shown:
        for start, some in enumerate(pictures.cpu().split(COLUMNS)):
            tiles = [to_image(picture) for picture in some]
            if tiles[0].width > _TILE:
                tiles = [tile.resize((_TILE, _TILE), Image.Resampling.LANCZOS) for tile in tiles]
            rows.append(tiles)
            names.append("" if start else name)
    return draw_sheet(rows, row_names=names)
