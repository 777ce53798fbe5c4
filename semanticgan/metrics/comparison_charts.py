"""Pictures of a comparison: samples side by side, path lengths with what lies at both ends, projection distances.

N pictures, S side of the picture.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image
from torch import Tensor

from semanticgan.editing.outputs import to_image
from semanticgan.editing.sheets import draw_sheet
from semanticgan.metrics.comparison import NUM_ENDS, Comparison, Found

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLUMNS = 8
_TILE = 160
_BINS = 40
_GENERATED, _REAL = "#3b78d8", "#d9701e"


def sample_sheet(comparison: Comparison, data: str) -> Image.Image:
    """A row of real pictures, then a row of each model's first samples, the same seeds in each.

    Args:
        comparison: what is compared.
        data: name of the data.
    """
    num = min(_COLUMNS, comparison.num_generated, len(comparison.indices))
    rows, names = [_tiles(comparison.real_pictures(num))], [f"real: {data}"]
    for each in comparison.contenders:
        code = each.model.sample(seeds=comparison.seeds[:num], truncation=comparison.truncation)
        rows.append(_tiles(each.model.render(code).to_uint8()))
        names.append(each.name)
    return draw_sheet(rows, row_names=names)


def path_chart(comparison: Comparison, found: Sequence[Found]) -> Image.Image:
    """Histogram of each model's path lengths, between the pictures at its shortest and its longest paths."""
    from matplotlib.figure import Figure

    shown = [each for each in found if each.paths is not None]
    assert shown and comparison.distance is not None
    lengths = [np.maximum(each.paths.lengths, 1e-9) for each in shown if each.paths is not None]
    low, high = min(map(np.min, lengths)), max(map(np.max, lengths))
    bins = np.geomspace(low / 1.05, high * 1.05, _BINS + 1)
    figure = Figure(figsize=(13.0, 2.3 * len(shown)), dpi=100, layout="constrained")
    shares = [1.0] * NUM_ENDS + [4.0] + [1.0] * NUM_ENDS
    grid = figure.subplots(len(shown), len(shares), width_ratios=shares, squeeze=False)
    for row, each in zip(grid, shown, strict=True):
        assert each.paths is not None
        for axes, picture in zip(row[:NUM_ENDS], each.paths.shortest, strict=False):
            axes.imshow(np.asarray(to_image(picture)))
        for axes, picture in zip(row[NUM_ENDS + 1 :], each.paths.longest, strict=False):
            axes.imshow(np.asarray(to_image(picture)))
        for axes in (*row[:NUM_ENDS], *row[NUM_ENDS + 1 :]):
            axes.set_axis_off()
        _histogram(row[NUM_ENDS], bins, {"": each.paths.lengths})
        row[NUM_ENDS].set_xscale("log")
        row[NUM_ENDS].axvline(each.paths.mean, color="black", linewidth=1)
        row[NUM_ENDS].set_title(f"{each.contender.name}: mean {each.paths.mean:.4g}", fontsize=9, parse_math=False)
    grid[0][0].set_title("shortest paths", fontsize=9, loc="left")
    grid[0][NUM_ENDS + 1].set_title("longest paths", fontsize=9, loc="left")
    label = f"length of one path, {comparison.path}, {comparison.distance[1].label}"
    grid[-1][NUM_ENDS].set_xlabel(label, fontsize=9)
    return _drawn(figure)


def projection_chart(comparison: Comparison, found: Sequence[Found]) -> Image.Image:
    """How far generated and real pictures stay from their projections, a histogram a model."""
    from matplotlib.figure import Figure

    shown = [(each, each.projections) for each in found if each.projections is not None]
    assert shown and comparison.distance is not None
    every = np.concatenate([np.concatenate([held.generated, held.real]) for _, held in shown])
    bins = np.linspace(0.0, float(every.max()) * 1.02 or 1.0, _BINS // 2 + 1)
    figure = Figure(figsize=(7.0, 2.4 * len(shown)), dpi=100, layout="constrained")
    for axes, (each, held) in zip(figure.subplots(len(shown), 1, squeeze=False)[:, 0], shown, strict=True):
        _histogram(axes, bins, {"generated": held.generated, "real": held.real})
        axes.legend(frameon=False, fontsize=9)
        axes.set_title(f"{each.contender.name}: AUC {held.auc:.3f}", fontsize=9, parse_math=False)
    axes.set_xlabel(f"distance of a picture and its projection, {comparison.distance[1].label}", fontsize=9)
    return _drawn(figure)


def _histogram(axes: Axes, bins: np.ndarray, values: dict[str, np.ndarray]) -> None:
    for (name, some), colour in zip(values.items(), (_GENERATED, _REAL), strict=False):
        axes.hist(np.clip(some, bins[0], bins[-1]), bins=list(bins), color=colour, alpha=0.6, label=name)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)


def _tiles(pictures: Tensor) -> list[Image.Image]:
    tiles = [to_image(picture) for picture in pictures]
    return [tile if tile.width <= _TILE else tile.resize((_TILE, _TILE), Image.Resampling.LANCZOS) for tile in tiles]


def _drawn(figure: Figure) -> Image.Image:
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png")
    return Image.open(drawn).convert("RGB")
