"""Filters with a resampling step, each as one convolution.

The FIR filters have fixed kernels, but PyTorch's second derivative of a convolution computes the kernel's gradient,
too, channel by channel. So where gradients are recorded they are functions whose derivatives are each other.

Shape legend: N images, C channels in, E channels out, H W sides.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

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
    wide = x.to(torch.promote_types(x.dtype, torch.float32)) if stride > 1 else _as_autocast(x)
    kernel = fir_kernel(channels, gain, wide, taps)
    with torch.autocast(x.device.type, enabled=False):
        if _recorded(x):
            y: Tensor = _Filter.apply(wide, kernel, stride, padding)  # type: ignore[no-untyped-call]
        else:
            own = None if bias is None else bias.to(wide.dtype)
            y = F.conv2d(wide, kernel, own, stride=stride, padding=padding, groups=channels)
    return y.to(x.dtype) if stride > 1 else y


def fir_upsample(x: Tensor) -> Tensor:
    """Double the sides: zeros between the pixels, then the FIR kernel at gain 4, [N, C, H, W] -> [N, C, 2H, 2W]."""
    x = _as_autocast(x)
    kernel = fir_kernel(x.shape[1], 4.0, x)
    if not _recorded(x):
        return F.conv_transpose2d(x, kernel, stride=2, padding=1, groups=len(kernel))
    return _Spread.apply(x, kernel, 2, 1, [2 * side for side in x.shape[2:]])  # type: ignore[no-untyped-call]


class _Filter(torch.autograd.Function):
    """A depthwise convolution with a fixed kernel [C, 1, T, T]."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, kernel: Tensor, stride: int, padding: int) -> Tensor:
        ctx.save_for_backward(kernel)
        ctx.sizes = stride, padding, list(x.shape[2:])
        return F.conv2d(x, kernel, stride=stride, padding=padding, groups=len(kernel))

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        return _Spread.apply(gradient, *ctx.saved_tensors, *ctx.sizes), None, None, None  # type: ignore[no-untyped-call]


class _Spread(torch.autograd.Function):
    """The transpose of :class:`_Filter`, to maps with sides of ``sides``."""

    @staticmethod
    def forward(ctx: Any, y: Tensor, kernel: Tensor, stride: int, padding: int, sides: list[int]) -> Tensor:
        ctx.save_for_backward(kernel)
        ctx.sizes = stride, padding
        least = [(side - 1) * stride - 2 * padding + kernel.shape[-1] for side in y.shape[2:]]
        left = [side - own for side, own in zip(sides, least, strict=True)]
        return F.conv_transpose2d(y, kernel, None, stride, padding, left, len(kernel))

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        return _Filter.apply(gradient, *ctx.saved_tensors, *ctx.sizes), None, None, None, None  # type: ignore[no-untyped-call]


def _recorded(x: Tensor) -> bool:
    return torch.is_grad_enabled() and x.requires_grad and not torch.compiler.is_compiling()


def _as_autocast(x: Tensor) -> Tensor:
    """In the type that autocast computes convolutions in, where it is on."""
    kind = x.device.type
    known = torch.amp.is_autocast_available(kind)
    wanted = known and torch.is_autocast_enabled(kind) and x.dtype != torch.float64
    return x.to(torch.get_autocast_dtype(kind)) if wanted else x


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
