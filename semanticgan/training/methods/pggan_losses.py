"""The losses of PGGAN: Wasserstein GAN with gradient penalty (arXiv 1704.00028) and drift (arXiv 1710.10196).

discriminator: mean(D(fake) - D(real) + d D(real)^2) + k mean((|grad D(x)| / T - 1)^2),  x = real + u (fake - real)
generator:     mean(-D(fake))

with d = 0.001 and k = 10 (arXiv 1710.10196, Appendix A.1), u uniform in 0..1 for each picture, and the norm over all
numbers of a picture. T = 1 at full size. A growing network is fed at the side of its level l, where the norm is
2^floor(l) times that of the full picture whose 2^floor(l)-fold average is the input; so T = 2^floor(l) there.

Shape legend: N images, S side of the picture.
"""

from __future__ import annotations

import torch
from torch import Tensor

from semanticgan.networks.kernels.weight_gradients import without_weight_gradients
from semanticgan.networks.layers import widened

DRIFT = 0.001
PENALTY = 10.0


def discriminator_loss(real_score: Tensor, fake_score: Tensor, drift: float = DRIFT) -> Tensor:
    """mean(D(fake) - D(real) + d D(real)^2); scores [N, 1]."""
    return (fake_score - real_score + drift * real_score.square()).mean()


def generator_loss(fake_score: Tensor) -> Tensor:
    """mean(-D(fake)); scores [N, 1]."""
    return -fake_score.mean()


def between(real: Tensor, fake: Tensor, share: Tensor) -> Tensor:
    """x = real + u (fake - real), where the penalty looks, as a leaf that requires gradients.

    Args:
        real, fake: [N, 3, S, S].
        share: u, [N, 1, 1, 1], in 0..1.
    """
    return torch.lerp(real, fake, share).detach().requires_grad_()


def gradient_penalty(score: Tensor, image: Tensor, target: float = 1.0) -> Tensor:
    """mean((|grad D(x)| / T - 1)^2).

    Args:
        score: [N, 1], computed from ``image`` [N, 3, S, S], which requires gradients.
        target: T, the norm that is wanted: 2^floor(level) at the level's own side.
    """
    with without_weight_gradients():
        (gradient,) = torch.autograd.grad(score.sum(), image, create_graph=True)
    norm = widened(gradient).square().sum((1, 2, 3)).sqrt()
    return (norm / target - 1.0).square().mean()
