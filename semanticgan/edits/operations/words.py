"""Words: rows of regions optimised until the picture agrees with a text, as CLIP sees it.

{"text": "a person with red hair", "regions": ["hair"], "what": "both", "found": {...}}
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from typing_extensions import Self

from semanticgan.directions.words import edit_by_text
from semanticgan.edits.operation import State
from semanticgan.edits.operations.optimised import FoundRows, Optimised
from semanticgan.edits.reading import Reader
from semanticgan.errors import unknown_name
from semanticgan.latents import LatentCode
from semanticgan.model import Model
from semanticgan.progress import Progress
from semanticgan.rows import WHAT


@dataclass(frozen=True, eq=False)
class Words(Optimised):
    """A text to agree with.

    Attributes:
        text: what the picture is to show.
        regions: whose rows move.
        what: "structure", "texture" or "both".
        found: the rows, once they were optimised.
    """

    key = "text"

    text: str
    regions: tuple[str, ...]
    what: str = "both"
    found: FoundRows | None = None

    def __post_init__(self) -> None:
        if self.what not in WHAT:
            raise unknown_name("choice of codes", str(self.what), WHAT)

    @property
    def names(self) -> tuple[str, ...]:
        return self.regions

    @property
    def whats(self) -> str:
        return self.what

    def apply(
        self, model: Model, state: State, others: Sequence[LatentCode], progress: Progress | bool = False
    ) -> tuple[State, Self]:
        self.require_plain(state)
        if self.found is not None:
            return replace(state, code=self.found.put(state.code)), self
        edited = edit_by_text(model, state.code, self.text, list(self.regions), self.what, progress=progress)
        figures = {
            "similarity_before": float(edited.before[0]),
            "similarity": float(edited.after[0]),
            "change_outside": float(edited.change_outside[0]),
        }
        found = FoundRows.of(state.code, edited.code, figures)
        return replace(state, code=edited.code), replace(self, found=found)

    def to_dict(self) -> dict[str, Any]:
        content = {self.key: self.text, "regions": list(self.regions), "what": self.what}
        return content if self.found is None else {**content, "found": self.found.to_dict()}

    @classmethod
    def from_dict(cls, read: Reader, values: Mapping[str, Any], where: str) -> Self:
        read.keys(values, (cls.key, "regions", "what"), where, ("found",))
        found = FoundRows.from_dict(read, values["found"], where) if "found" in values else None
        return cls(read.text(values, cls.key), read.names(values, "regions", where), read.text(values, "what"), found)

    def __str__(self) -> str:
        return self.text
