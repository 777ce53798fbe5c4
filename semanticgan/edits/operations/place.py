"""Place: regions moved, scaled and rotated through the coordinates of their local generators.

{"place": {"shift": [0.05, 0.0], "scale": 1.2, "rotate": 10.0}, "regions": ["eye"], "each_part": true}
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from typing_extensions import Self

from semanticgan.directions.geometry import Motion, region_coordinates
from semanticgan.edits.operation import Operation, State
from semanticgan.edits.reading import Reader
from semanticgan.errors import InputError
from semanticgan.latents import LatentCode
from semanticgan.model import Model
from semanticgan.progress import Progress


@dataclass(frozen=True, eq=False)
class Place(Operation):
    """A motion of regions, each about its own centre.

    Attributes:
        regions: names.
        motion: shift, scale and rotation.
        each_part: about the centre of each connected part, such as each eye. A script has the key where it is true.
    """

    key = "place"
    whats = "structure"

    regions: tuple[str, ...]
    motion: Motion
    each_part: bool = False

    def apply(
        self, model: Model, state: State, others: Sequence[LatentCode], progress: Progress | bool = False
    ) -> tuple[State, Self]:
        if state.coordinates is not None:
            raise InputError(
                "an edit moves regions in one operation. Name all regions in it, or do one edit after the other."
            )
        motion = self.motion
        coordinates = region_coordinates(
            model, state.code, list(self.regions), motion.shift, motion.scale, motion.rotate, each_part=self.each_part
        )
        return replace(state, coordinates=coordinates), self

    def to_dict(self) -> dict[str, Any]:
        motion = self.motion
        about = {"shift": list(motion.shift), "scale": motion.scale, "rotate": motion.rotate}
        parts = {"each_part": True} if self.each_part else {}
        return {self.key: about, "regions": list(self.regions), **parts}

    @classmethod
    def from_dict(cls, read: Reader, values: Mapping[str, Any], where: str) -> Self:
        read.keys(values, (cls.key, "regions"), where, ("each_part",))
        about = read.mapping(values[cls.key], f"the motion of {where}")
        read.keys(about, ("shift", "scale", "rotate"), f"the motion of {where}")
        ((right, down),) = read.table([about["shift"]], f'"shift" of {where}', 1, 2)
        motion = Motion((right, down), read.number(about, "scale"), read.number(about, "rotate"))
        each_part = "each_part" in values and read.flag(values, "each_part")
        return cls(read.names(values, "regions", where), motion, each_part)

    def __str__(self) -> str:
        right, down = self.motion.shift
        how = f"by {right:+g}, {down:+g}, scaled by {self.motion.scale:g}, turned by {self.motion.rotate:g} degrees"
        return f"{', '.join(self.regions)} {how}"
