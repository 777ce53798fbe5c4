"""What PGGAN and StyleGAN share: networks that grow from 4x4, one index a resolution.

At level l, n = log2(S) - 1 - floor(l) resolutions are in use, numbered 0 (4x4) to n - 1, and t = l - floor(l) says how
much of the picture is still that of one resolution less (arXiv 1710.10196, Figure 2)::

    generator       picture = lerp(rgb_(n-1)(x_(n-1)), up2(rgb_(n-2)(x_(n-2))), t)
    discriminator   y = lerp(block_(n-1)(read_(n-1)(picture)), read_(n-2)(down2(picture)), t), then blocks n-2 .. 0

up2 repeats each pixel twice along both axes, down2 is the mean over 2x2 pixels. Parts that a level does not use take no
part: ``blocks.k`` with k >= n, ``to_rgb.k`` and ``from_rgb.k`` but n - 1 and, where t > 0, n - 2.

Shape legend: N images, L layers, D style width, C channels, S side of the full picture, s side at the level.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from semanticgan.errors import InputError
from semanticgan.formats.fields import check, key
from semanticgan.networks.comparison.layered import (
    SMALLEST_SIDE,
    GrowingConfig,
    LayeredGenerator,
    require_level,
    side_at,
    sides_to,
    style_channels,
)
from semanticgan.networks.config import WIDTH, NetworkConfig, require_widths
from semanticgan.networks.discriminator import minibatch_deviation
from semanticgan.networks.layers import EqualisedConv, EqualisedLinear, run_block, widened


@dataclass(frozen=True)
class GrowingDiscriminatorConfig(NetworkConfig):
    """All sizes of a discriminator that grows; the defaults are the papers'."""

    size: int = key(1024, "resolution S of the picture in pixels, a power of two.", side=True)
    channels: dict[int, int] = key({}, "width by resolution, from 4 to size; empty is the paper's.", side=True, **WIDTH)

    def __post_init__(self) -> None:
        check(self, "discriminator.")
        widths = self.channels or style_channels(self.size)
        object.__setattr__(self, "channels", {side: widths[side] for side in sorted(widths) if side <= self.size})
        require_widths("channels of the discriminator", self.channels, SMALLEST_SIDE, self.size)


def in_use(size: int, level: float) -> tuple[int, float]:
    """(n, t): the number of resolutions in use, and the share of the picture of one resolution less.

    Raises:
        InputError: the network of this size has no such level.
    """
    require_level(size, level)
    whole = math.floor(level)
    return len(sides_to(size)) - whole, level - whole


class GrowingGenerator(LayeredGenerator):
    """Codes -> features of each resolution -> picture of the last, or of the last two."""

    config: GrowingConfig
    blocks: nn.ModuleList

    def __init__(self, config: GrowingConfig) -> None:
        super().__init__()
        self.config = config
        self.recompute = False  # in training: compute blocks again for their gradients rather than keep all maps
        self.to_rgb = nn.ModuleList(
            EqualisedConv(config.channels[side], 3, 1, activated=False) for side in config.sides
        )

    @abstractmethod
    def start(self, codes: Tensor) -> Tensor:
        """What the block of 4x4 begins with."""

    @abstractmethod
    def features(self, index: int, x: Tensor, codes: Tensor, noise: Sequence[Tensor]) -> Tensor:
        """The features x_k [N, C, H, W] of a resolution, from those of the one before."""

    def synthesis(self, codes: Tensor, noise: Sequence[Tensor], level: float = 0.0) -> Tensor:
        num_resolutions, fade = in_use(self.config.size, level)
        before = x = self.start(codes)
        for index in range(num_resolutions):
            before, x = x, self.features(index, x, codes, noise)
        image = self._colours(num_resolutions - 1, x)
        if fade:
            old = self._colours(num_resolutions - 2, before)
            image = torch.lerp(image, F.interpolate(old, scale_factor=2.0, mode="nearest"), fade)
        return image

    def _colours(self, index: int, x: Tensor) -> Tensor:
        """[N, C, H, W] -> [N, 3, H, W], in float32 under autocast."""
        with torch.autocast(x.device.type, enabled=False):
            return self.to_rgb[index](widened(x))


class GrowingDiscriminator(nn.Module, ABC):
    """Scores pictures at any level: blocks down to 4x4, minibatch deviation, a convolution, two dense layers."""

    def __init__(self, config: GrowingDiscriminatorConfig) -> None:
        super().__init__()
        self.config = config
        self.recompute = False
        widths, sides = config.channels, sides_to(config.size)
        self.from_rgb = nn.ModuleList(EqualisedConv(3, widths[side], 1, bias_gain=1.0) for side in sides)
        self.blocks = nn.ModuleList([FinalBlock(widths[SMALLEST_SIDE])])
        self.blocks.extend(self.halving(widths[side], widths[side // 2]) for side in sides[1:])

    @abstractmethod
    def halving(self, channels_in: int, channels_out: int) -> nn.Module:
        """A block [N, C, 2H, 2W] -> [N, C', H, W]."""

    def forward(self, image: Tensor, level: float = 0.0, num_sets: int = 1) -> Tensor:
        """Score pictures, [N, 1].

        Args:
            image: [N, 3, s, s] of the level's own side s.
            level: how much of the network is in use.
            num_sets: equal sets in a row that are scored as if each came alone.

        Raises:
            InputError: a level that there is not, or pictures of another side.
        """
        num_resolutions, fade = in_use(self.config.size, level)
        side = side_at(self.config.size, level)
        if image.shape[1:] != (3, side, side):
            raise InputError(f"pictures have the shape [N, 3, {side}, {side}] at level {level}, got {[*image.shape]}.")
        image = image.contiguous(memory_format=torch.channels_last)
        x = self.from_rgb[num_resolutions - 1](image)
        for index in range(num_resolutions - 1, 0, -1):
            x = run_block(self.blocks[index], x, recompute=self.recompute)
            if fade and index == num_resolutions - 1:
                x = torch.lerp(x, self.from_rgb[index - 1](F.avg_pool2d(image, 2)), fade)
        x = torch.cat([minibatch_deviation(images) for images in x.chunk(num_sets)])
        return self.blocks[0](x)


class FinalBlock(nn.Module):
    """[N, C + 1, 4, 4] -> score [N, 1]: 3x3 convolution, dense, dense of gain 1 (arXiv 1710.10196, Table 2)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = EqualisedConv(channels + 1, channels, 3, bias_gain=1.0)
        self.linear = EqualisedLinear(channels * SMALLEST_SIDE**2, channels, activated=True, bias_gain=1.0)
        self.score = EqualisedLinear(channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        with torch.autocast(x.device.type, enabled=False):
            return self.score(self.linear(widened(x).contiguous().flatten(1)))
