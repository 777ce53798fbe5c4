"""3x3 convolutions for training on a CPU in float32, where oneDNN's gradient of the weights is slow.

oneDNN reaches the usual speed in outputs and in gradients of inputs, but not in two gradients of weights of
channels-last feature maps. Each is computed here in another way:

- Stride 2, large feature maps: nine 1x1 convolutions over every second pixel, one per tap.
- Stride 1, feature maps larger than the cache, processors without AVX-512: oneDNN's gradient of NCHW copies.

The functions can be differentiated any number of times: each derivative of a function is one of the functions.

Shape legend: N images, C channels of the input, E channels of the output, H x W and h pixels.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

Gradients = tuple[Tensor | None, Tensor | None, None]
_weights_wanted: ContextVar[bool] = ContextVar("weights_wanted", default=True)

LARGE_MAP = 2**17
"""C x H x W of one image from which :func:`conv_stride_1` is faster: 512 KiB in float32, about a second-level cache."""
FEWEST_CHANNELS = 32
"""With fewer channels oneDNN's gradient of NCHW copies is the slower one."""


@contextlib.contextmanager
def without_weight_gradients() -> Iterator[None]:
    """For ``torch.autograd.grad`` of inputs alone: weights get no gradient from what is here, and none is computed.

    PyTorch leaves out by itself what nobody asked for, but not in functions written in Python.
    """
    before = _weights_wanted.set(False)
    try:
        yield
    finally:
        _weights_wanted.reset(before)


def faster_by_taps(x: Tensor, weight: Tensor) -> bool:
    """Whether :func:`conv_stride_2` and its transpose are to be used: where the weight learns, in float32 on a CPU."""
    return (
        x.device.type == "cpu"
        and torch.is_grad_enabled()
        and weight.requires_grad
        and x.dtype not in (torch.bfloat16, torch.float16)
        and not torch.is_autocast_enabled("cpu")
        and not torch.compiler.is_compiling()
    )


def faster_by_planes(x: Tensor, weight: Tensor) -> bool:
    """Whether :func:`conv_stride_1` is to be used: as :func:`faster_by_taps`, for large maps without AVX-512."""
    if not faster_by_taps(x, weight):  # before all else: torch.compile cannot trace the question after AVX-512
        return False
    channels_out, channels_in, kernel, _ = weight.shape
    large = max(channels_out, channels_in) * x.shape[-2] * x.shape[-1] >= LARGE_MAP
    wide = min(channels_out, channels_in) >= FEWEST_CHANNELS
    return kernel == 3 and large and wide and torch.backends.cpu.get_cpu_capability() != "AVX512"


def conv_stride_1(x: Tensor, weight: Tensor) -> Tensor:
    """``F.conv2d(x, weight, padding=1)``: [N, C, H, W] and [E, C, 3, 3] -> [N, E, H, W]."""
    return _Conv.apply(x, weight, 1)  # type: ignore[no-untyped-call]


def conv_stride_2(x: Tensor, weight: Tensor) -> Tensor:
    """``F.conv2d(x, weight, stride=2)``: [N, C, 2h + 1, 2h + 1] and [E, C, 3, 3] -> [N, E, h, h]."""
    return _Conv.apply(x, weight, 2)  # type: ignore[no-untyped-call]


def conv_transpose_stride_2(x: Tensor, weight: Tensor) -> Tensor:
    """``F.conv_transpose2d(x, weight, stride=2)``: [N, E, h, h] and [E, C, 3, 3] -> [N, C, 2h + 1, 2h + 1]."""
    return _ConvTranspose.apply(x, weight, 2)  # type: ignore[no-untyped-call]


