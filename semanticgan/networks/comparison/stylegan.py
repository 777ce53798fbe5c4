"""StyleGAN (Karras et al. 2018, arXiv 1812.04948): mapping, AdaIN, noise, growth, blur.

z -> w (mapping); a learnt constant [C, 4, 4], then two layers a resolution (Figure 1b). A layer is

    x -> lrelu(conv(x) + u n + b) -> AdaIN with its row of the code

with noise n, its learnt weights u (one a channel) and bias b. The first layer of all has no convolution; the first of
each further resolution repeats pixels before its convolution and blurs after it, [1, 2, 1] / 4 along both axes. The
picture is a 1x1 convolution of the last map, linear.

Discriminator, per resolution: convolution, bias, lrelu, blur, convolution, mean over 2x2 pixels, bias, lrelu.

All rates are equalised with gain sqrt(2), styles, RGB and score with gain 1; biases have no gain.

Shape legend: N images, L layers (two a resolution), D style width, C channels, H W sides of the current map.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from semanticgan.errors import InputError
from semanticgan.formats.fields import key
from semanticgan.networks.architectures import Architecture
from semanticgan.networks.comparison.growing import (
    GrowingDiscriminator,
    GrowingDiscriminatorConfig,
    GrowingGenerator,
)
from semanticgan.networks.comparison.layered import SMALLEST_SIDE, GrowingConfig
from semanticgan.networks.config import LARGEST_WIDTH
from semanticgan.networks.kernels.resampling import fir_filter
from semanticgan.networks.layers import (
    BLUR_TAPS,
    AdaIN,
    EqualisedConv,
    ScaledNoise,
    bare_conv,
    leaky_relu,
    run_block,
)
from semanticgan.networks.mapping import Mapping

MEAN_DECAY = 0.995
"""Of the running mean of w, per step."""


@dataclass(frozen=True)
class StyleGANConfig(GrowingConfig):
    """All sizes of a generator; the defaults are the paper's."""

    latent_dim: int = key(0, "width of z; 0 is style_dim.", ge=0, le=LARGEST_WIDTH)
    mapping_channels: int = key(0, "width between the layers of the mapping; 0 is style_dim.", ge=0, le=LARGEST_WIDTH)

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("latent_dim", "mapping_channels"):
            object.__setattr__(self, name, getattr(self, name) or self.style_dim)
        if not self.num_mapping_layers and self.latent_dim != self.style_dim:
            raise InputError(f"without mapping layers latent_dim must be style_dim, {self.style_dim}.")


@dataclass(frozen=True)
class StyleGANDiscriminatorConfig(GrowingDiscriminatorConfig):
    """All sizes of a discriminator; the defaults are the paper's."""


class StyleGANGenerator(GrowingGenerator):
    """w -> codes of L layers -> picture."""

    config: StyleGANConfig

    def __init__(self, config: StyleGANConfig) -> None:
        super().__init__(config)
        widths = config.channels
        sizes = config.latent_dim, config.mapping_channels
        self.mapping = Mapping(config.style_dim, config.num_mapping_layers, 0.01, 1.0, *sizes)
        self.constant = nn.Parameter(torch.ones(1, widths[SMALLEST_SIDE], SMALLEST_SIDE, SMALLEST_SIDE))
        self.blocks = nn.ModuleList()
        for side in config.sides:
            self.blocks.append(SynthesisBlock(widths.get(side // 2, 0), widths[side], config.style_dim))
        self.store_noise([side for side in config.sides for _ in range(2)])
        self.register_buffer("mean_latent", torch.zeros(config.style_dim))

    @property
    def latent_dim(self) -> int:
        return self.config.latent_dim

    def mapped(self, z: Tensor) -> Tensor:
        return self.mapping(z)

    @torch.no_grad()
    def follow_mean(self, w: Tensor) -> None:
        """w-bar <- m + 0.995 (w-bar - m) for the mean m of a batch of w [N, D]."""
        self.mean_latent.lerp_(w.mean(0).to(self.mean_latent), 1.0 - MEAN_DECAY)

    def start(self, codes: Tensor) -> Tensor:
        """A copy, which layers overwrite."""
        return self.constant.expand(codes.shape[0], -1, -1, -1).clone(memory_format=torch.channels_last)

    def features(self, index: int, x: Tensor, codes: Tensor, noise: Sequence[Tensor]) -> Tensor:
        own = slice(2 * index, 2 * index + 2)
        return run_block(self.blocks[index], x, codes[:, own], noise[own], recompute=self.recompute)


class SynthesisBlock(nn.Module):
    """One resolution, two layers; at 4x4, where ``channels_in`` is 0, the first is without a convolution."""

    def __init__(self, channels_in: int, channels_out: int, style_dim: int) -> None:
        super().__init__()
        self.upsample = bare_conv(channels_in, channels_out, "repeat_double") if channels_in else None
        self.first = Epilogue(channels_out, style_dim)
        self.refine = bare_conv(channels_out, channels_out)
        self.second = Epilogue(channels_out, style_dim)

    def forward(self, x: Tensor, codes: Tensor, noise: Sequence[Tensor]) -> Tensor:
        """x [N, C, H, W], codes [N, 2, D], two noise maps."""
        if self.upsample is not None:
            x = fir_filter(self.upsample(x), padding=1, taps=BLUR_TAPS)
        x = self.first(x, codes[:, 0], noise[0])
        x = self.second(self.refine(x), codes[:, 1], noise[1])
        return x


class Epilogue(nn.Module):
    """y = AdaIN(lrelu(x + u n + b), style), after each convolution (Figure 1b)."""

    def __init__(self, channels: int, style_dim: int) -> None:
        super().__init__()
        self.noise = ScaledNoise(channels)
        self.bias = nn.Parameter(torch.zeros(channels))
        self.adain = AdaIN(channels, style_dim)

    def forward(self, x: Tensor, style: Tensor, noise: Tensor) -> Tensor:
        x = self.noise(x, noise) + self.bias.to(x.dtype).view(-1, 1, 1)
        return self.adain(leaky_relu(x), style)


class StyleGANDiscriminator(GrowingDiscriminator):
    """Scores pictures."""

    config: StyleGANDiscriminatorConfig

    def halving(self, channels_in: int, channels_out: int) -> nn.Module:
        return HalvingBlock(channels_in, channels_out)


class HalvingBlock(nn.Module):
    """Halves the side: convolution, blur, convolution and the mean over 2x2 pixels."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.conv1 = EqualisedConv(channels_in, channels_in, 3, bias_gain=1.0)
        self.conv2 = EqualisedConv(channels_in, channels_out, 3, resampling="mean_halve", bias_gain=1.0)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv2(fir_filter(self.conv1(x), padding=1, taps=BLUR_TAPS))


ARCHITECTURE = Architecture(StyleGANConfig, StyleGANGenerator, StyleGANDiscriminatorConfig, StyleGANDiscriminator)
