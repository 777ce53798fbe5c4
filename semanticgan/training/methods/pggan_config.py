"""The configuration of a PGGAN training; defaults are those of arXiv 1710.10196, Appendix A."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from semanticgan.formats.fields import key
from semanticgan.networks.comparison.layered import LayeredSizes
from semanticgan.networks.comparison.pggan import PGGANConfig, PGGANDiscriminatorConfig
from semanticgan.training.layered_config import GrowingTrainingConfig, PictureDiscriminatorSection
from semanticgan.training.methods.pggan_losses import DRIFT, PENALTY
from semanticgan.training.sections import EmaSection, OptimiserSection, register_method_config


@dataclass(frozen=True)
class PGGANGeneratorSection(LayeredSizes):
    """Sizes of the generator."""

    num_mapping_layers: int = key(0, "PGGAN has no mapping network: w is the normalised z.", ge=0, le=0)


@dataclass
class PGGANLossSection:
    """Weights of the losses."""

    gradient_penalty: float = key(PENALTY, "weight of the gradient penalty.", ge=0)
    drift: float = key(DRIFT, "weight of the squared score of real pictures.", ge=0)


@register_method_config
@dataclass
class PGGANTrainingConfig(GrowingTrainingConfig):
    """All values that decide a training."""

    method: str = "pggan"
    generator: PGGANGeneratorSection = field(default_factory=PGGANGeneratorSection)
    discriminator: PictureDiscriminatorSection = field(default_factory=PictureDiscriminatorSection)
    loss: PGGANLossSection = field(default_factory=PGGANLossSection)
    optimiser: OptimiserSection = field(default_factory=lambda: OptimiserSection(learning_rate=0.001))
    ema: EmaSection = field(default_factory=lambda: EmaSection(half_life=11_100.0))  # 0.999 per step of 16

    def generator_config(self) -> PGGANConfig:
        return PGGANConfig(size=self.size, **vars(self.generator))

    def discriminator_config(self) -> PGGANDiscriminatorConfig:
        return PGGANDiscriminatorConfig(size=self.size, **vars(self.discriminator))

    def always_in_use(self) -> Sequence[str]:
        return ()  # the blocks are all that there is
