"""Mix: rows of regions or layers taken from another code, all of them (a swap) or a part of the way (an interpolation).

{"source": {"seed": 8}, "regions": ["hair"], "what": "both", "include_base": false, "weight": 1.0}
{"source": {"seed": 8}, "regions": [], "what": "both", "include_base": false, "weight": 1.0, "layers": "0-3"}
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from typing_extensions import Self

from semanticgan.edits.operation import Operation, State
from semanticgan.edits.reading import Reader
from semanticgan.edits.source_json import source_from, source_to
from semanticgan.edits.sources import Source
from semanticgan.errors import InputError, unknown_name
from semanticgan.latents import LatentCode, mix
from semanticgan.model import Model
from semanticgan.progress import Progress
from semanticgan.rows import WHAT, require_layers
from semanticgan.wrong_arguments import finite_number


@dataclass(frozen=True, eq=False)
class Mix(Operation):
    """A swap or an interpolation.

    Attributes:
        regions: names; empty with ``include_base`` alone, or with layers.
        source: of the other code; of several faces the first counts.
        what: "structure", "texture" or "both".
        include_base: the base rows, too.
        weight: 1 is a swap, 0 changes nothing.
        layers: of a layered model, such as "0-3"; "" of a model of regions.
    """

    key = "source"

    regions: tuple[str, ...]
    source: Source
    what: str = "both"
    include_base: bool = False
    weight: float = 1.0
    layers: str = ""

    def __post_init__(self) -> None:
        if self.what not in WHAT:
            raise unknown_name("choice of codes", str(self.what), WHAT)
        finite_number("weight", self.weight)
        require_layers(self.layers)
        if self.layers and (self.regions or self.what != "both" or self.include_base):
            raise InputError(
                f"layers, {self.layers} here, are of a layered model; regions, what and include_base are of a model of "
                "regions. Leave one of them out."
            )

    @property
    def whats(self) -> str:
        return self.what

    @property
    def everywhere(self) -> bool:
        return self.include_base or bool(self.layers)

    @property
    def sources(self) -> tuple[Source, ...]:
        return (self.source,)

    def with_sources(self, sources: Sequence[Source]) -> Self:
        (source,) = sources
        return replace(self, source=source)

    def apply(
        self, model: Model, state: State, others: Sequence[LatentCode], progress: Progress | bool = False
    ) -> tuple[State, Self]:
        (other,) = others
        if self.layers:
            code = mix(state.code, other, weight=self.weight, layers=self.layers)
        else:
            code = mix(state.code, other, list(self.regions), self.weight, self.what, self.include_base)
        return replace(state, code=code), self

    def to_dict(self) -> dict[str, Any]:
        content = {
            self.key: source_to(self.source),
            "regions": list(self.regions),
            "what": self.what,
            "include_base": self.include_base,
            "weight": self.weight,
        }
        return content | ({"layers": self.layers} if self.layers else {})

    @classmethod
    def from_dict(cls, read: Reader, values: Mapping[str, Any], where: str) -> Self:
        read.keys(values, (cls.key, "regions", "what", "include_base", "weight"), where, ("layers",))
        return cls(
            read.names(values, "regions", where),
            source_from(read, values[cls.key], f"the source of {where}"),
            read.text(values, "what"),
            read.flag(values, "include_base"),
            read.number(values, "weight"),
            read.text(values, "layers") if "layers" in values else "",
        )

    def __str__(self) -> str:
        return str(self.source)
