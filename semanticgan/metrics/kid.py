"""Kernel inception distance (Binkowski et al. 2018, arXiv 1801.01401): unbiased also for few pictures."""

from __future__ import annotations

from semanticgan.errors import InputError
from semanticgan.metrics.evaluation import Evaluation
from semanticgan.metrics.metric import Measured, metric
from semanticgan.metrics.scores import OF_BOTH, require_alike, score
from semanticgan.metrics.statistics import FeatureSet
from semanticgan.perception.fidelity import import_fidelity
from semanticgan.seeds import random_state

NUM_SUBSETS = 100
SUBSET_SIZE = 1000


def kernel_distance(
    real: FeatureSet,
    generated: FeatureSet,
    *,
    num_subsets: int = NUM_SUBSETS,
    subset_size: int | None = None,
    seed: int = 2020,
) -> Measured:
    """KID between two sets of pictures, by torch-fidelity: the kernel is (x . y / F + 1)^3.

    Args:
        real: of the data.
        generated: of the model.
        num_subsets: pairs of subsets to draw.
        subset_size: pictures in each; 1000, or all where there are fewer, if not given.
        seed: of the draws; by default that of torch-fidelity's own command.

    Returns:
        "kid", the mean squared discrepancy over the subsets, about 0, also slightly below, for equal distributions;
        "kid_deviation" over the subsets; "subset_size", pictures in each.

    Raises:
        InputError: features of different extractors, too few pictures, or torch-fidelity is not installed.
    """
    require_alike(real, generated)
    there = min(len(real), len(generated))
    size = min(SUBSET_SIZE, there) if subset_size is None else subset_size
    if not 2 <= size <= there or num_subsets < 1:
        raise InputError(
            f"KID draws subsets of 2 to {there} pictures here ({len(real)} real, {len(generated)} generated), at least "
            f"1 of them; asked for are {num_subsets} subsets of {size}. Give other numbers, or more pictures."
        )
    fidelity = import_fidelity("metric_kid")
    found = fidelity.kid_features_to_metric(
        generated.values,
        real.values,
        kid_subsets=num_subsets,
        kid_subset_size=size,
        rng_seed=random_state(seed),
        verbose=False,
    )
    mean, deviation = found[fidelity.KEY_METRIC_KID_MEAN], found[fidelity.KEY_METRIC_KID_STD]
    return score(real, generated, {"kid": mean, "kid_deviation": deviation, "subset_size": size})


@metric(
    "kid",
    "kernel inception distance",
    **OF_BOTH,
    published_by="inception",
    least_pictures=2,
    columns={"kid": "KID"},
    stand_in_columns={"kid": "kernel distance"},
)
def _kid(evaluation: Evaluation) -> Measured:
    """Kernel distance (squared maximum mean discrepancy with a polynomial kernel) between the features that ``fid``
    uses. The estimate is unbiased, also for small sets (Binkowski et al. 2018)."""
    return kernel_distance(evaluation.real, evaluation.generated)
