"""Two related models blended into one: layer-wise, in the manner of Pinkney & Adler 2020 (arXiv 2010.05334).

There, a generator and its adaptation to another domain are joined at a resolution: coarse layers of one, fine layers
of the other. Here the renderer's blocks are what has resolutions, and beneath them the local generators can be taken
region by region. What is left, the mapping from z to w and the mean code, is the first model's.

The models must be related: one adapted from the other, or both from a third. Those trained apart have nothing in
common at the same place of their weights, and their blend draws nothing (:attr:`Blend.similarity` is near 0).
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from semanticgan.checkpoint import LoadedModel, ModelMetadata
from semanticgan.errors import InputError
from semanticgan.model import Model
from semanticgan.networks.latent_generator import LatentGenerator

_SHARED = ("mapping.", "local.")
_RELATED = 0.5  # adapted models have 0.9 and more, models trained apart about 0


@dataclass(frozen=True)
class Blend:
    """A blended model and what went into it.

    Attributes:
        model: the blend, on the first model's device.
        side_weights: the second model's part in the renderer's block that puts out a side, 0..1, by that side.
        regions: names of the regions whose local generators come from the second model.
        weight: the second model's part in those, 0..1.
        similarity: cosine between the weights of both models, 1 for equal ones and about 0 for unrelated ones.
    """

    model: Model
    side_weights: dict[int, float]
    regions: tuple[str, ...]
    weight: float
    similarity: float


def blend(
    first: Model,
    second: Model,
    *,
    renderer_from: int | None = None,
    regions: str | Iterable[str] = (),
    weight: float = 1.0,
    smooth: float = 0.0,
) -> Blend:
    """A model with parts of ``second`` in place of those of ``first``; both stay as they are.

    A region brings its local generator: its layers, the head of its pseudo-depth and its feature head. The embedding
    of the coordinates, which all local generators share, is the second model's only if all regions are.

    Args:
        first: the model that gives everything else.
        second: a related model of the same numbers and regions.
        renderer_from: the renderer's blocks that put out this side and larger ones are the second model's; None for
            none. The noise maps of a block are those of the model with the larger part in it.
        regions: names of regions whose local generators are the second model's; commas part names within one string.
        weight: how much of the second model, 0 (nothing) to 1 (all), where it has a part.
        smooth: over how many doublings of the side the renderer passes from one model to the other: the part of the
            second is ``weight`` times the logistic function of the distance from ``renderer_from`` in these. 0 is a
            sharp cut.

    Raises:
        InputError: models of other numbers or regions, a side that no block puts out, an unknown region, a number out
            of range.
    """
    _require_alike(first, second)
    if not 0.0 <= weight <= 1.0:
        raise InputError(f"the weight of a blend lies between 0 (the first model) and 1 (the second), got {weight}.")
    if not 0.0 <= smooth < math.inf:
        raise InputError(f"smooth must be a number of doublings of the resolution, 0 or more, got {smooth}.")
    chosen = regions if isinstance(regions, str) else tuple(regions)
    labels = () if chosen == () else first.regions.indices(chosen)
    side_weights = _side_weights(first.generator, renderer_from, weight, smooth)

    generator = copy.deepcopy(first.generator)
    own = first.generator.state_dict()
    other = {name: tensor.to(first.device) for name, tensor in second.generator.state_dict().items()}
    state = {name: tensor.clone() for name, tensor in own.items()}
    if labels:
        _blend_regions(state, other, labels, len(first.regions), weight)
    _blend_sides(generator, state, other, side_weights)
    generator.load_state_dict(state)
    generator.requires_grad_(False)

    names = tuple(first.regions.names[label] for label in labels)
    metadata = _metadata(first, second, renderer_from, names, weight, smooth)
    model = Model(LoadedModel(generator, first.rows.regions, metadata), first.device)
    return Blend(model, side_weights, names, weight, _similarity(own, other))


def block_sides(generator: LatentGenerator) -> tuple[int, ...]:
    """The side that each block of a renderer, or of a layered model, puts out, from the smallest on."""
    found = {generator.side_of(name) for name in generator.state_dict()}
    return tuple(sorted(side for side in found if side is not None))


def _require_alike(first: Model, second: Model) -> None:
    ours, theirs = first.config.to_dict(), second.config.to_dict()
    differing = [f"{name} ({ours[name]} and {theirs.get(name)})" for name in ours if ours[name] != theirs.get(name)]
    if first.rows.names != second.rows.names:
        kind = "layers" if first.rows.regions is None else "regions"
        differing.append(f"{kind} ({first.rows} and {second.rows})")
    if differing:
        raise InputError(
            f"the two models cannot be blended, they differ in {', '.join(differing)}. "
            "Give two models of which one was adapted from the other."
        )


def _side_weights(
    generator: LatentGenerator, renderer_from: int | None, weight: float, smooth: float
) -> dict[int, float]:
    """The second model's part by the side that a block puts out."""
    sides = block_sides(generator)
    if renderer_from is None:
        return dict.fromkeys(sides, 0.0)
    if renderer_from not in sides:
        raise InputError(
            f"the renderer has no block of resolution {renderer_from}. "
            f"Give one of {', '.join(map(str, sides))}; {sides[0]} takes the whole renderer."
        )
    if not smooth:
        return {side: weight if side >= renderer_from else 0.0 for side in sides}
    # The middle of the passage lies between the last block of the first model and the first block of the second.
    doublings = {side: math.log2(side / renderer_from) + 0.5 for side in sides}
    return {side: weight * 0.5 * (1.0 + math.tanh(doublings[side] / (2.0 * smooth))) for side in sides}


