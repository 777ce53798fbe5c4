"""What judges pictures in a training: the discriminator and, if wanted, one of the features of a frozen network.

Shape legend: N images, K regions, S side of the picture, L maps of the frozen network.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn

from semanticgan.errors import InputError
from semanticgan.networks.discriminator import Discriminator
from semanticgan.networks.feature_discriminator import FeatureDiscriminator
from semanticgan.networks.layers import widened

if TYPE_CHECKING:
    from semanticgan.perception.extractors import MapExtractor
    from semanticgan.training.methods.semanticstylegan_config import FeaturesSection


class Judgement(NamedTuple):
    """Scores of pictures, high where they seem real."""

    score: Tensor  # [N, 1], of picture and segmentation
    by_features: Tensor | None  # [N, L], of the picture's features


class FeatureJudge(nn.Module):
    """A discriminator of the maps of a frozen network; only the heads are weights of this module.

    Args:
        extractor: the frozen network.
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
        return Judgement(widened(score), None if self.features is None else widened(self.features(image, num_sets)))


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
            f"features.extractor is {section.extractor!r}, whose maps a discriminator does not read. Give random, "
            "attributes, attributes:PATH or discriminator:PATH."
        )
    return FeatureJudge(extractor, size, section.channels)
