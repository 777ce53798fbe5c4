"""The configuration that the methods of layered models share: networks, augmentation, and the stages of growth."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

from semanticgan.errors import InputError
from semanticgan.formats.fields import key
from semanticgan.networks.comparison.layered import LayeredSizes, sides_to
from semanticgan.networks.config import WIDTH, LatentConfig, NetworkConfig
from semanticgan.training.method import Stage
from semanticgan.training.methods.semanticstylegan_config import AugmentationSection
from semanticgan.training.sections import LARGEST_BATCH, CommonConfig


@dataclass
class PictureDiscriminatorSection:
    """Sizes of a discriminator of pictures."""

    channels: dict[int, int] = key({}, "width by resolution, from 4 to size; empty is the paper's.", side=True, **WIDTH)


@dataclass
class GrowthSection:
    """Progressive growing (arXiv 1710.10196): the stages of a training, one or two per resolution.

    A resolution is faded in over ``fade_images``, then trained over ``stable_images``; the first has no fade and the
    last goes on to the end. Optimisers begin anew at each stage.
    """

    first_size: int = key(4, "resolution of the first stage.", side=True)
    stable_images: int = key(600_000, "images of each stage at a whole resolution.", ge=1)
    fade_images: int = key(600_000, "images over which a resolution is faded in.", ge=1)
    batch: dict[int, int] = key(
        {},
        "images per step by resolution, over all processes; missing ones are batch.",
        side=True,
        ge=1,
        le=LARGEST_BATCH,
    )
    rate: dict[int, float] = key(
        {}, "factor of the learning rates by resolution; missing ones are 1.", side=True, gt=0, unit="factor"
    )
    warm_up_images: int = key(
        0, "images over which the rates rise linearly from 0 at the beginning of each stage but the first.", ge=0
    )


@dataclass
class LayeredTrainingConfig(CommonConfig, ABC):
    """Values that decide the training of a layered model."""

    recompute: bool = key(False, "compute activations again in the backward pass; less memory, more time.")
    generator: LayeredSizes = field(default_factory=LayeredSizes)
    augmentation: AugmentationSection = field(default_factory=AugmentationSection)

    @abstractmethod
    def generator_config(self) -> LatentConfig:
        """Sizes of the generator."""

    @abstractmethod
    def discriminator_config(self) -> NetworkConfig:
        """Sizes of the discriminator."""

    def stages(self) -> dict[int, Stage]:
        """The stages by the number of images seen at which each begins; one where nothing grows."""
        return {0: Stage("all", self.batch, self.size)}


@dataclass
class GrowingTrainingConfig(LayeredTrainingConfig):
    """Values that decide the training of a model that grows.

    Attributes:
        blocks: lists of blocks, numbered from 4x4, by the names of their parts.
        colours: lists of layers to and from RGB, numbered likewise.
        begun_anew: names of the optimisers, which begin anew at each stage.
    """

    blocks: ClassVar[Sequence[str]] = ("generator.blocks", "discriminator.blocks")
    colours: ClassVar[Sequence[str]] = ("generator.to_rgb", "discriminator.from_rgb")
    begun_anew: ClassVar[tuple[str, ...]] = ("generator", "discriminator")

    growth: GrowthSection = field(default_factory=GrowthSection)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.growth.first_size > self.size:
            raise InputError(f"growth.first_size must be at most size, {self.size}, got {self.growth.first_size}.")

    def stages(self) -> dict[int, Stage]:
        growth, begins, found = self.growth, 0, {}
        for side in sides_to(self.size):
            if side < growth.first_size:
                continue
            batch, rate = growth.batch.get(side, self.batch), growth.rate.get(side, 1.0)
            if side > growth.first_size:
                parts = tuple(self.parts_at(side, fading=True))
                found[begins] = Stage(f"{side} pixels, fading in", batch, side, 0.0, rate, parts, self.begun_anew)
                begins += growth.fade_images
            parts = tuple(self.parts_at(side, fading=False))
            found[begins] = Stage(f"{side} pixels", batch, side, 1.0, rate, parts, self.begun_anew)
            begins += growth.stable_images
        return found

    @abstractmethod
    def always_in_use(self) -> Sequence[str]:
        """Parts that learn at every resolution, such as "generator.mapping"."""

    def parts_at(self, side: int, fading: bool) -> list[str]:
        """Parts of the networks that learn at a resolution, such as "generator.blocks.0".

        The layers to and from RGB of the resolution before are in use while it fades.
        """
        last = len(sides_to(side)) - 1
        blocks = [f"{name}.{index}" for name in self.blocks for index in range(last + 1)]
        ends = [last - 1, last] if fading else [last]
        colours = [f"{name}.{index}" for name in self.colours for index in ends]
        return [*self.always_in_use(), *blocks, *colours]

    def stage_at(self, images: int, schedule: Mapping[int, Stage]) -> Stage:
        """The stage of the step after ``images`` images, with its fade and its rate."""
        begins = max(start for start in schedule if start <= images)
        stage, seen = schedule[begins], images - begins
        fade = stage.fade if stage.fade == 1.0 else min(1.0, seen / self.growth.fade_images)
        warm_up = self.growth.warm_up_images
        warm = min(1.0, (seen + stage.batch) / warm_up) if warm_up and begins else 1.0
        return replace(stage, fade=fade, rate=stage.rate * warm)
