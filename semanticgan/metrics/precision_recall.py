"""Precision and recall of a model's pictures (Kynkaanniemi et al. 2019, arXiv 1904.06991).

Precision is the share of generated pictures that lie within the real ones' manifold, recall the share of real ones
within the generated ones'; a manifold is the union of balls around its points, each reaching its k-th neighbour.
"""

from __future__ import annotations

from semanticgan.errors import InputError
from semanticgan.metrics.evaluation import Evaluation
from semanticgan.metrics.metric import Measured, metric
from semanticgan.metrics.scores import OF_BOTH, require_alike, score
from semanticgan.metrics.statistics import FeatureSet
from semanticgan.perception.fidelity import import_fidelity

NUM_NEIGHBOURS = 3

_ROWS = 10_000  # of the matrix of distances at a time


def precision_recall(real: FeatureSet, generated: FeatureSet, *, num_neighbours: int = NUM_NEIGHBOURS) -> Measured:
    """Both, by torch-fidelity. The literature takes them of VGG-16's features, torch-fidelity of Inception's.

    Args:
        num_neighbours: k.

    Returns:
        "precision" and "recall", in [0, 1].

    Raises:
        InputError: features of different extractors, too few pictures, or torch-fidelity is not installed.
    """
    require_alike(real, generated)
    there = min(len(real), len(generated))
    if not 1 <= num_neighbours < there:
        raise InputError(
            f"precision and recall need more pictures than neighbours, got {len(real)} real and {len(generated)} "
            f"generated pictures for {num_neighbours} neighbours. Give more pictures."
        )
    fidelity = import_fidelity("metric_prc")
    found = fidelity.prc_features_to_metric(
        generated.values,
        real.values,
        prc_neighborhood=num_neighbours,
        prc_batch_size=_ROWS,
        save_cpu_ram=max(len(real), len(generated)) > _ROWS,
        verbose=False,
    )
    values = {"precision": found[fidelity.KEY_METRIC_PRECISION], "recall": found[fidelity.KEY_METRIC_RECALL]}
    return score(real, generated, values)


@metric(
    "pr",
    "precision and recall",
    **OF_BOTH,
    published_by="VGG-16",
    least_pictures=NUM_NEIGHBOURS + 1,
    columns={"precision": "precision", "recall": "recall"},
)
def _precision_recall(evaluation: Evaluation) -> Measured:
    """Precision is the share of generated images that lie within the estimated manifold of the data, and recall is the
    share of images of the data that lie within the estimated manifold of the model (Kynkaanniemi et al. 2019)."""
    return precision_recall(evaluation.real, evaluation.generated)
