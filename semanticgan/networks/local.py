"""Local generators: coordinates -> hidden state and pseudo-depth of every region (Section 3 of arXiv 2112.02236).

The K local generators are equal MLPs with own weights, so they are computed together: weights are stacked over
regions, modulated and demodulated per image and region, and applied as one batched product a layer. Points are rows:
so these products run fastest. The linear feature head f_k is left to ``fusion.py``, where head and fusion are one
product.

Shape legend: N images, K regions, D style width, L layers, C channels of a local generator, E channels out, s side of
the coarse grid, P = s * s points, Q Fourier features, M = N K pairs of image and region.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from semanticgan.networks.kernels.pairs import few_at_a_time
from semanticgan.networks.layers import ACTIVATION_GAIN, demodulated, leaky_relu, widened


class LocalOutput(NamedTuple):
    """What the local generators put out, all regions together."""

    hidden: Tensor  # [N, K, P, C], the state after the last layer
    depth: Tensor  # [N, K, P], pseudo-depth d_k; 0 for the background


class LocalGenerators(nn.Module):
    """g_k for k = 0 .. K-1: L modulated layers from Fourier features; the pseudo-depth follows the structure layers.

    h_0 = A q(x, y), h_l = sqrt(2) lrelu(W_kl(w_kl) h_(l-1) + b_kl), d_k = c_k h_S + e_k with S structure layers, where
    q are the Fourier features and w_kl is the code of region k and layer l (Section 3 of arXiv 2112.02236).
    """

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
        self.register_buffer("fourier", grid.flatten(0, 1), persistent=False)  # [P, Q]

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
        points = self.embed(coordinates).expand(num_images, num_regions, -1, -1).flatten(0, 1)  # [M, P, C]
        # Rounded here, once: autocast would round each layer again for every few pairs below.
        layers = [layer(codes[:, :, index], regions).to(points.dtype) for index, layer in enumerate(self.layers)]
        head = self._depth_head(num_images, regions)
        if torch.compiler.is_compiling() or torch.is_grad_enabled() or points.device.type != "cpu":
            hidden, depth = self._run(points, layers, head)
        else:
            hidden, depth = few_at_a_time(
                lambda pairs: self._run(points[pairs], [layer.of(pairs) for layer in layers], head.of(pairs)),
                points,
                num_regions,
            )
        return LocalOutput(hidden.unflatten(0, (num_images, -1)), depth.unflatten(0, (num_images, -1)))

    def embed(self, coordinates: Tensor | None = None) -> Tensor:
        """h_0, the learned embedding of the coordinates: [1, 1, P, C], or [N, K, P, C] for them [N, K, s, s, 2]."""
        weight = self.fourier_weight * self.fourier_gain
        if coordinates is None:
            return (self.fourier @ weight.T)[None, None]
        features = fourier_features(coordinates.flatten(2, 3), self.num_frequencies)  # [N, K, P, Q]
        return features @ weight.T

    def _run(self, x: Tensor, layers: list[AffineMap], head: AffineMap) -> tuple[Tensor, Tensor]:
        """Points [M, P, C] -> hidden state [M, P, C] after the last layer and pseudo-depth [M, P] in float32."""
        depth = x.new_zeros(())
        for index, layer in enumerate(layers, start=1):
            x = leaky_relu(torch.baddbmm(layer.bias, x, layer.weight))
            if index == self.num_structure_layers:
                with torch.autocast(x.device.type, enabled=False):
                    depth = widened(torch.bmm(x, head.weight.to(x.dtype))) + head.bias
        return x, depth.squeeze(-1)

    def _depth_head(self, num_images: int, regions: list[int] | None) -> AffineMap:
        """The heads of d_k, E = 1; the background has none and lies at depth 0."""
        own = slice(None) if regions is None else regions
        weight = F.pad(self.depth_head.effective_weight().transpose(-1, -2), (0, 0, 0, 0, 1, 0))[own]  # [K, C, 1]
        bias = F.pad(self.depth_head.bias.unsqueeze(-1), (0, 0, 0, 0, 1, 0))[own]  # [K, 1, 1]
        return AffineMap(*(part.expand(num_images, -1, -1, -1).flatten(0, 1) for part in (weight, bias)))


class AffineMap(NamedTuple):
    """x [M, P, C] -> x weight + bias, M pairs of image and region with their own each."""

    weight: Tensor  # [M, C, E]
    bias: Tensor  # [M, 1, E]

    def of(self, pairs: slice) -> AffineMap:
        return AffineMap(self.weight[pairs], self.bias[pairs])

    def to(self, dtype: torch.dtype) -> AffineMap:
        return AffineMap(self.weight.to(dtype), self.bias.to(dtype))


class StackedModulatedLinear(nn.Module):
    """One layer of all local generators: ``ModulatedConv`` of 1x1 with K weights. Its activation comes after.

    s = A_k w + a_k, W'_ec = s_c W_k,ec / sqrt(C), W''_ec = W'_ec / sqrt(sum_c W'_ec^2 + eps), y = sqrt(2) (W'' x + b_k)
    (arXiv 1912.04958, Eq. 1 and 3); no noise.

    Parameters are stacked over regions: weight W [K, C', C], style_weight A [K, C, D], style_bias a [K, C], which
    starts at 1, bias b [K, C'].
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
        """The layer of every image and region, M = N K. Args: code w [N, K, D]; regions, which K these are."""
        own = slice(None) if regions is None else regions
        with torch.autocast(code.device.type, enabled=False):
            style_weight = self.style_weight[own] * self.style_gain
            style = torch.einsum("nkd,kcd->nkc", widened(code), style_weight) + self.style_bias[own]
            weight = (self.weight[own] * self.weight_gain) * style.unsqueeze(-2)  # [N, K, C', C]
            weight = demodulated(weight, (-1,))
            bias = (self.bias[own] * ACTIVATION_GAIN).expand(code.shape[0], -1, -1)
            weight = (weight * ACTIVATION_GAIN).transpose(-1, -2)
            return AffineMap(weight.flatten(0, 1), bias.reshape(-1, 1, bias.shape[-1]))


class ScaledHead(nn.Module):
    """Linear heads of several regions, with a learned scale of the inputs in place of a style, not demodulated.

    A_k,ec = s_kc w_k,ec / sqrt(C), y = A_k x + b_k (arXiv 1912.04958, Eq. 1).

    Parameters: weight w [K, E, C], scale s [K, C], which starts at 1, bias b [K, E].
    """

    def __init__(self, num_regions: int, channels: int, channels_out: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(num_regions, channels_out, channels))
        self.scale = nn.Parameter(torch.ones(num_regions, channels))
        self.bias = nn.Parameter(torch.zeros(num_regions, channels_out))
        self.weight_gain = 1.0 / math.sqrt(channels)

    def effective_weight(self) -> Tensor:
        """A [K, E, C]."""
        return self.weight * (self.weight_gain * self.scale.unsqueeze(-2))


def fourier_features(coordinates: Tensor, num_frequencies: int) -> Tensor:
    """[x, y] followed, for f = 2^0 .. 2^(num_frequencies - 1), by sin(f (x, y)) and cos(f (x, y)).

    Args:
        coordinates: [..., 2], x to the right and y down, the picture spanning -1..1.

    Returns:
        q [..., Q], Q = 2 + 4 num_frequencies.
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
