"""The configuration of a StyleALAE training; defaults are those of arXiv 2004.04467 and of its authors' FFHQ recipe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from semanticgan.formats.fields import key
from semanticgan.networks.comparison.alae import ALAEConfig, ALAEDiscriminatorConfig
from semanticgan.networks.comparison.layered import LayeredSizes
from semanticgan.networks.config import LARGEST_COUNT, LARGEST_WIDTH
from semanticgan.training.layered_config import GrowingTrainingConfig
from semanticgan.training.objectives.r1 import PictureR1Weight
from semanticgan.training.sections import OptimiserSection, register_method_config


@dataclass(frozen=True)
class ALAEGeneratorSection(LayeredSizes):
    """Sizes of F, G and E."""

    bottom_channels: int = key(
        0, "width of the encoder's last maps, of 2x2 pixels; 0 is that at 4x4.", ge=0, le=LARGEST_WIDTH
    )


@dataclass
class ALAEDiscriminatorSection:
    """Sizes of D, which reads w."""

    num_layers: int = key(3, "number of fully connected layers from w to the score.", ge=1, le=LARGEST_COUNT)


@dataclass
class ALAELossSection(PictureR1Weight):
    """Weights of the losses. R1 is part of every step, on pictures of the resolution that is trained."""

    reconstruction: float = key(1.0, "weight of the error of w found again; 0 leaves that update out.", ge=0)
    style_mixing: float = key(
        0.9, "probability per batch that codes are mixed from two; w that is found again is never mixed.", ge=0, le=1
    )


@dataclass
class LreqOptimiserSection(OptimiserSection):
    """Adam with equalised rates, for all networks."""

    learning_rate: float = key(0.0015, "of all networks.", ge=0)
    beta1: float = key(0.0, "this Adam has no running mean of the gradient.", ge=0, le=0)


@register_method_config
@dataclass
class ALAETrainingConfig(GrowingTrainingConfig):
    """All values that decide a training."""

    blocks: ClassVar[Sequence[str]] = ("generator.blocks", "generator.encoder.blocks")
    colours: ClassVar[Sequence[str]] = ("generator.to_rgb", "generator.encoder.from_rgb")
    begun_anew: ClassVar[tuple[str, ...]] = ("encoder", "decoder")

    method: str = "alae"
    generator: ALAEGeneratorSection = field(default_factory=ALAEGeneratorSection)
    discriminator: ALAEDiscriminatorSection = field(default_factory=ALAEDiscriminatorSection)
    loss: ALAELossSection = field(default_factory=ALAELossSection)
    optimiser: LreqOptimiserSection = field(default_factory=LreqOptimiserSection)

    def generator_config(self) -> ALAEConfig:
        return ALAEConfig(size=self.size, **vars(self.generator))

    def discriminator_config(self) -> ALAEDiscriminatorConfig:
        return ALAEDiscriminatorConfig(style_dim=self.generator.style_dim, **vars(self.discriminator))

    def always_in_use(self) -> Sequence[str]:
        return ("generator.mapping", "generator.constant", "discriminator")
