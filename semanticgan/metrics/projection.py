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
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from semanticgan.inversion.distribution import measure_distribution
from semanticgan.inversion.objective import Weights
from semanticgan.inversion.optimise import Settings, optimise
from semanticgan.model import Model
from semanticgan.perception.masked import apart
from semanticgan.perception.perceptual import Distance
from semanticgan.perception.pictures import as_float

STEPS = 200
"""Steps of each projection; the paper makes 1000."""
_WEIGHTS = Weights(pixel=1.0, perceptual=1.0, segmentation=0.0, masks=0.0, prior=0.0)
_RATE = 0.2  # times the deviation of w, so that models of any scale move alike; of 0.05 to 0.4 it comes nearest


@dataclass(frozen=True, eq=False)
class Projections:
    """Distances of pictures and their projections, float64 [N] each.

    Attributes:
        generated: of the model's own pictures.
        real: of real ones.
    """

    generated: np.ndarray
    real: np.ndarray

    @property
    def auc(self) -> float:
        """Area under the curve that separates real from generated pictures; see the module."""
        return separation(self.generated, self.real)


def separation(low: np.ndarray, high: np.ndarray) -> float:
    """Share of all pairs whose value of ``high`` is the larger one; equal values count half."""
    difference = high[None, :] - low[:, None]
    return float((difference > 0).mean() + (difference == 0).mean() / 2)


def projection_distances(
    model: Model, pictures: Tensor, distance: Distance, steps: int = STEPS, batch_size: int = 8
) -> np.ndarray:
    """How far each picture stays from what the model shows of the w found for it, float64 [N].

    Args:
        model: what is to show them, with the noise stored with its weights.
        pictures: uint8 [N, 3, S, S].
        distance: perceptual; it is optimised, beside the squared error, and reported, of 8-bit pictures.
        steps: of the optimisation.
        batch_size: pictures at a time.
    """
    deviation = measure_distribution(model).deviation / math.sqrt(model.config.style_dim)
    settings = Settings(steps=steps, rate=_RATE * deviation, weights=_WEIGHTS, stops=False)
    targets = as_float(pictures).to(model.device)
    found = optimise(
        model, targets, space="w", labels=None, distance=distance, settings=settings, batch_size=batch_size
    )
    again = model.render(found.code, found.noise, batch_size=batch_size).to_uint8()
    return apart(distance, pictures.to(again.device), again).numpy()
