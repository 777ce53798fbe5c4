"""Renderer: fused feature map -> RGB and segmentation (Section 3 of arXiv 2112.02236).

A StyleGAN2 synthesis network whose convolutions have learned scales in place of styles, with two skip outputs.

Shape legend: N images, K regions, F channels of the fused feature map, C channels of a block, s side of the
coarse grid, S side of the picture, H = W side of the current map.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from semanticgan.networks.kernels.resampling import fir_upsample
from semanticgan.networks.layers import (
    ACTIVATION_GAIN,
    ModulatedConv,
    NoisyConv,
    OutputHead,
    average_pool_to,
    leaky_relu,
    run_block,
    widened,
)
from semanticgan.networks.noise import StoredNoise


class RendererOutput(NamedTuple):
    image: Tensor  # [N, 3, S, S], about [-1, 1]
    segmentation: Tensor  # [N, K, S, S], about [-1, 1]


class Renderer(StoredNoise):
    """f -> RGB and segmentation (the render net of Section 3 of arXiv 2112.02236).

    x_0 = f pooled to the first side, x_i = block_i(x_(i-1)); where x_(i-1) has the side s, f is concatenated to it.
    Outputs o_i = up(o_(i-1)) + heads_i(x_i), the skip generator of arXiv 1912.04958, Figure 7; 2m - 1 is added to the
    segmentation where it has the side s (residual refinement).

    Args:
        feature_channels: F.
        num_regions: K.
        coarse_size: s, the side at which f and the coarse masks come in.
        min_feature_size: side that f is pooled to before the first block.
        size: S.
        channels: width of the block that puts out a side, by that side.
        residual_segmentation: add 2m - 1 to the segmentation where it reaches s ("residual refinement").
        label_channels: width of the label network; 0 is none, as in the paper.
        label_size: side at which the label network adds to the segmentation; 0 is S. It reads the maps of this side
            and of the side before.
    """

    def __init__(
        self,
        feature_channels: int,
        num_regions: int,
        coarse_size: int,
        min_feature_size: int,
        size: int,
        channels: Mapping[int, int],
        residual_segmentation: bool,
        label_channels: int = 0,
        label_size: int = 0,
    ) -> None:
        super().__init__()
        self.coarse_size, self.min_feature_size, self.size = coarse_size, min_feature_size, size
        self.residual_segmentation, self.label_size = residual_segmentation, label_size or size
        self.recompute = False  # in training: compute blocks again for their gradients rather than keep all maps
        self.blocks = nn.ModuleList()
        noise_sides: list[int] = []
        width, side = feature_channels, min_feature_size
        label_widths = (width, width)
        while side < size:
            width_before = width
            width_in = width + feature_channels if side == coarse_size else width
            side *= 2
            width = channels[side]
            self.blocks.append(RendererBlock(width_in, width, num_regions))
            noise_sides += [side, side]
            if side == self.label_size:
                label_widths = (width, width_before)
        self.label_network = LabelNetwork(*label_widths, label_channels, num_regions) if label_channels else None
        self.store_noise(noise_sides)

    def forward(self, feature: Tensor, mask: Tensor, noise: Sequence[Tensor]) -> RendererOutput:
        """Args: feature [N, F, s, s]; mask [N, K, s, s] coarse masks m in [0, 1]; noise one map a convolution."""
        feature = feature.contiguous(memory_format=torch.channels_last)
        x = average_pool_to(feature, self.min_feature_size)
        outputs = None
        if self.residual_segmentation and self.min_feature_size == self.coarse_size:
            outputs = self._residual(mask)
        for index, block in enumerate(self.blocks):
            before = x
            if x.shape[-1] == self.coarse_size:
                x = torch.cat([x, feature.to(x.dtype)], dim=1)
            x, addition = run_block(block, x, noise[2 * index : 2 * index + 2], recompute=self.recompute)
            with torch.autocast(x.device.type, enabled=False):  # the sum over sides is kept in float32
                addition = widened(addition)
                outputs = addition if outputs is None else fir_upsample(outputs).add_(addition)
                if self.residual_segmentation and x.shape[-1] == self.coarse_size:
                    outputs = outputs + self._residual(mask)
            if self.label_network is not None and x.shape[-1] == self.label_size:
                labels = widened(run_block(self.label_network, x, before, recompute=self.recompute))
                if x.shape[-1] == self.size:
                    return RendererOutput(outputs[:, :3], outputs[:, 3:] + labels)
                outputs = outputs + F.pad(labels, (0, 0, 0, 0, 3, 0))
        assert outputs is not None
        return RendererOutput(outputs[:, :3], outputs[:, 3:])

    @staticmethod
    def _residual(mask: Tensor) -> Tensor:
        """2m - 1 on the segmentation channels and nothing on RGB, [N, 3 + K, s, s]."""
        residual = F.pad(2.0 * mask - 1.0, (0, 0, 0, 0, 3, 0))
        return residual.contiguous(memory_format=torch.channels_last)


class RendererBlock(nn.Module):
    """Doubles the side: x' = conv(up_conv(x)), then the additions to both outputs, linear in x'.

    (arXiv 1912.04958, Figure 2c and Figure 7.)
    """

    def __init__(self, channels_in: int, channels_out: int, num_regions: int) -> None:
        super().__init__()
        self.upsample = NoisyConv(channels_in, channels_out, upsample=True)
        self.refine = NoisyConv(channels_out, channels_out)
        self.to_rgb = OutputHead(channels_out, 3)
        self.to_segmentation = OutputHead(channels_out, num_regions)

    def forward(self, x: Tensor, noise: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """x [N, C, H, W] -> the map [N, C', 2H, 2W] and its addition to RGB and segmentation, [N, 3 + K, 2H, 2W]."""
        return self.refined(self.upsample(x, noise[0]), noise[1])

    def refined(self, x: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """The upsampled map [N, C', 2H, 2W] -> what :meth:`forward` returns."""
        x = self.refine(x, noise)
        heads = (self.to_rgb, self.to_segmentation)  # read in one convolution
        weight = torch.cat([head.conv.effective_weight() for head in heads])
        bias = torch.cat([head.bias for head in heads])
        return x, F.conv2d(x, weight, bias)


FASTER = 10.0
"""Learning rate of the label network's convolutions, times that of the rest."""


class LabelNetwork(nn.Module):
    """What the output heads' segmentation lacks, from two maps: two 3x3 convolutions and a 1x1.

    The picture's heads and the segmentation's are linear in the same map, but what a pixel shows is no linear function
    of what draws it. (Ours; the paper has the linear heads alone.) It begins as 0.

    Beside a generator that is trained already it has to catch up, and its convolutions learn ten times as fast: what is
    stored of their weights is a tenth of the usual (which demodulation makes up for) or weighs ten times as much.
    """

    def __init__(self, channels_in: int, channels_before: int, width: int, num_regions: int) -> None:
        super().__init__()
        self.from_last = ModulatedConv(channels_in, width, 3)
        self.from_before = ModulatedConv(channels_before, width, 3)
        self.mix = ModulatedConv(width, width, 3)
        self.to_segmentation = OutputHead(width, num_regions)
        self.bias = nn.Parameter(torch.zeros(2, width))
        with torch.no_grad():
            for conv in (self.from_last, self.from_before, self.mix):
                conv.weight.div_(FASTER)
            self.to_segmentation.conv.weight.zero_()
            self.to_segmentation.conv.scale.fill_(FASTER)

    def forward(self, last: Tensor, before: Tensor) -> Tensor:
        """Maps [N, C, S, S] and [N, B, S/2, S/2] -> what is added to the segmentation, [N, K, S, S]."""
        x = F.interpolate(self.from_before(before, gain=ACTIVATION_GAIN), scale_factor=2, mode="bilinear")
        x = x + self.from_last(last, gain=ACTIVATION_GAIN, bias=self.bias[0] * ACTIVATION_GAIN)
        x = leaky_relu(self.mix(leaky_relu(x), gain=ACTIVATION_GAIN, bias=self.bias[1] * ACTIVATION_GAIN))
        return self.to_segmentation.conv(x, bias=self.to_segmentation.bias)
