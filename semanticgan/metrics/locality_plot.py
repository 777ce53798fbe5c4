"""The matrix of a locality measurement as a picture: rows are edited regions, columns the regions that change."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from semanticgan.metrics.locality import Locality
from semanticgan.metrics.metric import EDITED

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_EXPLAINED = (
    "framed: the edited region itself, feathered; all others: their pixels outside of it\n"
    "score: change outside / change inside, 0 is perfectly local; none: no change, or the region never occurs"
)


def draw_locality(locality: Locality, what: str, axes: Axes) -> None:
    """Edits of the regions' structure or texture, with the score of each row at its right.

    A cell is darker the more changes there, by the square root, and the darkest of all is the largest change. A dash
    stands for a region that is never seen.

    Args:
        what: "structure" or "texture".
    """
    from matplotlib.patches import Rectangle

    edits, matrix = locality.of(what), locality.matrix(what)
    shares = np.sqrt(np.nan_to_num(matrix) / (float(np.nanmax(matrix, initial=0.0)) or 1.0))
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1.2, aspect="auto")
    for (row, column), value in np.ndenumerate(matrix):
        text = "-" if math.isnan(value) else f"{value:.1f}" if value >= 10 else f"{value:.2f}"
        axes.text(column, row, text, ha="center", va="center", color="white" if shares[row, column] > 0.6 else "black")
        if edits[row].region == locality.names[column]:
            axes.add_patch(Rectangle((column - 0.46, row - 0.44), 0.92, 0.88, fill=False, linewidth=1.5))
    for row, edit in enumerate(edits):
        score = "none" if edit.score is None else f"{edit.score:.3f}"
        axes.text(len(locality.names) - 0.3, row, score, va="center")
    axes.text(len(locality.names) - 0.3, -0.7, "score")
    axes.set_xticks(range(len(locality.names)), locality.names, parse_math=False)
    axes.set_yticks(range(len(edits)), [edit.region for edit in edits], parse_math=False)
    axes.tick_params(length=0, labeltop=True, labelbottom=False)
    axes.spines[:].set_visible(False)
    axes.set_title(
        f"What changes when a region's {what} is swapped\n"
        f"mean absolute change, levels of 0..255, over {locality.num_seeds} pictures",
        loc="left",
    )
    axes.set_xlabel(_EXPLAINED, loc="left", fontsize=8)


def draw_localities(locality: Locality) -> Figure:
    """What edits of structure change, over what edits of texture change."""
    from matplotlib.figure import Figure

    height = 1.6 + 0.34 * max(len(locality.of(what)) for what in EDITED)
    size = (max(2.6 + 0.78 * len(locality.names), 6.5), height * len(EDITED))
    figure = Figure(figsize=size, dpi=100, layout="constrained")
    for axes, what in zip(figure.subplots(len(EDITED), 1), EDITED, strict=True):
        draw_locality(locality, what, axes)
    return figure
