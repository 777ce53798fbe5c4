"""The directions of a model by name: ``model.directions["smile"]``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from semanticgan.directions.direction import Direction
from semanticgan.directions.files import digest_of, read_directions
from semanticgan.errors import InputError, unknown_name
from semanticgan.model import Model
from semanticgan.registry import bundled


class UnknownDirection(InputError, KeyError):
    """A name that a model has no direction of."""

    __str__ = InputError.__str__  # KeyError shows its argument's repr


class Directions(Mapping[str, Direction]):
    """Directions by name.

    Args:
        directions: by name.
        description: of their model.

    Raises:
        UnknownDirection: on access, a name that is none; the message has the nearest.
    """

    def __init__(self, directions: Mapping[str, Direction], description: str = "") -> None:
        self._directions = dict(directions)
        self.description = description

    def __getitem__(self, name: str) -> Direction:
        if name in self._directions:
            return self._directions[name]
        if not self._directions:
            raise UnknownDirection(
                f"there are no directions for {self.description or 'this model'}. Find some with `semanticgan "
                "find-directions`, and give their file with --directions."
            )
        raise UnknownDirection(str(unknown_name("direction", str(name), self._directions)))

    def __iter__(self) -> Iterator[str]:
        return iter(self._directions)

    def __len__(self) -> int:
        return len(self._directions)

    def __repr__(self) -> str:
        return f"Directions({', '.join(self._directions)})"


def of_model(model: Model, path: str | Path | None = None) -> Directions:
    """The directions of a model: those of a file, or those that come with the package.

    Args:
        model: that they must belong to.
        path: a file of ``find-directions``; None takes the bundled ones, which may be none.

    Raises:
        InputError: a file that cannot be read, or that belongs to another model.
    """
    if path is None:
        digest = model.metadata.digest
        files = [file for file in bundled("directions").values() if digest and digest_of(file) == digest]
        path = files[0] if files else None
    if path is None:
        return Directions({}, model.metadata.description)
    file = read_directions(path)
    file.require_model(model)
    return Directions(file.directions, file.description)
