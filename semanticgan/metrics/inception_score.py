"""Inception score (Salimans et al. 2016, arXiv 1606.03498): exp E KL(p(class | picture) || p(class)).

Its classes are ImageNet's: of portraits it says little, and is here because tables have it.
"""

from __future__ import annotations

from semanticgan.errors import InputError
from semanticgan.metrics.evaluation import Evaluation
from semanticgan.metrics.metric import Measured, metric
from semanticgan.metrics.scores import score
from semanticgan.metrics.statistics import FeatureSet
from semanticgan.perception.fidelity import import_fidelity
from semanticgan.seeds import random_state

NUM_SPLITS = 10


def inception_score(generated: FeatureSet, *, num_splits: int = NUM_SPLITS, seed: int = 2020) -> Measured:
    """The score of a model's pictures, by torch-fidelity.

    Args:
        generated: with the logits of classes.
        num_splits: parts, each scored alone.
        seed: of the shuffle before the pictures are divided; by default that of torch-fidelity's own command.

    Returns:
        "inception_score", the mean over the parts, at least 1; "inception_score_deviation" over them.

    Raises:
        InputError: an extractor without classes, too few pictures, or torch-fidelity is not installed.
    """
    if generated.logits is None:
        raise InputError(
            f"the Inception score needs the classes of Inception, which the extractor {generated.extractor} does not "
            "know. Leave it out, or use the extractor inception."
        )
    if not 1 <= num_splits <= len(generated):
        raise InputError(f"{len(generated)} pictures cannot be divided into {num_splits} parts. Give more pictures.")
    fidelity = import_fidelity("metric_isc")
    found = fidelity.isc_features_to_metric(generated.logits, num_splits, True, random_state(seed))
    mean, deviation = found[fidelity.KEY_METRIC_ISC_MEAN], found[fidelity.KEY_METRIC_ISC_STD]
    return score(None, generated, {"inception_score": mean, "inception_score_deviation": deviation})


@metric("is", "Inception score", needs=("extractor", "classes"), published_by="inception", least_pictures=NUM_SPLITS)
def _inception_score(evaluation: Evaluation) -> Measured:
    """Inception score: how certain and how varied the predicted classes are (Salimans et al. 2016). The classes are
    those of ImageNet, so the score tells little about faces."""
    return inception_score(evaluation.generated)
