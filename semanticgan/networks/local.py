"""Local generators: coordinates -> hidden state and pseudo-depth of every region (Section 3 of arXiv 2112.02236).

The K local generators are equal MLPs with own weights, so they are computed together: weights are stacked over
regions, modulated and demodulated per image and region, and applied as one batched product a layer. The linear
feature head f_k is left to ``fusion.py``, where head and fusion are one product.

Shape legend: N images, K regions, D style width, L layers, C channels of a local generator, s side of the
coarse grid, P = s * s points, Q Fourier features, M = N K pairs of image and region.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from semanticgan.networks.layers import ACTIVATION_GAIN, demodulated, leaky_relu, widened

STATES_IN_CACHE = 2**19
"""Bytes of hidden states that a thread works on at once without gradients; they stay in a core's second cache."""


class LocalOutput(NamedTuple):
    """What the local generators put out, all regions together."""

    hidden: Tensor  # [N, K, C, P], the state after the last layer
    depth: Tensor  # [N, K, P], pseudo-depth d_k; 0 for the background


class AffineMap(NamedTuple):
    """x [M, C, P] -> weight x + bias, M pairs of image and region with their own each."""

    weight: Tensor  # [M, E, C]
    bias: Tensor  # [M, E, 1]

    def of(self, pairs: slice) -> AffineMap:
        return AffineMap(self.weight[pairs], self.bias[pairs])

    def to(self, dtype: torch.dtype) -> AffineMap:
        return AffineMap(self.weight.to(dtype), self.bias.to(dtype))


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
    """One layer of all local generators, modulated and demodulated by the codes; no noise. Its activation comes after.

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

    def forward(self, code: Tensor, regions: list[int] | None = None) -> AffineMap:
        """The layer of every image and region, M = N K. Args: code [N, K, D]; regions, which K these are."""
        own = slice(None) if regions is None else regions
        with torch.autocast(code.device.type, enabled=False):
            style_weight = self.style_weight[own] * self.style_gain
            style = torch.einsum("nkd,kcd->nkc", widened(code), style_weight) + self.style_bias[own]
            weight = (self.weight[own] * self.weight_gain) * style.unsqueeze(-2)  # [N, K, C', C]
            weight = demodulated(weight, (-1,))
            bias = (self.bias[own] * ACTIVATION_GAIN).expand(len(code), -1, -1)
            return AffineMap((weight * ACTIVATION_GAIN).flatten(0, 1), bias.reshape(-1, bias.shape[-1], 1))


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
        num_images, num_regions = codes.shape[:2]
        points = self.embed(coordinates).expand(num_images, num_regions, -1, -1).flatten(0, 1)  # [M, C, P]
        # Rounded here, once: autocast would round each layer again for every few pairs below.
        layers = [layer(codes[:, :, index], regions).to(points.dtype) for index, layer in enumerate(self.layers)]
        head = self._depth_head(num_images, regions)
        if torch.is_grad_enabled() or points.device.type != "cpu":
            hidden, depth = self._run(points, layers, head)
        else:  # a few pairs at a time: what a layer writes is still in the cache when the next one reads it
            state = points.shape[1] * points.shape[2] * points.element_size()
            step = torch.get_num_threads() * max(1, STATES_IN_CACHE // state)
            images = range(0, num_images * num_regions, num_regions)
            few = [
                slice(image + region, image + min(region + step, num_regions))
                for image in images
                for region in range(0, num_regions, step)
            ]
            runs = [self._run(points[pairs], [layer.of(pairs) for layer in layers], head.of(pairs)) for pairs in few]
            hidden, depth = (torch.cat(part) for part in zip(*runs, strict=True))
        return LocalOutput(hidden.unflatten(0, (num_images, -1)), depth.unflatten(0, (num_images, -1)))

    def _run(self, x: Tensor, layers: list[AffineMap], head: AffineMap) -> tuple[Tensor, Tensor]:
        """Points [M, C, P] -> hidden state [M, C, P] after the last layer and pseudo-depth [M, P] in float32."""
        depth = x.new_zeros(())
        for index, layer in enumerate(layers, start=1):
            x = leaky_relu(torch.baddbmm(layer.bias, layer.weight, x))
            if index == self.num_structure_layers:
                with torch.autocast(x.device.type, enabled=False):
                    depth = widened(torch.bmm(head.weight.to(x.dtype), x)) + head.bias
        return x, depth.squeeze(-2)

    def _depth_head(self, num_images: int, regions: list[int] | None) -> AffineMap:
        """The heads of d_k, E = 1; the background has none and lies at depth 0."""
        own = slice(None) if regions is None else regions
        weight = F.pad(self.depth_head.effective_weight(), (0, 0, 0, 0, 1, 0))[own]  # [K, 1, C]
        bias = F.pad(self.depth_head.bias.unsqueeze(-1), (0, 0, 0, 0, 1, 0))[own]  # [K, 1, 1]
        return AffineMap(*(part.expand(num_images, -1, -1, -1).flatten(0, 1) for part in (weight, bias)))
