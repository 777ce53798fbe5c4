"""Operations that optimise rows: what they found is kept, so that a script repeats it at once.

"found": {"rows": ["hair.structure"], "code": [M][D], "figures": {"iou": 0.93}}
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor
from typing_extensions import Self

from semanticgan.edits.operation import Operation, State
from semanticgan.edits.reading import Reader
from semanticgan.errors import InputError
from semanticgan.latents import LatentCode
from semanticgan.model import Model
from semanticgan.progress import Progress


@dataclass(frozen=True, eq=False)
class FoundRows:
    """Rows as an optimisation left them.

    Attributes:
        rows: names of M rows.
        values: float32 [M, D].
        figures: what was measured, JSON-able.
    """

    rows: tuple[str, ...]
    values: Tensor
    figures: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, before: LatentCode, after: LatentCode, figures: Mapping[str, float]) -> FoundRows:
        """The rows in which two codes of one image differ."""
        changed = (before.tensor[0] != after.tensor[0]).any(1)
        rows = tuple(name for name, moved in zip(before.rows.names, changed.tolist(), strict=True) if moved)
        return cls(rows, after.tensor[0, changed].detach().float().cpu(), dict(figures))

    def put(self, code: LatentCode) -> LatentCode:
        """A code with these rows.

        Raises:
            InputError: it has no such rows.
        """
        names, width = code.rows.names, code.tensor.shape[-1]
        if not set(self.rows) <= set(names) or (self.rows and self.values.shape[1] != width):
            raise InputError(
                f"the edit found the rows {', '.join(self.rows)}; this code has {code.rows}. Edit it anew."
            )
        if not self.rows:
            return code
        tensor = code.tensor.clone()
        tensor[0, [names.index(row) for row in self.rows]] = self.values.to(tensor)
        return LatentCode(tensor, code.rows)

    def to_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return {"rows": list(self.rows), "code": self.values.tolist(), "figures": dict(self.figures)}

    @classmethod
    def from_dict(cls, read: Reader, item: Any, where: str) -> FoundRows:
        """Of :meth:`to_dict`.

        Raises:
            InputError: it is not what :meth:`to_dict` gives.
        """
        values = read.mapping(item, f'"found" of {where}')
        read.keys(values, ("rows", "code", "figures"), f'"found" of {where}')
        rows = read.names(values, "rows", where)
        code = read.table(values["code"], f'"code" of {where}') if rows else []
        if len(code) != len(rows):
            read.refuse(f'"code" of {where}', f"{len(rows)} rows", len(code))
        figures = read.mapping(values["figures"], f'"figures" of {where}')
        return cls(rows, torch.tensor(code), {str(name): read.number(figures, name) for name in figures})


@dataclass(frozen=True, eq=False)
class Searched:
    """A code that was optimised.

    Attributes:
        code: of one image.
        regions: names of those whose rows moved.
        figures: what was measured, JSON-able.
    """

    code: LatentCode
    regions: tuple[str, ...]
    figures: Mapping[str, float]


@dataclass(frozen=True, eq=False)
class Optimised(Operation):
    """Base of operations that optimise rows of one face.

    Attributes:
        regions: names.
        found: None before it was applied.
    """

    of_one_face = True

    regions: tuple[str, ...] = ()
    found: FoundRows | None = None

    @property
    def figures(self) -> Mapping[str, float]:
        return {} if self.found is None else self.found.figures

    @abstractmethod
    def search(self, model: Model, code: LatentCode, progress: Progress | bool) -> Searched:
        """Optimise the code of one image."""

    def apply(
        self, model: Model, state: State, others: Sequence[LatentCode], progress: Progress | bool = False
    ) -> tuple[State, Self]:
        if state.coordinates is not None:
            raise InputError(f"{self} comes before regions are moved. Put it first.")
        if self.found is not None:
            return replace(state, code=self.found.put(state.code)), self
        done = self.search(model, state.code, progress)
        found = FoundRows.of(state.code, done.code, done.figures)
        return replace(state, code=done.code), replace(self, found=found, regions=done.regions)

    def with_found(self, content: dict[str, Any]) -> dict[str, Any]:
        """The JSON of an operation, with what it found."""
        regions = {**content, "regions": list(self.regions)}
        return regions if self.found is None else {**regions, "found": self.found.to_dict()}

    @staticmethod
    def found_in(read: Reader, values: Mapping[str, Any], where: str) -> dict[str, Any]:
        """Fields of :meth:`with_found`."""
        found = FoundRows.from_dict(read, values["found"], where) if "found" in values else None
        return {"regions": read.names(values, "regions", where), "found": found}
