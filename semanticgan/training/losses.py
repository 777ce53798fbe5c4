"""Losses of Section 3 of arXiv 2112.02236: adversarial, R1 on both inputs, mask regulariser, path length.

Shape legend: N images, K regions, S side of the picture, s side of the coarse grid, R rows of an expanded
latent code, D style width.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from semanticgan.networks.kernels.strided import without_weight_gradients
from semanticgan.networks.layers import average_pool_to
from semanticgan.rendering import Rendering

AGREED_PIXELS = 4.0
"""Added to the sizes of regions that are divided by, so that one of a pixel or two weighs little."""


def discriminator_loss(real_score: Tensor, fake_score: Tensor) -> Tensor:
    """softplus(-D(real)) + softplus(D(fake)), means over the batch; scores [N, 1]."""
    return F.softplus(-real_score).mean() + F.softplus(fake_score).mean()


def generator_loss(fake_score: Tensor) -> Tensor:
    """softplus(-D(fake)), mean over the batch (the non-saturating loss of Goodfellow et al. 2014)."""
    return F.softplus(-fake_score).mean()


def relativistic_loss(better: Tensor, worse: Tensor) -> Tensor:
    """softplus(worse - better), mean over pairs (R3GAN, arXiv 2501.05441, Eq. 2); scores [N, 1].

    The discriminator wants real pictures to score better, the generator its own.
    """
    return F.softplus(worse - better).mean()


class R1(NamedTuple):
    """Mean over the batch of the squared norm of the score's gradient."""

    image: Tensor
    segmentation: Tensor  # 0 where no segmentation was scored


def r1_penalty(score: Tensor, image: Tensor, segmentation: Tensor | None = None) -> R1:
    """R1 (Mescheder et al. 2018, arXiv 1801.04406), apart for picture and segmentation.

    Args:
        score: [N, 1], computed from ``image`` [N, 3, S, S] and ``segmentation`` [N, K, S, S], which require gradients.
    """
    inputs = [image] if segmentation is None else [image, segmentation]
    with without_weight_gradients():
        gradients = torch.autograd.grad(score.sum(), inputs, create_graph=True)
    norms = [gradient.float().square().sum((1, 2, 3)).mean() for gradient in gradients]
    return R1(norms[0], norms[1] if segmentation is not None else score.new_zeros(()))


def mask_loss(rendering: Rendering) -> Tensor:
    """Mask regulariser: the pooled segmentation stays what the local generators say."""
    coarse = rendering.coarse_segmentation
    return (coarse - average_pool_to(rendering.segmentation, coarse.shape[-1])).square().mean()


def depth_loss(depth: Tensor, limit: float) -> Tensor:
    """How far, on average, pseudo-depths lie more than ``limit`` behind the nearest region's.

    Where a region lies 30 behind, its mask and the mask's gradient are 1e-13: it cannot come back. At a limit of 8 a
    region that is not there keeps 0.03 %.

    Args:
        depth: [N, K, s, s].
        limit: 0 or more.
    """
    behind = depth.amax(1, keepdim=True) - depth
    return (behind - limit).clamp_min(0.0).mean()


def agreement_loss(segmentation: Tensor, logits: Tensor) -> Tensor:
    """One minus the soft Dice coefficient of a generator's segmentation and a parser's reading of its picture.

    Sizes are sums of squares (Milletari et al. 2016, arXiv 1606.04797), so that a value beyond [-1, 1] is drawn back.
    The mean is over pictures and regions, small regions counting as much as large ones. A region that neither shows
    costs nothing. Labels follow the picture, not the picture its labels: what a parser reads is no target for painting.
    (With gradients to both, earrings that had no label were painted over.)

    Args:
        segmentation: [N, K, S, S], about [-1, 1].
        logits: [N, K, S, S] of the parser, no gradient flows to them.
    """
    own = segmentation.float() / 2 + 0.5
    read = logits.detach().float().softmax(1)
    both = (own * read).sum((2, 3))  # [N, K]
    sizes = own.square().sum((2, 3)) + read.square().sum((2, 3))
    return 1.0 - ((2.0 * both + AGREED_PIXELS) / (sizes + AGREED_PIXELS)).mean()


def coarse_agreement_loss(depth: Tensor, logits: Tensor) -> Tensor:
    """Cross-entropy of the coarse masks, softmax of the pseudo-depths, and a parser's reading of the picture.

    Masks follow the picture, as labels do in :func:`agreement_loss`. Where a mask is nearly 0, so are the gradients of
    all losses of masks, but not this one's: at a point of one region it is the mask less 1, however small the mask.
    A point weighs one over the root of its region's area in the picture, between counting points (an earring is three
    of 1,024) and regions, and every picture the same.

    Args:
        depth: [N, K, s, s].
        logits: [N, K, S, S] of the parser, S a multiple of s; no gradient flows to them.
    """
    read = average_pool_to(logits.detach().float().softmax(1), depth.shape[-1])
    weight = read.sum((2, 3), keepdim=True).add(1.0).rsqrt() * read  # [N, K, s, s]
    entropy = -(weight * depth.float().log_softmax(1)).sum((1, 2, 3))
    return (entropy / weight.sum((1, 2, 3))).mean()


class PathLength(NamedTuple):
    penalty: Tensor  # mean squared distance of the lengths from their running mean
    mean: Tensor  # the running mean after this batch, detached
    lengths: Tensor  # [N]


def path_length_penalty(
    image: Tensor,
    latents: Tensor,
    mean: Tensor,
    direction: Tensor,
    decay: float = 0.01,
    over_processes: Callable[[Tensor], Tensor] | None = None,
) -> PathLength:
    """Path length regularisation (Karras et al. 2019, arXiv 1912.04958, Eq. 4) over the expanded latents.

    Args:
        image: [N, 3, S, S] rendered from ``latents``.
        latents: [N, R, D], requires gradients.
        mean: running mean of the lengths, scalar.
        direction: [N, 3, S, S] standard normal.
        decay: weight of this batch in the running mean.
        over_processes: the mean of a scalar over the processes that share the batch; None where there is one.
    """
    projected = (image * direction).sum() / math.sqrt(image.shape[2] * image.shape[3])
    with without_weight_gradients():
        (gradient,) = torch.autograd.grad(projected, latents, create_graph=True)
    lengths = gradient.square().sum(2).mean(1).sqrt()
    batch_mean = lengths.mean() if over_processes is None else over_processes(lengths.mean())
    new_mean = mean + decay * (batch_mean - mean)
    return PathLength((lengths - new_mean).square().mean(), new_mean.detach(), lengths.detach())
