"""StyleGAN2 as a method of the training loop (Karras et al. 2019, arXiv 1912.04958).

A step: the discriminator's update with the non-saturating logistic loss, R1 where it is due, the generator's update,
path length where it is due, then the average. Nothing grows.
"""

from __future__ import annotations

from semanticgan.networks.comparison.stylegan2 import StyleGAN2Generator
from semanticgan.training.layered import LayeredMethod, prepared_layered
from semanticgan.training.method import Values, register
from semanticgan.training.methods.stylegan2_config import StyleGAN2TrainingConfig
from semanticgan.training.objectives.adversarial import Adversarial
from semanticgan.training.objectives.path_length import PathLengthPenalty
from semanticgan.training.objectives.r1 import R1Penalty
from semanticgan.training.output_shares import output_shares


class StyleGAN2(LayeredMethod):
    """The losses of the paper, and the share of the output of each resolution (Figure 8) in the log."""

    config: StyleGAN2TrainingConfig
    objective_kinds = (Adversarial, R1Penalty, PathLengthPenalty)

    def finish_step(self, step: int) -> Values:
        values = super().finish_step(step)
        if step % self.config.schedule.log_every == 0 and self.config.generator.wiring == "skip":
            assert isinstance(self.average, StyleGAN2Generator)
            values |= output_shares(self.average)
        return values


register(StyleGAN2TrainingConfig, lambda config: prepared_layered(config, StyleGAN2))
