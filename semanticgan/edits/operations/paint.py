"""Paint: structure rows optimised until the segmentation follows a painted label map, or an outline that is dragged.

{"paint": "labels.png", "regions": [], "free_base": false, "found": {...}}
{"drag": {"from": [0.5, 0.3], "to": [0.5, 0.2], "radius": 0.1}, "regions": ["hair"], "found": {...}}
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from typing_extensions import Self

from semanticgan.data.label_maps import read_labels
from semanticgan.directions.dragging import drag
from semanticgan.directions.painting import paint
from semanticgan.edits.operation import State
from semanticgan.edits.operations.optimised import FoundRows, Optimised
from semanticgan.edits.reading import Reader
from semanticgan.errors import InputError
from semanticgan.latents import LatentCode
from semanticgan.model import Model
from semanticgan.progress import Progress


@dataclass(frozen=True, eq=False)
class Paint(Optimised):
    """A painting to follow.

    Attributes:
        path: of the label map; "" where ``labels`` holds it.
        regions: whose structure moves; empty for those that the painting changes.
        free_base: the base rows, too.
        labels: [S, S] in memory.
        found: the rows, once they were optimised.
    """

    key = "paint"

    path: str = ""
    regions: tuple[str, ...] = ()
    free_base: bool = False
    labels: Tensor | None = None
    found: FoundRows | None = None

    @property
    def names(self) -> tuple[str, ...]:
        if self.regions or self.found is None:
            return self.regions
        return tuple(dict.fromkeys(row.rpartition(".")[0] for row in self.found.rows if not row.startswith("base.")))

    @property
    def whats(self) -> str:
        return "structure"

    @property
    def everywhere(self) -> bool:
        return self.free_base

    def apply(
        self, model: Model, state: State, others: Sequence[LatentCode], progress: Progress | bool = False
    ) -> tuple[State, Self]:
        self.require_plain(state)
        if self.found is not None:
            return replace(state, code=self.found.put(state.code)), self
        labels = self.labels
        if labels is None:
            labels = torch.from_numpy(read_labels(self.path, None, model.regions).astype(np.int64))
        return self._follow(model, state, labels, progress)

    def _follow(self, model: Model, state: State, labels: Tensor, progress: Progress | bool) -> tuple[State, Self]:
        painted = paint(model, state.code, labels, list(self.regions) or None, self.free_base, progress=progress)
        figures = {
            "iou": painted.mean_iou,
            "iou_before": float(np.mean(list(painted.iou_before.values()))),
            "change_outside": painted.change_outside,
        }
        found = FoundRows.of(state.code, painted.code, figures)
        return replace(state, code=painted.code), replace(self, found=found, regions=tuple(painted.regions))

    def to_dict(self) -> dict[str, Any]:
        if not self.path and self.found is None:
            raise InputError("a painting in memory is stored once it was applied: edit.apply(model).edit.save(...).")
        content = {self.key: self.path, "regions": list(self.regions), "free_base": self.free_base}
        return content if self.found is None else {**content, "found": self.found.to_dict()}

    @classmethod
    def from_dict(cls, read: Reader, values: Mapping[str, Any], where: str) -> Self:
        read.keys(values, (cls.key, "regions", "free_base"), where, ("found",))
        found = FoundRows.from_dict(read, values["found"], where) if "found" in values else None
        regions = read.names(values, "regions", where)
        return cls(read.text(values, cls.key), regions, read.flag(values, "free_base"), None, found)

    def __str__(self) -> str:
        return self.path or "a painting"


@dataclass(frozen=True, eq=False)
class Drag(Paint):
    """A point of a region's outline pulled to another place.

    Attributes:
        start: (x, y) in shares of the side.
        end: where it goes.
        radius: standard deviation of the pull, in shares of the side.
    """

    key = "drag"

    start: tuple[float, float] = (0.5, 0.5)
    end: tuple[float, float] = (0.5, 0.5)
    radius: float = 0.1

    def apply(
        self, model: Model, state: State, others: Sequence[LatentCode], progress: Progress | bool = False
    ) -> tuple[State, Self]:
        self.require_plain(state)
        if self.found is not None:
            return replace(state, code=self.found.put(state.code)), self
        (label,) = model.regions.indices(list(self.regions))
        labels = model.render(state.code).labels()[0].long().cpu()
        state, done = self._follow(model, state, drag(labels, label, self.start, self.end, self.radius), progress)
        return state, done

    def to_dict(self) -> dict[str, Any]:
        about = {"from": list(self.start), "to": list(self.end), "radius": self.radius}
        content = {self.key: about, "regions": list(self.regions)}
        return content if self.found is None else {**content, "found": self.found.to_dict()}

    @classmethod
    def from_dict(cls, read: Reader, values: Mapping[str, Any], where: str) -> Self:
        read.keys(values, (cls.key, "regions"), where, ("found",))
        about = read.mapping(values[cls.key], f"the pull of {where}")
        read.keys(about, ("from", "to", "radius"), f"the pull of {where}")
        (start, end) = read.table([about["from"], about["to"]], f"the points of {where}", 2, 2)
        found = FoundRows.from_dict(read, values["found"], where) if "found" in values else None
        return cls(
            regions=read.names(values, "regions", where),
            found=found,
            start=(start[0], start[1]),
            end=(end[0], end[1]),
            radius=read.number(about, "radius"),
        )

    def __str__(self) -> str:
        return f"{', '.join(self.regions)} dragged"
