"""How the small networks of this room are trained, in numbers; their loop is ``fitting.py``.

The command line reads the defaults for its help, so nothing here imports PyTorch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from semanticgan.choices import PRECISIONS
from semanticgan.errors import InputError, unknown_name
from semanticgan.seeds import require_seed


@dataclass(frozen=True)
class Fitting:
    """How a small network is trained. Each kind of network has its own subclass with its defaults.

    Attributes:
        num_steps: T, steps of the optimiser.
        batch: N, examples per step.
        num_held_out: examples at the end of the data that are scored and not trained on.
        learning_rate: r, the highest.
        seed: of the weights, the order of the examples and the augmentation.
        precision: of the network's arithmetic while it learns, one of :data:`PRECISIONS`; bfloat16 is faster where the
            processor knows it.

    Raises:
        InputError: a number out of range, or an unknown precision.
    """

    num_steps: int
    batch: int
    num_held_out: int
    learning_rate: float = 3e-3
    seed: int = 0
    precision: str = "float32"

    kind: ClassVar[str] = "network"
    examples: ClassVar[str] = "examples"
    least: ClassVar[int] = 1  # examples per step, and to train on
    weight_decay: ClassVar[float] = 1e-2

    def __post_init__(self) -> None:
        require_seed(self.seed)
        if self.precision not in PRECISIONS:
            raise unknown_name("precision", self.precision, PRECISIONS)
        enough = min(self.num_steps, self.num_held_out) >= 1 and self.batch >= self.least
        if not enough or not self.learning_rate > 0:
            more = f", {self.examples} a step above {self.least - 1}" if self.least > 1 else ""
            raise InputError(
                f"a {self.kind} cannot be trained in {self.num_steps} steps of {self.batch} {self.examples} with "
                f"{self.num_held_out} held out, at a rate of {self.learning_rate}. Give numbers above 0{more}."
            )

    def num_trained(self, length: int) -> int:
        """How many of so many examples are trained on.

        Raises:
            InputError: too few.
        """
        found = length - self.num_held_out
        if found < self.least:
            raise InputError(
                f"{self.num_held_out} of {length} {self.examples} would be held out, which leaves "
                f"{'none' if found < 1 and self.least == 1 else 'too few'} to train on. Hold out fewer, or give more "
                f"{self.examples}."
            )
        return found

    def facts(self, dataset: str, num_trained: int, seconds: float, scores: Mapping[str, Any]) -> dict[str, Any]:
        """The figures of a training as files keep them, JSON-able.

        Args:
            dataset: its key.
            num_trained: examples that were trained on.
            seconds: how long it took.
            scores: on the examples held out.
        """
        own = {name: value for name, value in vars(self).items() if name != "num_held_out"}
        return {
            **own,
            "dataset": dataset,
            f"num_{self.examples}": num_trained,
            "seconds": round(seconds, 1),
            "held_out": {f"num_{self.examples}": self.num_held_out, **scores},
        }


@dataclass(frozen=True)
class ParserTraining(Fitting):
    """How a parser is trained; its examples are pairs."""

    num_steps: int = 1200
    batch: int = 32
    num_held_out: int = 500

    kind, examples, weight_decay = "parser", "pairs", 1e-4


@dataclass(frozen=True)
class ClassifierTraining(Fitting):
    """How a classifier is trained; its examples are portraits, two or more per step."""

    num_steps: int = 2500
    batch: int = 64
    num_held_out: int = 2000

    kind, examples, least = "classifier", "portraits", 2
