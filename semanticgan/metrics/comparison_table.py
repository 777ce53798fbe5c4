"""A comparison as a Markdown table and as JSON: a row a model, a column a figure, the network behind it in its head."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from semanticgan.metrics.comparison import SPEED_BATCH, Comparison, Found

_SCORES = {"frechet": ("fid", "Frechet distance"), "kernel": ("kid", "kernel distance")}
_NAMES = {"fid": "FID", "kid": "KID"}
_NONE = "-"


@dataclass(frozen=True)
class Column:
    """A figure of each model.

    Attributes:
        head: what stands above it; "(stand-in)" where it cannot be compared with the literature.
        value: of a model, None where there is none.
        judge: the network it rests on, as ``Found.why_not`` names it; "" for none.
    """

    head: str
    value: Callable[[Found], float | int | None]
    judge: str = ""


def columns(comparison: Comparison) -> list[Column]:
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
    scores = [column for name in comparison.extractors for column in _of_extractor(comparison, name)]
    return [*of_training, *scores, *_of_distance(comparison), *_of_regions(comparison)]


def to_dict(comparison: Comparison, found: Sequence[Found]) -> dict[str, Any]:
    """Everything as JSON-able values: the table, row by row, and why a figure is missing."""
    table = columns(comparison)
    rows = []
    for each in found:
        projections, paths = each.projections, each.paths
        more: dict[str, Any] = {"left_out": dict(each.why_not)} if each.why_not else {}
        if paths is not None:
            more["path_lengths"] = paths.lengths.tolist()
        if projections is not None:
            more["projection_distances"] = {
                "generated": projections.generated.tolist(),
                "real": projections.real.tolist(),
            }
        values = {column.head: column.value(each) for column in table}
        rows.append({"model": each.contender.name, "values": values, **more})
    return {
        "size": comparison.size,
        "num_generated": comparison.num_generated,
        "num_real": len(comparison.indices),
        "num_paths": comparison.num_paths,
        "num_projections": comparison.num_projections,
        "seeds_from": comparison.seeds_from,
        "truncation": comparison.truncation,
        "speed_batch": SPEED_BATCH,
        "device": str(comparison.contenders[0].model.device),
        "models": rows,
    }


def to_markdown(comparison: Comparison, found: Sequence[Found], data: str, threads: int) -> str:
    """A page of one table; columns that no model has are left out.

    Args:
        comparison: what was measured.
        found: of each model.
        data: name of the data.
        threads: of the CPU that sampling used.
    """
    table = [column for column in columns(comparison) if _is_shown(column, found)]
    notes: dict[str, int] = {}  # reason -> its number
    rows = [[each.contender.name, *(_cell(column, each, notes) for column in table)] for each in found]
    device = comparison.contenders[0].model.device
    where = f"on {threads} thread{'s' * (threads > 1)} of the CPU" if device.type == "cpu" else f"on {device.type}"
    lines = [
        f"# {len(found)} model{'s' * (len(found) > 1)} on {data}",
        "",
        f"{comparison.num_generated:,} pictures of each model and {len(comparison.indices):,} of the data, "
        f"{comparison.size} pixels, seeds from {comparison.seeds_from}, truncation {comparison.truncation:g}; "
        f"{comparison.num_paths:,} paths. Sampling was measured here, {SPEED_BATCH} pictures at a time {where}.",
        "",
        _line(["model", *(column.head for column in table)]),
        _line(["---"] * (1 + len(table))),
        *map(_line, rows),
    ]
    if notes:
        lines += ["", *(f"({number}) {reason}" for reason, number in notes.items())]
    if any("(stand-in)" in column.head for column in table):
        lines += ["", "Stand-in: figures of models compare with each other, not with published ones."]
    return "\n".join(lines) + "\n"


def _of_extractor(comparison: Comparison, name: str) -> list[Column]:
    """The four scores by one extractor. Only those of Inception's features are called FID and KID."""
    extractor = comparison.extractors[name]
    label = extractor.label if name == extractor.name else f"{name}{' (stand-in)' * extractor.stand_in}"
    found = []
    for attribute, (metric, plain) in _SCORES.items():
        head = f"{_NAMES[metric] if extractor.name == 'inception' else plain} by {label}"
        if metric in extractor.scores:  # it names the network
            head = extractor.scores[metric] + " (stand-in)" * extractor.stand_in
        found.append(Column(head, _score(name, attribute), name))
    return [*found, *(Column(f"{what} by {label}", _score(name, what), name) for what in ("precision", "recall"))]


def _score(extractor: str, attribute: str) -> Callable[[Found], float | None]:
    return lambda found: getattr(found.scores[extractor], attribute) if extractor in found.scores else None


def _of_distance(comparison: Comparison) -> list[Column]:
    if comparison.distance is None:
        return []
    name, distance = comparison.distance
    label = distance.label if name == distance.name else f"{name}{' (stand-in)' * distance.stand_in}"
    lengths = Column(f"PPL {comparison.path} by {label}", _mean_length, name)
    return [lengths, Column(f"projection AUC by {label}", _auc, name)][: 2 if comparison.num_projections else 1]


def _mean_length(found: Found) -> float | None:
    return None if found.paths is None else found.paths.mean


def _auc(found: Found) -> float | None:
    return None if found.projections is None else found.projections.auc


def _of_regions(comparison: Comparison) -> list[Column]:
    parsers = list(dict.fromkeys(comparison.parsers))
    label = f"parser {parsers[0]}" if len(parsers) == 1 else "a parser of the model's regions"
    return [
        Column(f"mIoU by {label} (stand-in)", lambda found: found.miou, "miou"),
        Column("locality of structure", lambda found: found.locality.get("structure")),
        Column("locality of texture", lambda found: found.locality.get("texture")),
    ]


def _is_shown(column: Column, found: Sequence[Found]) -> bool:
    return any(column.value(each) is not None or column.judge in each.why_not for each in found)


def _cell(column: Column, found: Found, notes: dict[str, int]) -> str:
    """A number, or a dash with the number of the note that says why."""
    value = column.value(found)
    if value is not None:
        return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"
    reason = found.why_not.get(column.judge)
    if reason is None:
        return _NONE
    whose = f"{found.contender.name} {reason}."
    return f"{_NONE} ({notes.setdefault(whose, len(notes) + 1)})"


def _line(cells: Sequence[object]) -> str:
    return "| " + " | ".join(map(str, cells)) + " |"
