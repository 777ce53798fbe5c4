"""Heads on the maps of a frozen network."""

from __future__ import annotations

import torch

from semanticgan.networks.feature_discriminator import FeatureDiscriminator

SHAPES = [(8, 16), (24, 4), (6, 2)]  # channels and side of each map


def maps(num_images: int, seed: int) -> list[torch.Tensor]:
    random = torch.Generator().manual_seed(seed)
    return [torch.randn(num_images, channels, side, side, generator=random) for channels, side in SHAPES]


def test_sets_are_scored_as_if_each_came_alone() -> None:
    torch.manual_seed(0)
    heads = FeatureDiscriminator([channels for channels, _ in SHAPES], 12)
    real, fake = maps(8, 1), maps(8, 2)
    together = heads([torch.cat(pair) for pair in zip(real, fake, strict=True)], num_sets=2)
    assert together.shape == (16, 3)
    torch.testing.assert_close(together, torch.cat([heads(real), heads(fake)]))


def test_equal_pictures_are_known_by_their_company() -> None:
    """The deviation over a group tells pictures that are all the same from those that are not."""
    torch.manual_seed(0)
    heads = FeatureDiscriminator([channels for channels, _ in SHAPES], 12)
    varied = maps(4, 1)
    same = [x[:1].expand_as(x) for x in varied]
    assert (heads(same)[0] - heads(varied)[0]).abs().min() > 1e-4
