"""What a metric is, what it finds, and which there are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from semanticgan.errors import InputError

if TYPE_CHECKING:
    from semanticgan.metrics.evaluation import Evaluation

SAMPLED = ("num_generated", "seeds_from", "truncation")
"""What says which pictures of a model are measured."""
EDITED = ("structure", "texture")
"""The parts of a region's code, which are measured apart."""


@dataclass(frozen=True)
class Table:
    """Numbers by row and column, None where there is none."""

    headings: tuple[str, ...]
    rows: tuple[tuple[str | float | None, ...], ...]


@dataclass(frozen=True)
class Measured:
    """What one metric found.

    Attributes:
        values: name -> number, None where there is none.
        by: label of the extractor, distance or parser that it rests on; empty where there is none.
        stand_in: whether the numbers cannot be compared with the literature.
        num_real: pictures of the data that were looked at.
        num_generated: pictures of the model.
        seconds: how long it took, without what it shares with other metrics.
        table: what is behind the numbers, region by region; None where nothing is.
        details: all that was found, JSON-able.
        rows: numbers one by one, such as the lengths of all paths, for charts and for a comparison's .json.
        name: what the score is called where it must not bear the metric's own name; else empty.
    """

    values: Mapping[str, float | None]
    by: str = ""
    stand_in: bool = True
    num_real: int = 0
    num_generated: int = 0
    seconds: float = 0.0
    table: Table | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
    rows: Mapping[str, Any] = field(default_factory=dict)
    name: str = ""

    def called(self, metric: str, name: str) -> Measured:
        """The same found by a metric under another name, which no value bears any more."""
        values = {
            name if key == metric else key.removeprefix(f"{metric}_"): value for key, value in self.values.items()
        }
        return replace(self, values=values, name=name)


@dataclass(frozen=True)
class Metric:
    """A metric.

    Attributes:
        measure: finds it; called by all processes. Its docstring is what docs/metrics.md says of the metric.
        summary: what it says, for help.
        needs: attributes of :class:`Evaluation` that may not be None, and "classes", which only Inception knows.
        uses: attributes that have an effect on it beside those.
        compared: whether a comparison measures it that does not say what it measures.
        columns: name of a value -> head of its column in a comparison, or what finds that for an evaluation; without
            any there is a column for each value.
        stand_in_columns: the same where another network than ``published_by`` computes it, if that differs.
        published_by: label of what the literature's figures rest on, None where no figures compare.
        num_published: pictures of the model that they take.
        else_because: why no figures compare.
        least_pictures: of the model, and of the data where it looks at them.
        of_regions: whether it measures regions, which a layered model lacks.
        require: raises an InputError for what it cannot measure, before anything is computed.
    """

    measure: Callable[[Evaluation], Measured]
    summary: str
    needs: tuple[str, ...] = ()
    uses: tuple[str, ...] = SAMPLED
    compared: bool = False
    columns: Mapping[str, str] | Callable[[Evaluation], Mapping[str, str]] = field(default_factory=dict)
    stand_in_columns: Mapping[str, str] = field(default_factory=dict)
    published_by: str | None = None
    num_published: int = 50_000
    else_because: str = "no published figures"
    least_pictures: int = 1
    of_regions: bool = False
    require: Callable[[Evaluation], None] | None = None


_METRICS: dict[str, Metric] = {}

METRICS: Mapping[str, Metric] = MappingProxyType(_METRICS)
"""Every metric by its name on the command line."""


def register(name: str, metric: Metric) -> None:
    """Make a metric known to :func:`semanticgan.metrics.evaluate.evaluate` and to the command line of this process.

    Raises:
        InputError: a name that is taken, or that a comma-separated list cannot hold.
    """
    if not name or name != name.strip() or "," in name or name in METRICS:
        raise InputError(f"a metric needs a name without commas that is not taken, got {name!r}. Choose another.")
    _METRICS[name] = metric


def metric(
    name: str, summary: str, **about: Any
) -> Callable[[Callable[[Evaluation], Measured]], Callable[[Evaluation], Measured]]:
    """Register the function below as a metric.

    Args:
        name: on the command line.
        summary: what it says, for help.
        about: the other attributes of :class:`Metric`.

    Raises:
        InputError: as :func:`register`.
    """

    def registered(measure: Callable[[Evaluation], Measured]) -> Callable[[Evaluation], Measured]:
        register(name, Metric(measure, summary, **about))
        return measure

    return registered


def known_names() -> list[str]:
    """Of all metrics, as help and messages have them."""
    return sorted(METRICS)


def needs_of(metrics: Iterable[str]) -> set[str]:
    """All that some metrics need."""
    return {need for name in metrics for need in METRICS[name].needs}


def used_by(attribute: str) -> list[str]:
    """The metrics on which an attribute of :class:`Evaluation` has an effect."""
    return [name for name, each in METRICS.items() if attribute in (*each.needs, *each.uses)]
