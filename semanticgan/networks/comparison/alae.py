"""StyleALAE (Pidhorskyi et al. 2020, arXiv 2004.04467): four maps, of which two are an autoencoder of codes.

===============  ===========================  =============================================================
map              here                         what it is
===============  ===========================  =============================================================
F: z -> w        ``generator.map``            fully connected layers
G: w -> picture  ``generator(w)``             StyleGAN's synthesis
E: picture -> w  ``generator.encode(image)``  its mirror image: statistics of each layer, mapped and summed
D: w -> score    ``ALAEDiscriminator``        linear layers; D(E(x)) is the score of a picture
===============  ===========================  =============================================================

A block of G and the block of E at the same side s (Figure 2; c are the two rows of the code, n noise)::

    G: x = conv(blur(conv(up2(x)))), with n, bias, leaky ReLU and AdaIN by c after the blur and after the last conv
    E: x = lrelu(conv(x));               w += A_1 [mean(x), std(x)]
       x = lrelu(down2(conv(blur(IN(x))))); w += A_2 [mean(x), std(x)];  x = IN(x)

Both grow: see :mod:`semanticgan.networks.comparison.layered`. Parts are numbered by resolution, 0 for 4x4: ``blocks.i``
and ``to_rgb.i``, ``encoder.blocks.i`` and ``encoder.from_rgb.i``. At the side s, blocks up to s are in use, and the
``to_rgb`` and ``from_rgb`` of s, during a fade also those of s / 2.

Weights are stored as everywhere here, N(0, 1) with their gain applied at run time. The authors' code stores their
product and puts the gain into the optimiser: :mod:`semanticgan.training.lreq_adam`.

Shape legend: N images, L layers, D style width, C channels, S side of the picture, s H W sides of the current map.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from semanticgan.errors import InputError
from semanticgan.formats.fields import check, key
from semanticgan.networks.architectures import Architecture
from semanticgan.networks.comparison.layered import GrowingConfig, LayeredGenerator, side_at
from semanticgan.networks.config import LARGEST_COUNT, LARGEST_WIDTH, WIDTH, NetworkConfig
from semanticgan.networks.kernels.resampling import fir_filter
from semanticgan.networks.layers import (
    ACTIVATION_GAIN,
    BLUR_TAPS,
    AdaIN,
    EqualisedConv,
    EqualisedLinear,
    ScaledNoise,
    bare_conv,
    instance_norm,
    instance_statistics,
    leaky_relu,
    run_block,
    widened,
)
from semanticgan.networks.mapping import Mapping
from semanticgan.wrong_arguments import finite_number, require_dense, require_type

MAPPING_RATE = 0.1  # what the learning rate of F and D is multiplied by
RGB_GAIN = 0.03  # of the convolutions to RGB
ENCODER_EPSILON = 1e-5  # of instance normalisation; AdaIN has 1e-8
_SMALLEST_VARIANCE = 1e-12  # the gradient of the square root is infinite at 0, which an even picture has


@dataclass(frozen=True)
class ALAEConfig(GrowingConfig):
    """All sizes of F, G and E; the defaults are those of the model of FFHQ."""

    bottom_channels: int = key(
        0, "width of the encoder's last maps, of 2x2 pixels; 0 is that at 4x4.", ge=0, le=LARGEST_WIDTH
    )


@dataclass(frozen=True)
class ALAEDiscriminatorConfig(NetworkConfig):
    """All sizes of D."""

    style_dim: int = key(512, "width D of w.", **WIDTH)
    num_layers: int = key(3, "number of fully connected layers from w to the score.", ge=1, le=LARGEST_COUNT)

    def __post_init__(self) -> None:
        check(self, "discriminator.")


class ALAEGenerator(LayeredGenerator):
    """F, G and E: z -> w -> picture -> w."""

    config: ALAEConfig

    def __init__(self, config: ALAEConfig) -> None:
        super().__init__()
        self.config = config
        self.recompute = False  # in training: compute blocks again for their gradients rather than keep all maps
        self.mapping = Mapping(config.style_dim, config.num_mapping_layers, MAPPING_RATE, bias_gain=1.0)
        self.constant = nn.Parameter(torch.ones(1, config.channels[4], 4, 4))
        self.blocks, self.to_rgb = nn.ModuleList(), nn.ModuleList()
        for index, side in enumerate(config.sides):
            width, width_before = config.channels[side], config.channels[side // 2] if index else 0
            self.blocks.append(SynthesisBlock(index, width_before, width, config.style_dim))
            self.to_rgb.append(EqualisedConv(width, 3, 1, activated=False, gain=RGB_GAIN, bias_gain=1.0))
        self.encoder = ALAEEncoder(config)
        self.store_noise([side for side in config.sides for _ in range(2)])
        self.register_buffer("mean_latent", torch.zeros(config.num_rows, config.style_dim))

    def mapped(self, z: Tensor) -> Tensor:
        return self.mapping(z)

    def side_of(self, name: str) -> int | None:
        """Parts of the encoder are numbered as those of the synthesis."""
        return super().side_of(name.removeprefix("encoder."))

    def synthesis(self, codes: Tensor, noise: Sequence[Tensor], level: float = 0.0) -> Tensor:
        """G. Without any noise map, a fixed function stands in for the noise: see :func:`with_bump`."""
        last = len(self.blocks) - 1 - math.floor(level)
        new = 1.0 - (level - math.floor(level))  # how far the last block is faded in
        x = self.constant.repeat(codes.shape[0], 1, 1, 1)  # a copy, which noise is added to in place
        before = x
        for index, block in enumerate(self.blocks[: last + 1]):
            rows = slice(2 * index, 2 * index + 2)
            before, x = x, run_block(block, x, codes[:, rows], noise[rows], recompute=self.recompute)
        image = self._read(last, x)
        if new == 1.0:
            return image
        return torch.lerp(F.interpolate(self._read(last - 1, before), scale_factor=2, mode="nearest"), image, new)

    def _read(self, index: int, x: Tensor) -> Tensor:
        """The picture of a map, in float32 under autocast."""
        with torch.autocast(x.device.type, enabled=False):
            return self.to_rgb[index](widened(x))

    def encode(self, image: Tensor, level: float | None = None) -> Tensor:
        """E: pictures [N, 3, s, s] of the level's side s, about [-1, 1] -> w [N, D].

        Args:
            image: floating numbers.
            level: None is that of the configuration.

        Raises:
            InputError: pictures of another shape or type, or a level that there is not.
        """
        level = finite_number("level", self.level if level is None else level)
        deepest = len(self.config.sides) - 1
        if not 0 <= level <= deepest:
            raise InputError(f"level runs from 0, all of the network, to {deepest}, pictures of 4x4, got {level}.")
        require_type("image", image, Tensor, "a torch.Tensor, such as model.render(code).image")
        require_dense("image", image, self.mean_latent.is_meta)
        side = side_at(self.config.size, level)
        fits = image.ndim == 4 and len(image) > 0 and tuple(image.shape[1:]) == (3, side, side)
        if not fits or not image.is_floating_point() or image.dtype.itemsize < 2:
            raise InputError(
                f"image is floating numbers about [-1, 1] of the shape [N, 3, {side}, {side}], got {image.dtype} "
                f"{list(image.shape)}. Scale the pictures to {side}x{side} pixels."
            )
        return self.encoder(image, level, self.recompute)


class SynthesisBlock(nn.Module):
    """One resolution of G: [up2, conv, blur,] style, conv, style; at 4x4, the first, the brackets are left out.

    Args:
        index: i of the side 4 * 2^i.
        channels_in: width of the maps before; 0 at 4x4.
        channels_out: C.
        style_dim: D.
    """

    def __init__(self, index: int, channels_in: int, channels_out: int, style_dim: int) -> None:
        super().__init__()
        self.index = index
        self.upsample: EqualisedConv | None = None
        if index:
            self.upsample = bare_conv(channels_in, channels_out, "repeat_double")
        self.style1 = StyledNoise(channels_out, style_dim)
        self.refine = bare_conv(channels_out, channels_out)
        self.style2 = StyledNoise(channels_out, style_dim)

    def forward(self, x: Tensor, codes: Tensor, noise: Sequence[Tensor]) -> Tensor:
        """x [N, C', H, W], codes [N, 2, D], two noise maps or none."""
        if self.upsample is not None:
            x = fir_filter(self.upsample(x), padding=1, taps=BLUR_TAPS)
        x = self.style1(x, codes[:, 0], noise[0] if noise else None, self.index)
        return self.style2(self.refine(x), codes[:, 1], noise[1] if noise else None, self.index)


class StyledNoise(nn.Module):
    """y = AdaIN(lrelu(x + u n + b), c)."""

    def __init__(self, channels: int, style_dim: int) -> None:
        super().__init__()
        self.noise = ScaledNoise(channels)
        self.bias = nn.Parameter(torch.zeros(channels, 1, 1))
        self.adain = AdaIN(channels, style_dim)

    def forward(self, x: Tensor, code: Tensor, noise: Tensor | None, index: int) -> Tensor:
        x = with_bump(x, index) if noise is None else self.noise(x, noise)
        return self.adain(leaky_relu(x + self.bias.to(x.dtype)), code)


def with_bump(x: Tensor, index: int) -> Tensor:
    """y = x + 0.8 v exp(-x^2 / (2 v^2)) / sqrt(2 pi), v = sqrt(i + 1): in place of noise in block i.

    It is in the authors' code (https://github.com/podgorskiy/ALAE, ``noise=False``), not in the paper.
    """
    width = math.sqrt(index + 1.0)
    return x + (0.8 * width / math.sqrt(2.0 * math.pi)) * torch.exp(x.square() * (-0.5 / width**2))


class ALAEEncoder(nn.Module):
    """E: w = sum over layers of A_l [mean(x_l), std(x_l)] (Figure 2).

    While the blocks of a side fade in by t, their part of w is multiplied by t, and the maps that they hand on are
    lerp(from_rgb(halved picture), their maps, t).
    """

    def __init__(self, config: ALAEConfig) -> None:
        super().__init__()
        self.blocks, self.from_rgb = nn.ModuleList(), nn.ModuleList()
        below = config.bottom_channels or config.channels[4]
        for side in config.sides:
            width = config.channels[side]
            self.blocks.append(EncodingBlock(width, below, config.style_dim))
            self.from_rgb.append(EqualisedConv(3, width, 1, bias_gain=1.0))
            below = width

    def forward(self, image: Tensor, level: float = 0.0, recompute: bool = False) -> Tensor:
        w: Tensor
        first = len(self.blocks) - 1 - math.floor(level)
        new = 1.0 - (level - math.floor(level))
        x, w = run_block(self.blocks[first], self._read(first, image), recompute=recompute)
        if new < 1.0:
            x = torch.lerp(self._read(first - 1, F.avg_pool2d(image, 2)).to(x.dtype), x, new)
            w = new * w
        for index in reversed(range(first)):
            x, more = run_block(self.blocks[index], x, recompute=recompute)
            w = w + more
        return w

    def _read(self, index: int, image: Tensor) -> Tensor:
        """The first maps of a picture. The activation comes twice, as in the authors' code."""
        return leaky_relu(self.from_rgb[index](image))


class EncodingBlock(nn.Module):
    """One resolution of E: maps [N, C, H, W] -> maps [N, E, H / 2, W / 2] and their part of w, [N, D]."""

    def __init__(self, channels_in: int, channels_out: int, style_dim: int) -> None:
        super().__init__()
        self.conv1 = EqualisedConv(channels_in, channels_in, 3, bias_gain=1.0)
        self.conv2 = EqualisedConv(channels_in, channels_out, 3, resampling="mean_halve", bias_gain=1.0)
        self.style1 = EqualisedLinear(2 * channels_in, style_dim, gain=ACTIVATION_GAIN, bias_gain=1.0)
        self.style2 = EqualisedLinear(2 * channels_out, style_dim, gain=ACTIVATION_GAIN, bias_gain=1.0)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = self.conv1(x)
        w = mapped_statistics(self.style1, x)
        x = instance_norm(x, ENCODER_EPSILON)
        x = self.conv2(fir_filter(x, padding=1, taps=BLUR_TAPS))
        w = w + mapped_statistics(self.style2, x)
        return instance_norm(x, ENCODER_EPSILON), w


def mapped_statistics(linear: nn.Module, x: Tensor) -> Tensor:
    """A [mean(x), std(x)] of maps [N, C, H, W], [N, D], at least float32."""
    with torch.autocast(x.device.type, enabled=False):
        mean, variance = instance_statistics(x)
        deviation = variance.clamp(min=_SMALLEST_VARIANCE).sqrt()
        return linear(torch.cat([mean, deviation], dim=1).flatten(1))


class ALAEDiscriminator(nn.Module):
    """D: w [N, D] -> score [N, 1], linear layers without activation; ``D(E(x))`` is the score of a picture."""

    def __init__(self, config: ALAEDiscriminatorConfig) -> None:
        super().__init__()
        self.config = config
        widths = [config.style_dim] * config.num_layers + [1]
        self.layers = nn.ModuleList(
            EqualisedLinear(width_in, width_out, MAPPING_RATE, gain=ACTIVATION_GAIN, bias_gain=1.0)
            for width_in, width_out in itertools.pairwise(widths)
        )

    def forward(self, w: Tensor) -> Tensor:
        """In float32 under autocast."""
        with torch.autocast(w.device.type, enabled=False):
            w = widened(w)
            for layer in self.layers:
                w = layer(w)
        return w


ARCHITECTURE = Architecture(ALAEConfig, ALAEGenerator, ALAEDiscriminatorConfig, ALAEDiscriminator)
