"""Layers that every network here is made of: equalised linear and convolution, FIR resampling, noise.

Equalised learning rate (Karras et al. 2017, arXiv 1710.10196, Section 4.1): weights are stored as N(0, 1) and
multiplied at run time by 1 / sqrt(fan_in). Activations are leaky ReLU of slope 0.2 times sqrt(2) (Karras et al.
2019, arXiv 1912.04958); the sqrt(2) is folded into weight and bias, which is exact since leaky ReLU is homogeneous.

Shape legend: N images, C channels in, E channels out, H W picture sides.
"""

from __future__ import annotations

import itertools
import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from semanticgan.networks.strided import conv_stride_2, conv_transpose_stride_2, faster_by_taps

ACTIVATION_SLOPE = 0.2
ACTIVATION_GAIN = math.sqrt(2.0)
DEMODULATION_EPSILON = 1e-8
FIR_TAPS = (1.0, 3.0, 3.0, 1.0)


def leaky_relu(x: Tensor) -> Tensor:
    """Leaky ReLU without its gain, which callers fold into the weights before.

    Overwrites ``x``, which callers have just computed, unless gradients are recorded.
    """
    return F.leaky_relu(x, ACTIVATION_SLOPE, inplace=not torch.is_grad_enabled())


def widened(x: Tensor) -> Tensor:
    """At least float32: what autocast made shorter is widened, float64 stays."""
    return x.float() if x.dtype in (torch.bfloat16, torch.float16) else x


def run_block(block: nn.Module, *inputs: Any, recompute: bool) -> Any:
    """``block(*inputs)``; with ``recompute`` its maps are not kept but computed again when gradients ask for them."""
    if not (recompute and torch.is_grad_enabled()):
        return block(*inputs)
    from torch.utils.checkpoint import checkpoint

    return checkpoint(block, *inputs, use_reentrant=False)


class EqualisedLinear(nn.Module):
    """A linear layer [..., C] -> [..., E] with equalised learning rate.

    Args:
        channels_in: C.
        channels_out: E.
        learning_rate_multiplier: slows the layer down; the stored weight is N(0, 1) / multiplier.
        bias_init: initial value of the bias in effect.
        activated: apply leaky ReLU times sqrt(2).
    """

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        learning_rate_multiplier: float = 1.0,
        bias_init: float = 0.0,
        activated: bool = False,
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(channels_out, channels_in) / learning_rate_multiplier)
        self.bias = nn.Parameter(torch.full((channels_out,), bias_init / learning_rate_multiplier))
        self.activated = activated
        gain = ACTIVATION_GAIN if activated else 1.0
        self.weight_gain = gain * learning_rate_multiplier / math.sqrt(channels_in)
        self.bias_gain = gain * learning_rate_multiplier

    def forward(self, x: Tensor) -> Tensor:
        x = F.linear(x, self.weight * self.weight_gain, self.bias * self.bias_gain)
        return leaky_relu(x) if self.activated else x


