"""Fusion: pseudo-depths -> coarse masks -> one feature map (Section 3 of arXiv 2112.02236).

Shape legend: N images, K regions, C channels of a local generator, F channels of the fused feature map,
s side of the coarse grid, P = s * s points.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from semanticgan.networks.layers import widened
from semanticgan.networks.local import LocalOutput, ScaledHead

MASK_EPSILON = 1e-8


class FusionOutput(NamedTuple):
    """The boundary between local generators and renderer."""

    feature: Tensor  # [N, F, s, s]
    mask: Tensor  # [N, K, s, s], coarse masks m in [0, 1], summing to 1 over the regions


class Fusion(nn.Module):
    """m = softmax_k(d_k); f = sum_k m~_k f_k, where the feature head f_k = A_k h_k + b_k is part of the sum.

    As A_k is linear, f = [A_1 .. A_K] (m~_k h_k stacked over k) + sum_k m~_k b_k: one product of K C channels,
    and the K feature maps of F channels are never made.
    """

    opaque: Tensor

    def __init__(
        self,
        num_regions: int,
        channels: int,
        feature_channels: int,
        transparent: tuple[int, ...],
        mask_floor: float = 0.0,
    ) -> None:
        super().__init__()
        self.mask_floor = mask_floor
        self.feature_head = ScaledHead(num_regions, channels, feature_channels)
        self.has_transparent = bool(transparent)
        opaque = torch.ones(num_regions)
        opaque[list(transparent)] = 0.0
        self.register_buffer("opaque", opaque.view(1, -1, 1), persistent=False)

    def masks(self, depth: Tensor, visible: Tensor | None = None) -> Tensor:
        """Coarse masks [N, K, P] from pseudo-depths [N, K, P]; ``visible`` [N, K] of 0/1 keeps only some regions."""
        mask = torch.softmax(widened(depth), dim=1)
        if visible is not None:
            mask = mask * visible.to(mask).unsqueeze(-1)
            mask = mask / (mask.sum(1, keepdim=True) + MASK_EPSILON)
        return mask

    def fusion_weights(self, mask: Tensor) -> Tensor:
        """m~ [N, K, P]: opaque regions share what opaque ones cover; transparent ones are laid over what is behind."""
        weights = mask
        if self.has_transparent:
            behind = (mask * self.opaque).sum(1, keepdim=True) + MASK_EPSILON
            weights = torch.where(self.opaque.bool(), mask / behind, mask)
        return self._floored(weights) if self.mask_floor else weights

    def _floored(self, weights: Tensor) -> Tensor:
        """Weights below the floor set to 0, the others lowered by it; those of opaque regions sum to 1 again.

        A softmax is nowhere 0, and training makes use of that: a mouth with 0.5 % of the background and large features
        there tints it. The gradient stays that of the softmax, so that a region below the floor can still grow.
        """
        cut = (weights.detach() - self.mask_floor).clamp_min(0.0)
        behind = (cut * self.opaque).sum(1, keepdim=True) + MASK_EPSILON
        cut = torch.where(self.opaque.bool(), cut / behind, cut / (1.0 - self.mask_floor))
        return weights + (cut - weights).detach()

    def forward(self, local: LocalOutput, visible: Tensor | None = None) -> FusionOutput:
        num_images, num_regions, channels, points = local.hidden.shape
        side = int(points**0.5)
        mask = self.masks(local.depth, visible)
        weights = self.fusion_weights(mask).to(local.hidden.dtype)  # [N, K, P]
        stacked = (local.hidden * weights.unsqueeze(2)).view(num_images, num_regions * channels, points)
        head = self.feature_head.effective_weight().permute(0, 2, 1).flatten(0, 1)  # [K C, F]
        feature = torch.matmul(stacked.transpose(1, 2), head)  # [N, P, F]: channels-last by construction
        feature = feature + torch.matmul(weights.transpose(1, 2), self.feature_head.bias)
        feature = feature.transpose(1, 2).unflatten(2, (side, side))  # [N, F, s, s]
        return FusionOutput(feature, mask.unflatten(2, (side, side)))
