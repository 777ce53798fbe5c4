"""Frechet inception distance (Heusel et al. 2017, arXiv 1706.08500): |m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2))."""

from __future__ import annotations

from semanticgan.metrics.evaluation import Evaluation
from semanticgan.metrics.metric import Measured, metric
from semanticgan.metrics.scores import OF_BOTH, require_alike, score
from semanticgan.metrics.statistics import Statistics
from semanticgan.perception.fidelity import import_fidelity


def frechet_distance(real: Statistics, generated: Statistics) -> Measured:
    """FID between two sets of pictures, by torch-fidelity in float64.

    Returns:
        "fid", 0 for equal distributions; it falls with the number of pictures (literature: 50,000).

    Raises:
        InputError: features of different extractors, or torch-fidelity is not installed.
    """
    require_alike(real, generated)
    fidelity = import_fidelity("metric_fid")
    first, second = ({"mu": each.mean, "sigma": each.covariance} for each in (generated, real))
    found = fidelity.fid_statistics_to_metric(first, second, False)
    return score(real, generated, {"fid": found[fidelity.KEY_METRIC_FID]})


@metric(
    "fid",
    "Frechet inception distance",
    **OF_BOTH,
    published_by="inception",
    least_pictures=2,
    columns={"fid": "FID"},
    stand_in_columns={"fid": "Frechet distance"},
)
def _fid(evaluation: Evaluation) -> Measured:
    """Frechet distance between two Gaussians, fitted to the features of the generated images and of the data, with the
    code of torch-fidelity (Heusel et al. 2017)."""
    return frechet_distance(evaluation.real.statistics(), evaluation.generated.statistics())