class EqualisedConv(nn.Module):
    """A convolution [N, C, H, W] -> [N, E, H', W'] with equalised learning rate, as the discriminators use it.

    ``downsample`` halves the sides: FIR blur, then stride 2 (arXiv 1912.04958, Appendix B).
    """

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        kernel: int,
        downsample: bool = False,
        bias: bool = True,
        activated: bool = True,
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(channels_out, channels_in, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(channels_out)) if bias else None
        self.kernel, self.downsample, self.activated = kernel, downsample, activated
        self.bias_gain = ACTIVATION_GAIN if activated else 1.0
        self.weight_gain = self.bias_gain / math.sqrt(channels_in * kernel * kernel)

    def forward(self, x: Tensor) -> Tensor:
        weight = self.weight * self.weight_gain
        bias = None if self.bias is None else self.bias * self.bias_gain
        if not self.downsample:
            x = F.conv2d(x, weight, bias, padding=self.kernel // 2)
        elif self.kernel == 1:  # a 1x1 convolution reads every second pixel only, so the blur computes only those
            x = F.conv2d(fir_filter(x, padding=1, stride=2), weight, bias)
        else:
            x = fir_filter(x, padding=2)
            if faster_by_taps(x, weight):
                x = conv_stride_2(x, weight) if bias is None else conv_stride_2(x, weight) + bias.view(-1, 1, 1)
            else:
                x = F.conv2d(x, weight, bias, stride=2)
        return leaky_relu(x) if self.activated else x


class ScaledConv(nn.Module):
    """The convolution of the renderer: "modulated" by a learned per-input-channel scale instead of a style.

    Args:
        channels_in: C.
        channels_out: E.
        kernel: 1 or 3.
        upsample: doubles the sides: transposed convolution of stride 2, then FIR blur of gain 4.
        demodulate: normalise each output filter to unit length (arXiv 1912.04958, Eq. 3).
    """

    def __init__(
        self, channels_in: int, channels_out: int, kernel: int, upsample: bool = False, demodulate: bool = True
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(channels_out, channels_in, kernel, kernel))
        self.scale = nn.Parameter(torch.ones(channels_in))
        self.kernel, self.upsample, self.demodulate = kernel, upsample, demodulate
        self.weight_gain = 1.0 / math.sqrt(channels_in * kernel * kernel)
        self._folded: tuple[tuple[object, ...], Tensor] | None = None
        self._split: tuple[Tensor, list[Tensor]] | None = None

    def effective_weight(self, gain: float = 1.0) -> Tensor:
        """Scale, demodulation and ``gain`` folded into the weight, [E, C, k, k].

        Without gradients the product is kept until a parameter changes, so inference folds once.
        """
        if torch.is_grad_enabled() or torch.compiler.is_compiling():
            return self._fold(gain)
        parts = (self.weight, self.scale)
        key = (gain, *((part.data_ptr(), part._version, part.device, part.dtype) for part in parts))
        if self._folded is None or self._folded[0] != key:
            self._folded = (key, self._fold(gain))
        return self._folded[1]

    def _fold(self, gain: float) -> Tensor:
        weight = self.weight * (self.weight_gain * self.scale.view(1, -1, 1, 1))
        if self.demodulate:
            weight = weight * torch.rsqrt(weight.square().sum((1, 2, 3), keepdim=True) + DEMODULATION_EPSILON)
        weight = weight * gain if gain != 1.0 else weight
        if self.upsample:
            weight = weight.transpose(0, 1)
        return weight.contiguous(memory_format=torch.channels_last) if self.kernel > 1 else weight

    def forward(self, x: Tensor, gain: float = 1.0, bias: Tensor | None = None) -> Tensor:
        weight = self.effective_weight(gain)
        if not self.upsample:
            return F.conv2d(x, weight, bias, padding=self.kernel // 2)
        if x.device.type == "cpu" and not torch.is_grad_enabled():
            x = conv_transpose_by_parity(x, self._parity_kernels(weight))
        elif faster_by_taps(x, weight):
            x = conv_transpose_stride_2(x, weight)
        else:
            x = F.conv_transpose2d(x, weight, stride=2)
        return fir_filter(x, padding=1, gain=4.0, bias=bias)

    def _parity_kernels(self, weight: Tensor) -> list[Tensor]:
        """Those of the folded weight, kept as long as it is."""
        if self._split is None or self._split[0] is not weight:
            self._split = (weight, parity_kernels(weight))
        return self._split[1]


class ScaledNoise(nn.Module):
    """Adds noise [1 or N, 1, H, W] times one learned scalar, initialised to 0; overwrites ``x`` as leaky_relu does."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor, noise: Tensor, gain: float = 1.0) -> Tensor:
        scaled = (noise * (self.weight * gain)).to(x.dtype)
        return x + scaled if torch.is_grad_enabled() else x.add_(scaled)


def parity_kernels(weight: Tensor) -> list[Tensor]:
    """The kernels that a transposed convolution of stride 2 applies to its even and odd output rows and columns.

    An even row takes taps 2 and 0 of the kernel, an odd row tap 1, and so do columns.

    Args:
        weight: [C, E, 3, 3], as ``conv_transpose2d`` takes it.

    Returns:
        (even, even), (even, odd), (odd, even), (odd, odd): [E, C, 2, 2], [E, C, 2, 1], [E, C, 1, 2], [E, C, 1, 1].
    """
    weight = weight.transpose(0, 1)
    taps = ([2, 0], [1])
    kernels = [weight[:, :, rows][:, :, :, columns] for rows in taps for columns in taps]
    return [kernel.contiguous(memory_format=torch.channels_last) for kernel in kernels]


def conv_transpose_by_parity(x: Tensor, kernels: list[Tensor]) -> Tensor:
    """A transposed 3x3 convolution of stride 2 as four plain convolutions, [N, C, H, W] -> [N, E, 2H + 1, 2W + 1].

    The same products and sums as ``conv_transpose2d`` of the weight that ``kernels`` were taken from; on a CPU they
    run faster than it.
    """
    num_images, _, height, width = x.shape
    output: Tensor | None = None
    for kernel, (row, column) in zip(kernels, itertools.product((0, 1), (0, 1)), strict=True):
        part = F.conv2d(x, kernel, padding=(1 - row, 1 - column))
        if output is None:
            output = part.new_empty(num_images, 2 * height + 1, 2 * width + 1, part.shape[1]).permute(0, 3, 1, 2)
        output[:, :, row::2, column::2] = part
    assert output is not None
    return output


def fir_kernel(channels: int, gain: float, like: Tensor) -> Tensor:
    """The separable kernel [1, 3, 3, 1] / 8 as depthwise weights [channels, 1, 4, 4] of sum ``gain``."""
    taps = torch.tensor(FIR_TAPS, dtype=like.dtype, device=like.device)
    taps = taps / taps.sum()
    return (torch.outer(taps, taps) * gain).expand(channels, 1, 4, 4)


def fir_filter(x: Tensor, padding: int, stride: int = 1, gain: float = 1.0, bias: Tensor | None = None) -> Tensor:
    """FIR blur as one depthwise convolution, [N, C, H, W] -> [N, C, (H + 2 padding - 4) // stride + 1, ...].

    Two detours are for the speed of gradients on a CPU, 20 times in both cases: a stride of 2 is computed in float32,
    and a bias that learns is added apart, since with it the convolution computes its fixed kernel's gradient too.
    """
    channels = x.shape[1]
    if bias is not None and torch.is_grad_enabled():
        return fir_filter(x, padding, stride, gain) + bias.to(x.dtype).view(1, -1, 1, 1)
    if stride == 1:
        return F.conv2d(x, fir_kernel(channels, gain, x), bias, padding=padding, groups=channels)
    with torch.autocast(x.device.type, enabled=False):
        wide = widened(x)
        wide = F.conv2d(wide, fir_kernel(channels, gain, wide), bias, stride=stride, padding=padding, groups=channels)
        return wide.to(x.dtype)


def fir_upsample(x: Tensor) -> Tensor:
    """Double the sides with the FIR kernel at gain 4, [N, C, H, W] -> [N, C, 2H, 2W]."""
    channels = x.shape[1]
    return F.conv_transpose2d(x, fir_kernel(channels, 4.0, x), stride=2, padding=1, groups=channels)


def average_pool_to(x: Tensor, side: int) -> Tensor:
    """Average-pool [N, C, H, W] to [N, C, side, side], H a multiple of side."""
    factor = x.shape[-1] // side
    return x if factor == 1 else F.avg_pool2d(x, factor)
