"""Frechet inception distance (Heusel et al. 2017, arXiv 1706.08500): |m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2))."""

from __future__ import annotations

from dataclasses import dataclass

from semanticgan.metrics.evaluation import Evaluation
from semanticgan.metrics.metric import Measured, metric
from semanticgan.metrics.scores import OF_BOTH, Score, alike
from semanticgan.metrics.statistics import Statistics
from semanticgan.perception.fidelity import import_fidelity


@dataclass(frozen=True, kw_only=True)
class FrechetDistance(Score):
    """Attributes: value: 0 for equal distributions; it falls with the number of pictures (literature: 50,000)."""

    value: float


def frechet_distance(real: Statistics, generated: Statistics) -> FrechetDistance:
    """FID between two sets of pictures, by torch-fidelity in float64.

    Raises:
        InputError: features of different extractors, or torch-fidelity is not installed.
    """
    about = alike(real, generated)
    metric = import_fidelity("metric_fid")
    first, second = ({"mu": each.mean, "sigma": each.covariance} for each in (generated, real))
    found = metric.fid_statistics_to_metric(first, second, False)
    return FrechetDistance(
        value=found[metric.KEY_METRIC_FID],
        **about,
    )


@metric("fid", "Frechet inception distance", **OF_BOTH, published_by="inception", least_pictures=2)
def _fid(evaluation: Evaluation) -> Measured:
    score = frechet_distance(evaluation.real.statistics(), evaluation.generated.statistics())
    return score.measured(fid=score.value)
