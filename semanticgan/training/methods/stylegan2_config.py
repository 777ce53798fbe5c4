"""The configuration of a StyleGAN2 training; defaults are those of configuration F of arXiv 1912.04958."""

from __future__ import annotations

from dataclasses import dataclass, field

from semanticgan.errors import InputError
from semanticgan.formats.fields import key
from semanticgan.networks.comparison.layered import LayeredSizes
from semanticgan.networks.comparison.stylegan2 import WIRINGS, StyleGAN2Config, StyleGAN2DiscriminatorConfig
from semanticgan.training.layered_config import LayeredTrainingConfig, PictureDiscriminatorSection
from semanticgan.training.objectives.adversarial import AdversarialKeys
from semanticgan.training.objectives.path_length import PathLengthKeys
from semanticgan.training.objectives.r1 import PictureR1Keys
from semanticgan.training.sections import register_method_config


@dataclass(frozen=True)
class StyleGAN2GeneratorSection(LayeredSizes):
    """Sizes of the generator."""

    wiring: str = key("skip", "architecture of the synthesis network: plain, skip or residual.", choices=WIRINGS)


@dataclass
class StyleGAN2DiscriminatorSection(PictureDiscriminatorSection):
    """Sizes of the discriminator."""

    wiring: str = key("residual", "architecture: plain, skip or residual.", choices=WIRINGS)


@dataclass
class StyleGAN2LossSection(PathLengthKeys, AdversarialKeys, PictureR1Keys):
    """Weights and intervals of the losses."""

    path_length: float = key(2.0, "weight of path length regularisation.", ge=0)
    style_mixing: float = key(0.9, "probability per batch that codes are mixed from two.", ge=0, le=1)


@register_method_config
@dataclass
class StyleGAN2TrainingConfig(LayeredTrainingConfig):
    """All values that decide a training."""

    method: str = "stylegan2"
    generator: StyleGAN2GeneratorSection = field(default_factory=StyleGAN2GeneratorSection)
    discriminator: StyleGAN2DiscriminatorSection = field(default_factory=StyleGAN2DiscriminatorSection)
    loss: StyleGAN2LossSection = field(default_factory=StyleGAN2LossSection)

    def __post_init__(self) -> None:
        super().__post_init__()
        shrink = self.loss.path_length_batch_shrink
        if self.batch % shrink:
            raise InputError(f"batch {self.batch} must be a multiple of loss.path_length_batch_shrink, {shrink}.")

    def generator_config(self) -> StyleGAN2Config:
        return StyleGAN2Config(size=self.size, **vars(self.generator))

    def discriminator_config(self) -> StyleGAN2DiscriminatorConfig:
        return StyleGAN2DiscriminatorConfig(size=self.size, **vars(self.discriminator))
