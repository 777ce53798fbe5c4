"""The numbers of an evaluation as a Markdown table, which says of each whether the literature's compare with it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from semanticgan.metrics.evaluation import Evaluation
from semanticgan.metrics.metric import METRICS, Measured, Metric

_HEADINGS = ("metric", "value", "pictures (data / model)", "measured by", "seconds", "comparable with the literature")


def to_markdown(evaluation: Evaluation, found: Mapping[str, Measured], model: str, data: str | None) -> str:
    """A page of one table.

    Args:
        evaluation: what was measured.
        found: by metric.
        model: its name.
        data: their name, or None.
    """
    rows = [
        (name, _number(value), f"{measured.num_real:,} / {measured.num_generated:,}", measured.by, seconds, comparable)
        for metric, measured in found.items()
        for name, value, seconds, comparable in _rows(metric, measured, evaluation)
    ]
    lines = [
        f"# {model}" + (f" against {data}" if data else ""),
        "",
        f"{evaluation.num_generated:,} pictures of {evaluation.model.size} pixels, seeds from {evaluation.seeds_from}, "
        f"truncation {evaluation.truncation:g}.",
        "",
        *markdown_table(_HEADINGS, rows),
    ]
    for metric, measured in found.items():
        if measured.table is not None:
            cells = [[each if isinstance(each, str) else _number(each) for each in row] for row in measured.table.rows]
            lines += ["", f"## {metric}", "", *markdown_table(measured.table.headings, cells)]
    if evaluation.seconds:
        shared = ", ".join(f"{what} {seconds:.1f} s" for what, seconds in evaluation.seconds.items())
        lines += ["", f"Shared by the metrics: {shared}."]
    return "\n".join(lines) + "\n"


def why_not_comparable(metric: Metric, measured: Measured, truncation: float) -> str | None:
    """The first reason why published figures do not compare with these, None if they do."""
    if metric.published_by is None:
        return metric.else_because
    if measured.stand_in:
        return "stand-in"
    if measured.by != metric.published_by:
        return f"published ones rest on {metric.published_by}"
    if truncation != 1.0:
        return f"truncation {truncation:g}"
    if measured.num_generated < metric.num_published:
        return f"fewer than {metric.num_published:,} pictures"
    return None


def _rows(metric: str, measured: Measured, evaluation: Evaluation) -> list[tuple[str, float | None, str, str]]:
    reason = why_not_comparable(METRICS[metric], measured, evaluation.truncation)
    comparable = f"no: {reason}" if reason else "yes"
    called = measured.name or metric
    return [
        (
            name if name == called else f"{called}: {name}",
            value,
            f"{measured.seconds:.1f}" if not index else "",
            comparable,
        )
        for index, (name, value) in enumerate(measured.values.items())
    ]


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"


def markdown_table(headings: Sequence[object], rows: Iterable[Sequence[object]]) -> list[str]:
    """Its lines; a name with ``|`` or a line break stays in its cell."""
    every = (headings, ["---"] * len(headings), *rows)
    return ["| " + " | ".join(map(_cell, cells)) + " |" for cells in every]


def _cell(value: object) -> str:
    return " ".join(str(value).replace("|", "\\|").splitlines())
