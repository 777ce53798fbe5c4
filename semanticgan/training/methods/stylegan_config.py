"""The configuration of a StyleGAN training; defaults are those of arXiv 1812.04948, Appendix C."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from semanticgan.formats.fields import key
from semanticgan.networks.comparison.layered import LayeredSizes
from semanticgan.networks.comparison.stylegan import StyleGANConfig, StyleGANDiscriminatorConfig
from semanticgan.training.layered_config import GrowingTrainingConfig, GrowthSection, PictureDiscriminatorSection
from semanticgan.training.objectives.adversarial import AdversarialKeys
from semanticgan.training.objectives.r1 import PictureR1Keys
from semanticgan.training.sections import OptimiserSection, register_method_config


@dataclass
class StyleGANLossSection(AdversarialKeys, PictureR1Keys):
    """Weights and intervals of the losses."""

    r1_every: int = key(1, "steps between two R1 steps; 0 switches R1 off. The paper's is 1.", ge=0)
    style_mixing: float = key(0.9, "probability per batch that codes are mixed from two.", ge=0, le=1)


@register_method_config
@dataclass
class StyleGANTrainingConfig(GrowingTrainingConfig):
    """All values that decide a training."""

    method: str = "stylegan"
    generator: LayeredSizes = field(default_factory=LayeredSizes)
    discriminator: PictureDiscriminatorSection = field(default_factory=PictureDiscriminatorSection)
    loss: StyleGANLossSection = field(default_factory=StyleGANLossSection)
    optimiser: OptimiserSection = field(default_factory=lambda: OptimiserSection(learning_rate=0.001))
    growth: GrowthSection = field(default_factory=lambda: GrowthSection(first_size=8))

    def generator_config(self) -> StyleGANConfig:
        return StyleGANConfig(size=self.size, **vars(self.generator))

    def discriminator_config(self) -> StyleGANDiscriminatorConfig:
        return StyleGANDiscriminatorConfig(size=self.size, **vars(self.discriminator))

    def always_in_use(self) -> Sequence[str]:
        return ("generator.mapping", "generator.constant")
