"""PGGAN (Karras et al. 2017, arXiv 1710.10196): a generator and a discriminator that grow from 4x4.

=============================================  =================================================
generator (Table 2)                            discriminator
=============================================  =================================================
w = pixel_norm(z)                              picture -> 1x1 convolution
dense layer to [C, 4, 4], 3x3 convolution      per resolution two 3x3 convolutions, mean of 2x2
per resolution repeated pixels, two 3x3 conv.  deviation of the batch, 3x3 conv., two dense layers
1x1 convolution to RGB, linear
=============================================  =================================================

All rates are equalised with gain sqrt(2), the first dense layer with sqrt(2) / 4, RGB and score with 1. After each
convolution of the generator stand bias, leaky ReLU and pixel norm, in this order; the discriminator has no norm.

Shape legend: N images, D style width, C channels, H W sides of the current map.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from semanticgan.formats.fields import key
from semanticgan.networks.architectures import Architecture
from semanticgan.networks.comparison.growing import (
    GrowingDiscriminator,
    GrowingDiscriminatorConfig,
    GrowingGenerator,
)
from semanticgan.networks.comparison.layered import SMALLEST_SIDE, GrowingConfig
from semanticgan.networks.layers import ACTIVATION_GAIN, EqualisedConv, leaky_relu, pixel_norm, run_block


@dataclass(frozen=True)
class PGGANConfig(GrowingConfig):
    """All sizes of a generator; the defaults are the paper's."""

    num_mapping_layers: int = key(0, "PGGAN has no mapping network: w is the normalised z.", ge=0, le=0)

    @property
    def num_rows(self) -> int:
        """1: only the first layer reads a code."""
        return 1


@dataclass(frozen=True)
class PGGANDiscriminatorConfig(GrowingDiscriminatorConfig):
    """All sizes of a discriminator; the defaults are the paper's."""

    mean_last: bool = key(
        False,
        "take the mean over 2x2 pixels after bias and activation, as the published code's separate layers; false is "
        "before both, as its fused layers.",
    )


class PGGANGenerator(GrowingGenerator):
    """w -> picture."""

    config: PGGANConfig

    def __init__(self, config: PGGANConfig) -> None:
        super().__init__(config)
        widths = config.channels
        self.blocks = nn.ModuleList([FirstBlock(config.style_dim, widths[SMALLEST_SIDE])])
        self.blocks.extend(SynthesisBlock(widths[side // 2], widths[side]) for side in config.sides[1:])
        self.store_noise([])
        self.register_buffer("mean_latent", torch.zeros(config.style_dim))

    @property
    def row_sides(self) -> list[int]:
        return [SMALLEST_SIDE]

    def mapped(self, z: Tensor) -> Tensor:
        return pixel_norm(z)

    def start(self, codes: Tensor) -> Tensor:
        return codes[:, 0]

    def features(self, index: int, x: Tensor, codes: Tensor, noise: Sequence[Tensor]) -> Tensor:
        return run_block(self.blocks[index], x, recompute=self.recompute)


class FirstBlock(nn.Module):
    """w [N, D] -> [N, C, 4, 4]: a dense layer with one bias a channel, then a 3x3 convolution."""

    def __init__(self, style_dim: int, channels: int) -> None:
        super().__init__()
        num_features = channels * SMALLEST_SIDE**2
        self.dense = EqualisedConv(style_dim, num_features, 1, bias=False, activated=False, gain=ACTIVATION_GAIN / 4)
        self.bias = nn.Parameter(torch.zeros(channels))
        self.refine = EqualisedConv(channels, channels, 3, bias_gain=1.0)

    def forward(self, w: Tensor) -> Tensor:
        x = self.dense(w[:, :, None, None]).view(w.shape[0], -1, SMALLEST_SIDE, SMALLEST_SIDE)
        x = x + self.bias.view(-1, 1, 1)
        x = x.contiguous(memory_format=torch.channels_last)
        return pixel_norm(self.refine(pixel_norm(leaky_relu(x))))


class SynthesisBlock(nn.Module):
    """Doubles the side: pixels repeated, then two 3x3 convolutions."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.upsample = EqualisedConv(channels_in, channels_out, 3, resampling="repeat_double", bias_gain=1.0)
        self.refine = EqualisedConv(channels_out, channels_out, 3, bias_gain=1.0)

    def forward(self, x: Tensor) -> Tensor:
        return pixel_norm(self.refine(pixel_norm(self.upsample(x))))


class PGGANDiscriminator(GrowingDiscriminator):
    """Scores pictures."""

    config: PGGANDiscriminatorConfig

    def halving(self, channels_in: int, channels_out: int) -> nn.Module:
        return HalvingBlock(channels_in, channels_out, self.config.mean_last)


class HalvingBlock(nn.Module):
    """Two 3x3 convolutions and the mean over 2x2 pixels."""

    def __init__(self, channels_in: int, channels_out: int, mean_last: bool) -> None:
        super().__init__()
        self.mean_last = mean_last
        self.conv1 = EqualisedConv(channels_in, channels_in, 3, bias_gain=1.0)
        self.conv2 = EqualisedConv(
            channels_in, channels_out, 3, resampling="none" if mean_last else "mean_halve", bias_gain=1.0
        )

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv2(self.conv1(x))
        return F.avg_pool2d(y, 2) if self.mean_last else y


ARCHITECTURE = Architecture(PGGANConfig, PGGANGenerator, PGGANDiscriminatorConfig, PGGANDiscriminator)
