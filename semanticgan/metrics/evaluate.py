"""Several metrics of one model at once, which share the pictures' features."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from semanticgan.errors import InputError, unknown_name
from semanticgan.metrics.evaluation import Evaluation
from semanticgan.metrics.metric import METRICS, Measured, Metric, known_names, needs_of, register
from semanticgan.seeds import MAX_SEED, require_seed

__all__ = ["METRICS", "Measured", "Metric", "evaluate", "extras_of", "register", "require_known", "require_measurable"]


def evaluate(evaluation: Evaluation, names: Sequence[str]) -> dict[str, Measured]:
    """The metrics of these names, in :data:`METRICS`.

    Raises:
        InputError: an unknown metric, or one that needs what was not given; before anything is computed.
    """
    require_measurable(evaluation, names)
    return {name: measure(evaluation, name) for name in names}


def measure(evaluation: Evaluation, name: str) -> Measured:
    """One metric, of what :func:`require_measurable` has checked."""
    metric = METRICS[name]
    if "extractor" in metric.needs:  # before the clock runs
        _ = evaluation.generated, evaluation.real if "dataset" in metric.needs else None
    start = time.perf_counter()
    measured = metric.measure(evaluation)
    if "extractor" in metric.needs and evaluation.extractor and name in evaluation.extractor.scores:
        measured = measured.called(name, evaluation.extractor.scores[name])
    return replace(measured, seconds=time.perf_counter() - start)


def require_known(names: Sequence[str]) -> None:
    """Raises: InputError: an unknown metric, or none."""
    for name in names:
        if name not in METRICS:
            raise unknown_name("metric", name, known_names())
    if not names:
        raise InputError(f"no metric given. Known: {', '.join(known_names())}.")


def extras_of(names: Sequence[str]) -> tuple[str, ...]:
    """What metrics need of :mod:`semanticgan.extras`: torch-fidelity computes all that are about features."""
    return ("fidelity",) if "extractor" in needs_of(name for name in names if name in METRICS) else ()


OPTIONS: Mapping[str, str] = MappingProxyType({"dataset": "--data", "reconstructions": "--reconstructions"})
"""How the command line gives what a metric needs; what is not here is given by an option of its own name."""


def require_measurable(evaluation: Evaluation, names: Sequence[str], options: Mapping[str, str] = OPTIONS) -> None:
    """Check everything that can be checked before anything is computed.

    Args:
        evaluation: what is to be measured.
        names: of metrics.
        options: what to type for what a metric needs.

    Raises:
        InputError: an unknown metric, one that needs what was not given, too few pictures, or what does not fit.
    """
    require_known(names)
    last = require_seed(evaluation.seeds_from) + max(evaluation.num_generated, evaluation.num_paths or 0) - 1
    if last > MAX_SEED:
        raise InputError(f"the seeds {evaluation.seeds_from} to {last} go beyond 2^63-1. Begin with a smaller seed.")
    _require_regions(evaluation, names)
    require_given(names, lambda need: getattr(evaluation, need, None), options)
    for name in names:
        if "classes" in METRICS[name].needs and evaluation.extractor is not None and evaluation.extractor.stand_in:
            raise InputError(
                f"the metric {name!r} needs the classes of Inception, which the extractor "
                f"{evaluation.extractor.label} does not know. Leave it out, or use the extractor inception."
            )
    _require_enough_pictures(evaluation, names)
    for name in names:
        if (require := METRICS[name].require) is not None:
            require(evaluation)
    evaluation.require_fitting()


def require_given(
    names: Sequence[str], given: Callable[[str], object | None], options: Mapping[str, str] = OPTIONS
) -> None:
    """Check that metrics have what they need, but classes.

    Args:
        given: what was given for a need, None for nothing.
        options: as of :func:`require_measurable`.

    Raises:
        InputError: a metric needs what was not given.
    """
    for name in names:
        for need in METRICS[name].needs:
            if need != "classes" and given(need) is None:
                option = options.get(need, f"--{need}")
                raise InputError(f"the metric {name!r} needs {option}. Give it, or leave the metric out.")


def _require_regions(evaluation: Evaluation, names: Sequence[str]) -> None:
    """Of the model, where a metric measures them."""
    unfit = [name for name in names if METRICS[name].of_regions]
    if unfit and evaluation.model.rows.regions is None:
        raise InputError(
            f"the metric {unfit[0]!r} measures regions; {evaluation.model.metadata.description!r} has layers. Leave "
            "the metric out, or give a model of regions."
        )


def _require_enough_pictures(evaluation: Evaluation, names: Sequence[str]) -> None:
    """Of the model and of the data: as many as a metric takes, and one for each process."""
    there = {"the model": evaluation.num_generated}
    if evaluation.dataset is not None:
        there["the data"] = len(evaluation.indices)
    for name in names:
        least = max(METRICS[name].least_pictures, evaluation.processes.count)
        for whose, num in there.items():
            if num < least:
                raise InputError(
                    f"{num} pictures of {whose} are too few for metric {name!r} on {evaluation.processes.count} "
                    f"processes. Take {least} or more."
                )


def to_dict(evaluation: Evaluation, found: Mapping[str, Measured]) -> dict[str, Any]:
    """Everything as JSON-able values, seconds to a tenth."""
    results = {}
    for name, measured in found.items():
        known = {key: value for key, value in vars(measured).items() if key not in ("table", "details", "rows", "name")}
        details = {"details": dict(measured.details)} if measured.details else {}
        known |= {"values": dict(measured.values), "seconds": round(measured.seconds, 1)}
        results[measured.name or name] = {**known, **details}
    return {
        "num_generated": evaluation.num_generated,
        "seeds_from": evaluation.seeds_from,
        "truncation": evaluation.truncation,
        "processes": evaluation.processes.count,
        "results": results,
        "shared_seconds": {what: round(seconds, 1) for what, seconds in evaluation.seconds.items()},
    }
