"""3x3 convolutions of stride 2 for training on a CPU, where the gradient of their weights wants another way.

oneDNN computes that gradient at a third of the speed of the convolution itself where maps are large and channels-last
in float32. As the sum of one product a tap, nine 1x1 convolutions over every second pixel, it runs at the usual speed.
Everything here can be differentiated as often as wanted: each derivative of the three functions is one of the three.

Shape legend: N images, C channels of the large map, E channels of the small one, h side of the small map, which
belongs to 2h + 1 of the large one.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

Gradients = tuple[Tensor | None, Tensor | None]
_weights_wanted: ContextVar[bool] = ContextVar("weights_wanted", default=True)


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


def conv_stride_2(x: Tensor, weight: Tensor) -> Tensor:
    """``F.conv2d(x, weight, stride=2)``: [N, C, 2h + 1, 2h + 1] and [E, C, 3, 3] -> [N, E, h, h]."""
    result: Tensor = _Conv.apply(x, weight)  # type: ignore[no-untyped-call]
    return result


def conv_transpose_stride_2(x: Tensor, weight: Tensor) -> Tensor:
    """``F.conv_transpose2d(x, weight, stride=2)``: [N, E, h, h] and [E, C, 3, 3] -> [N, C, 2h + 1, 2h + 1]."""
    result: Tensor = _ConvTranspose.apply(x, weight)  # type: ignore[no-untyped-call]
    return result


class _Conv(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, large: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(large, weight)
        return F.conv2d(large, weight, stride=2)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Gradients:
        large, weight = ctx.saved_tensors
        return (
            _ConvTranspose.apply(gradient, weight) if ctx.needs_input_grad[0] else None,  # type: ignore[no-untyped-call]
            _Correlation.apply(large, gradient) if ctx.needs_input_grad[1] and _weights_wanted.get() else None,  # type: ignore[no-untyped-call]
        )


class _ConvTranspose(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, small: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(small, weight)
        # The same as F.conv_transpose2d(small, weight, stride=2), which takes 1.5 times as long.
        side = 2 * small.shape[-1] + 1
        shape = (len(small), weight.shape[1], side, side)
        large = torch.empty(shape, dtype=small.dtype, device=small.device, memory_format=torch.channels_last)
        return _derivatives_of_conv(small, large, weight, stride=2, wanted=[True, False, False])[0]

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Gradients:
        small, weight = ctx.saved_tensors
        return (
            _Conv.apply(gradient, weight) if ctx.needs_input_grad[0] else None,  # type: ignore[no-untyped-call]
            _Correlation.apply(gradient, small) if ctx.needs_input_grad[1] and _weights_wanted.get() else None,  # type: ignore[no-untyped-call]
        )


class _Correlation(torch.autograd.Function):
    """The gradient of both for their weight: for each tap, large and small map multiplied and summed over pixels."""

    @staticmethod
    def forward(ctx: Any, large: Tensor, small: Tensor) -> Tensor:
        ctx.save_for_backward(large, small)
        channels_large, channels_small, side = large.shape[1], small.shape[1], small.shape[-1]
        small = small.contiguous(memory_format=torch.channels_last)
        shape = large.new_empty(channels_small, channels_large, 1, 1)
        taps = []
        for row in range(3):
            for column in range(3):
                read = large[:, :, row : row + 2 * side - 1 : 2, column : column + 2 * side - 1 : 2]
                read = read.contiguous(memory_format=torch.channels_last)
                taps.append(_weight_gradient_1x1(read, small, shape))
        return torch.cat(taps, dim=2).view(channels_small, channels_large, 3, 3)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Gradients:
        large, small = ctx.saved_tensors
        return (
            _ConvTranspose.apply(small, gradient) if ctx.needs_input_grad[0] else None,  # type: ignore[no-untyped-call]
            _Conv.apply(large, gradient) if ctx.needs_input_grad[1] else None,  # type: ignore[no-untyped-call]
        )


def _weight_gradient_1x1(x: Tensor, gradient: Tensor, weight: Tensor) -> Tensor:
    return _derivatives_of_conv(gradient, x, weight, stride=1, wanted=[False, True, False])[1]


def _derivatives_of_conv(gradient: Tensor, x: Tensor, weight: Tensor, stride: int, wanted: list[bool]) -> list[Tensor]:
    """Of a convolution without padding for input, weight and bias; of ``x`` and ``weight`` only shapes may count."""
    derivatives: list[Tensor] = torch.ops.aten.convolution_backward(
        gradient, x, weight, None, [stride, stride], [0, 0], [1, 1], False, [0, 0], 1, wanted
    )
    return derivatives
