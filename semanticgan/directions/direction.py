"""Direction: what an attribute adds to the rows of a code, and how it is applied.

    move(code, d, s):    code_r + s * scale * normal_r    for each row r of d

The normals of all rows together have length 1. ``scale`` is the standard deviation of the codes' projections on the
normal, so strength 1 is one standard deviation of the codes that the direction was found on (arXiv 1907.10786 moves by
plain distances).

N images, R rows of a code, M rows that a direction moves, D style width.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from semanticgan.errors import InputError
from semanticgan.latents import LatentCode, require_codes
from semanticgan.rows import Layers, Regions, Rows
from semanticgan.wrong_arguments import finite_number, require_type, shown


@dataclass(frozen=True, eq=False)
class Direction:
    """A direction of a latent space.

    Attributes:
        name: such as "smile".
        rows: names of the M rows that it moves, such as ("mouth.structure", "mouth.texture").
        normal: float32 [M, D], of length 1 over all rows.
        scale: standard deviation of the codes along the normal, above 0; what strength 1 moves by.
        method: how it was found, such as "interfacegan".
        figures: what was measured, JSON-able, such as {"accuracy": 0.97}.
    """

    name: str
    rows: tuple[str, ...]
    normal: Tensor
    scale: float
    method: str = ""
    figures: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        require_type("the name of a direction", self.name, str, "a text, such as 'smile'")
        require_type("the normal of a direction", self.normal, Tensor, "a torch.Tensor [M, D]")
        if self.normal.ndim != 2 or len(self.normal) != len(self.rows) or not self.rows:
            raise InputError(
                f"direction {self.name!r} has {len(self.rows)} rows and a normal of the shape "
                f"{list(self.normal.shape)}. Give one normal per row, [M, D]."
            )
        length = float(self.normal.double().norm())
        if not math.isfinite(length) or length == 0 or not finite_number("scale", self.scale) > 0:
            raise InputError(f"direction {self.name!r} has a normal or a scale that is 0 or not finite.")
        object.__setattr__(self, "normal", self.normal.detach().float() / length)
        object.__setattr__(self, "rows", tuple(self.rows))

    def __repr__(self) -> str:
        return f"Direction({self.name!r}, rows={list(self.rows)}, scale={self.scale:.3g}, method={self.method!r})"

    @property
    def regions(self) -> tuple[str, ...]:
        """The regions whose rows it moves, in the order of the rows; "base" and layers are no regions."""
        owners = dict.fromkeys(row.rpartition(".")[0] for row in self.rows)
        return tuple(owner for owner in owners if owner not in ("base", "layer"))

    @property
    def moves_base(self) -> bool:
        """Whether it moves base rows, which all regions share."""
        return any(row.startswith("base.") for row in self.rows)

    @property
    def change(self) -> Tensor:
        """What strength 1 adds, float32 [M, D]."""
        return self.scale * self.normal

    def within(self, rows: Rows, regions: Regions | None = None, layers: Layers | None = None) -> Direction:
        """This direction on the rows of some regions or layers alone. A strength adds the same to these rows as before.

        Args:
            rows: of the model.
            regions: names or aliases; "base" stands for the base rows.
            layers: of a layered model.

        Raises:
            InputError: an unknown region or layer, or none whose rows this direction moves.
        """
        if regions is None and layers is None:
            return self
        chosen = _chosen(rows, regions, layers)
        kept = [index for index, row in enumerate(self.rows) if row in chosen]
        if not kept:
            raise InputError(
                f"direction {self.name!r} moves {', '.join(self.rows)}, none of which was chosen. Choose of these: "
                f"{', '.join(self.choices)}."
            )
        share = float(self.normal[kept].norm())
        names = tuple(self.rows[index] for index in kept)
        return Direction(self.name, names, self.normal[kept], self.scale * share, self.method, self.figures)

    @property
    def choices(self) -> tuple[str, ...]:
        """What :meth:`within` can be confined to: regions and "base", or the layers."""
        named = (*self.regions, *["base"] * self.moves_base)
        return named or tuple(row.rpartition(".")[2] for row in self.rows)


def move(
    code: LatentCode,
    direction: Direction,
    strength: float | Sequence[float] | Tensor = 1.0,
    regions: Regions | None = None,
    layers: Layers | None = None,
) -> LatentCode:
    """``code`` moved along a direction: ``move(code, model.directions["smile"], 2.0)``.

    Args:
        code: N images.
        direction: of the code's model.
        strength: in standard deviations of the codes along the direction; one number, or one per image. A code of one
            image with P numbers gives P images.
        regions: move only rows of these regions; "base" stands for the base rows.
        layers: of a layered model, move only these layers.

    Raises:
        InputError: a direction of other rows, a strength that is no finite number, or as :meth:`Direction.within`.
    """
    require_codes([code])
    require_type("a direction", direction, Direction, "a Direction, such as model.directions['smile']")
    direction = direction.within(code.rows, regions, layers)
    names = code.rows.names
    width = code.tensor.shape[-1]
    if not set(direction.rows) <= set(names) or direction.normal.shape[1] != width:
        raise InputError(
            f"direction {direction.name!r} moves {', '.join(direction.rows)} of width {direction.normal.shape[1]}; "
            f"this code has {code.rows} of width {width}. Use a direction of the code's model."
        )
    steps = _strengths(strength, len(code))
    num_images = max(len(code), len(steps))
    tensor = code.tensor.expand(num_images, -1, -1).clone()
    moved = [names.index(row) for row in direction.rows]
    steps = steps.to(tensor)[:, None, None]
    tensor[:, moved] += steps * direction.change.to(tensor)
    return LatentCode(tensor, code.rows)


def _strengths(given: Any, num_images: int) -> Tensor:
    """float64 [1] or one per image."""
    if isinstance(given, Tensor):
        given = given.tolist()
    numbers = list(given) if isinstance(given, Sequence) and not isinstance(given, (str, bytes)) else [given]
    steps = torch.tensor([finite_number("strength", number) for number in numbers], dtype=torch.float64)
    if (len(steps) not in (1, num_images) and num_images != 1) or not len(steps):
        raise InputError(
            f"strengths are one number, or one per image ({num_images} here), got {shown(given)}. Give either."
        )
    return steps


def _chosen(rows: Rows, regions: Regions | None, layers: Layers | None) -> set[str]:
    """Names of the chosen rows."""
    if regions is None:
        return {rows.names[index] for index in rows.indices(layers=layers)}
    given = [name.strip() for name in regions.split(",")] if isinstance(regions, str) else list(regions)
    named = [name for name in given if name != "base"]
    chosen = {rows.names[index] for index in rows.indices(named)} if named or "base" not in given else set()
    return chosen | ({row for row in rows.names if row.startswith("base.")} if "base" in given else set())
