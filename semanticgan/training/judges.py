"""What judges pictures in a training: the discriminator and, if wanted, one of the features of a frozen network.

Shape legend: N images, K regions, S side of the picture, L maps of the frozen network.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn

from semanticgan.errors import InputError
from semanticgan.networks.discriminator import Discriminator
from semanticgan.networks.feature_discriminator import FeatureDiscriminator
from semanticgan.training.losses import (
    agreement_loss,
    coarse_agreement_loss,
    depth_loss,
    discriminator_loss,
    generator_loss,
    mask_loss,
    relativistic_loss,
)
from semanticgan.training.rates import AttributeRates

if TYPE_CHECKING:
    from semanticgan.perception.extractors import MapExtractor
    from semanticgan.rendering import Rendering
    from semanticgan.training.config import TrainingConfig
    from semanticgan.training.methods.semanticstylegan_config import FeaturesSection, LossSection

Values = dict[str, Tensor]


class Judgement(NamedTuple):
    """Scores of pictures, high where they seem real."""

    score: Tensor  # [N, 1], of picture and segmentation
    by_features: Tensor | None  # [N, L], of the picture's features


class FeatureJudge(nn.Module):
    """A discriminator of the maps of a frozen network; only the heads are weights of this module.

    Args:
        extractor: the frozen network.
        size: S.
        channels: width of the heads.

    Raises:
        InputError: pictures of that side do not fit the extractor.
    """

    def __init__(self, extractor: MapExtractor, size: int, channels: int) -> None:
        super().__init__()
        self._extractor = extractor
        maps = extractor.maps(torch.zeros(1, 3, size, size))
        self.heads = FeatureDiscriminator([x.shape[1] for x in maps if x.shape[-1] > 1], channels)

    def forward(self, image: Tensor, num_sets: int = 1) -> Tensor:
        """Scores [N, L] of images [N, 3, S, S] in [-1, 1], through which gradients flow."""
        scores: Tensor = self.heads([x for x in self._extractor.maps(image) if x.shape[-1] > 1], num_sets)
        return scores


class Judges(nn.Module):
    """All that scores pictures, as one network."""

    def __init__(self, discriminator: Discriminator, features: FeatureJudge | None) -> None:
        super().__init__()
        self.discriminator, self.features = discriminator, features

    def forward(self, image: Tensor, segmentation: Tensor | None = None, num_sets: int = 1) -> Judgement:
        """Arguments as of :meth:`Discriminator.forward`."""
        score = self.discriminator(image, segmentation, num_sets)
        return Judgement(score.float(), None if self.features is None else self.features(image, num_sets).float())


def open_feature_judge(section: FeaturesSection, size: int, device: torch.device) -> FeatureJudge | None:
    """The judge that a configuration asks for, None where it asks for none.

    Raises:
        InputError: an unknown extractor, or one that has no maps or takes no pictures of that side.
    """
    if section.extractor is None:
        return None
    from semanticgan.perception.extractors import MapExtractor, open_extractor

    extractor = open_extractor(section.extractor, device=device)
    if not isinstance(extractor, MapExtractor):
        raise InputError(
            f"features.extractor is {section.extractor!r}, through which no gradients flow. Give random, attributes, "
            "attributes:PATH or discriminator:PATH."
        )
    return FeatureJudge(extractor, size, section.channels)


def open_rates(config: TrainingConfig, device: torch.device) -> AttributeRates | None:
    """The rates of attributes that generated pictures are to have, None where no classifier is named.

    Raises:
        InputError: no such classifier.
    """
    if config.loss.classifier is None:
        return None
    from semanticgan.perception.classifier import load_classifier

    return AttributeRates(load_classifier(config.loss.classifier, device), config.loss.rates_half_life, config.batch)


def loss_of_judges(judged: Judgement, weight: float, relativistic: bool = False) -> tuple[Tensor, Values]:
    """The discriminators' loss on as many real as generated pictures in a row, and what is logged of it.

    Args:
        judged: of all of them.
        weight: of the features' part.
    """
    loss_of = relativistic_loss if relativistic else discriminator_loss
    real, fake = judged.score.chunk(2)
    loss = loss_of(real, fake)
    values = {"loss/discriminator": loss, "score/real": real.mean(), "score/fake": fake.mean()}
    if judged.by_features is not None:
        real, fake = judged.by_features.chunk(2)
        by_features = loss_of(real, fake)
        loss = loss + weight * by_features
        values |= {"loss/discriminator_features": by_features}
        values |= {"score/real_features": real.mean(), "score/fake_features": fake.mean()}
    return loss, values


def loss_before_judges(judged: Judgement | None, weight: float, relativistic: bool = False) -> tuple[Tensor, Values]:
    """The generator's adversarial loss on generated pictures, and what is logged of it; arguments as above.

    Nothing where nothing judged them.
    """
    if judged is None:
        return torch.zeros(()), {}

    def loss_of(score: Tensor) -> Tensor:
        if not relativistic:
            return generator_loss(score)
        real, fake = score.chunk(2)
        return relativistic_loss(fake, real)

    loss = loss_of(judged.score)
    values = {"loss/generator": loss}
    if judged.by_features is not None:
        by_features = loss_of(judged.by_features)
        loss = loss + weight * by_features
        values |= {"loss/generator_features": by_features}
    return loss, values


def losses_of_labels(fake: Rendering, read: Tensor | None, weights: LossSection) -> Values:
    """The losses of generated segmentations, masks and depths, each under the name of its weight.

    Args:
        fake: what was generated.
        read: logits [N, K, S, S] of what a reader sees in its pictures, if there is one.
        weights: of the configuration.
    """
    losses = {"mask": mask_loss(fake)}
    if weights.depth:
        losses["depth"] = depth_loss(fake.depth, weights.depth_limit)
    if read is not None:
        losses["agreement"] = agreement_loss(fake.segmentation, read)
        losses["coarse_agreement"] = coarse_agreement_loss(fake.depth, read)
    return losses


@contextlib.contextmanager
def frozen(network: nn.Module) -> Iterator[None]:
    """Nothing of a network learns within the block."""
    learning = [parameter for parameter in network.parameters() if parameter.requires_grad]
    network.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in learning:
            parameter.requires_grad_()
