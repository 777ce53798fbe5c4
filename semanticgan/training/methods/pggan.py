"""PGGAN as a method of the training loop (Karras et al. 2017, arXiv 1710.10196).

The networks grow from 4x4, each resolution faded in. A step: the discriminator's update with the Wasserstein loss,
gradient penalty and drift, the average, then the generator's update. The average is updated before the generator, as
in the published code.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from semanticgan.training.draws import Draws
from semanticgan.training.layered import LayeredMethod, prepared_layered
from semanticgan.training.method import Average, Batch, Phase, Stage, Values, register
from semanticgan.training.methods.pggan_config import PGGANTrainingConfig
from semanticgan.training.methods.pggan_losses import (
    between,
    discriminator_loss,
    generator_loss,
    gradient_penalty,
)


class PGGAN(LayeredMethod):
    """The losses of the paper."""

    config: PGGANTrainingConfig

    def own_phases(self, stage: Stage) -> Sequence[Phase]:
        return [
            Phase("discriminator", ("discriminator",), self._discriminator_loss),
            Phase("generator", ("generator",), self._generator_loss, frozen=(self.discriminator,)),
        ]

    def _discriminator_loss(self, batch: Batch, draws: Draws) -> tuple[Tensor, Values]:
        weights = self.config.loss
        real, _ = self.augmented(batch[0], None, draws, real=True)
        with self.autocast():
            with torch.no_grad():
                fake, _ = self.augmented(self.generate(draws).image, None, draws, real=False)
            score = self.judge_compiled(torch.cat([real, fake]), num_sets=2).score
        real_score, fake_score = score.chunk(2)
        self.observe_scores(real_score)
        loss = discriminator_loss(real_score, fake_score, weights.drift)
        middle = between(real, fake, draws.shares())
        with self.autocast():
            judged = self.judge(middle)
        penalty = gradient_penalty(judged.score, middle, target=2.0 ** math.floor(self.level))
        values = {
            "loss/discriminator": loss,
            "loss/gradient_penalty": penalty,
            "score/real": real_score.mean(),
            "score/fake": fake_score.mean(),
        }
        return loss + weights.gradient_penalty * penalty, values

    def _generator_loss(self, batch: Batch, draws: Draws) -> tuple[Tensor, Values]:
        score = self.score_of_generated(draws)
        with self.autocast():
            loss = generator_loss(score)
        return loss, {"loss/generator": loss}

    def averages(self, stage: Stage) -> Sequence[Average]:
        values = self.config.ema
        return [Average(self.generator, self.average, values.half_life, values.ramp_up, after="discriminator")]


register(PGGANTrainingConfig, lambda config: prepared_layered(config, PGGAN))
