"""The adversarial losses: non-saturating (Goodfellow et al. 2014) or relativistic (R3GAN, arXiv 2501.05441).

discriminator: softplus(-D(real)) + softplus(D(fake)), relativistic softplus(D(fake) - D(real))
generator:     softplus(-D(fake)),                     relativistic softplus(D(real) - D(fake))

Shape legend: N images, L maps of the frozen network of ``features``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from semanticgan.formats.fields import key
from semanticgan.training.draws import Draws
from semanticgan.training.judges import Judgement
from semanticgan.training.method import Batch, Phase, Values
from semanticgan.training.objectives import GeneratorStep, Objective


@dataclass
class AdversarialKeys:
    """Keys of the adversarial losses."""

    adversarial: float = key(
        1.0, "weight of the adversarial losses for the generator; 0 trains without discriminator and R1.", ge=0
    )
    relativistic: bool = key(
        False,
        "compare real and generated pictures in pairs (R3GAN, arXiv 2501.05441): the discriminator raises D(real) - "
        "D(fake), the generator lowers it, with R1 on real and R2 on generated pairs at the same weights.",
    )


def discriminator_loss(real_score: Tensor, fake_score: Tensor) -> Tensor:
    """softplus(-D(real)) + softplus(D(fake)), means over the batch; scores [N, 1]."""
    return F.softplus(-real_score).mean() + F.softplus(fake_score).mean()


def generator_loss(fake_score: Tensor) -> Tensor:
    """softplus(-D(fake)), mean over the batch."""
    return F.softplus(-fake_score).mean()


def relativistic_loss(better: Tensor, worse: Tensor) -> Tensor:
    """softplus(worse - better), mean over pairs (arXiv 2501.05441, Eq. 2); scores [N, 1].

    The discriminator wants real pictures to score better, the generator its own.
    """
    return F.softplus(worse - better).mean()


class Adversarial(Objective):
    """The discriminator's phase and the generator's term, for the discriminator and for the one of ``features``."""

    name = "adversarial"

    @classmethod
    def wanted(cls, config: Any) -> bool:
        return True

    def phases(self) -> Sequence[Phase]:
        return [Phase("discriminator", ("discriminator",), self._loss, every=1 if self._weight else 0)]

    @property
    def _weight(self) -> float:
        return float(self.setting.config.loss.adversarial)

    def _loss(self, batch: Batch, draws: Draws) -> tuple[Tensor, Values]:
        setting, relativistic = self.setting, self.setting.config.loss.relativistic
        image, segmentation = batch
        real_image, real_segmentation = setting.augmented(image, segmentation, draws, real=True)
        with setting.autocast():
            with torch.no_grad():
                fake = setting.generate(draws)
            fake_image, fake_segmentation = setting.augmented(fake.image, fake.segmentation, draws, real=False)
            joint = joined(real_segmentation, fake_segmentation)
            judged = setting.judge_compiled(torch.cat([real_image, fake_image]), joint, num_sets=2)
        real, generated = judged.score.chunk(2)
        setting.observe_scores(real - generated if relativistic else real)
        return self._of_discriminator(judged)

    def _of_discriminator(self, judged: Judgement) -> tuple[Tensor, Values]:
        """The loss on as many real as generated pictures in a row, and what is logged of it."""
        config = self.setting.config
        loss_of = relativistic_loss if config.loss.relativistic else discriminator_loss
        real, fake = judged.score.chunk(2)
        loss = loss_of(real, fake)
        values = {"loss/discriminator": loss, "score/real": real.mean(), "score/fake": fake.mean()}
        if judged.by_features is not None:
            real, fake = judged.by_features.chunk(2)
            by_features = loss_of(real, fake)
            loss = loss + config.features.weight * by_features
            values |= {"loss/discriminator_features": by_features}
            values |= {"score/real_features": real.mean(), "score/fake_features": fake.mean()}
        return loss, values

    def judged(self, step: GeneratorStep) -> Judgement | None:
        """What the discriminators say of generated pictures; relativistic: of real ones and these in a row."""
        if not self._weight:
            return None
        setting, fake = self.setting, step.fake
        shown = setting.augmented(fake.image, fake.segmentation, step.draws, real=False)
        if not setting.config.loss.relativistic:
            return setting.judge_compiled(*shown)
        image, segmentation = step.real
        real = setting.augmented(image, segmentation, step.draws, real=True)
        return setting.judge_compiled(torch.cat([real[0], shown[0]]), joined(real[1], shown[1]), num_sets=2)

    def of_generator(self, judged: Judgement | None) -> tuple[Tensor, Values]:
        """The generator's loss and what is logged of it; nothing where nothing judged its pictures."""
        if judged is None:
            return torch.zeros(()), {}
        loss = self._generator_loss(judged.score)
        values = {"loss/generator": loss}
        if judged.by_features is not None:
            by_features = self._generator_loss(judged.by_features)
            loss = loss + self.setting.config.features.weight * by_features
            values |= {"loss/generator_features": by_features}
        return self._weight * loss, values

    def _generator_loss(self, score: Tensor) -> Tensor:
        if not self.setting.config.loss.relativistic:
            return generator_loss(score)
        real, fake = score.chunk(2)
        return relativistic_loss(fake, real)


def joined(real: Tensor | None, fake: Tensor | None) -> Tensor | None:
    """Segmentations of real and generated pictures in a row; None where pictures are judged alone."""
    return None if real is None or fake is None else torch.cat([real, fake])
