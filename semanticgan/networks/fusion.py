"""Fusion: pseudo-depths -> coarse masks -> one feature map (Section 3 of arXiv 2112.02236).

Shape legend: N images, K regions, C channels of a local generator, F channels of the fused feature map,
s side of the coarse grid, P = s * s points.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from einops import rearrange
from torch import Tensor, nn

from semanticgan.networks.kernels.heads import sum_of_heads
from semanticgan.networks.layers import widened
from semanticgan.networks.local import LocalOutput, ScaledHead

MASK_EPSILON = 1e-8


class FusionOutput(NamedTuple):
    """The boundary between local generators and renderer."""

    feature: Tensor  # [N, F, s, s]
    mask: Tensor  # [N, K, s, s], coarse masks m in [0, 1], summing to 1 over the regions


class Fusion(nn.Module):
    """m = softmax_k(d_k), f = sum_k m~_k (A_k h_k + b_k) (Section 3 of arXiv 2112.02236).

    The sum is over regions k at each point: m~ = m where no region is transparent, else m~_k = m_k / sum_(opaque j) m_j
    for an opaque k and m~_k = m_k for a transparent one, which is laid over what is behind it. A_k h_k + b_k is the
    feature f_k of region k, a linear head on its hidden state h_k.
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

    def forward(self, local: LocalOutput, visible: Tensor | None = None) -> FusionOutput:
        """f and m. Args: hidden states and pseudo-depths; ``visible`` [N, K] of 0/1 keeps only some regions."""
        side = int(local.hidden.shape[-2] ** 0.5)
        mask = self.masks(local.depth, visible)  # [N, K, P]
        weights = self.fusion_weights(mask).to(local.hidden.dtype)  # [N, K, P]
        head = self.feature_head
        feature = sum_of_heads(local.hidden, weights, head.effective_weight(), head.bias)  # [N, P, F]
        return FusionOutput(
            rearrange(feature, "n (h w) f -> n f h w", h=side),  # channels-last in memory
            rearrange(mask, "n k (h w) -> n k h w", h=side),
        )

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
