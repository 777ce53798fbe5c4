"""Filters with a resampling step, each as one convolution.

Shape legend: N images, C channels in, E channels out, H W sides.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

FIR_TAPS = (1.0, 3.0, 3.0, 1.0)


def fir_kernel(channels: int, gain: float, like: Tensor, taps: Sequence[float] = FIR_TAPS) -> Tensor:
    """The separable kernel t t^T / (sum t)^2 as depthwise weights [channels, 1, T, T] of sum ``gain``."""
    line = torch.tensor(taps, dtype=like.dtype, device=like.device)
    line = line / line.sum()
    return (torch.outer(line, line) * gain).expand(channels, 1, len(taps), len(taps))


def fir_filter(
    x: Tensor,
    padding: int,
    stride: int = 1,
    gain: float = 1.0,
    bias: Tensor | None = None,
    taps: Sequence[float] = FIR_TAPS,
) -> Tensor:
    """FIR blur as one depthwise convolution, [N, C, H, W] -> [N, C, (H + 2 padding - T) // stride + 1, ...], T taps.

    y_ij = gain sum_uv k_u k_v x_(stride i + u - padding, stride j + v - padding) + bias, with k = taps / sum(taps).

    Two detours are for the speed of gradients on a CPU, 20 times in both cases: a stride of 2 is computed in float32,
    and a bias that learns is added apart, since with it the convolution computes its fixed kernel's gradient too.
    """
    channels = x.shape[1]
    if bias is not None and torch.is_grad_enabled():
        return fir_filter(x, padding, stride, gain, taps=taps) + bias.to(x.dtype).view(1, -1, 1, 1)
    if stride == 1:
        return F.conv2d(x, fir_kernel(channels, gain, x, taps), bias, padding=padding, groups=channels)
    with torch.autocast(x.device.type, enabled=False):
        wide = x.to(torch.promote_types(x.dtype, torch.float32))
        kernel = fir_kernel(channels, gain, wide, taps)
        return F.conv2d(wide, kernel, bias, stride=stride, padding=padding, groups=channels).to(x.dtype)


def fir_upsample(x: Tensor) -> Tensor:
    """Double the sides: zeros between the pixels, then the FIR kernel at gain 4, [N, C, H, W] -> [N, C, 2H, 2W]."""
    channels = x.shape[1]
    return F.conv_transpose2d(x, fir_kernel(channels, 4.0, x), stride=2, padding=1, groups=channels)


def repeat_then_conv(x: Tensor, weight: Tensor) -> Tensor:
    """Each pixel repeated twice along both axes, then a 3x3 convolution, [N, C, H, W] -> [N, E, 2H, 2W].

    As one transposed 4x4 convolution of stride 2, which has 4/9 of the products (the "fused" layer of
    arXiv 1710.10196's code). In one dimension the kernel w becomes (w_2, w_1 + w_2, w_0 + w_1, w_0).
    """
    return F.conv_transpose2d(x, _spread(weight.flip(2, 3)).transpose(0, 1), stride=2, padding=1)


def conv_then_mean(x: Tensor, weight: Tensor) -> Tensor:
    """A 3x3 convolution, then the mean over 2x2 pixels, [N, C, H, W] -> [N, E, H / 2, W / 2].

    As one 4x4 convolution of stride 2. In one dimension the kernel w becomes (w_0, w_0 + w_1, w_1 + w_2, w_2) / 2.
    """
    return F.conv2d(x, _spread(weight) * 0.25, stride=2, padding=1)


def _spread(weight: Tensor) -> Tensor:
    """The sum of a kernel [E, C, 3, 3] at its four places in [E, C, 4, 4]."""
    padded = F.pad(weight, (1, 1, 1, 1))
    return padded[:, :, 1:, 1:] + padded[:, :, :-1, 1:] + padded[:, :, 1:, :-1] + padded[:, :, :-1, :-1]
