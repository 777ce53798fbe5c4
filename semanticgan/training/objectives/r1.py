"""R1 (Mescheder et al. 2018, arXiv 1801.04406) on real pairs and, with the relativistic loss, R2 on generated ones.

gamma / 2 E |grad D(x)|^2, apart for picture and segmentation; every ``loss.r1_every`` steps, times that number.

Shape legend: N images, K regions, S side of the picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from semanticgan.formats.fields import key
from semanticgan.networks.kernels.weight_gradients import without_weight_gradients
from semanticgan.networks.layers import widened
from semanticgan.training.draws import Draws
from semanticgan.training.method import Batch, Phase, Values
from semanticgan.training.objectives import Objective


@dataclass
class PictureR1Weight:
    """The weight of R1 on pictures."""

    r1_image: float | None = key(
        10.0, "weight of R1 on pictures; null is 0.0002 size^2 / batch (arXiv 2006.06676).", ge=0
    )

    def r1_of(self, size: int, batch: int) -> float:
        """The weight on pictures; where none is given, that of arXiv 2006.06676, Appendix C."""
        return 0.0002 * size**2 / batch if self.r1_image is None else self.r1_image


@dataclass
class PictureR1Keys(PictureR1Weight):
    """Keys of R1 on pictures."""

    r1_every: int = key(16, "steps between two R1 steps; 0 switches R1 off.", ge=0)


@dataclass
class R1Keys(PictureR1Keys):
    """Keys of R1 on pictures and segmentations."""

    r1_segmentation: float | None = key(
        1000.0, "weight of R1 on segmentations; null is 100 times that on pictures.", ge=0
    )


class R1(NamedTuple):
    """Mean over the batch of the squared norm of the score's gradient."""

    image: Tensor
    segmentation: Tensor  # 0 where no segmentation was scored


def r1_penalty(score: Tensor, image: Tensor, segmentation: Tensor | None = None) -> R1:
    """E |grad_image D|^2 and E |grad_segmentation D|^2.

    Args:
        score: [N, 1], computed from ``image`` [N, 3, S, S] and ``segmentation`` [N, K, S, S], which require gradients.
    """
    inputs = [image] if segmentation is None else [image, segmentation]
    with without_weight_gradients():
        gradients = torch.autograd.grad(score.sum(), inputs, create_graph=True)
    norms = [widened(gradient).square().sum((1, 2, 3)).mean() for gradient in gradients]
    return R1(norms[0], norms[1] if segmentation is not None else score.new_zeros(()))


class R1Penalty(Objective):
    """A phase of its own, since it is differentiated twice."""

    name = "r1"

    @classmethod
    def wanted(cls, config: Any) -> bool:
        return True

    def phases(self) -> Sequence[Phase]:
        loss = self.setting.config.loss
        return [Phase("r1", ("discriminator",), self._loss, every=loss.r1_every if loss.adversarial else 0)]

    def _loss(self, batch: Batch, draws: Draws) -> tuple[Tensor, Values]:
        setting = self.setting
        image, segmentation = batch
        # The gradient is taken where the discriminator looks: at the augmented pictures.
        penalty, logged = self._penalty(*setting.augmented(image, segmentation, draws, real=True))
        if setting.config.loss.relativistic:
            with torch.no_grad(), setting.autocast():
                fake = setting.generate(draws)
            of_fake, more = self._penalty(*setting.augmented(fake.image, fake.segmentation, draws, real=False))
            penalty = penalty + of_fake
            logged |= {name.replace("r1", "r2"): value for name, value in more.items()}
        return penalty, logged

    def _penalty(self, image: Tensor, joint: Tensor | None) -> tuple[Tensor, Values]:
        config = self.setting.config
        weights = self.setting.r1_weights()
        image = image.detach().requires_grad_()
        joint = None if joint is None else joint.detach().requires_grad_()
        with self.setting.autocast():
            judged = self.setting.judge(image, joint)
        r1 = r1_penalty(judged.score, image, joint)
        penalty = weights[0] / 2 * r1.image + weights[1] / 2 * r1.segmentation
        logged = {"r1/image": r1.image} | ({"r1/segmentation": r1.segmentation} if joint is not None else {})
        if judged.by_features is not None:
            by_features = r1_penalty(judged.by_features, image).image
            penalty = penalty + config.features.r1 / 2 * by_features
            logged |= {"r1/features": by_features}
        return penalty * config.loss.r1_every, logged
