"""Whether a model's pictures can be told from real ones by projecting both into w (arXiv 1912.04958, Section 5).

A code w is optimised so that its picture comes near to a given one. Pictures of the model itself are usually found
again, real ones are not. With the distances a of the model's pictures and b of real ones, the area under the curve
that separates them is the rank statistic of Mann and Whitney::

    AUC = mean over all pairs of  [a < b] + [a = b] / 2

0.5: the distances tell nothing. 1: every real picture stays farther away than every generated one.

Shape legend: N pictures, S side of the picture.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from semanticgan.distributed import gathered, share
from semanticgan.errors import InputError
from semanticgan.inversion.distribution import measure_distribution
from semanticgan.inversion.objective import Weights
from semanticgan.inversion.optimise import Settings, optimise
from semanticgan.metrics.evaluation import Evaluation
from semanticgan.metrics.metric import Measured, metric
from semanticgan.metrics.samples import in_batches
from semanticgan.model import Model
from semanticgan.perception.masked import apart
from semanticgan.perception.perceptual import Distance
from semanticgan.perception.pictures import as_float
from semanticgan.progress import Progress

_WEIGHTS = Weights(pixel=1.0, perceptual=1.0, segmentation=0.0, masks=0.0, prior=0.0)
_BATCH = 8  # pictures optimised at a time
_RATE = 0.2  # times the deviation of w, so that models of any scale move alike; of 0.05 to 0.4 it comes nearest


def separation(low: np.ndarray, high: np.ndarray) -> float:
    """Share of all pairs whose value of ``high`` is the larger one; equal values count half."""
    difference = high[None, :] - low[:, None]
    return float((difference > 0).mean() + (difference == 0).mean() / 2)


def projection_distances(
    model: Model,
    pictures: Tensor,
    distance: Distance,
    steps: int,
    progress: Progress | bool = False,
    what: str = "projections",
) -> np.ndarray:
    """How far each picture stays from what the model shows of the w found for it, float64 [N].

    Args:
        model: what is to show them, with the noise stored with its weights.
        pictures: uint8 [N, 3, S, S].
        distance: perceptual; it is optimised, beside the squared error, and reported, of 8-bit pictures.
        steps: of the optimisation.
        progress: told of every batch, under the name ``what``.
    """
    deviation = measure_distribution(model).deviation / math.sqrt(model.config.style_dim)
    settings = Settings(steps=steps, rate=_RATE * deviation, weights=_WEIGHTS, stops=False)
    parts = [np.zeros(0)]
    for batch in in_batches(range(len(pictures)), _BATCH, progress, what):
        shown = pictures[batch[0] : batch[-1] + 1].to(model.device)
        found = optimise(
            model, as_float(shown), space="w", labels=None, distance=distance, settings=settings, batch_size=_BATCH
        )
        again = model.render(found.code, found.noise, batch_size=_BATCH).to_uint8()
        parts.append(apart(distance, shown, again).numpy())
    return np.concatenate(parts)


def _require_pictures(evaluation: Evaluation) -> None:
    for whose, there in (("the model", evaluation.num_generated), ("the data", len(evaluation.indices))):
        least = max(evaluation.num_projections, evaluation.processes.count)
        if evaluation.num_projections < evaluation.processes.count or there < least:
            raise InputError(
                f"{there} pictures of {whose} are too few for {evaluation.num_projections} projections on "
                f"{evaluation.processes.count} processes. Take {least} or more."
            )


@metric(
    "projection",
    "whether projecting into w tells real pictures from the model's",
    needs=("dataset", "distance"),
    uses=("num_projections", "projection_steps", "seeds_from"),
    columns={"auc": "projection AUC"},
    else_because="other noise, other distance",
    require=_require_pictures,
)
def _projection(evaluation: Evaluation) -> Measured:
    """Share of pairs (one image of the data, one generated image) in which the image of the data is farther from its
    own projection into w than the generated image is from its own (Karras et al. 2019). At 0.5 the distances do not
    tell the data from the model's images. At 1 every image of the data is farther from its projection than every
    generated image."""
    assert evaluation.distance is not None and evaluation.dataset is not None
    num, model = evaluation.num_projections, evaluation.model
    own = model.render(model.sample(seeds=evaluation.seeds[:num]), batch_size=evaluation.batch_size).to_uint8().cpu()
    real = torch.stack([evaluation.dataset[index].image for index in evaluation.indices[:num]])
    found, mine = {}, share(range(num), evaluation.processes)
    for name, pictures in (("generated", own), ("real", real)):
        part = pictures[mine[0] : mine[-1] + 1]
        distances = projection_distances(
            model, part, evaluation.distance, evaluation.projection_steps, evaluation.told, f"projections, {name}"
        )
        found[name] = gathered(torch.from_numpy(distances), num, evaluation.processes).numpy()
    return Measured(
        {"auc": separation(found["generated"], found["real"])},
        evaluation.distance.label,
        True,
        num,
        num,
        rows={"projection_distances": found},
    )
