"""A comparison as a Markdown table and as JSON: a row a model, a column a figure, the network behind it in its head."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from semanticgan.metrics.comparison import SPEED_BATCH, Comparison, Found, Key
from semanticgan.metrics.metric import METRICS
from semanticgan.metrics.opening import NETWORKS
from semanticgan.metrics.table import markdown_table

_NONE = "-"


@dataclass(frozen=True)
class Column:
    """A figure of each model.

    Attributes:
        head: what stands above it; "(stand-in)" where it cannot be compared with the literature.
        value: of a model, None where there is none.
        key: what it was measured by; None for what needs no metric.
    """

    head: str
    value: Callable[[Found], float | int | None]
    key: Key | None = None


def columns(comparison: Comparison, found: Sequence[Found]) -> list[Column]:
    """The columns in their order; those that only some models have are there, too."""
    of_training = [
        Column("images trained", lambda found: found.contender.training.images),
        Column("hours of training", lambda found: found.contender.training.hours),
        Column("core-hours", lambda found: found.contender.training.core_hours),
        Column("images/s in training", lambda found: found.contender.training.images_per_second),
        Column("images/s in sampling", lambda found: found.images_per_second),
        Column("generator parameters", lambda found: found.num_generator),
        Column("discriminator parameters", lambda found: found.contender.training.num_discriminator),
    ]
    keys = {key for each in comparison.contenders for key in comparison.judges(each.model)}
    extractors = [*comparison.networks.get("extractor", {}), ""]
    ordered = [(name, extractor) for extractor in extractors for name in comparison.names if (name, extractor) in keys]
    return [*of_training, *(column for key in ordered for column in _of_metric(comparison, found, key))]


def _of_metric(comparison: Comparison, found: Sequence[Found], key: Key) -> list[Column]:
    """Those that the metric declares, or one for each of its values. Only Inception's are called FID and KID."""
    name, metric = key[0], METRICS[key[0]]
    heads = dict(metric.columns(comparison.asked) if callable(metric.columns) else metric.columns)
    values = [value for each in found if key in each.measured for value in each.measured[key].values]
    if not heads:
        heads = {value: value if value == name else f"{name}: {value}" for value in values or [name]}
    judge, network, label = _judge(comparison, key)
    if judge == "extractor" and network.name != metric.published_by:
        heads |= metric.stand_in_columns
    if judge == "extractor" and name in network.scores:  # it names the network
        heads, label = {network.scores[name]: network.scores[name] + " (stand-in)" * network.stand_in}, ""
    by = f" by {label}" if label else ""
    return [Column(head + by, _value(key, value), key) for value, head in heads.items()]


def _judge(comparison: Comparison, key: Key) -> tuple[str, Any, str]:
    """Kind of network that a metric rests on, it, and what it is called; the first, where several serve the models."""
    kind = next((kind for kind in METRICS[key[0]].needs if kind in NETWORKS), "")
    if not kind:
        return "", None, ""
    networks = comparison.networks[kind]
    name = key[1] or next(iter(networks))
    label = name
    if kind == "parser":
        label = f"parser {name}" if len(networks) == 1 else "a parser of the model's regions"
    return kind, networks[name], label + " (stand-in)" * getattr(networks[name], "stand_in", True)


def _value(key: Key, value: str) -> Callable[[Found], float | None]:
    return lambda found: found.measured[key].values.get(value) if key in found.measured else None


def to_dict(comparison: Comparison, found: Sequence[Found]) -> dict[str, Any]:
    """Everything as JSON-able values: the table, row by row, and why a figure is missing."""
    table, asked = columns(comparison, found), comparison.asked
    models = []
    for each in found:
        row = {"model": each.contender.name, "values": {column.head: column.value(each) for column in table}}
        if each.why_not:
            row["left_out"] = dict(each.why_not.values())
        for measured in each.measured.values():
            row |= {name: _plain(numbers) for name, numbers in measured.rows.items()}
        models.append(row)
    return {
        "size": comparison.size,
        "num_generated": asked.num_generated,
        "num_real": len(asked.indices),
        "num_paths": len(asked.path_seeds),
        "num_projections": asked.num_projections if "projection" in comparison.names else 0,
        "seeds_from": asked.seeds_from,
        "truncation": asked.truncation,
        "speed_batch": SPEED_BATCH,
        "device": str(asked.model.device),
        "models": models,
    }


def to_markdown(comparison: Comparison, found: Sequence[Found], data: str, threads: int) -> str:
    """A page of one table; columns that no model has are left out.

    Args:
        comparison: what was measured.
        found: of each model.
        data: name of the data.
        threads: of the CPU that sampling used.
    """
    asked, device = comparison.asked, comparison.asked.model.device
    table = [column for column in columns(comparison, found) if _is_shown(column, found)]
    notes: dict[str, int] = {}  # reason -> its number
    rows = [[each.contender.name, *(_cell(column, each, notes) for column in table)] for each in found]
    where = f"on {threads} thread{'s' * (threads > 1)} of the CPU" if device.type == "cpu" else f"on {device.type}"
    lines = [
        f"# {len(found)} model{'s' * (len(found) > 1)} on {data}",
        "",
        f"{asked.num_generated:,} pictures of each model and {len(asked.indices):,} of the data, "
        f"{comparison.size} pixels, seeds from {asked.seeds_from}, truncation {asked.truncation:g}; "
        f"{len(asked.path_seeds):,} paths. Sampling was measured here, {SPEED_BATCH} pictures at a time {where}.",
        "",
        *markdown_table(["model", *(column.head for column in table)], rows),
    ]
    if notes:
        lines += ["", *(f"({number}) {reason}" for reason, number in notes.items())]
    if any("(stand-in)" in column.head for column in table):
        lines += ["", "Stand-in: figures of models compare with each other, not with published ones."]
    return "\n".join(lines) + "\n"


def _plain(numbers: Any) -> Any:
    """Arrays, also of a mapping, as lists."""
    if isinstance(numbers, np.ndarray):
        return numbers.tolist()
    return {name: _plain(each) for name, each in numbers.items()}


def _is_shown(column: Column, found: Sequence[Found]) -> bool:
    return any(column.value(each) is not None or column.key in each.why_not for each in found)


def _cell(column: Column, found: Found, notes: dict[str, int]) -> str:
    """A number, or a dash with the number of the note that says why."""
    value = column.value(found)
    if value is not None:
        return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"
    if column.key is None or column.key not in found.why_not:
        return _NONE
    whose = f"{found.contender.name} {found.why_not[column.key][1]}."
    return f"{_NONE} ({notes.setdefault(whose, len(notes) + 1)})"
