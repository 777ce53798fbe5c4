"""A discriminator grown to a larger picture: at first it scores a picture as its start scores it, made smaller.

A branch of the start begins with stem(y) = lrelu(V y + v), a 1x1 convolution. A grown branch begins with a new stem and
a new block of side 2S -> S, of which

    new stem   h = lrelu(x + c) = x + c                where x > -c
    conv1      h                                       its middle tap is 1
    conv2      lrelu(V (down(h) - c) + v) sqrt(2)      the FIR filter before it and its taps are down
    skip       0
    block      (conv2 + skip) / sqrt(2) = stem(down(x))

in as many channels as the picture or segmentation has. Channels beyond these begin random, and conv2 does not read
them yet; all weights learn from the second step on. The score is that of the start of down(x), to rounding, but at the
border, where down takes -c for what lies outside.

Nothing is faded in (as arXiv 1710.10196 does): that begins with the plain FIR filter for down, which measured worse.
Root mean square of D'(x) - D(y) for portraits-64 grown to 128 pixels, 32 pictures each; y generated and x = up(y) as
the renderer enlarges, or y real, drawn at 64 pixels, and x the same drawn at 128:

    taps                generated    real    generated, in bfloat16 against float32
    -0.5, 2, -0.5         0.16       0.09    0.01
    -1, 3, -1             0.04       0.23    0.10
    0, 1, 0               0.28       0.39    0.01
    a random block        8.8       10.6

D scores generated portraits -0.95 +- 0.51 and real ones 0.71 +- 1.04.

Shape legend: N images, C E channels in and out, S side of the picture.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from semanticgan.errors import InputError
from semanticgan.networks.config import DiscriminatorConfig
from semanticgan.networks.discriminator import Branch, Discriminator, ResidualBlock
from semanticgan.networks.layers import EqualisedConv
from semanticgan.surgery.growth import built, carry, grown_widths, new_sides, origins, require_kept

OFFSET = 1.0
"""c. Pictures and segmentations lie about [-1, 1]; what is below -1 counts a 25th. 2 measured the same."""

DOWN_TAPS = (-0.5, 2.0, -0.5)
"""With the FIR filter [1, 3, 3, 1] / 8 they are [-1, 1, 8, 8, 1, -1] / 16, which keeps what up and down blur."""


def grown_discriminator_config(
    config: DiscriminatorConfig,
    size: int,
    channels: Mapping[int, int] | None = None,
    segmentation_channels: Mapping[int, int] | None = None,
) -> DiscriminatorConfig:
    """The config of a discriminator grown to a larger size.

    Args:
        config: of the start.
        size: new side of the picture, a power of two.
        channels: widths of the picture branch at new sides; where they are not given, half of the width at the side
            before, but no less than 16 or, if it is less, that width.
        segmentation_channels: the same of the segmentation branch, and no less than K, rounded up to a multiple of 8.

    Raises:
        InputError: a size that is not larger or no power of two, or another width at a side of the start.
    """
    sides = new_sides(config.size, size)
    least = 8 * math.ceil(config.num_regions / 8)
    widths = grown_widths("segmentation_channels", config.segmentation_channels, sides, segmentation_channels, least)
    return dataclasses.replace(
        config,
        size=size,
        channels=grown_widths("channels", config.channels, sides, channels, 3),
        segmentation_channels=widths,
    )


@torch.no_grad()
def grow_discriminator(discriminator: Discriminator, config: DiscriminatorConfig, seed: int = 0) -> Discriminator:
    """A discriminator of a larger picture, which it first scores as ``discriminator`` scores the picture made smaller.

    Args:
        discriminator: the start, which stays as it is.
        config: as :func:`grown_discriminator_config` makes it.
        seed: of the new weights that are random.

    Raises:
        InputError: a config that differs in more than its size and widths at new sides, or whose new widths are less
            than the number of channels that they pass on.
    """
    new_sides(discriminator.config.size, config.size)
    own = discriminator.config
    require_kept("discriminator", _kept(own, own), _kept(config, own))
    grown = built(Discriminator, config, seed)
    carry(discriminator, grown, origins(discriminator, grown))
    for name in ("image_branch", "segmentation_branch"):
        start, branch = discriminator.get_submodule(name), grown.get_submodule(name)
        assert isinstance(start, Branch) and isinstance(branch, Branch)
        branch.recompute = start.recompute
        _begin(branch, start)
    return grown


def _kept(config: DiscriminatorConfig, start: DiscriminatorConfig) -> dict[str, object]:
    """What growing does not change."""
    return {"num_regions": config.num_regions} | {
        f"{name} at side {side}": widths[side]
        for name in ("channels", "segmentation_channels")
        for widths in [getattr(config, name)]
        for side in widths
        if side <= start.size
    }


def _begin(branch: Branch, start: Branch) -> None:
    """Give the stem and the new blocks of a branch what the module's docstring says."""
    stem = start.stem
    weight, bias = stem.weight[:, :, 0, 0] * stem.weight_gain, _bias_of(stem) * stem.bias_gain  # V [E, C], v [E]
    passed = torch.eye(weight.shape[1], device=weight.device, dtype=weight.dtype)
    offset = torch.full_like(passed[0], OFFSET)
    for block in reversed(branch.blocks[: len(branch.blocks) - len(start.blocks)]):
        assert isinstance(block, ResidualBlock)
        _begin_block(block, weight, bias)
        weight, bias = passed, offset
    _set(branch.stem, passed[:, :, None, None], offset)


def _begin_block(block: ResidualBlock, weight: Tensor, bias: Tensor) -> None:
    """lrelu(x + c) [N, C', 2H, 2W] -> lrelu(weight down(x) + bias) [N, E, H, W] in the first E channels."""
    num_passed = weight.shape[1]
    if block.conv1.weight.shape[0] < num_passed:
        raise InputError(
            f"a new block of the discriminator has at least the {num_passed} channels that it passes on, got "
            f"{block.conv1.weight.shape[0]}. Give a larger width, or use grown_discriminator_config."
        )
    middle = torch.zeros(num_passed, num_passed, 3, 3, device=weight.device, dtype=weight.dtype)
    middle[:, :, 1, 1] = torch.eye(num_passed, device=weight.device, dtype=weight.dtype)
    _set(block.conv1, middle, torch.zeros_like(weight[0]))
    taps = torch.tensor(DOWN_TAPS, device=weight.device, dtype=weight.dtype)
    root = math.sqrt(2.0)
    _set(block.conv2, root * weight[:, :, None, None] * torch.outer(taps, taps), root * (bias - OFFSET * weight.sum(1)))
    block.skip.weight[: len(weight)] = 0.0


def _set(conv: EqualisedConv, weight: Tensor, bias: Tensor) -> None:
    """Weights [E, C, k, k] and biases [E] in effect of the first E channels out; from channels beyond C nothing."""
    rows, channels = weight.shape[:2]
    conv.weight[:rows] = 0.0
    conv.weight[:rows, :channels] = weight / conv.weight_gain
    _bias_of(conv)[:rows] = bias / conv.bias_gain


def _bias_of(conv: EqualisedConv) -> nn.Parameter:
    assert conv.bias is not None
    return conv.bias
