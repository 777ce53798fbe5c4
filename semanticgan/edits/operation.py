"""Operation: one step of an edit, such as a swap. Each kind is a file of :mod:`semanticgan.edits.operations`.

A kind is a frozen dataclass with a key of its own in the JSON of an edit. What it computes at some cost (rows that were
optimised) it keeps, so that the edit is replayed without computing it again.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor
from typing_extensions import Self

from semanticgan.edits.reading import Reader
from semanticgan.edits.sources import Source
from semanticgan.latents import LatentCode
from semanticgan.model import Model
from semanticgan.progress import Progress


@dataclass(frozen=True, eq=False)
class State:
    """What operations change.

    Attributes:
        code: of one image.
        coordinates: [1, K, s, s, 2], where the local generators are evaluated; None where they usually are.
    """

    code: LatentCode
    coordinates: Tensor | None = None


class Operation(ABC):
    """The base of all kinds. A subclass is a frozen dataclass.

    Attributes:
        key: in the JSON of an edit, which tells the kind.
        of_one_face: whether it is computed for one face alone.
        regions: names.
    """

    key: ClassVar[str]
    of_one_face: ClassVar[bool] = False
    regions: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the regions that it is about; empty for the whole picture."""
        return self.regions

    @property
    def whats(self) -> str:
        """Which codes it changes: "structure", "texture" or "both"; decides how a photograph is pasted."""
        return "both"

    @property
    def everywhere(self) -> bool:
        """Whether it may change the whole picture, as base rows do."""
        return False

    @property
    def figures(self) -> Mapping[str, float]:
        """What it measured, JSON-able."""
        return {}

    @property
    def sources(self) -> tuple[Source, ...]:
        """Whose codes it needs."""
        return ()

    def with_sources(self, sources: Sequence[Source]) -> Self:
        """With the sources as they were resolved."""
        return self

    @abstractmethod
    def apply(
        self, model: Model, state: State, others: Sequence[LatentCode], progress: Progress | bool = False
    ) -> tuple[State, Self]:
        """The state after it, and the operation with what it found.

        Args:
            model: of the code.
            state: before.
            others: a code of one image per source.
            progress: of long work.

        Raises:
            InputError: something that this model does not have.
        """

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """JSON-able; one of its keys is :attr:`key`."""

    @classmethod
    @abstractmethod
    def from_dict(cls, read: Reader, values: Mapping[str, Any], where: str) -> Self:
        """Of :meth:`to_dict`; ``where`` says which operation it is, for messages.

        Raises:
            InputError: it is not what :meth:`to_dict` gives.
        """

    @abstractmethod
    def __str__(self) -> str:
        """A few words, such as "seed 8"."""
