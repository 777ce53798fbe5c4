"""Whether reconstructions show the same person as their pictures, by a network that tells people apart.

With face-api: the Euclidean distance of two descriptors, below 0.6 for one person in photographs. A picture against its
own copy of 64 pixels has 0.2 to 0.3: that is the floor.
"""

from __future__ import annotations

import torch

from semanticgan.distributed import all_of
from semanticgan.metrics.evaluation import Evaluation
from semanticgan.metrics.metric import Measured, metric


@metric(
    "identity",
    "whether reconstructions show the same person",
    needs=("dataset", "reconstructions", "identity"),
    uses=(),
    else_because="other pictures",
)
def _identity(evaluation: Evaluation) -> Measured:
    """Mean distance between the face descriptors (vectors that a face network computes) of each image of the data and
    its reconstruction, and the share of pairs whose distance counts as one person."""
    judge = evaluation.identity
    assert judge is not None
    parts = [judge.distance(pictures, again) for pictures, again in evaluation.pairs("identity")]
    distances = torch.cat(all_of(parts, evaluation.processes))
    values: dict[str, float | None] = {"identity": float(distances.mean())}
    if judge.same_below is not None:
        values["same person"] = float((distances < judge.same_below).double().mean())
    return Measured(values, judge.name, True, len(evaluation.matches))
