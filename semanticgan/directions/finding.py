"""Directions of a model by the method's name, ready to be stored.

==============  ==========================================================================================
interfacegan    one direction per attribute, from codes with scores (:mod:`semanticgan.directions.fitting`)
means           the same, by the difference of the means
sefa            the first directions of each row's style weights, named "sefa.hair.texture.0"
pca             the first principal components of w, on the rows of each region, named "pca.hair.0"
==============  ==========================================================================================
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch

from semanticgan.directions import fitting, pca, sefa
from semanticgan.directions.direction import Direction
from semanticgan.directions.scored import ScoredCodes
from semanticgan.errors import InputError
from semanticgan.model import Model
from semanticgan.progress import Progress, to_progress
from semanticgan.rows import Layers, Regions


def by_attributes(
    scored: ScoredCodes,
    attributes: Sequence[str],
    rows: Sequence[str] | None = None,
    ratio: float = 0.1,
    conditions: Sequence[str] = (),
    seed: int = 0,
    progress: Progress | bool = False,
    method: str = "interfacegan",
) -> list[Direction]:
    """One direction per attribute.

    Args:
        scored: codes and scores.
        attributes: of these.
        rows: names of the rows to move; None chooses them per attribute.
        ratio: share of the codes in each class.
        conditions: attributes that shall not be moved along. One that shares no row with a direction does not touch it.
        seed: of which codes are held out.
        method: "interfacegan" or "means".

    Raises:
        InputError: as :func:`semanticgan.directions.fitting.fit`.
        Cancelled: by ``progress``.
    """
    found = []
    for name in to_progress(progress).over(attributes, "fit", len(attributes), "direction"):
        fit = partial(fitting.fit, scored, ratio=ratio, seed=seed, method=method)
        plain = fit(name, rows)
        hold = partial(fitting.held, scored) if method == "means" else fit
        others = [hold(other, rows=plain.rows) for other in conditions if other != name]
        found.append(fit(name, plain.rows, conditions=others) if others else plain)
    return found


def by_weights(
    model: Model,
    num: int,
    regions: Regions | None = None,
    layers: Layers | None = None,
    what: str = "both",
    seed: int = 0,
) -> list[Direction]:
    """The first ``num`` directions of SeFa of each row of the regions, or of the layers together.

    Raises:
        InputError: as :func:`semanticgan.directions.sefa.of_model`.
    """
    found = sefa.of_model(model, regions, layers, what=what, num_directions=num, seed=seed)
    return [
        _of_vector(
            model, f"sefa.{group}.{index}", each.rows, each.directions[index], float(each.deviations[index]), "sefa",
            {"eigenvalue": round(float(each.values[index]), 6)},
        )
        for group, each in found.items()
        for index in range(len(each.directions))
    ]  # fmt: skip


def by_components(
    model: Model,
    num: int,
    regions: Regions | None = None,
    layers: Layers | None = None,
    what: str = "both",
    seed: int = 0,
) -> list[Direction]:
    """The first ``num`` principal components of w, applied to the rows of each region, or to the layers together.

    Raises:
        InputError: as :func:`semanticgan.directions.pca.of_model`.
    """
    if model.rows.regions is None:
        groups: dict[str, Regions | None] = {"layers": None}
    else:
        names = model.rows.regions.names
        chosen = names if regions is None else [names[index] for index in model.rows.regions.indices(regions)]
        groups = {name: name for name in chosen}
    found = []
    for group, region in groups.items():
        every = layers if region is not None or layers is not None else range(len(model.rows))
        parts = pca.of_model(model, region, every, what=what, num_components=num, seed=seed)
        for index in range(num):
            share = {"share_of_variance": round(float(parts.shares[index]), 6)}
            deviation = float(parts.deviations[index])
            name = f"pca.{group}.{index}"
            found.append(_of_vector(model, name, parts.rows, parts.components[index], deviation, "pca", share))
    return found


def _of_vector(
    model: Model,
    name: str,
    rows: Sequence[int],
    vector: torch.Tensor,
    deviation: float,
    method: str,
    figures: dict[str, float],
) -> Direction:
    """The same vector [D] on each row, whose deviation is that of one row."""
    if not rows:
        raise InputError(f"direction {name!r} has no rows. Choose regions or layers.")
    normal = vector.cpu().float().expand(len(rows), -1)
    moved = tuple(model.rows.names[row] for row in rows)
    return Direction(name, moved, normal, deviation * len(rows) ** 0.5, method, figures)
