"""Scores of pictures from the maps of a network that does not learn (vision-aided GANs, arXiv 2112.09130, Section 3).

A discriminator that starts from nothing finds what is frequent; one that reads features in which a beard or a bald head
is plain finds what is rare as soon.

Shape legend: N images, L maps, C channels, H W sides.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from semanticgan.networks.discriminator import minibatch_deviation
from semanticgan.networks.layers import EqualisedConv, EqualisedLinear, widened


class FeatureDiscriminator(nn.Module):
    """Scores pictures by maps of each depth.

    Args:
        widths: C of each map, L of them.
        channels: width of the heads.
    """

    def __init__(self, widths: Sequence[int], channels: int) -> None:
        super().__init__()
        self.heads = nn.ModuleList(MapHead(width, channels) for width in widths)

    def forward(self, maps: Sequence[Tensor], num_sets: int = 1) -> Tensor:
        """Scores [N, L].

        Args:
            maps: [N, C, H, W] of each depth, sides of 2 pixels or more.
            num_sets: equal sets in a row that are scored as if each came alone.
        """
        return torch.cat([head(x, num_sets) for head, x in zip(self.heads, maps, strict=True)], dim=1)


class MapHead(nn.Module):
    """One map [N, C, H, W] -> scores [N, 1]: two convolutions, the mean over pixels, two linear layers."""

    def __init__(self, channels_in: int, channels: int) -> None:
        super().__init__()
        self.mix = EqualisedConv(channels_in, channels, 1)
        self.reduce = EqualisedConv(channels, channels, 3, resampling="fir_halve")
        self.hidden = EqualisedLinear(channels + 1, channels, activated=True)
        self.score = EqualisedLinear(channels, 1)

    def forward(self, x: Tensor, num_sets: int) -> Tensor:
        x = self.reduce(self.mix(x.contiguous(memory_format=torch.channels_last)))
        x = widened(x).mean((2, 3), keepdim=True)
        x = torch.cat([minibatch_deviation(images) for images in x.chunk(num_sets)])
        with torch.autocast(x.device.type, enabled=False):
            return self.score(self.hidden(x.flatten(1)))