def _mixed(own: Tensor, other: Tensor, weight: float) -> Tensor:
    """``own`` at weight 0 and ``other`` at weight 1, both exactly."""
    if weight in (0.0, 1.0):
        return other if weight else own
    return torch.lerp(own, other, weight)


def _blend_regions(
    state: dict[str, Tensor], other: dict[str, Tensor], labels: tuple[int, ...], num_regions: int, weight: float
) -> None:
    """Slices of the stacked parameters of the local generators; the background has no head of a pseudo-depth."""
    for name, tensor in state.items():
        if name == "local.fourier_weight":
            if len(labels) == num_regions:
                tensor.copy_(_mixed(tensor, other[name], weight))
        elif name.startswith(("local.", "fusion.")):
            first_label = 1 if name.startswith("local.depth_head.") else 0
            own_rows = [label - first_label for label in labels if label >= first_label]
            tensor[own_rows] = _mixed(tensor[own_rows], other[name][own_rows], weight)


def _blend_sides(
    generator: LatentGenerator, state: dict[str, Tensor], other: dict[str, Tensor], weights: dict[int, float]
) -> None:
    """Whatever makes the maps of a side. The mean of two noise maps would be weaker than either."""
    for name, tensor in state.items():
        side = generator.side_of(name)
        if side is None:
            continue
        weight = float(weights[side] > 0.5) if "noise_" in name.rpartition(".")[2] else weights[side]
        tensor.copy_(_mixed(tensor, other[name], weight))


def require_related(first: Model, second: Model) -> None:
    """Check that codes of one model mean the same to another: one was adapted or grown from the other.

    Raises:
        InputError: they have other rows, or their mapping and local generators have little in common.
    """
    if first.rows.names != second.rows.names:
        raise InputError(
            f"the model {second.metadata.description!r} has {second.rows}; the codes have {first.rows}. Give a model "
            "that was adapted from the codes' model."
        )
    states = [
        {name: value for name, value in model.generator.state_dict().items() if name.startswith(_SHARED)}
        for model in (first, second)
    ]
    alike = all(name in states[1] and states[1][name].shape == value.shape for name, value in states[0].items())
    similarity = _similarity(*states) if alike else 0.0
    if similarity < _RELATED:
        raise InputError(
            f"the model {second.metadata.description!r} is not related to the codes' model (similarity of weights "
            f"{similarity:.2f}, at least {_RELATED} is needed). Give one adapted from it (docs/new-domains.md)."
        )


def _similarity(own: dict[str, Tensor], other: dict[str, Tensor]) -> float:
    """Cosine over all weights of convolutions and linear layers, each tensor counting alike; in float64."""
    cosines = []
    for name, tensor in own.items():
        if name.endswith("weight") and tensor.ndim > 1:
            x, y = tensor.double().flatten(), other[name].double().flatten()
            cosines.append(float(x @ y / (x.norm() * y.norm()).clamp_min(1e-12)))
    return sum(cosines) / len(cosines)


def _metadata(
    first: Model, second: Model, renderer_from: int | None, regions: tuple[str, ...], weight: float, smooth: float
) -> ModelMetadata:
    """What the blend says of itself: its two sources, and the terms of both."""
    ours, theirs = first.metadata, second.metadata
    return ModelMetadata(
        description=f"a blend of: {ours.description}; and: {theirs.description}",
        config=ours.config,
        regions=ours.regions,
        discriminator=None,
        training={
            "blend": {"renderer_from": renderer_from, "regions": list(regions), "weight": weight, "smooth": smooth},
            "first": {"description": ours.description, "training": dict(ours.training)},
            "second": {"description": theirs.description, "training": dict(theirs.training)},
        },
        licence=_both(ours.licence, theirs.licence),
        data_licence=_both(ours.data_licence, theirs.data_licence),
        precision="float16" if ours.precision == theirs.precision == "float16" else "float32",
        perception=tuple(sorted({*ours.perception, *theirs.perception})),
        alignment=ours.alignment,
    )


def _both(first: str, second: str) -> str:
    """The terms of two sources, which both hold."""
    return first if first == second else f"of the first model: {first}; of the second: {second}"
