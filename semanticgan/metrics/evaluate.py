"""Several metrics of one model at once, which share the pictures' features.

A metric is one line of :data:`METRICS`: a function from :class:`Evaluation` to :class:`Measured`, and what it needs.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any

from torch import Tensor

from semanticgan.data.pairs import PairDataset
from semanticgan.errors import InputError, unknown_name
from semanticgan.metrics import path_length
from semanticgan.metrics.extractors import Extractor
from semanticgan.metrics.fid import frechet_distance
from semanticgan.metrics.inception_score import inception_score
from semanticgan.metrics.kid import kernel_distance
from semanticgan.metrics.perceptual import Distance
from semanticgan.metrics.precision_recall import precision_recall
from semanticgan.metrics.samples import DEFAULT_BATCH_SIZE, first_indices, generated_pictures
from semanticgan.metrics.scores import Score
from semanticgan.metrics.sharing import share
from semanticgan.metrics.statistics import FeatureCache, FeatureSet, dataset_features, extract_features
from semanticgan.model import Model
from semanticgan.training.processes import ALONE, Processes


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
    """

    values: Mapping[str, float | None]
    by: str
    stand_in: bool
    num_real: int
    num_generated: int
    seconds: float = 0.0


@dataclass
class Evaluation:
    """A model, and what it is measured with.

    Attributes:
        model: what is measured.
        num_generated: how many of its pictures are.
        seeds_from: seed of the first; the others follow.
        truncation: psi of the pictures; path lengths are always of psi 1.
        dataset: what its pictures are compared with, or None.
        num_real: how many of the data's pictures; ``num_generated``, or all where there are fewer, if None.
        extractor: what computes features, or None.
        distance: perceptual distance of two pictures, or None.
        regions: names of the regions that are measured one by one; all if empty.
        num_paths: paths of a path length; ``num_generated`` if None.
        paths: spaces and samplings of path lengths, such as "w-end".
        cache: of the data's features, or None.
        batch_size: pictures at a time; changes nothing but the memory.
        workers: processes that read the data.
        processes: who takes part; each finds the whole result.
        progress: show bars on stderr.
    """

    model: Model
    num_generated: int
    seeds_from: int = 0
    truncation: float = 1.0
    dataset: PairDataset | None = None
    num_real: int | None = None
    extractor: Extractor | None = None
    distance: Distance | None = None
    regions: Sequence[str] = ()
    num_paths: int | None = None
    paths: Sequence[str] = ("w-end",)
    cache: FeatureCache | None = None
    batch_size: int = DEFAULT_BATCH_SIZE
    workers: int = 0
    processes: Processes = ALONE
    progress: bool = False
    seconds: dict[str, float] = field(default_factory=dict)
    """What the metrics share -> how long it took."""

    @property
    def seeds(self) -> range:
        return range(self.seeds_from, self.seeds_from + self.num_generated)

    @cached_property
    def indices(self) -> range:
        """Of the data's pictures that are compared."""
        assert self.dataset is not None
        num = min(self.num_generated, len(self.dataset)) if self.num_real is None else self.num_real
        return first_indices(self.dataset, num)

    @cached_property
    def real(self) -> FeatureSet:
        """Features of the data."""
        assert self.dataset is not None and self.extractor is not None
        with self._timed("features of the data"):
            return dataset_features(
                self.dataset,
                self.indices,
                self.extractor,
                cache=self.cache,
                batch_size=self.batch_size,
                workers=self.workers,
                processes=self.processes,
                progress=self.bar("features of the data"),
            )

    @cached_property
    def generated(self) -> FeatureSet:
        """Features of the model's pictures."""
        assert self.extractor is not None
        with self._timed("features of the model"):
            own = share(self.seeds, self.processes)
            return extract_features(self.pictures(own), self.extractor, self.num_generated, self.processes)

    def pictures(self, seeds: Sequence[int]) -> Iterator[Tensor]:
        """The model's pictures of these seeds, uint8, in batches."""
        return generated_pictures(
            self.model,
            seeds,
            truncation=self.truncation,
            batch_size=self.batch_size,
            progress=self.bar("features of the model"),
        )

    def bar(self, name: str) -> str | None:
        """The name of a bar, if this process shows any."""
        return name if self.progress and self.processes.is_first else None

    @contextmanager
    def _timed(self, what: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.seconds[what] = time.perf_counter() - start


@dataclass(frozen=True)
class Metric:
    """A metric.

    Attributes:
        measure: finds it; called by all processes.
        summary: what it says, for help.
        needs: attributes of :class:`Evaluation` that may not be None, and "classes", which only Inception knows.
        published_by: label of what the literature's figures rest on, None where there are none.
        num_published: pictures of the model that they take.
    """

    measure: Callable[[Evaluation], Measured]
    summary: str
    needs: tuple[str, ...]
    published_by: str | None = None
    num_published: int = 50_000


def evaluate(evaluation: Evaluation, names: Sequence[str]) -> dict[str, Measured]:
    """The metrics of these names, in :data:`METRICS`.

    Raises:
        InputError: an unknown metric, or one that needs what was not given; before anything is computed.
    """
    require_measurable(evaluation, names)
    found = {}
    for name in names:
        metric = METRICS[name]
        if "extractor" in metric.needs:  # before the clock runs
            _ = evaluation.generated, evaluation.real if "dataset" in metric.needs else None
        start = time.perf_counter()
        measured = metric.measure(evaluation)
        found[name] = Measured(**{**vars(measured), "seconds": time.perf_counter() - start})
    return found


def require_known(names: Sequence[str]) -> None:
    """Raises: InputError: an unknown metric, or none."""
    for name in names:
        if name not in METRICS:
            raise unknown_name("metric", name, METRICS)
    if not names:
        raise InputError(f"no metric given. Known: {', '.join(METRICS)}.")


def require_measurable(evaluation: Evaluation, names: Sequence[str]) -> None:
    """Raises: InputError: an unknown metric, or one that needs what was not given."""
    require_known(names)
    if evaluation.num_generated < 1:
        raise InputError(f"{evaluation.num_generated} pictures of the model were asked for. Give at least 1.")
    for name in names:
        for need in METRICS[name].needs:
            if need == "classes" and evaluation.extractor is not None and evaluation.extractor.stand_in:
                raise InputError(
                    f"the metric {name!r} needs the classes of Inception, which the extractor "
                    f"{evaluation.extractor.label} does not know. Leave it out, or use the extractor inception."
                )
            if need != "classes" and getattr(evaluation, need) is None:
                option = {"dataset": "--data"}.get(need, f"--{need}")
                raise InputError(f"the metric {name!r} needs {option}. Give it, or leave the metric out.")
    for path in evaluation.paths:
        if path not in PATHS:
            raise unknown_name("path", path, PATHS)
    if evaluation.dataset is not None and evaluation.dataset.size != evaluation.model.size:
        raise InputError(
            f"the model's pictures have {evaluation.model.size} pixels, the data's {evaluation.dataset.size}. "
            f"Open the data at {evaluation.model.size}."
        )
    _ = evaluation.indices if evaluation.dataset is not None else None


def _scored(score: Score, **values: float) -> Measured:
    return Measured(values, score.extractor, score.stand_in, score.num_real, score.num_generated)


def _fid(evaluation: Evaluation) -> Measured:
    score = frechet_distance(evaluation.real.statistics(), evaluation.generated.statistics())
    return _scored(score, fid=score.value)


def _kid(evaluation: Evaluation) -> Measured:
    score = kernel_distance(evaluation.real, evaluation.generated)
    return _scored(score, kid=score.value, kid_deviation=score.deviation, subset_size=score.subset_size)


def _inception_score(evaluation: Evaluation) -> Measured:
    score = inception_score(evaluation.generated)
    return _scored(score, inception_score=score.value, inception_score_deviation=score.deviation)


def _precision_recall(evaluation: Evaluation) -> Measured:
    score = precision_recall(evaluation.real, evaluation.generated)
    return _scored(score, precision=score.precision, recall=score.recall)


def _path_length(evaluation: Evaluation) -> Measured:
    return _paths(evaluation, {path: ((None, "both"), path) for path in evaluation.paths})


def _path_length_of_regions(evaluation: Evaluation) -> Measured:
    path = evaluation.paths[0]
    regions = evaluation.regions or evaluation.model.regions.names
    return _paths(
        evaluation,
        {f"{region} {what}": ((region, what), path) for region in regions for what in ("structure", "texture")},
    )


def _paths(evaluation: Evaluation, asked: Mapping[str, tuple[tuple[str | None, str], str]]) -> Measured:
    assert evaluation.distance is not None
    num = evaluation.num_generated if evaluation.num_paths is None else evaluation.num_paths
    values: dict[str, float | None] = {}
    for name, ((region, what), path) in asked.items():
        space, _, sampling = path.partition("-")
        values[name] = path_length.path_length(
            path_length.ModelTraveller(evaluation.model, region, what),
            evaluation.distance,
            range(evaluation.seeds_from, evaluation.seeds_from + num),
            space=space,
            sampling=sampling,
            batch_size=max(1, evaluation.batch_size // 2),
            processes=evaluation.processes,
            progress=evaluation.bar(f"path length {name}"),
        ).value
    return Measured(values, evaluation.distance.label, evaluation.distance.stand_in, 0, 2 * num)


PATHS = tuple(f"{space}-{sampling}" for space in path_length.SPACES for sampling in path_length.SAMPLINGS)
"""Spaces and samplings of path lengths."""

METRICS: Mapping[str, Metric] = MappingProxyType(
    {
        "fid": Metric(_fid, "Frechet inception distance", ("dataset", "extractor"), "inception"),
        "kid": Metric(_kid, "kernel inception distance", ("dataset", "extractor"), "inception"),
        "is": Metric(_inception_score, "Inception score", ("extractor", "classes"), "inception"),
        "pr": Metric(_precision_recall, "precision and recall", ("dataset", "extractor"), "VGG-16"),
        "ppl": Metric(_path_length, "perceptual path length", ("distance",), "lpips-vgg", 100_000),
        "ppl-regions": Metric(
            _path_length_of_regions, "path length of each region's structure, texture", ("distance",)
        ),
    }
)
"""Every metric by its name on the command line."""


def to_dict(evaluation: Evaluation, found: Mapping[str, Measured]) -> dict[str, Any]:
    """Everything as JSON-able values, seconds to a tenth."""
    results = {}
    for name, measured in found.items():
        values = asdict(measured)
        results[name] = {**values, "values": dict(measured.values), "seconds": round(measured.seconds, 1)}
    return {
        "num_generated": evaluation.num_generated,
        "seeds_from": evaluation.seeds_from,
        "truncation": evaluation.truncation,
        "processes": evaluation.processes.count,
        "results": results,
        "shared_seconds": {what: round(seconds, 1) for what, seconds in evaluation.seconds.items()},
    }