class _Conv(torch.autograd.Function):
    """From x [N, C, H, W] and w [E, C, 3, 3] to y [N, E, h, w]: padded by 1 at stride 1, not padded at stride 2."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, stride: int) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.stride = stride
        return F.conv2d(x, weight, stride=stride, padding=_padding(stride))

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Gradients:
        x, weight = ctx.saved_tensors
        return (
            _ConvTranspose.apply(gradient, weight, ctx.stride) if ctx.needs_input_grad[0] else None,  # type: ignore[no-untyped-call]
            _Correlation.apply(x, gradient, ctx.stride) if ctx.needs_input_grad[1] and _weights_wanted.get() else None,  # type: ignore[no-untyped-call]
            None,
        )


class _ConvTranspose(torch.autograd.Function):
    """From y and w to x: the gradient of :class:`_Conv` for its input."""

    @staticmethod
    def forward(ctx: Any, y: Tensor, weight: Tensor, stride: int) -> Tensor:
        ctx.save_for_backward(y, weight)
        ctx.stride = stride
        # The same as F.conv_transpose2d(y, weight, stride=2), which takes 1.5 times as long.
        height, width = y.shape[2:] if stride == 1 else (2 * each + 1 for each in y.shape[2:])
        shape = (len(y), weight.shape[1], height, width)
        x = torch.empty(shape, dtype=y.dtype, device=y.device, memory_format=torch.channels_last)
        return _derivatives_of_conv(y, x, weight, stride, _padding(stride), wanted=[True, False, False])[0]

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Gradients:
        y, weight = ctx.saved_tensors
        return (
            _Conv.apply(gradient, weight, ctx.stride) if ctx.needs_input_grad[0] else None,  # type: ignore[no-untyped-call]
            _Correlation.apply(gradient, y, ctx.stride) if ctx.needs_input_grad[1] and _weights_wanted.get() else None,  # type: ignore[no-untyped-call]
            None,
        )


class _Correlation(torch.autograd.Function):
    """From x and y to w: the gradient of both for their weight."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, y: Tensor, stride: int) -> Tensor:
        ctx.save_for_backward(x, y)
        ctx.stride = stride
        return _by_planes(x, y) if stride == 1 else _by_taps(x, y)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Gradients:
        x, y = ctx.saved_tensors
        return (
            _ConvTranspose.apply(y, gradient, ctx.stride) if ctx.needs_input_grad[0] else None,  # type: ignore[no-untyped-call]
            _Conv.apply(x, gradient, ctx.stride) if ctx.needs_input_grad[1] else None,  # type: ignore[no-untyped-call]
            None,
        )


def _by_planes(x: Tensor, y: Tensor) -> Tensor:
    weight = x.new_empty(y.shape[1], x.shape[1], 3, 3)
    return _derivatives_of_conv(y.contiguous(), x.contiguous(), weight, 1, 1, wanted=[False, True, False])[1]


def _by_taps(x: Tensor, y: Tensor) -> Tensor:
    channels_in, channels_out, side = x.shape[1], y.shape[1], y.shape[-1]
    y = y.contiguous(memory_format=torch.channels_last)
    weight = x.new_empty(channels_out, channels_in, 1, 1)
    taps = []
    for row in range(3):
        for column in range(3):
            read = x[:, :, row : row + 2 * side - 1 : 2, column : column + 2 * side - 1 : 2]
            read = read.contiguous(memory_format=torch.channels_last)
            taps.append(_derivatives_of_conv(y, read, weight, 1, 0, wanted=[False, True, False])[1])
    return torch.cat(taps, dim=2).view(channels_out, channels_in, 3, 3)


def _padding(stride: int) -> int:
    return 1 if stride == 1 else 0


def _derivatives_of_conv(
    gradient: Tensor, x: Tensor, weight: Tensor, stride: int, padding: int, wanted: list[bool]
) -> list[Tensor]:
    """Of a convolution for input, weight and bias; of ``x`` and ``weight`` only shapes may count."""
    return torch.ops.aten.convolution_backward(
        gradient, x, weight, None, [stride, stride], [padding, padding], [1, 1], False, [0, 0], 1, wanted
    )
