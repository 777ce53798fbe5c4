"""Linear heads of all regions and the weighted sum over regions, in one product.

Shape legend: N images, K regions, C channels of a local generator, F channels of the fused feature map, P points.
"""

from __future__ import annotations

import torch
from einops import rearrange
from torch import Tensor


def sum_of_heads(hidden: Tensor, weights: Tensor, head: Tensor, bias: Tensor) -> Tensor:
    """f = sum_k m~_k (A_k h_k + b_k), [N, P, F], the sum of ``networks/fusion.py``.

    As A_k is linear, f = [A_1 .. A_K] (m~_k h_k stacked over k) + sum_k m~_k b_k: one product of K C channels. The K
    feature maps of F channels are never made.

    Args:
        hidden: h [N, K, P, C].
        weights: m~ [N, K, P].
        head: A [K, F, C].
        bias: b [K, F].
    """
    stacked = rearrange(hidden * weights.unsqueeze(-1), "n k p c -> n p (k c)")
    feature = torch.matmul(stacked, rearrange(head, "k f c -> (k c) f"))
    return feature + torch.matmul(weights.transpose(1, 2), bias)
