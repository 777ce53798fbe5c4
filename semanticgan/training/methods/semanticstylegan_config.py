"""The configuration of a SemanticStyleGAN training.

Defaults are the values of Section 4 of arXiv 2112.02236 or, for what the paper does not have, of the paper named beside
the key.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from semanticgan.errors import InputError
from semanticgan.formats.fields import key
from semanticgan.networks.config import (
    LARGEST_WIDTH,
    DiscriminatorConfig,
    DiscriminatorSizes,
    GeneratorConfig,
    GeneratorSizes,
)
from semanticgan.regions import RegionScheme
from semanticgan.training.objectives.added import AddedKeys
from semanticgan.training.objectives.adversarial import AdversarialKeys
from semanticgan.training.objectives.agreement import AgreementKeys
from semanticgan.training.objectives.depth import DepthKeys
from semanticgan.training.objectives.mask import MaskKeys
from semanticgan.training.objectives.ownership import OwnershipKeys
from semanticgan.training.objectives.path_length import PathLengthKeys
from semanticgan.training.objectives.r1 import R1Keys
from semanticgan.training.objectives.rates import RatesKeys
from semanticgan.training.sections import CommonConfig, register_method_config

PARTS = ("mapping", "local", "fusion", "renderer", "renderer.blocks")  # of a generator


@dataclass
class MixingKeys:
    style_mixing: float = key(0.3, "probability per batch that codes are mixed from two.", ge=0, le=1)


@dataclass
class LossSection(  # a dataclass has the keys of its last base first
    AddedKeys,
    OwnershipKeys,
    DepthKeys,
    RatesKeys,
    AgreementKeys,
    MixingKeys,
    PathLengthKeys,
    MaskKeys,
    AdversarialKeys,
    R1Keys,
):
    """Weights and intervals of the losses."""


@dataclass
class FeaturesSection:
    """A second discriminator on the features of a frozen network (arXiv 2112.09130)."""

    extractor: str | None = key(
        None,
        "frozen network: random, attributes, attributes:PATH or discriminator:PATH; null switches it off.",
        path="KIND:PATH",
    )
    weight: float = key(1.0, "weight of its losses.", ge=0)
    r1: float = key(0.0005, "weight of its R1 on pictures.", ge=0)
    rate: float = key(5.0, "learning rate of its heads, relative to optimiser.learning_rate.", ge=0)
    channels: int = key(64, "width of its heads.", ge=1, le=LARGEST_WIDTH)


@dataclass
class AugmentationSection:
    """Augmentation of what the discriminator sees (arXiv 2006.06676)."""

    adaptive: bool = key(False, "adapt the probability to the sign of the discriminator's scores of real pictures.")
    probability: float = key(
        0.0, "probability of each transform; with adaptive the probability at the start.", ge=0, le=1
    )
    target: float = key(0.6, "mean sign of D(real) that the adaptation aims at.", ge=0, le=1)
    images_to_one: float = key(500_000.0, "images in which the probability can rise from 0 to 1.", ge=1)
    every: int = key(4, "steps between two adjustments.", ge=1)
    geometric: bool = key(True, "transform pictures and segmentations geometrically.")
    colour: bool = key(True, "transform the colours of pictures.")

    @property
    def wanted(self) -> bool:
        return self.adaptive or self.probability > 0


@dataclass
class FreezeSection:
    """Parts that are not trained."""

    generator: list[str] = key([], f"parts of the generator: {', '.join(PARTS)}.", choices=PARTS)
    discriminator_blocks: int = key(
        0, "number of blocks of each branch, counted from the picture (arXiv 2002.10964).", ge=0
    )


@register_method_config
@dataclass
class SemanticStyleGANConfig(CommonConfig):
    """All values that decide a training."""

    recompute: bool = key(False, "compute activations again in the backward pass; less memory, more time.")
    generator: GeneratorSizes = field(default_factory=GeneratorSizes)
    discriminator: DiscriminatorSizes = field(default_factory=DiscriminatorSizes)
    loss: LossSection = field(default_factory=LossSection)
    features: FeaturesSection = field(default_factory=FeaturesSection)
    augmentation: AugmentationSection = field(default_factory=AugmentationSection)
    freeze: FreezeSection = field(default_factory=FreezeSection)

    def __post_init__(self) -> None:
        super().__post_init__()
        shrink = self.loss.path_length_batch_shrink
        if self.batch % shrink:
            raise InputError(f"batch {self.batch} must be a multiple of loss.path_length_batch_shrink, {shrink}.")

    def require_teacher(self) -> None:
        """Raises: InputError: a training in which nothing would be learnt, or a discriminator would not."""
        if self.loss.adversarial:
            return
        if not (self.loss.parser or self.loss.classifier):
            raise InputError(
                "loss.adversarial is 0 and no other loss trains the generator. Give loss.parser or loss.classifier."
            )
        if self.features.extractor is not None:
            raise InputError(
                f"loss.adversarial is 0, and with it features.extractor {self.features.extractor!r} has no part. "
                "Leave it out, or give loss.adversarial a weight."
            )

    def r1_weights(self) -> tuple[float, float]:
        """Weights of R1 on picture and segmentation; where none is given for the latter, the paper's ratio of 100."""
        image, segmentation = self.loss.r1_of(self.size, self.batch), self.loss.r1_segmentation
        return image, 100.0 * image if segmentation is None else segmentation

    def generator_config(self, regions: RegionScheme) -> GeneratorConfig:
        """The generator for a dataset's regions."""
        return GeneratorConfig(
            size=self.size,
            num_regions=len(regions),
            transparent=regions.transparent_indices,
            **vars(self.generator),
        )

    def discriminator_config(self, regions: RegionScheme) -> DiscriminatorConfig:
        """The discriminator for a dataset's regions."""
        return DiscriminatorConfig(size=self.size, num_regions=len(regions), **vars(self.discriminator))
