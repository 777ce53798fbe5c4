"""Models measured one after the other, each as the others."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch

from semanticgan.metrics.comparison import SPEED_BATCH, Comparison, Found, require_comparable
from semanticgan.metrics.evaluate import measure
from semanticgan.metrics.evaluation import Evaluation
from semanticgan.metrics.statistics import FeatureSet
from semanticgan.metrics.training_facts import num_parameters
from semanticgan.progress import Progress, to_progress
from semanticgan.seeds import stream

_ROUNDS, _ROUND_SECONDS = 3, 0.5


def compare(comparison: Comparison, progress: Progress | bool = False) -> list[Found]:
    """Measure each model.

    Args:
        progress: told of each metric of each model; bars within its bar show how far a metric is.

    Raises:
        InputError: as :func:`require_comparable`, or a picture of the data that cannot be used.
        Cancelled: by ``progress``.
    """
    require_comparable(comparison)
    progress = to_progress(progress)
    found = [Found(each, num_parameters(each.model.generator)) for each in comparison.contenders]
    total = sum(len(comparison.judges(each.model)) for each in comparison.contenders)
    with progress.steps("compare", total, "metric") as step:
        _time_sampling(found)
        real: dict[str, FeatureSet] = {}
        for each in found:
            _measure(comparison, each, real, Progress(progress.bar, cancel=progress.cancel), step)
    return found


@torch.no_grad()
def _time_sampling(found: Sequence[Found]) -> None:
    """Best of several rounds; the models take turns, so that other programs disturb all of them alike."""
    for turn in range(_ROUNDS + 1):
        for each in found:
            generator = each.contender.model.generator
            z = torch.randn(SPEED_BATCH, generator.latent_dim, generator=stream(0)).to(generator.mean_latent)
            begun, best = time.perf_counter(), math.inf
            while time.perf_counter() - begun < (_ROUND_SECONDS if turn else 0.0) or best == math.inf:
                start = time.perf_counter()
                generator(generator.map(z)).image.cpu()  # which waits for the device
                best = min(best, time.perf_counter() - start)
            if turn:  # the first warms up
                each.images_per_second = max(SPEED_BATCH / best, np.nan_to_num(each.images_per_second))


def _measure(
    comparison: Comparison, found: Found, real: dict[str, FeatureSet], progress: Progress, step: Callable[..., None]
) -> None:
    """All metrics of a model. Metrics of one extractor share an evaluation.

    Args:
        real: features of the data by extractor, found once for all models.
    """
    model, name = found.contender.model, found.contender.name
    allowed, shared = {}, dict[str, dict[str, str]]()
    for key, judges in comparison.judges(model).items():
        if (objection := found.contender.objection(judges)) is not None:
            found.why_not[key] = objection
            step(note=f"{name}: {key[0]}")
            continue
        allowed[key] = judges
        if key[1]:
            shared[key[1]] = {**shared.get(key[1], {}), **judges}
    by_extractor = {
        extractor: comparison.evaluation(model, judges, progress=progress) for extractor, judges in shared.items()
    }
    _share_features(by_extractor, real)
    for (metric, extractor), judges in allowed.items():
        evaluation = by_extractor.get(extractor) or comparison.evaluation(model, judges, progress=progress)
        found.measured[metric, extractor] = measure(evaluation, metric)
        step(note=f"{name}: {metric}")


def _share_features(evaluations: Mapping[str, Evaluation], real: dict[str, FeatureSet]) -> None:
    """Give each evaluation its features; the model's pictures are rendered once."""
    extractors = [each.extractor for each in evaluations.values() if each.extractor is not None]
    first = next(iter(evaluations.values()), None)
    generated = first.extracted(extractors) if first is not None else []
    for (name, evaluation), features in zip(evaluations.items(), generated, strict=True):
        evaluation.generated = features
        if name in real:
            evaluation.real = real[name]
        real[name] = evaluation.real
