"""A sheet of the pictures that are scored."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from semanticgan.editing.sheets import draw_sheet
from semanticgan.metrics.evaluation import Evaluation

_COLUMNS = 8
_TILE = 160


def draw_pictures(evaluation: Evaluation, model: str, data: str | None) -> Image.Image:
    """The first pictures of the model, and of the data.

    Args:
        evaluation: what is measured.
        model: its name.
        data: their name, or None.
    """
    shown = evaluation.pictures(evaluation.seeds[: 4 * _COLUMNS], "sheet")
    own = [picture for batch in shown for picture in batch.cpu()]
    real = []
    if evaluation.dataset is not None:
        real = [evaluation.dataset[index].image for index in evaluation.indices[: 2 * _COLUMNS]]
    rows, row_names = [], []
    for name, pictures in ((model, own), (data or "", real)):
        for start in range(0, len(pictures), _COLUMNS):
            tiles = [
                Image.fromarray(picture.permute(1, 2, 0).numpy()) for picture in pictures[start : start + _COLUMNS]
            ]
            if tiles[0].width > _TILE:
                tiles = [tile.resize((_TILE, _TILE), Image.Resampling.LANCZOS) for tile in tiles]
            rows.append(tiles)
            row_names.append("" if start else Path(name).name)
    return draw_sheet(rows, row_names=row_names)
