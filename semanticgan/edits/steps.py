"""The operations of an edit as methods, each of which returns a new edit."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from torch import Tensor
from typing_extensions import Self

from semanticgan.directions.direction import Direction
from semanticgan.directions.geometry import Motion
from semanticgan.edits.operation import Operation
from semanticgan.edits.operations import Drag, Mix, Move, Paint, Place, Words
from semanticgan.edits.sources import Source
from semanticgan.errors import InputError
from semanticgan.wrong_arguments import finite_number, require_names, require_type, shown


class Steps(ABC):
    """Base of :class:`semanticgan.edits.edit.Edit`."""

    @abstractmethod
    def then(self, operation: Operation) -> Self:
        """With one more operation, of :mod:`semanticgan.edits.operations`."""

    def swap(
        self,
        regions: str | Iterable[str] | None = None,
        source: Any = None,
        what: str = "both",
        include_base: bool = False,
        layers: str = "",
        **more: Any,
    ) -> Self:
        """With regions or layers taken from another seed, code or photograph.

        Args:
            regions: names; None with ``layers``.
            source: where they come from.
            what: "structure", "texture" or "both" of the regions.
            include_base: the base rows, too.
            layers: of a layered model, such as "0-3": ``Edit(3).swap(source=8, layers="0-3")``.
            **more: as of the edit's own source.

        Raises:
            InputError: neither regions nor layers, or both; a ``what`` that is none, or a source that is none.
        """
        return self.interpolate(regions, source, 1.0, what, include_base, layers, **more)

    def interpolate(
        self,
        regions: str | Iterable[str] | None = None,
        source: Any = None,
        weight: float = 0.5,
        what: str = "both",
        include_base: bool = False,
        layers: str = "",
        **more: Any,
    ) -> Self:
        """With regions or layers moved towards those of another seed, code or photograph: weight 1 is :meth:`swap`."""
        if regions is None and not layers:
            raise InputError("nothing is chosen. Give regions, such as 'hair', or of a layered model layers='0-3'.")
        names = () if regions is None else _names(regions)
        of, weight = Source.of(source, **more), finite_number("weight", weight)
        return self.then(Mix(names, of, what, include_base, weight, layers))

    def move(
        self,
        direction: str | Direction,
        strength: float = 1.0,
        regions: str | Iterable[str] | None = None,
        layers: str = "",
    ) -> Self:
        """With rows moved along a direction.

        Args:
            direction: the name of one of ``model.directions``, or a direction.
            strength: in standard deviations of the codes along it.
            regions: move only rows of these regions; "base" stands for the base rows.
            layers: of a layered model, move only these, such as "0-3".

        Raises:
            InputError: a direction that is neither, or a strength that is no finite number.
        """
        found = direction if isinstance(direction, Direction) else None
        if found is None and not isinstance(direction, str):
            raise InputError(f"a direction is a name or a Direction, got {shown(direction)}.")
        name = direction if found is None else found.name
        confined = () if regions is None else _names(regions)
        return self.then(Move(str(name), finite_number("strength", strength), confined, layers, found))

    def place(
        self,
        regions: str | Iterable[str],
        shift: tuple[float, float] = (0.0, 0.0),
        scale: float = 1.0,
        rotate: float = 0.0,
        each_part: bool = False,
    ) -> Self:
        """With regions moved, scaled and rotated, each about its own centre.

        Args:
            regions: names.
            shift: (right, down) in sides of the picture.
            scale: 1 keeps the size.
            rotate: degrees, clockwise.
            each_part: about the centre of each connected part of a region, such as each eye.

        Raises:
            InputError: no names, or a number out of range.
        """
        return self.then(Place(_names(regions), Motion(shift, scale, rotate), each_part))

    def paint(
        self, labels: str | Path | Tensor, regions: str | Iterable[str] | None = None, free_base: bool = False
    ) -> Self:
        """With structure rows optimised until the segmentation follows a painted label map.

        Args:
            labels: the file of a label map as ``--labels`` writes it, or whole numbers [S, S].
            regions: whose structure moves; None for those that the painting changes.
            free_base: move the base rows, too.

        Raises:
            InputError: labels that are neither.
        """
        names = () if regions is None else _names(regions)
        if isinstance(labels, Tensor):
            return self.then(Paint(regions=names, free_base=free_base, labels=labels))
        if not isinstance(labels, (str, Path)):
            raise InputError(f"a painting is the path of a label map or a torch.Tensor [S, S], got {shown(labels)}.")
        return self.then(Paint(regions=names, path=str(labels), free_base=free_base))

    def drag(self, region: str, start: tuple[float, float], end: tuple[float, float], radius: float = 0.1) -> Self:
        """With a point of a region's outline pulled to another place.

        Args:
            region: one name.
            start: (x, y) in shares of the side.
            end: where it goes.
            radius: standard deviation of the pull, in shares of the side.
        """
        return self.then(Drag(regions=_names(region), start=start, end=end, radius=finite_number("radius", radius)))

    def describe(self, text: str, regions: str | Iterable[str], what: str = "both") -> Self:
        """With rows of regions optimised until the picture agrees with a text.

        Args:
            text: what the picture is to show, such as "a person with red hair".
            regions: whose rows move.
            what: "structure", "texture" or "both".

        Raises:
            InputError: no text, or a ``what`` that is none.
        """
        require_type("a text", text, str, "words, such as 'a person with red hair'")
        return self.then(Words(regions=_names(regions), text=text, what=what))


def _names(regions: str | Iterable[str]) -> tuple[str, ...]:
    given = require_names(regions)
    return tuple(name.strip() for name in given.split(",")) if isinstance(given, str) else tuple(given)
