"""StyleGAN2 (Karras et al. 2019, arXiv 1912.04958): mapping, modulated synthesis, discriminator.

z -> w (mapping); a learnt constant [C, 4, 4], then per resolution two modulated 3x3 convolutions with noise, bias and
leaky ReLU. How the picture is put together (Figure 7):

============  ====================================================  ===============================================
architecture  generator                                             discriminator
============  ====================================================  ===============================================
plain         the picture is read from the last map                 one chain of convolutions
skip          sum of each resolution's picture, upsampled           the picture, halved, is read at each resolution
residual      blocks (up_conv(x) + up_skip(x)) / sqrt(2), as plain  blocks (down_conv(x) + down_skip(x)) / sqrt(2)
============  ====================================================  ===============================================

The paper's choice is skip for the generator and residual for the discriminator (configuration F).

Rows of a code, as in the published code: layer 0 is the convolution at 4x4, layers 2i + 1 and 2i + 2 are those of the
next resolution; a picture is read with the row after its resolution's last convolution.

Shape legend: N images, L layers, D style width, C channels, S side of the picture, H W sides of the current map.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from semanticgan.formats.fields import check, key
from semanticgan.networks.architectures import Architecture
from semanticgan.networks.comparison.layered import LayeredConfig, LayeredGenerator
from semanticgan.networks.config import WIDTH, NetworkConfig, paper_channels, require_widths
from semanticgan.networks.discriminator import ResidualBlock, minibatch_deviation
from semanticgan.networks.kernels.resampling import fir_filter, fir_upsample
from semanticgan.networks.layers import (
    EqualisedConv,
    EqualisedLinear,
    NoisyConv,
    OutputHead,
    run_block,
    widened,
)
from semanticgan.networks.mapping import Mapping

WIRINGS = ("plain", "skip", "residual")


@dataclass(frozen=True)
class StyleGAN2Config(LayeredConfig):
    """All sizes of a generator; the defaults are configuration F."""

    wiring: str = key("skip", "architecture of the synthesis network: plain, skip or residual.", choices=WIRINGS)

    @staticmethod
    def paper_channels(size: int) -> dict[int, int]:
        return paper_channels(size)


@dataclass(frozen=True)
class StyleGAN2DiscriminatorConfig(NetworkConfig):
    """All sizes of a discriminator; the defaults are configuration F."""

    size: int = key(1024, "resolution S of the picture in pixels, a power of two.", side=True)
    channels: dict[int, int] = key({}, "width by resolution, from 4 to size; empty is the paper's.", side=True, **WIDTH)
    wiring: str = key("residual", "architecture: plain, skip or residual.", choices=WIRINGS)

    def __post_init__(self) -> None:
        check(self, "discriminator.")
        widths = self.channels or paper_channels(self.size)
        object.__setattr__(self, "channels", {side: widths[side] for side in sorted(widths) if side <= self.size})
        require_widths("channels of the discriminator", self.channels, 4, self.size)


class StyleGAN2Generator(LayeredGenerator):
    """w -> codes of L layers -> picture."""

    config: StyleGAN2Config

    def __init__(self, config: StyleGAN2Config) -> None:
        super().__init__()
        self.config = config
        self.recompute = False  # in training: compute blocks again for their gradients rather than keep all maps
        self.mapping = Mapping(config.style_dim, config.num_mapping_layers)
        self.constant = nn.Parameter(torch.randn(1, config.channels[4], 4, 4))
        self.blocks = nn.ModuleList()
        for side in config.sides:
            width_before = 0 if side == 4 else config.channels[side // 2]
            self.blocks.append(SynthesisBlock(width_before, config.channels[side], config.style_dim, config.wiring))
        if config.wiring != "skip":
            self.blocks[-1].to_rgb = OutputHead(config.channels[config.size], 3, config.style_dim)
        self.store_noise([4] + [side for side in config.sides[1:] for _ in range(2)])
        self.register_buffer("mean_latent", torch.zeros(config.style_dim))

    @property
    def row_sides(self) -> list[int]:
        return [*self.noise_sides, self.config.size]  # of each convolution, and of the last ToRGB

    def mapped(self, z: Tensor) -> Tensor:
        return self.mapping(z)

    def synthesis(self, codes: Tensor, noise: Sequence[Tensor], level: float = 0.0) -> Tensor:
        image: Tensor | None = None
        for addition in self.contributions(codes, noise):
            image = addition if image is None else fir_upsample(image).add_(addition)
        assert image is not None
        return image

    def contributions(self, codes: Tensor, noise: Sequence[Tensor]) -> list[Tensor]:
        """What each resolution adds to the picture, [N, 3, H, W], coarse to fine; without skips only the last.

        Their standard deviations tell which resolution makes the picture (arXiv 1912.04958, Figure 8).
        """
        constant = self.constant.expand(codes.shape[0], -1, -1, -1)
        x = constant.contiguous(memory_format=torch.channels_last)
        additions = []
        for index, block in enumerate(self.blocks):
            first = max(0, 2 * index - 1)  # row of the block's first convolution, and its noise map
            count = 1 if index == 0 else 2
            x = run_block(
                block, x, codes[:, first : first + count], noise[first : first + count], recompute=self.recompute
            )
            if isinstance(block.to_rgb, OutputHead):
                additions.append(block.to_rgb(x, codes[:, first + count]))
        return additions


class SynthesisBlock(nn.Module):
    """One resolution: ``[up_]conv``, conv; at 4x4, where ``channels_in`` is 0, the second alone."""

    def __init__(self, channels_in: int, channels_out: int, style_dim: int, wiring: str) -> None:
        super().__init__()
        self.upsample = NoisyConv(channels_in, channels_out, True, style_dim) if channels_in else None
        self.refine = NoisyConv(channels_out, channels_out, style_dim=style_dim)
        self.skip: EqualisedConv | None = None
        if wiring == "residual" and channels_in:
            self.skip = EqualisedConv(channels_in, channels_out, 1, bias=False, activated=False)
        self.to_rgb: OutputHead | None = OutputHead(channels_out, 3, style_dim) if wiring == "skip" else None

    def forward(self, x: Tensor, codes: Tensor, noise: Sequence[Tensor]) -> Tensor:
        """x [N, C, H, W], codes [N, 1 or 2, D], as many noise maps."""
        y = x if self.upsample is None else self.upsample(x, noise[0], codes[:, 0])
        y = self.refine(y, noise[-1], codes[:, -1])
        # A 1x1 convolution and an upsampling filter may change places; the smaller map is convolved.
        return y if self.skip is None else torch.add(y, fir_upsample(self.skip(x))) * math.sqrt(0.5)


class StyleGAN2Discriminator(nn.Module):
    """Scores pictures (Figure 7 and Appendix B): blocks down to 4x4, minibatch deviation, two dense layers."""

    def __init__(self, config: StyleGAN2DiscriminatorConfig) -> None:
        super().__init__()
        self.config = config
        self.recompute = False
        widths, size = config.channels, config.size
        self.stem = EqualisedConv(3, widths[size], 1)
        self.blocks, self.readers = nn.ModuleList(), nn.ModuleList()
        kind = ResidualBlock if config.wiring == "residual" else PlainBlock
        while size > 4:
            self.blocks.append(kind(widths[size], widths[size // 2]))
            size //= 2
            if config.wiring == "skip":
                self.readers.append(EqualisedConv(3, widths[size], 1))
        self.final_conv = EqualisedConv(widths[4] + 1, widths[4], 3)
        self.final_linear = EqualisedLinear(widths[4] * 16, widths[4], activated=True)
        self.score = EqualisedLinear(widths[4], 1)

    def forward(self, image: Tensor, num_sets: int = 1) -> Tensor:
        """Score pictures [N, 3, S, S], [N, 1]; ``num_sets`` equal sets in a row are scored as if each came alone."""
        image = image.contiguous(memory_format=torch.channels_last)
        x = self.stem(image)
        for index, block in enumerate(self.blocks):
            x = run_block(block, x, recompute=self.recompute)
            if self.readers:
                image = fir_filter(image, padding=1, stride=2)
                x = x + self.readers[index](image)
        x = self.final_conv(torch.cat([minibatch_deviation(images) for images in x.chunk(num_sets)]))
        with torch.autocast(x.device.type, enabled=False):
            return self.score(self.final_linear(widened(x).contiguous().flatten(1)))


class PlainBlock(nn.Module):
    """Halves the side: y = down_conv(conv(x))."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.conv1 = EqualisedConv(channels_in, channels_in, 3)
        self.conv2 = EqualisedConv(channels_in, channels_out, 3, resampling="fir_halve")

    def forward(self, x: Tensor) -> Tensor:
        return self.conv2(self.conv1(x))


ARCHITECTURE = Architecture(StyleGAN2Config, StyleGAN2Generator, StyleGAN2DiscriminatorConfig, StyleGAN2Discriminator)
