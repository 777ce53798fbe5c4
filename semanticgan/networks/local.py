"""Local generators: coordinates -> hidden state and pseudo-depth of every region (Section 3.2 of arXiv 2112.02236).

The K local generators are equal MLPs with own weights, so they are computed together: weights are stacked over
regions, modulated and demodulated per image and region, and applied as one batched product a layer. The linear
feature head f_k is left to ``fusion.py``, where head and fusion are one product.

Shape legend: N images, K regions, D style width, L layers, C channels of a local generator, s side of the
coarse grid, P = s * s points, Q Fourier features.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from semanticgan.networks.layers import ACTIVATION_GAIN, DEMODULATION_EPSILON, leaky_relu, widened


class LocalOutput(NamedTuple):
    """What the local generators put out, all regions together."""

    hidden: Tensor  # [N, K, C, P], the state after the last layer
    depth: Tensor  # [N, K, P], pseudo-depth d_k; 0 for the background


def fourier_features(coordinates: Tensor, num_frequencies: int) -> Tensor:
    """[x, y] followed, for f = 2^0 .. 2^(num_frequencies - 1), by sin(f (x, y)) and cos(f (x, y)).

    Args:
        coordinates: [..., 2], x to the right and y down, the picture spanning -1..1.

    Returns:
        [..., 2 + 4 num_frequencies].
    """
    frequencies = 2.0 ** torch.arange(num_frequencies, dtype=coordinates.dtype, device=coordinates.device)
    angles = coordinates.unsqueeze(-2) * frequencies.unsqueeze(-1)  # [..., frequencies, 2]
    waves = torch.cat([angles.sin(), angles.cos()], dim=-1).flatten(-2)
    return torch.cat([coordinates, waves], dim=-1)


def coordinate_grid(side: int) -> Tensor:
    """The grid that regions are drawn on, [side, side, 2]: x and y each linspace(-1, 1, side), both ends included."""
    line = torch.linspace(-1.0, 1.0, side)
    y, x = torch.meshgrid(line, line, indexing="ij")
    return torch.stack([x, y], dim=-1)


class StackedModulatedLinear(nn.Module):
    """One layer of all local generators: modulate, demodulate, add bias, activate; no noise.

    Parameters are stacked over regions: weight [K, C', C], style_weight [K, C, D], style_bias [K, C], bias [K, C'].
    """

    def __init__(self, num_regions: int, style_dim: int, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(num_regions, channels, channels))
        self.style_weight = nn.Parameter(torch.randn(num_regions, channels, style_dim))
        self.style_bias = nn.Parameter(torch.ones(num_regions, channels))
        self.bias = nn.Parameter(torch.zeros(num_regions, channels))
        self.weight_gain = 1.0 / math.sqrt(channels)
        self.style_gain = 1.0 / math.sqrt(style_dim)

    def forward(self, x: Tensor, code: Tensor, regions: list[int] | None = None) -> Tensor:
        """Args: x [N, K, C, P] or [1, 1, C, P]; code [N, K, D]; regions, which K these are. Returns [N, K, C, P]."""
        num_images, num_regions, _ = code.shape
        own = slice(None) if regions is None else regions
        with torch.autocast(code.device.type, enabled=False):
            style_weight = self.style_weight[own] * self.style_gain
            style = torch.einsum("nkd,kcd->nkc", widened(code), style_weight) + self.style_bias[own]
            weight = (self.weight[own] * self.weight_gain) * style.unsqueeze(-2)  # [N, K, C', C]
            weight = weight * torch.rsqrt(weight.square().sum(-1, keepdim=True) + DEMODULATION_EPSILON)
            weight = weight * ACTIVATION_GAIN
            bias = self.bias[own] * ACTIVATION_GAIN
        channels, points = x.shape[-2:]
        x = x.expand(num_images, num_regions, channels, points).reshape(-1, channels, points)
        bias = bias.unsqueeze(-1).expand(num_images, -1, -1, 1).reshape(-1, channels, 1)
        x = torch.baddbmm(bias, weight.reshape(-1, channels, channels), x)
        return leaky_relu(x).view(num_images, num_regions, channels, points)


class ScaledHead(nn.Module):
    """Linear heads of several regions with a learned per-input-channel scale in place of a style.

    Parameters: weight [K, E, C], scale [K, C], bias [K, E].
    """

    def __init__(self, num_regions: int, channels: int, channels_out: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(num_regions, channels_out, channels))
        self.scale = nn.Parameter(torch.ones(num_regions, channels))
        self.bias = nn.Parameter(torch.zeros(num_regions, channels_out))
        self.weight_gain = 1.0 / math.sqrt(channels)

    def effective_weight(self) -> Tensor:
        """[K, E, C]"""
        return self.weight * (self.weight_gain * self.scale.unsqueeze(-2))


class LocalGenerators(nn.Module):
    """g_k for k = 0 .. K-1: L modulated layers from Fourier features; the pseudo-depth follows the structure layers."""

    fourier: Tensor

    def __init__(
        self,
        num_regions: int,
        style_dim: int,
        channels: int,
        num_layers: int,
        num_structure_layers: int,
        coarse_size: int,
        num_frequencies: int,
    ) -> None:
        super().__init__()
        self.num_frequencies = num_frequencies
        self.num_structure_layers = num_structure_layers
        num_features = 2 + 4 * num_frequencies
        self.fourier_weight = nn.Parameter(torch.randn(channels, num_features))
        self.fourier_gain = 1.0 / math.sqrt(num_features)
        self.layers = nn.ModuleList(StackedModulatedLinear(num_regions, style_dim, channels) for _ in range(num_layers))
        self.depth_head = ScaledHead(num_regions - 1, channels, 1)
        grid = fourier_features(coordinate_grid(coarse_size).double(), num_frequencies).float()
        self.register_buffer("fourier", grid.flatten(0, 1).T.contiguous(), persistent=False)  # [Q, P]

    def embed(self, coordinates: Tensor | None = None) -> Tensor:
        """Learned embedding of the coordinates, [1, 1, C, P], or [N, K, C, P] for coordinates [N, K, s, s, 2]."""
        weight = self.fourier_weight * self.fourier_gain
        if coordinates is None:
            return (weight @ self.fourier)[None, None]
        features = fourier_features(coordinates.flatten(2, 3), self.num_frequencies)  # [N, K, P, Q]
        return (features @ weight.T).transpose(-1, -2)

    def forward(
        self, codes: Tensor, coordinates: Tensor | None = None, regions: list[int] | None = None
    ) -> LocalOutput:
        """Run local generators.

        Args:
            codes: [N, K, L, D], one code a region and layer.
            coordinates: [N, K, s, s, 2] moves regions; None is the regular grid.
            regions: labels of the regions that ``codes`` and ``coordinates`` hold and that run; None is all of them.
        """
        if len(codes) > 1 and codes.device.type == "cpu" and not torch.is_grad_enabled():
            # One image after the other: what a layer writes is still in the cache when the next one reads it.
            places = [None] * len(codes) if coordinates is None else coordinates.split(1)
            outputs = [self(code, place, regions) for code, place in zip(codes.split(1), places, strict=True)]
            return LocalOutput(*(torch.cat(parts) for parts in zip(*outputs, strict=True)))
        hidden = self.embed(coordinates)
        depth = codes.new_zeros(())
        for index, layer in enumerate(self.layers, start=1):
            hidden = layer(hidden, codes[:, :, index - 1], regions)
            if index == self.num_structure_layers:
                depth = self._depth(hidden, regions)
        return LocalOutput(hidden, depth)

    def _depth(self, hidden: Tensor, regions: list[int] | None) -> Tensor:
        """d_k [N, K, P] in float32; the background has no head and lies at depth 0."""
        weight, bias = self.depth_head.effective_weight(), self.depth_head.bias  # [K-1, 1, C], [K-1, 1]
        with torch.autocast(hidden.device.type, enabled=False):
            if regions is None:
                depth = widened(torch.matmul(weight.to(hidden.dtype), hidden[:, 1:])).squeeze(-2) + bias
                return torch.cat([torch.zeros_like(depth[:, :1]), depth], dim=1)
            heads = [label - 1 for label in regions]  # the background's reads some head, and is set to 0 below
            depth = widened(torch.matmul(weight[heads].to(hidden.dtype), hidden)).squeeze(-2) + bias[heads]
            foreground = torch.tensor([label > 0 for label in regions], device=hidden.device)
        return depth * foreground.unsqueeze(-1)
