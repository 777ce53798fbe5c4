"""The three losses of StyleALAE (Pidhorskyi et al. 2020, arXiv 2004.04467, Eq. 8 to 10 and Algorithm 1).

Each lowers what its parameters are, x real pictures, z ~ N(0, I), w = F(z)::

    of E and D:  E softplus(D(E(G(w)))) + E softplus(-D(E(x))) + gamma / 2 E |grad_x D(E(x))|^2
    of F and G:  E softplus(-D(E(G(w))))
    of G and E:  E (w - E(G(w)))^2

Shape legend: N images, D style width, s side of the picture.
"""

from __future__ import annotations

from torch import Tensor

from semanticgan.training.objectives.adversarial import discriminator_loss, generator_loss
from semanticgan.training.objectives.r1 import r1_penalty

__all__ = ["encoder_loss", "generator_loss", "reconstruction_loss"]


def encoder_loss(real_score: Tensor, fake_score: Tensor, real: Tensor, gamma: float = 10.0) -> Tensor:
    """softplus(D(E(G(w)))) + softplus(-D(E(x))) + gamma / 2 |grad_x D(E(x))|^2, means over the batch.

    Args:
        real_score: D(E(x)), [N, 1], computed from ``real``.
        fake_score: D(E(G(w))), [N, 1].
        real: x, [N, 3, s, s], requires gradients.
        gamma: 0 leaves the penalty out.
    """
    loss = discriminator_loss(real_score, fake_score)
    return loss if gamma == 0 else loss + gamma / 2 * r1_penalty(real_score, real).image


def reconstruction_loss(w: Tensor, encoded: Tensor) -> Tensor:
    """(w - E(G(w)))^2, mean over the batch and the D numbers of w; w [N, D] itself is no target that learns.

    F learns from it through G alone.
    """
    return (encoded - w.detach()).square().mean()
