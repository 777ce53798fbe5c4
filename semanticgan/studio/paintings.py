"""Paintings: structure rows optimised until a painted label map or a dragged outline is followed, between renders."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from semanticgan.directions.dragging import drag
from semanticgan.edits import Edit
from semanticgan.edits.operations import Drag, Paint
from semanticgan.edits.operations.optimised import Optimised
from semanticgan.edits.reading import Reader
from semanticgan.errors import InputError
from semanticgan.model import Model
from semanticgan.progress import Progress
from semanticgan.studio.long_jobs import LongJob
from semanticgan.studio.models import Models
from semanticgan.studio.scripts import as_json, require_free, state_of

_NAME = "of this page"


@dataclass(frozen=True)
class Wish:
    """What is painted.

    Attributes:
        labels: base64 of the label of every pixel, uint8 row by row; "" for a drag.
        drag: region, from, to and radius; None for a painting.
        locked: names of regions whose rows stay.
    """

    labels: str
    drag: Mapping[str, Any] | None
    locked: tuple[str, ...]

    @classmethod
    def of(cls, asked: Mapping[str, Any], locked: tuple[str, ...]) -> Wish:
        """Of a request with "labels" or "drag".

        Raises:
            InputError: neither, or both.
        """
        labels, pull = asked.get("labels"), asked.get("drag")
        if isinstance(labels, str) and pull is None:
            return cls(labels, None, locked)
        if isinstance(pull, dict) and labels is None:
            return cls("", pull, locked)
        raise InputError('a painting has "labels" (base64), or "drag" with region, from, to and radius. Give one.')


class Painting(LongJob):
    """An edit that gets one more operation.

    Attributes:
        operation: with the rows that were found, once it is done.
    """

    def __init__(self, models: Models, model: str, edit: Edit, wish: Wish) -> None:
        super().__init__()
        self.operation: Optimised | None = None
        self._models, self._model, self._edit, self._wish = models, model, edit, wish

    def work(self, progress: Progress) -> str:
        model = self._models.get(self._model)
        model.rows.require_regions()
        state = state_of(model, self._edit)
        if state.coordinates is not None:
            raise InputError("a painting comes before regions are moved. Reset move, size and turn, paint, then move.")
        wanted = _operation(model, model.render(state.code).labels()[0].long().cpu(), self._wish)
        _, operation = wanted.apply(model, state, [], progress)
        assert isinstance(operation, Optimised) and operation.found is not None, "it was applied"
        if not operation.found.rows:
            raise InputError("the face cannot come closer to this painting. Paint a smaller change, and try again.")
        self.operation = operation
        return "done"

    def result(self) -> dict[str, Any]:
        assert self.operation is not None
        (content,) = as_json(Edit(0, [self.operation]))["operations"]
        return {"operation": content, "figures": dict(content["found"]["figures"])}


def _operation(model: Model, seen: Tensor, wish: Wish) -> Optimised:
    """Args: seen: int64 [S, S], the segmentation before."""
    if wish.drag is None:
        painting = _labels(wish.labels, model.size)
    else:
        read = Reader(_NAME)
        read.keys(wish.drag, ("region", "from", "to", "radius"), "the drag")
        start, end = read.table([wish.drag["from"], wish.drag["to"]], "the points of the drag", 2, 2)
        radius = read.number(wish.drag, "radius")
        points = (start[0], start[1]), (end[0], end[1])
        region = read.text(wish.drag, "region")
        (label,) = model.regions.indices([region])
        if not wish.locked:
            return Drag(regions=(region,), start=points[0], end=points[1], radius=radius)
        painting = drag(seen, label, *points, radius)
    return Paint(regions=_unlocked(model, seen, painting, wish.locked), labels=painting)


def _unlocked(model: Model, seen: Tensor, painting: Tensor, locked: Sequence[str]) -> tuple[str, ...]:
    """The painted regions that may change; () for all of them."""
    if not locked:
        return ()
    changed = seen != painting
    painted = torch.cat([seen[changed], painting[changed]]).unique().tolist()
    names = [model.regions.names[label] for label in painted if label < len(model.regions)]
    return require_free(names, locked) if names else ()


def _labels(text: str, side: int) -> Tensor:
    """int64 [S, S]."""
    try:
        content = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InputError("the painting cannot be read. Load the page again and paint anew.") from error
    if len(content) != side * side:
        raise InputError(
            f"a painting of this model has {side}x{side} pixels, got {len(content)}. Load the page again, paint anew."
        )
    return torch.from_numpy(np.frombuffer(content, np.uint8).astype(np.int64).reshape(side, side))
