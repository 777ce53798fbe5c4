"""Mapping network z -> w (Section 3 of arXiv 2112.02236; Karras et al. 2018, arXiv 1812.04948).

Shape legend: N images, D style width.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from semanticgan.networks.layers import EqualisedLinear


class Mapping(nn.Module):
    """z ~ N(0, I) [N, D] -> w [N, D]: normalise z to unit second moment, then fully connected layers."""

    def __init__(self, style_dim: int, num_layers: int, learning_rate_multiplier: float = 0.01) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            EqualisedLinear(style_dim, style_dim, learning_rate_multiplier, activated=True) for _ in range(num_layers)
        )

    def forward(self, z: Tensor) -> Tensor:
        w = z * torch.rsqrt(z.square().mean(-1, keepdim=True) + 1e-8)
        for layer in self.layers:
            w = layer(w)
        return w
