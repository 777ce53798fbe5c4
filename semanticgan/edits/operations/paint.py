"""Paint: structure rows optimised until the segmentation follows a painted label map, or an outline that is dragged.

{"paint": "labels.png", "regions": [], "free_base": false, "found": {...}}
{"drag": {"from": [0.5, 0.3], "to": [0.5, 0.2], "radius": 0.1}, "regions": ["hair"], "found": {...}}
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from typing_extensions import Self

from semanticgan.data.label_maps import read_labels
from semanticgan.edits.operations.optimised import Optimised, Searched
from semanticgan.edits.reading import Reader
from semanticgan.errors import InputError
from semanticgan.latents import LatentCode
from semanticgan.model import Model
from semanticgan.progress import Progress


@dataclass(frozen=True, eq=False)
class Paint(Optimised):
    """A painting to follow.

    Attributes:
        regions: whose structure moves; empty for those that the painting changes.
        path: of the label map; "" where ``labels`` holds it.
        free_base: the base rows, too.
        labels: [S, S] in memory.
    """

    key = "paint"
    whats = "structure"

    path: str = ""
    free_base: bool = False
    labels: Tensor | None = None

    @property
    def everywhere(self) -> bool:
        return self.free_base

    def search(self, model: Model, code: LatentCode, progress: Progress | bool) -> Searched:
        labels = self.labels
        if labels is None:
            labels = torch.from_numpy(read_labels(self.path, None, model.regions).astype(np.int64))
        return _followed(model, code, labels, self.regions, self.free_base, progress)

    def to_dict(self) -> dict[str, Any]:
        if not self.path and self.found is None:
            raise InputError("a painting in memory is stored once it was applied: edit.apply(model).edit.save(...).")
        return self.with_found({self.key: self.path, "free_base": self.free_base})

    @classmethod
    def from_dict(cls, read: Reader, values: Mapping[str, Any], where: str) -> Self:
        read.keys(values, (cls.key, "regions", "free_base"), where, ("found",))
        path, free_base = read.text(values, cls.key), read.flag(values, "free_base")
        return cls(path=path, free_base=free_base, **cls.found_in(read, values, where))

    def __str__(self) -> str:
        return self.path or "a painting"


@dataclass(frozen=True, eq=False)
class Drag(Optimised):
    """A point of the outline of one region pulled to another place.

    Attributes:
        start: (x, y) in shares of the side.
        end: where it goes.
        radius: standard deviation of the pull, in shares of the side.
    """

    key = "drag"
    whats = "structure"

    start: tuple[float, float] = (0.5, 0.5)
    end: tuple[float, float] = (0.5, 0.5)
    radius: float = 0.1

    def search(self, model: Model, code: LatentCode, progress: Progress | bool) -> Searched:
        from semanticgan.directions.dragging import drag

        labels = model.regions.indices(list(self.regions))
        if len(labels) != 1:
            raise InputError(f"a drag pulls the outline of one region, got {', '.join(self.regions)}. Give one.")
        before = model.render(code).labels()[0].long().cpu()
        painting = drag(before, labels[0], self.start, self.end, self.radius)
        return _followed(model, code, painting, self.regions, False, progress)

    def to_dict(self) -> dict[str, Any]:
        return self.with_found({self.key: {"from": list(self.start), "to": list(self.end), "radius": self.radius}})

    @classmethod
    def from_dict(cls, read: Reader, values: Mapping[str, Any], where: str) -> Self:
        read.keys(values, (cls.key, "regions"), where, ("found",))
        about = read.mapping(values[cls.key], f"the pull of {where}")
        read.keys(about, ("from", "to", "radius"), f"the pull of {where}")
        start, end = read.table([about["from"], about["to"]], f"the points of {where}", 2, 2)
        points = (start[0], start[1]), (end[0], end[1])
        found = cls.found_in(read, values, where)
        return cls(start=points[0], end=points[1], radius=read.number(about, "radius"), **found)

    def __str__(self) -> str:
        return f"{', '.join(self.regions)} dragged"


def _followed(
    model: Model,
    code: LatentCode,
    labels: Tensor,
    regions: tuple[str, ...],
    free_base: bool,
    progress: Progress | bool,
) -> Searched:
    from semanticgan.directions.painting import paint

    painted = paint(model, code, labels, list(regions) or None, free_base, progress=progress)
    figures = {
        "iou": painted.mean_iou,
        "iou_before": float(np.mean(list(painted.iou_before.values()))),
        "change_outside": painted.change_outside,
    }
    return Searched(painted.code, tuple(painted.regions), figures)
