"""What keeps codes and noise maps of an inversion where the generator knows them, and how fast they move.

With t in [0, 1] the share of the steps done:

- rate(t) = rate * (0.5 - 0.5 cos(pi min(1, (1 - t) / 0.25))) * min(1, t / 0.05);
- code noise (Karras et al. 2020, arXiv 1912.04958, Appendix D): w + 0.05 sigma_w max(0, 1 - t / 0.75)^2 e, e ~ N(0, 1);
- noise correlation (the same): R = sum over maps n and their halvings down to 8 pixels of
  mean(n roll_x(n))^2 + mean(n roll_y(n))^2;
- w-norm (Alaluf et al. 2021, arXiv 2104.02699): mean over pictures of |code - w-bar|;
- locality (Roich et al. 2021, arXiv 2106.05744, Section 3.3): w_r = pivot + 30 (w_s - pivot) / |w_s - pivot|.

Shape legend: N pictures, R rows of a code, D style width, s side of a noise map.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

LOCALITY_RADIUS = 30.0
"""How far from the pivot PTI moves a code, where the generator has to stay what it was."""

FALL_FROM = 0.75
"""Share of the steps from which the rate falls."""

_RISES_UNTIL = 0.05
_SMALLEST_SIDE = 8  # noise maps are not halved below it
_CODE_NOISE, _CODE_NOISE_UNTIL = 0.05, 0.75


def rate_ramp(t: float) -> float:
    """What the learning rate is multiplied by at t in [0, 1]: it rises, stays at 1, and falls to 0 as a cosine."""
    fall = min(1.0, (1.0 - t) / (1.0 - FALL_FROM))
    return (0.5 - 0.5 * math.cos(math.pi * fall)) * min(1.0, t / _RISES_UNTIL)


def code_noise(t: float) -> float:
    """Standard deviation of the noise added to w at t in [0, 1], in standard deviations of w."""
    return _CODE_NOISE * max(0.0, 1.0 - t / _CODE_NOISE_UNTIL) ** 2


def noise_correlation(noise: Sequence[Tensor]) -> Tensor:
    """R of each picture, [N]: 0 for noise whose neighbours are independent, at every scale.

    Args:
        noise: maps [N, 1, s, s].
    """
    total = noise[0].new_zeros(len(noise[0]))
    for level in noise:
        while True:
            for axis in (3, 2):
                total = total + (level * level.roll(1, axis)).mean((1, 2, 3)).square()
            if level.shape[-1] <= _SMALLEST_SIDE:
                break
            level = functional.avg_pool2d(level, 2)
    return total


def noise_magnitude(noise: Sequence[Tensor]) -> Tensor:
    """Mean over the maps of their mean square, [N] (the authors' inversion of SemanticStyleGAN).

    Args:
        noise: maps [N, 1, s, s].
    """
    return torch.stack([level.square().mean((1, 2, 3)) for level in noise]).mean(0)


@torch.no_grad()
def normalise_noise(noise: Sequence[Tensor], unbiased: bool = True) -> None:
    """Give each map [N, 1, s, s] mean 0 and deviation 1 in place, each picture's by itself.

    Args:
        noise: the maps.
        unbiased: whether the deviation is divided by s^2 - 1 (StyleGAN2's projector in PyTorch) or by s^2 (PTI's).
    """
    for level in noise:
        level -= level.mean((1, 2, 3), keepdim=True)
        level /= level.std((1, 2, 3), correction=int(unbiased), keepdim=True)


def w_norm(codes: Tensor, mean: Tensor | None = None) -> Tensor:
    """Mean over the pictures of the Euclidean length of codes less w-bar, over all rows.

    Args:
        codes: [N, R, D].
        mean: w-bar, [D] or [R, D]; None for 0.

    Returns:
        A scalar.
    """
    offset = codes if mean is None else codes - mean
    lengths: Tensor = offset.flatten(1).norm(dim=1)
    return lengths.mean()


def locality_codes(pivot: Tensor, samples: Tensor, radius: float = LOCALITY_RADIUS) -> Tensor:
    """Codes at a distance of the pivot, towards samples.

    Args:
        pivot: [N, R, D].
        samples: [N, R, D].
        radius: the distance, over all rows of a picture.
    """
    step = samples - pivot
    lengths: Tensor = step.flatten(1).norm(dim=1)
    return pivot + radius * step / lengths[:, None, None]
