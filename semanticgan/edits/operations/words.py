"""Words: rows of regions optimised until the picture agrees with a text, as CLIP sees it.

{"text": "a person with red hair", "regions": ["hair"], "what": "both", "found": {...}}
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from typing_extensions import Self

from semanticgan.edits.operations.optimised import Optimised, Searched
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
        regions: whose rows move.
        text: what the picture is to show.
        what: "structure", "texture" or "both".
    """

    key = "text"

    text: str = ""
    what: str = "both"

    def __post_init__(self) -> None:
        if self.what not in WHAT:
            raise unknown_name("choice of codes", str(self.what), WHAT)

    @property
    def whats(self) -> str:
        return self.what

    def search(self, model: Model, code: LatentCode, progress: Progress | bool) -> Searched:
        from semanticgan.directions.words import edit_by_text

        edited = edit_by_text(model, code, self.text, list(self.regions), self.what, progress=progress)
        figures = {
            "similarity_before": float(edited.before[0]),
            "similarity": float(edited.after[0]),
            "change_outside": float(edited.change_outside[0]),
        }
        return Searched(edited.code, self.regions, figures)

    def to_dict(self) -> dict[str, Any]:
        return self.with_found({self.key: self.text, "what": self.what})

    @classmethod
    def from_dict(cls, read: Reader, values: Mapping[str, Any], where: str) -> Self:
        read.keys(values, (cls.key, "regions", "what"), where, ("found",))
        text, what = read.text(values, cls.key), read.text(values, "what")
        return cls(text=text, what=what, **cls.found_in(read, values, where))

    def __str__(self) -> str:
        return self.text
