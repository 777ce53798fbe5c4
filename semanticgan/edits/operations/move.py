"""Move: rows moved along a direction, such as a smile.

{"move": "smile", "strength": 2.0, "regions": ["mouth"], "layers": "",
 "direction": {"rows": [...], "scale": 0.7, "normal": [M][D]}}

The direction's numbers are kept once it was applied, so that an edit does not depend on the file it came from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from typing_extensions import Self

from semanticgan.directions.direction import Direction, move
from semanticgan.edits.operation import Operation, State
from semanticgan.edits.reading import Reader
from semanticgan.latents import LatentCode
from semanticgan.model import Model
from semanticgan.progress import Progress
from semanticgan.rows import require_layers
from semanticgan.wrong_arguments import finite_number


@dataclass(frozen=True, eq=False)
class Move(Operation):
    """Along a direction.

    Attributes:
        name: of the direction; one of ``model.directions`` where ``direction`` is None.
        strength: in standard deviations of the codes along it.
        regions: whose rows alone are moved, "base" for the base rows; empty for all of the direction's.
        layers: of a layered model, the only ones that are moved, such as "0-3"; "" for all of the direction's.
        direction: the direction itself.
    """

    key = "move"

    name: str
    strength: float = 1.0
    regions: tuple[str, ...] = ()
    layers: str = ""
    direction: Direction | None = None

    def __post_init__(self) -> None:
        finite_number("strength", self.strength)
        require_layers(self.layers)

    @property
    def names(self) -> tuple[str, ...]:
        if self.regions:
            return tuple(name for name in self.regions if name != "base")
        return () if self.direction is None else self.direction.regions

    @property
    def whats(self) -> str:
        ends = set() if self.direction is None else {row.rpartition(".")[2] for row in self.direction.rows}
        return ends.pop() if ends in ({"structure"}, {"texture"}) else "both"

    @property
    def everywhere(self) -> bool:
        confined = bool(self.regions) and "base" not in self.regions
        return self.direction is not None and self.direction.moves_base and not confined

    def apply(
        self, model: Model, state: State, others: Sequence[LatentCode], progress: Progress | bool = False
    ) -> tuple[State, Self]:
        direction = self.direction or model.directions[self.name]
        code = move(state.code, direction, self.strength, self.regions or None, self.layers or None)
        return replace(state, code=code), replace(self, direction=direction)

    def to_dict(self) -> dict[str, Any]:
        content = {self.key: self.name, "strength": self.strength, "regions": list(self.regions), "layers": self.layers}
        if self.direction is not None:
            content["direction"] = {
                "rows": list(self.direction.rows),
                "scale": self.direction.scale,
                "normal": self.direction.normal.tolist(),
            }
        return content

    @classmethod
    def from_dict(cls, read: Reader, values: Mapping[str, Any], where: str) -> Self:
        read.keys(values, (cls.key, "strength", "regions", "layers"), where, ("direction",))
        name, found = read.text(values, cls.key), None
        if "direction" in values:
            about = read.mapping(values["direction"], f"the direction of {where}")
            read.keys(about, ("rows", "scale", "normal"), f"the direction of {where}")
            normal = read.table(about["normal"], f'"normal" of {where}')
            rows = read.names(about, "rows", where)
            found = Direction(name, rows, torch.tensor(normal), read.number(about, "scale"))
        regions, layers = read.names(values, "regions", where), read.text(values, "layers")
        return cls(name, read.number(values, "strength"), regions, layers, found)

    def __str__(self) -> str:
        return f"{self.name} {self.strength:+g}"
