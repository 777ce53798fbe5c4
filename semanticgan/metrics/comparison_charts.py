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
from semanticgan.errors import InputError
from semanticgan.metrics.comparison import Comparison, Found, Key
from semanticgan.metrics.metric import Measured
from semanticgan.metrics.path_length import ModelTraveller, pictures_of_paths
from semanticgan.metrics.sheet import COLUMNS, draw_named

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NUM_ENDS = 3
"""Pictures shown of the shortest and of the longest paths."""
_PATHS, _PROJECTED = ("ppl", ""), ("projection", "")
_BINS = 40
_GENERATED, _REAL = "#3b78d8", "#d9701e"


def sample_sheet(comparison: Comparison, data: str) -> Image.Image:
    """A row of real pictures, then a row of each model's first samples, the same seeds in each.

    Args:
        comparison: what is compared.
        data: name of the data.
    """
    asked = comparison.asked
    num = min(COLUMNS, asked.num_generated, len(asked.indices))
    shown = [(f"real: {data}", comparison.real_pictures(num))]
    for each in comparison.contenders:
        code = each.model.sample(seeds=asked.seeds[:num], truncation=asked.truncation)
        shown.append((each.name, each.model.render(code).to_uint8()))
    return draw_named(shown)


def pictures_at_ends(comparison: Comparison, found: Found) -> tuple[Tensor, Tensor]:
    """Pictures uint8 [n, 3, S, S] at which the n shortest and the n longest paths of a model are measured."""
    asked = comparison.asked
    order = np.argsort(found.measured[_PATHS].rows["path_lengths"], kind="stable").tolist()
    traveller = ModelTraveller(found.contender.model, truncation=asked.truncation)
    space, _, sampling = asked.paths[0].partition("-")
    ends = ([asked.path_seeds[place] for place in places] for places in (order[:NUM_ENDS], order[-NUM_ENDS:]))
    shortest, longest = (pictures_of_paths(traveller, seeds, space, sampling) for seeds in ends)
    return shortest, longest


def path_chart(comparison: Comparison, found: Sequence[Found]) -> Image.Image:
    """Histogram of each model's path lengths, between the pictures at its shortest and its longest paths.

    Raises:
        InputError: no model has path lengths.
    """
    from matplotlib.figure import Figure

    shown, path = _measured(found, _PATHS), comparison.asked.paths[0]
    lengths = [np.maximum(measured.rows["path_lengths"], 1e-9) for _, measured in shown]
    low, high = min(map(np.min, lengths)), max(map(np.max, lengths))
    bins = np.geomspace(low / 1.05, high * 1.05, _BINS + 1)
    figure = Figure(figsize=(13.0, 2.3 * len(shown)), dpi=100, layout="constrained")
    shares = [1.0] * NUM_ENDS + [4.0] + [1.0] * NUM_ENDS
    grid = figure.subplots(len(shown), len(shares), width_ratios=shares, squeeze=False)
    for row, (each, measured) in zip(grid, shown, strict=True):
        histogram, ends = row[NUM_ENDS], (row[:NUM_ENDS], row[NUM_ENDS + 1 :])
        for places, pictures in zip(ends, pictures_at_ends(comparison, each), strict=True):
            for axes, picture in zip(places, pictures, strict=False):
                axes.imshow(np.asarray(to_image(picture)))
        for axes in (*ends[0], *ends[1]):
            axes.set_axis_off()
        mean = measured.values[path]
        _histogram(histogram, bins, {"": measured.rows["path_lengths"]})
        histogram.set_xscale("log")
        histogram.axvline(mean, color="black", linewidth=1)
        histogram.set_title(f"{each.contender.name}: mean {mean:.4g}", fontsize=9, parse_math=False)
    grid[0][0].set_title("shortest paths", fontsize=9, loc="left")
    grid[0][NUM_ENDS + 1].set_title("longest paths", fontsize=9, loc="left")
    grid[-1][NUM_ENDS].set_xlabel(f"length of one path, {path}, {shown[0][1].by}", fontsize=9)
    return _drawn(figure)


def projection_chart(comparison: Comparison, found: Sequence[Found]) -> Image.Image:
    """How far generated and real pictures stay from their projections, a histogram a model.

    Raises:
        InputError: no model has projections.
    """
    from matplotlib.figure import Figure

    shown = [(each, measured, measured.rows["projection_distances"]) for each, measured in _measured(found, _PROJECTED)]
    every = np.concatenate([values for *_, held in shown for values in held.values()])
    bins = np.linspace(0.0, float(every.max()) * 1.02 or 1.0, _BINS // 2 + 1)
    figure = Figure(figsize=(7.0, 2.4 * len(shown)), dpi=100, layout="constrained")
    for axes, (each, measured, held) in zip(figure.subplots(len(shown), 1, squeeze=False)[:, 0], shown, strict=True):
        _histogram(axes, bins, held)
        axes.legend(frameon=False, fontsize=9)
        axes.set_title(f"{each.contender.name}: AUC {measured.values['auc']:.3f}", fontsize=9, parse_math=False)
    axes.set_xlabel(f"distance of a picture and its projection, {shown[0][1].by}", fontsize=9)
    return _drawn(figure)


def _measured(found: Sequence[Found], key: Key) -> list[tuple[Found, Measured]]:
    shown = [(each, each.measured[key]) for each in found if key in each.measured]
    if not shown:
        raise InputError(f"no model has the metric {key[0]}, which the chart draws. Leave the chart out.")
    return shown


def _histogram(axes: Axes, bins: np.ndarray, values: dict[str, np.ndarray]) -> None:
    for (name, some), colour in zip(values.items(), (_GENERATED, _REAL), strict=False):
        axes.hist(np.clip(some, bins[0], bins[-1]), bins=list(bins), color=colour, alpha=0.6, label=name)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)


def _drawn(figure: Figure) -> Image.Image:
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png")
    return Image.open(drawn).convert("RGB")
