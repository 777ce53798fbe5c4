"""Labels and coarse masks follow what a reader sees in the generated pictures (not in the paper).

A reader is a parser, or the model that the training began with (``loss.parser``).

Shape legend: N images, K regions, S side of the picture, s side of the coarse grid.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from semanticgan.formats.fields import key
from semanticgan.networks.layers import average_pool_to, widened
from semanticgan.training.objectives import GeneratorStep, Objective, Terms


@dataclass
class AgreementKeys:
    """Keys of the agreement with a reader."""

    parser: str | None = key(
        None,
        "parser whose reading of the picture the segmentation follows: a file of train-parser, a name, or start (the "
        "model that the training begins with).",
        path="PATH",
    )
    agreement: float = key(1.0, "weight of the agreement between segmentation and parser.", ge=0)
    coarse_agreement: float = key(0.0, "weight of the agreement between coarse masks and parser.", ge=0)


AGREED_PIXELS = 4.0
"""Added to the sizes of regions that are divided by, so that a region of a pixel or two weighs little."""


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
    own = widened(segmentation) / 2 + 0.5
    read = widened(logits.detach()).softmax(1)
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
    read = average_pool_to(widened(logits.detach()).softmax(1), depth.shape[-1])
    weight = read.sum((2, 3), keepdim=True).add(1.0).rsqrt() * read  # [N, K, s, s]
    entropy = -(weight * widened(depth).log_softmax(1)).sum((1, 2, 3))
    return (entropy / weight.sum((1, 2, 3))).mean()


class Agreement(Objective):
    """Its weights are ``loss.agreement`` and ``loss.coarse_agreement``."""

    name = "agreement"

    @classmethod
    def wanted(cls, config: Any) -> bool:
        return config.loss.parser is not None

    def terms(self, step: GeneratorStep) -> Terms:
        assert step.read is not None
        loss = self.setting.config.loss
        return {
            "agreement": (loss.agreement, agreement_loss(step.fake.segmentation, step.read)),
            "coarse_agreement": (loss.coarse_agreement, coarse_agreement_loss(step.fake.depth, step.read)),
        }
