"""Dual-branch discriminator: the joint distribution of pictures and segmentations (Section 3 of arXiv 2112.02236).

Shape legend: N images, K regions, S side of the picture, C channels, H W sides, g group size, m groups.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from einops import rearrange
from torch import Tensor, nn

from semanticgan.errors import InputError
from semanticgan.networks.config import DiscriminatorConfig
from semanticgan.networks.layers import EqualisedConv, EqualisedLinear, run_block, widened
from semanticgan.wrong_arguments import require_type


class Discriminator(nn.Module):
    """Scores a picture, alone or together with its segmentation (Section 3 of arXiv 2112.02236).

    D(x, y) = score(conv(deviation(b_x(x) + b_y(y)))) with a branch b for the picture x and one for the segmentation y;
    b_y(y) is left out where there is no segmentation. "deviation" appends :func:`minibatch_deviation`.
    """

    def __init__(self, config: DiscriminatorConfig) -> None:
        super().__init__()
        require_type("a discriminator's config", config, DiscriminatorConfig, "a DiscriminatorConfig")
        self.config = config
        width = config.channels[4]
        self.image_branch = Branch(3, config.size, config.channels)
        self.segmentation_branch = Branch(config.num_regions, config.size, config.segmentation_channels)
        self.final_conv = EqualisedConv(width + 1, width, 3)
        self.final_linear = EqualisedLinear(width * 16, width, activated=True)
        self.score = EqualisedLinear(width, 1)

    def forward(self, image: Tensor, segmentation: Tensor | None = None, num_sets: int = 1) -> Tensor:
        """Score pictures, [N, 1].

        Args:
            image: [N, 3, S, S].
            segmentation: [N, K, S, S], or None for the picture branch alone.
            num_sets: equal sets in a row that are scored as if each came alone; one pass is faster than several.

        Raises:
            InputError: a shape that does not fit.
        """
        self._require_shape("image", image, 3)
        if segmentation is not None:
            self._require_shape("segmentation", segmentation, self.config.num_regions)
        x = self.image_branch(image)
        if segmentation is not None:
            x = x + self.segmentation_branch(segmentation)
        x = self.final_conv(torch.cat([minibatch_deviation(images) for images in x.chunk(num_sets)]))
        with torch.autocast(x.device.type, enabled=False):
            return self.score(self.final_linear(widened(x).contiguous().flatten(1)))

    def _require_shape(self, name: str, given: Tensor, channels: int) -> None:
        shape = (channels, self.config.size, self.config.size)
        axes = ", ".join(map(str, shape))
        require_type(name, given, Tensor, f"a torch.Tensor [N, {axes}]")
        if given.ndim != 4 or tuple(given.shape[1:]) != shape:
            raise InputError(f"{name} has the shape [N, {axes}] here, got {list(given.shape)}.")


class Branch(nn.Module):
    """[N, C, S, S] -> [N, C', 4, 4]: a 1x1 convolution, then residual blocks (arXiv 1912.04958, Figure 7)."""

    def __init__(self, channels_in: int, size: int, channels: Mapping[int, int]) -> None:
        super().__init__()
        self.recompute = False  # in training: compute blocks again for their gradients rather than keep all maps
        self.stem = EqualisedConv(channels_in, channels[size], 1)
        self.blocks = nn.ModuleList()
        while size > 4:
            self.blocks.append(ResidualBlock(channels[size], channels[size // 2]))
            size //= 2

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x.contiguous(memory_format=torch.channels_last))
        for block in self.blocks:
            x = run_block(block, x, recompute=self.recompute)
        return x

    def freeze(self, num_blocks: int) -> None:
        """Keep the stem and the first blocks as they are (FreezeD, Mo et al. 2020, arXiv 2002.10964); 0 is none."""
        if num_blocks:
            self.stem.requires_grad_(False)
        for block in self.blocks[:num_blocks]:
            block.requires_grad_(False)


class ResidualBlock(nn.Module):
    """Halves the side: y = (down_conv(conv(x)) + down_skip(x)) / sqrt(2), 3x3 and 1x1 (arXiv 1912.04958, Figure 7)."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.conv1 = EqualisedConv(channels_in, channels_in, 3)
        self.conv2 = EqualisedConv(channels_in, channels_out, 3, resampling="fir_halve")
        self.skip = EqualisedConv(channels_in, channels_out, 1, resampling="fir_halve", bias=False, activated=False)

    def forward(self, x: Tensor) -> Tensor:
        sum_of_both: Tensor = self.conv2(self.conv1(x)) + self.skip(x)
        return sum_of_both * math.sqrt(0.5)


def minibatch_deviation(x: Tensor, max_group: int = 4) -> Tensor:
    """Standard deviation over groups of images, averaged over features and pixels, as one more channel.

    mean_chw sqrt(var_g(x_gmchw) + 1e-8) for group m, the variance biased.
    Image i belongs to the group of all images equal to it modulo N / group size (Karras et al. 2017,
    arXiv 1710.10196, Section 3). The group size is the largest divisor of N up to ``max_group``.
    """
    num_images, _, height, width = x.shape
    group = next(size for size in range(min(max_group, num_images), 0, -1) if num_images % size == 0)
    grouped = rearrange(widened(x), "(g m) c h w -> g m c h w", g=group)
    deviation = (grouped.var(0, unbiased=False) + 1e-8).sqrt().mean((1, 2, 3))  # [N / group]
    deviation = deviation.repeat(group).view(num_images, 1, 1, 1).expand(-1, 1, height, width)
    return torch.cat([x, deviation.to(x.dtype)], dim=1)
