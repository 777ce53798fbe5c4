"""Models measured one after the other, each as the others.

Shape legend: N pictures, S side of the picture.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from semanticgan.metrics.comparison import (
    NUM_ENDS,
    SPEED_BATCH,
    Comparison,
    Found,
    Paths,
    SetScores,
    require_comparable,
)
from semanticgan.metrics.fid import frechet_distance
from semanticgan.metrics.kid import kernel_distance
from semanticgan.metrics.locality import measure_locality
from semanticgan.metrics.metric import EDITED
from semanticgan.metrics.miou import measure_segmentation
from semanticgan.metrics.path_length import ModelTraveller, path_lengths, pictures_of_paths
from semanticgan.metrics.precision_recall import precision_recall
from semanticgan.metrics.projection import Projections, projection_distances
from semanticgan.metrics.samples import generated_pictures
from semanticgan.metrics.statistics import FeatureSet, dataset_features
from semanticgan.metrics.training_facts import num_parameters
from semanticgan.perception.extractors import Features
from semanticgan.progress import Progress, to_progress
from semanticgan.seeds import stream

_ROUNDS, _ROUND_SECONDS = 3, 0.5

Step = Callable[..., None]


def compare(comparison: Comparison, progress: Progress | bool = False) -> list[Found]:
    """Measure each model.

    Raises:
        InputError: as :func:`require_comparable`, or a picture of the data that cannot be used.
        Cancelled: by ``progress``.
    """
    require_comparable(comparison)
    found = [Found(each, num_parameters(each.model.generator)) for each in comparison.contenders]
    with to_progress(progress).steps("compare", sum(_work(comparison, each) for each in found)) as step:
        _time_sampling(found)
        real = _real_features(comparison, step)
        for each in found:
            _score(comparison, each, real, step)
            _measure_paths(comparison, each, step)
            _measure_regions(comparison, each, step)
            _project(comparison, each, step)
    return found


def _work(comparison: Comparison, found: Found) -> int:
    """Steps of the bar that a model takes: pictures, paths, edits and projections; and its share of the data."""
    edits = 0 if found.contender.model.rows.regions is None else comparison.num_edits
    segmented = 0 if comparison.parser_of(found.contender.model) is None else comparison.num_generated
    paths = 0 if comparison.distance is None else comparison.num_paths + 2 * comparison.num_projections
    first = len(comparison.extractors) * len(comparison.indices) if found.contender is comparison.contenders[0] else 0
    return first + comparison.num_generated + paths + edits + segmented


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


def _real_features(comparison: Comparison, step: Step) -> dict[str, FeatureSet]:
    found = {}
    for name, extractor in comparison.extractors.items():
        found[name] = dataset_features(
            comparison.dataset,
            comparison.indices,
            extractor,
            cache=comparison.cache,
            batch_size=comparison.batch_size,
            workers=comparison.workers,
        )
        step(len(comparison.indices), note="features of the data")
    return found


def _score(comparison: Comparison, found: Found, real: Mapping[str, FeatureSet], step: Step) -> None:
    """The pictures are rendered once for all extractors."""
    parts: dict[str, list[Features]] = {}
    for name in comparison.extractors:
        if reason := found.contender.objection("extractor", name):
            found.why_not[name] = reason
        else:
            parts[name] = []
    pictures = generated_pictures(
        found.contender.model,
        comparison.seeds,
        truncation=comparison.truncation,
        batch_size=comparison.batch_size,
    )
    for batch in pictures if parts else ():
        for name, features in parts.items():
            features.append(comparison.extractors[name](batch))
        step(len(batch), note=f"{found.contender.name}: pictures")
    for name, features in parts.items():
        extractor = comparison.extractors[name]
        values = torch.cat([part.values.cpu() for part in features])
        own = FeatureSet(values, None, extractor.label, extractor.stand_in)
        both = precision_recall(real[name], own)
        found.scores[name] = SetScores(
            frechet_distance(real[name].statistics(), own.statistics()).value,
            kernel_distance(real[name], own).value,
            both.precision,
            both.recall,
        )


def _measure_paths(comparison: Comparison, found: Found, step: Step) -> None:
    if comparison.distance is None:
        return
    name, distance = comparison.distance
    if reason := found.contender.objection("distance", name):
        found.why_not[name] = reason
        return
    traveller = ModelTraveller(found.contender.model)
    space, _, sampling = comparison.path.partition("-")
    seeds = range(comparison.seeds_from, comparison.seeds_from + comparison.num_paths)
    lengths = []
    for batch in _batches(seeds, max(1, comparison.batch_size // 2)):
        lengths.append(path_lengths(traveller, distance, batch, space=space, sampling=sampling, batch_size=len(batch)))
        step(len(batch), note=f"{found.contender.name}: paths")
    together = np.concatenate(lengths)
    order = [seeds[place] for place in np.argsort(together, kind="stable")]
    ends = (order[:NUM_ENDS], order[-NUM_ENDS:])
    shortest, longest = (_levels(pictures_of_paths(traveller, some, space, sampling)) for some in ends)
    found.paths = Paths(together, shortest, longest)


def _measure_regions(comparison: Comparison, found: Found, step: Step) -> None:
    """Segmentation and locality, of a model of regions."""
    model, truncation = found.contender.model, comparison.truncation
    if model.rows.regions is None:
        return
    if (parser := comparison.parser_of(model)) is not None:
        if reason := found.contender.objection("parser", parser[0]):
            found.why_not["miou"] = reason
        else:
            found.parser = parser[0]
            score = measure_segmentation(
                model, parser[1], comparison.seeds, truncation=truncation, batch_size=comparison.batch_size
            )
            found.miou = score.to_dict()["mean_iou"]
        step(comparison.num_generated, note=f"{found.contender.name}: segmentation")
    seeds = comparison.seeds[: comparison.num_edits]
    locality = measure_locality(model, seeds, truncation=truncation, batch_size=comparison.batch_size).to_dict()
    found.locality = {what: locality["mean_score"][what] for what in EDITED}
    step(comparison.num_edits, note=f"{found.contender.name}: locality")


def _project(comparison: Comparison, found: Found, step: Step) -> None:
    if not comparison.num_projections or comparison.distance is None or comparison.distance[0] in found.why_not:
        return
    model, distance, num = found.contender.model, comparison.distance[1], comparison.num_projections
    own = model.render(model.sample(seeds=comparison.seeds[:num]), batch_size=comparison.batch_size).to_uint8().cpu()
    distances = []
    for pictures in (own, comparison.real_pictures(num)):
        parts = []
        for batch in pictures.split(8):
            parts.append(projection_distances(model, batch, distance, comparison.projection_steps))
            step(len(batch), note=f"{found.contender.name}: projections")
        distances.append(np.concatenate(parts))
    found.projections = Projections(*distances)


def _batches(seeds: range, size: int) -> Iterator[range]:
    for start in range(0, len(seeds), size):
        yield seeds[start : start + size]


def _levels(images: Tensor) -> Tensor:
    """[N, 3, S, S] about [-1, 1] -> uint8, on the CPU."""
    return images.float().add(1.0).mul(127.5).round().clamp(0.0, 255.0).to(torch.uint8).cpu()
