"""Several metrics of one model at once, which share the pictures' features.

A metric is a function from :class:`Evaluation` to :class:`Measured`, and what it needs: one line of :data:`METRICS`, or
a call of :func:`register`.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import torch

from semanticgan.distributed import all_of, share
from semanticgan.errors import InputError, unknown_name
from semanticgan.metrics import path_length
from semanticgan.metrics.attributes import compared, count_attributes, summed
from semanticgan.metrics.diversity import measure_diversity
from semanticgan.metrics.evaluation import Evaluation, Measured, Table
from semanticgan.metrics.fid import frechet_distance
from semanticgan.metrics.inception_score import inception_score
from semanticgan.metrics.kid import kernel_distance
from semanticgan.metrics.locality import EDITED
from semanticgan.metrics.miou import measure_segmentation, require_same_regions
from semanticgan.metrics.ownership import measure_ownership
from semanticgan.metrics.precision_recall import precision_recall
from semanticgan.metrics.reconstruction import Reconstruction, measure_reconstruction
from semanticgan.metrics.samples import dataset_pictures
from semanticgan.metrics.scores import Score
from semanticgan.perception.masked import mean_absolute_difference
from semanticgan.perception.overlap import Overlap
from semanticgan.perception.pictures import as_float
from semanticgan.seeds import MAX_SEED, require_seed


@dataclass(frozen=True)
class Metric:
    """A metric.

    Attributes:
        measure: finds it; called by all processes.
        summary: what it says, for help.
        needs: attributes of :class:`Evaluation` that may not be None, and "classes", which only Inception knows.
        published_by: label of what the literature's figures rest on, None where no figures compare.
        num_published: pictures of the model that they take.
        else_because: why no figures compare.
        least_pictures: of the model, and of the data where it looks at them.
    """

    measure: Callable[[Evaluation], Measured]
    summary: str
    needs: tuple[str, ...]
    published_by: str | None = None
    num_published: int = 50_000
    else_because: str = "no published figures"
    least_pictures: int = 1


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
        found[name] = replace(measured, seconds=time.perf_counter() - start)
    return found


def require_known(names: Sequence[str]) -> None:
    """Raises: InputError: an unknown metric, or none."""
    for name in names:
        if name not in METRICS:
            raise unknown_name("metric", name, METRICS)
    if not names:
        raise InputError(f"no metric given. Known: {', '.join(METRICS)}.")


def extras_of(names: Sequence[str]) -> tuple[str, ...]:
    """What metrics need of :mod:`semanticgan.extras`: torch-fidelity computes all that are about features."""
    return ("fidelity",) if any("extractor" in METRICS[name].needs for name in names if name in METRICS) else ()


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
    for name in names:
        for need in METRICS[name].needs:
            if need == "classes" and evaluation.extractor is not None and evaluation.extractor.stand_in:
                raise InputError(
                    f"the metric {name!r} needs the classes of Inception, which the extractor "
                    f"{evaluation.extractor.label} does not know. Leave it out, or use the extractor inception."
                )
            if need != "classes" and getattr(evaluation, need) is None:
                option = options.get(need, f"--{need}")
                raise InputError(f"the metric {name!r} needs {option}. Give it, or leave the metric out.")
    _require_enough_pictures(evaluation, names)
    for path in evaluation.paths:
        if path not in PATHS:
            raise unknown_name("path", path, PATHS)
    if not evaluation.paths or ("ppl-regions" in names and len(evaluation.paths) > 1):
        raise InputError(f"{len(evaluation.paths)} paths were given. Give one or, for ppl, more of {', '.join(PATHS)}.")
    _ = evaluation.region_names
    if evaluation.parser is not None:
        require_same_regions(evaluation.model, evaluation.parser)
    if evaluation.dataset is not None and evaluation.dataset.size != evaluation.model.size:
        raise InputError(
            f"the model's pictures have {evaluation.model.size} pixels, the data's {evaluation.dataset.size}. "
            f"Open the data at {evaluation.model.size}."
        )
    if evaluation.dataset is not None and evaluation.reconstructions is not None:
        _ = evaluation.matches
    # Whether they take pictures of this side shows on a blank one.
    blank = torch.zeros(1, 3, evaluation.model.size, evaluation.model.size, dtype=torch.uint8)
    if evaluation.extractor is not None:
        evaluation.extractor(blank)
    if evaluation.distance is not None:
        evaluation.distance(as_float(blank), as_float(blank))


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
    return _paths(
        evaluation,
        {f"{region} {what}": ((region, what), path) for region in evaluation.region_names for what in EDITED},
    )


def _paths(evaluation: Evaluation, asked: Mapping[str, tuple[tuple[str | None, str], str]]) -> Measured:
    assert evaluation.distance is not None
    num = evaluation.num_generated if evaluation.num_paths is None else evaluation.num_paths
    values: dict[str, float | None] = {}
    for name, ((region, what), path) in asked.items():
        space, _, sampling = path.partition("-")
        values[name] = path_length.path_length(
            path_length.ModelTraveller(evaluation.model, region, what, evaluation.truncation),
            evaluation.distance,
            range(evaluation.seeds_from, evaluation.seeds_from + num),
            space=space,
            sampling=sampling,
            batch_size=max(1, evaluation.batch_size // 2),
            processes=evaluation.processes,
            progress=evaluation.bar(f"path length {name}"),
        ).value
    return Measured(values, evaluation.distance.label, evaluation.distance.stand_in, 0, 2 * num)


def _segmentation(evaluation: Evaluation) -> Measured:
    assert evaluation.parser is not None
    own = list(share(evaluation.seeds, evaluation.processes))
    part = measure_segmentation(
        evaluation.model,
        evaluation.parser,
        own,
        truncation=evaluation.truncation,
        batch_size=evaluation.batch_size,
        progress=bool(evaluation.bar("segmentation")),
    )
    score = replace(part, overlap=Overlap.cat(all_of([part.overlap], evaluation.processes)))
    found = score.to_dict()
    on_pairs = score.parser.get("iou", {})
    rows = tuple((name, iou, on_pairs.get(name)) for name, iou in found["iou"].items())
    return Measured(
        {"miou": found["mean_iou"], "pixel_accuracy": found["pixel_accuracy"], "least_iou": min(_there(found["iou"]))},
        f"parser, {score.parser.get('mean_iou', math.nan):.3f} on held-out pairs",
        True,
        0,
        evaluation.num_generated,
        table=Table(("region", "IoU", "the parser's IoU on held-out pairs"), rows),
        details=found,
    )


def _there(values: Mapping[str, float | None]) -> list[float]:
    return [value for value in values.values() if value is not None]


def _attributes(evaluation: Evaluation) -> Measured:
    classifier, processes = evaluation.classifier, evaluation.processes
    assert classifier is not None
    own = count_attributes(
        evaluation.pictures(share(evaluation.seeds, processes), "attributes of the model"), classifier
    )
    generated, real = summed(all_of([own], processes)), None
    if evaluation.dataset is not None:
        shown = dataset_pictures(
            evaluation.dataset,
            share(evaluation.indices, processes),
            batch_size=evaluation.batch_size,
            workers=evaluation.workers,
            progress=evaluation.bar("attributes of the data"),
        )
        real = summed(all_of([count_attributes(shown, classifier)], processes))
    rates = compared(generated, real, truncation=evaluation.truncation, classifier=classifier)
    known = rates.known()
    factors = [each.factor for name, each in known.items() if name in rates.binary and each.factor is not None]
    rows = tuple((name, each.generated, each.real, each.factor) for name, each in known.items())
    return Measured(
        {"least_factor": min(factors, default=None), "greatest_factor": max(factors, default=None)},
        "attribute classifier",
        True,
        rates.num_real,
        rates.num_generated,
        table=Table(("attribute", "share of the model's", "share of the data's", "factor"), rows),
        details=rates.to_dict(),
    )


def _locality(evaluation: Evaluation) -> Measured:
    locality = evaluation.locality
    found = locality.to_dict()
    figures = (
        "region",
        "what",
        "score",
        "change_inside",
        "change_outside",
        "share_outside",
        "iou_others",
        "num_images",
    )
    rows = tuple(tuple(getattr(edit, figure) for figure in figures) for edit in locality.edits)
    headings = ("region", "code", "score", "inside", "outside", "share of pixels outside", "IoU of others", "pictures")
    return Measured(
        {what: found["mean_score"][what] for what in EDITED},
        "levels of 0..255" + (f", {evaluation.distance.label}" if evaluation.distance else ""),
        True,
        0,
        2 * len(evaluation.edited_seeds),
        table=Table(headings, rows),
        details=found,
    )


def _ownership(evaluation: Evaluation) -> Measured:
    assert evaluation.parser is not None
    parts = [
        measure_ownership(
            evaluation.model,
            evaluation.parser,
            region,
            evaluation.edited_seeds,
            truncation=evaluation.truncation,
            batch_size=evaluation.batch_size,
            progress=bool(evaluation.bar("ownership")),
        )
        for region in share(evaluation.region_names, evaluation.processes)
    ]
    found = all_of(parts, evaluation.processes)
    rows = tuple((one.region, one.left, one.change_outside, float(one.num_images)) for one in found)
    return Measured(
        {one.region: one.left for one in found},
        "parser",
        True,
        0,
        len(evaluation.edited_seeds),
        table=Table(("drawn without", "left of it", "change outside", "pictures that show it"), rows),
        details={one.region: one.to_dict() for one in found},
    )


def _diversity(evaluation: Evaluation) -> Measured:
    """In levels of 0..255 where there is no perceptual distance."""
    parts = [
        measure_diversity(
            evaluation.model,
            region,
            evaluation.edited_seeds,
            num_variations=evaluation.num_variations,
            distance=evaluation.distance or mean_absolute_difference,
            truncation=evaluation.truncation,
            progress=bool(evaluation.bar("diversity")),
        )
        for region in share(evaluation.region_names, evaluation.processes)
    ]
    found = all_of(parts, evaluation.processes)
    return Measured(
        {one.region: one.mean for one in found},
        evaluation.distance.label if evaluation.distance else "levels of 0..255",
        evaluation.distance is None or evaluation.distance.stand_in,
        0,
        len(evaluation.edited_seeds) * evaluation.num_variations,
        details={one.region: one.to_dict() for one in found},
    )


def _reconstruction(evaluation: Evaluation) -> Measured:
    parser, distance = evaluation.parser, evaluation.distance
    own = share(evaluation.matches, evaluation.processes)
    parts = [
        _compared(evaluation, own[start : start + evaluation.batch_size])
        for start in range(0, len(own), evaluation.batch_size)
    ]
    found = Reconstruction.cat(all_of(parts, evaluation.processes)).to_dict()
    values: dict[str, float | None] = {"mse": found["mse"], "psnr": found["psnr"], "ssim": found["ssim"]}
    values |= {"perceptual": found["perceptual"]} if distance else {}
    values |= {"miou": found["masks"]["mean_iou"]} if parser else {}
    by = [*([distance.label] if distance else []), *(["parser"] if parser else [])]
    stand_in = parser is not None or (distance is not None and distance.stand_in)
    return Measured(values, ", ".join(by), stand_in, len(evaluation.matches), 0, details=found)


def _compared(evaluation: Evaluation, matches: Sequence[tuple[int, int]]) -> Reconstruction:
    """Some reconstructions and their pictures."""
    assert evaluation.dataset is not None and evaluation.reconstructions is not None
    again = torch.stack([evaluation.reconstructions[index].image for index, _ in matches])
    pictures = torch.stack([evaluation.dataset[index].image for _, index in matches])
    parser = evaluation.parser
    return measure_reconstruction(
        pictures,
        again,
        distance=evaluation.distance,
        labels=(parser.labels(pictures), parser.labels(again)) if parser else None,
        regions=parser.regions if parser else None,
    )


PATHS = tuple(f"{space}-{sampling}" for space in path_length.SPACES for sampling in path_length.SAMPLINGS)
"""Spaces and samplings of path lengths."""

_METRICS: dict[str, Metric] = {
    "fid": Metric(_fid, "Frechet inception distance", ("dataset", "extractor"), "inception", least_pictures=2),
    "kid": Metric(_kid, "kernel inception distance", ("dataset", "extractor"), "inception", least_pictures=2),
    "is": Metric(_inception_score, "Inception score", ("extractor", "classes"), "inception", least_pictures=10),
    "pr": Metric(_precision_recall, "precision and recall", ("dataset", "extractor"), "VGG-16", least_pictures=4),
    "ppl": Metric(_path_length, "perceptual path length", ("distance",), "lpips-vgg", 100_000),
    "ppl-regions": Metric(_path_length_of_regions, "path length of each region's structure, texture", ("distance",)),
    "miou": Metric(
        _segmentation,
        "IoU of the model's segmentation and a parser's reading",
        ("parser",),
        else_because="another parser",
    ),
    "attributes": Metric(_attributes, "how often portraits' attributes occur", ("classifier",)),
    "locality": Metric(_locality, "what else changes when a region is swapped", ()),
    "ownership": Metric(_ownership, "what is left of each region in pictures drawn without it", ("parser",)),
    "diversity": Metric(_diversity, "how different the variations of each region are", ()),
    "reconstruction": Metric(
        _reconstruction,
        "how close reconstructions are to the data",
        ("dataset", "reconstructions"),
        else_because="other pictures",
    ),
}

METRICS: Mapping[str, Metric] = MappingProxyType(_METRICS)
"""Every metric by its name on the command line."""


def register(name: str, metric: Metric) -> None:
    """Make a metric from outside the package known to :func:`evaluate` and to the command line of this process.

    Raises:
        InputError: a name that is taken, or that a comma-separated list cannot hold.
    """
    if not name or name != name.strip() or "," in name or name in METRICS:
        raise InputError(f"a metric needs a name without commas that is not taken, got {name!r}. Choose another.")
    _METRICS[name] = metric


def to_dict(evaluation: Evaluation, found: Mapping[str, Measured]) -> dict[str, Any]:
    """Everything as JSON-able values, seconds to a tenth."""
    results = {}
    for name, measured in found.items():
        known = {key: value for key, value in vars(measured).items() if key not in ("table", "details")}
        details = {"details": dict(measured.details)} if measured.details else {}
        results[name] = {**known, "values": dict(measured.values), "seconds": round(measured.seconds, 1), **details}
    return {
        "num_generated": evaluation.num_generated,
        "seeds_from": evaluation.seeds_from,
        "truncation": evaluation.truncation,
        "processes": evaluation.processes.count,
        "results": results,
        "shared_seconds": {what: round(seconds, 1) for what, seconds in evaluation.seconds.items()},
    }
