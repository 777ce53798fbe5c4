"""What the page is told of a model: its regions or layers, its steps, and the directions of its rows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from torch import Tensor

from semanticgan.directions import sefa
from semanticgan.directions.finding import by_weights
from semanticgan.model import Model
from semanticgan.rows import layers_text
from semanticgan.studio.steps import sides_of_layers, steps_of

NUM_OWN_DIRECTIONS = 4
"""Of the shape of a region, and as many of its colour; of layers twice as many."""

_DIGITS = 5  # of a normal's numbers: 1e-5 of its length


def described(name: str, model: Model) -> dict[str, Any]:
    """A model as JSON: side, regions or layers, directions, steps.

    Of a layered model, "regions" is empty, "layers" has name and side in pixels of each layer that is in use, and
    "groups" says which of them each step varies.
    """
    steps = steps_of(model)
    layered = model.rows.regions is None
    sides = sides_of_layers(model) if layered else []
    groups = [{"title": step.title, "layers": model.rows.indices(layers=step.layers)} for step in steps if step.layers]
    return {
        "name": name,
        "size": model.size,
        "description": model.metadata.description,
        "regions": [] if layered else list(model.regions.names),
        "layers": [{"name": row, "side": side} for row, side in zip(model.rows.names, sides, strict=False)],
        "groups": groups or [{"title": "All", "layers": list(range(len(sides)))}],
        "directions": [
            {"name": key, "regions": list(one.rows if layered else one.regions), "moves_base": one.moves_base}
            for key, one in model.directions.items()
        ],
        "steps": [{"title": step.title, "hint": step.hint} for step in steps],
    }


def directions_of_region(model: Model, region: str) -> list[dict[str, Any]]:
    """The directions of a region's own rows, as "direction" of an edit script holds them.

    Raises:
        InputError: an unknown region, or a layered model.
    """
    found = sefa.of_model(model, [region], num_directions=NUM_OWN_DIRECTIONS)
    return [
        {
            "name": f"{row} {index + 1}",
            "what": row.rpartition(".")[2],
            "direction": _as_json([row], float(part.deviations[index]), part.directions[index : index + 1]),
        }
        for row, part in found.items()
        for index in range(len(part.directions))
    ]


def directions_of_layers(model: Model, layers: str) -> list[dict[str, Any]]:
    """The directions of layers, the same step on each of them, as "direction" of an edit script holds them.

    Raises:
        InputError: an unknown layer, or a model of regions.
    """
    numbers = model.rows.indices(layers=layers)
    found = by_weights(model, min(2 * NUM_OWN_DIRECTIONS, model.config.style_dim), layers=numbers)
    kind = "layer" if len(numbers) == 1 else "layers"
    name = f"{kind} {layers_text(numbers)}"
    return [
        {"name": f"{name}, {index}", "what": "both", "direction": _as_json(one.rows, one.scale, one.normal)}
        for index, one in enumerate(found, 1)
    ]


def _as_json(rows: Iterable[str], scale: float, normal: Tensor) -> dict[str, Any]:
    rounded = [[round(number, _DIGITS) for number in row] for row in normal.tolist()]
    return {"rows": list(rows), "scale": scale, "normal": rounded}
