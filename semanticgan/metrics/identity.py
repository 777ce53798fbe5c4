"""Whether reconstructions show the same person as their pictures, by a network that tells people apart.

With face-api: the Euclidean distance of two descriptors, below 0.6 for one person in photographs. A picture against its
own copy of 64 pixels has 0.2 to 0.3: that is the floor.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from semanticgan.distributed import all_of, share
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
    judge = evaluation.identity
    assert judge is not None
    own = share(evaluation.matches, evaluation.processes)
    parts = [
        _distances(evaluation, own[start : start + evaluation.batch_size])
        for start in range(0, len(own), evaluation.batch_size)
    ]
    distances = torch.cat(all_of(parts, evaluation.processes))
    values: dict[str, float | None] = {"identity": float(distances.mean())}
    if judge.same_below is not None:
        values["same person"] = float((distances < judge.same_below).double().mean())
    return Measured(values, judge.name, True, len(evaluation.matches))


def _distances(evaluation: Evaluation, matches: Sequence[tuple[int, int]]) -> Tensor:
    """Of some reconstructions and their pictures, float64 [N]."""
    assert evaluation.dataset is not None and evaluation.reconstructions is not None and evaluation.identity is not None
    again = torch.stack([evaluation.reconstructions[index].image for index, _ in matches])
    pictures = torch.stack([evaluation.dataset[index].image for _, index in matches])
    return evaluation.identity.distance(pictures, again)
