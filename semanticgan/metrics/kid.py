"""Kernel inception distance (Binkowski et al. 2018, arXiv 1801.01401): unbiased also for few pictures."""

from __future__ import annotations

from dataclasses import dataclass

from semanticgan.errors import InputError
from semanticgan.metrics.evaluation import Evaluation
from semanticgan.metrics.metric import Measured, metric
from semanticgan.metrics.scores import OF_BOTH, Score, alike
from semanticgan.metrics.statistics import FeatureSet
from semanticgan.perception.fidelity import import_fidelity
from semanticgan.seeds import random_state

NUM_SUBSETS = 100
SUBSET_SIZE = 1000


@dataclass(frozen=True, kw_only=True)
class KernelDistance(Score):
    """Squared maximum mean discrepancy under the kernel (x . y / F + 1)^3.

    Attributes:
        value: mean over the subsets; about 0, also slightly below, for equal distributions.
        deviation: standard deviation over the subsets.
        num_subsets: pairs of subsets drawn.
        subset_size: pictures in each.
    """

    value: float
    deviation: float
    num_subsets: int
    subset_size: int


def kernel_distance(
    real: FeatureSet,
    generated: FeatureSet,
    *,
    num_subsets: int = NUM_SUBSETS,
    subset_size: int | None = None,
    seed: int = 2020,
) -> KernelDistance:
    """KID between two sets of pictures, by torch-fidelity.

    Args:
        real: of the data.
        generated: of the model.
        num_subsets: pairs of subsets to draw.
        subset_size: pictures in each; 1000, or all where there are fewer, if not given.
        seed: of the draws; by default that of torch-fidelity's own command.

    Raises:
        InputError: features of different extractors, too few pictures, or torch-fidelity is not installed.
    """
    about = alike(real, generated)
    there = min(len(real), len(generated))
    size = min(SUBSET_SIZE, there) if subset_size is None else subset_size
    if not 2 <= size <= there or num_subsets < 1:
        raise InputError(
            f"KID draws subsets of 2 to {there} pictures here ({len(real)} real, {len(generated)} generated), at least "
            f"1 of them; asked for are {num_subsets} subsets of {size}. Give other numbers, or more pictures."
        )
    metric = import_fidelity("metric_kid")
    found = metric.kid_features_to_metric(
        generated.values,
        real.values,
        kid_subsets=num_subsets,
        kid_subset_size=size,
        rng_seed=random_state(seed),
        verbose=False,
    )
    return KernelDistance(
        value=found[metric.KEY_METRIC_KID_MEAN],
        deviation=found[metric.KEY_METRIC_KID_STD],
        num_subsets=num_subsets,
        subset_size=size,
        **about,
    )


@metric("kid", "kernel inception distance", **OF_BOTH, published_by="inception", least_pictures=2)
def _kid(evaluation: Evaluation) -> Measured:
    score = kernel_distance(evaluation.real, evaluation.generated)
    return score.measured(kid=score.value, kid_deviation=score.deviation, subset_size=score.subset_size)
