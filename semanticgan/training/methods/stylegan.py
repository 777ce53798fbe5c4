"""StyleGAN as a method of the training loop (Karras et al. 2018, arXiv 1812.04948).

The networks grow from 8x8, each resolution faded in. A step: the discriminator's update with the logistic loss, R1,
the generator's update, then the average.
"""

from __future__ import annotations

from semanticgan.training.layered import LayeredMethod, prepared_layered
from semanticgan.training.method import register
from semanticgan.training.methods.stylegan_config import StyleGANTrainingConfig
from semanticgan.training.objectives.adversarial import Adversarial
from semanticgan.training.objectives.r1 import R1Penalty


class StyleGAN(LayeredMethod):
    """The losses of the paper's configuration F: non-saturating logistic, R1, mixing regularisation."""

    config: StyleGANTrainingConfig
    objective_kinds = (Adversarial, R1Penalty)


register(StyleGANTrainingConfig, lambda config: prepared_layered(config, StyleGAN))
