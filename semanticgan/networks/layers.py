"""The layers that all networks here are made of.

=======================  ==================================================  =============================
layer                    formula                                             source
=======================  ==================================================  =============================
equalised learning rate  w = g w0 / sqrt(fan_in), w0 stored as N(0, 1)       arXiv 1710.10196, Section 4.1
pixel norm               b_c = a_c / sqrt(mean_c a_c^2 + eps)                arXiv 1710.10196, Section 4.2
AdaIN                    y = (1 + s) (x - mean(x)) / sqrt(var(x) + eps) + b  arXiv 1812.04948, Eq. 1
noise                    y = x + u n                                         arXiv 1812.04948, Section 2
modulation               w'_ect = s_c w_ect                                  arXiv 1912.04958, Eq. 1
demodulation             w''_ect = w'_ect / sqrt(sum_ct w'_ect^2 + eps)      arXiv 1912.04958, Eq. 3
activation               y = sqrt(2) max(x, 0.2 x)                           arXiv 1912.04958
=======================  ==================================================  =============================

Since max(x, 0.2 x) is homogeneous, sqrt(2) is folded into weight and bias before it.

Shape legend: N images, C channels in, E channels out, t taps of a kernel, D style width, H W picture sides.
"""

from __future__ import annotations

import math
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from semanticgan.networks.kernels.folded import Folded
from semanticgan.networks.kernels.resampling import conv_then_mean, fir_filter, repeat_then_conv
from semanticgan.networks.kernels.transposed import conv_transpose_by_parity, parity_kernels
from semanticgan.networks.kernels.weight_gradients import (
    conv_stride_1,
    conv_stride_2,
    conv_transpose_stride_2,
    faster_by_planes,
    faster_by_taps,
)

ACTIVATION_SLOPE = 0.2
ACTIVATION_GAIN = math.sqrt(2.0)
EPSILON = 1e-8
BLUR_TAPS = (1.0, 2.0, 1.0)
"""The blur of StyleGAN and StyleALAE (arXiv 1812.04948, Section 2): ``fir_filter(x, padding=1, taps=BLUR_TAPS)``."""

Resampling = Literal["none", "fir_halve", "mean_halve", "repeat_double"]


def leaky_relu(x: Tensor) -> Tensor:
    """max(x, 0.2 x). The gain sqrt(2) of some networks is folded into the weights before.

    Overwrites ``x``, which callers have just computed, unless gradients are recorded.
    """
    return F.leaky_relu(x, ACTIVATION_SLOPE, inplace=not torch.is_grad_enabled())


def widened(x: Tensor) -> Tensor:
    """At least float32: what autocast made shorter is widened, float64 stays."""
    return x.float() if x.dtype in (torch.bfloat16, torch.float16) else x


def pixel_norm(x: Tensor) -> Tensor:
    """b_c = a_c / sqrt(mean_c a_c^2 + 1e-8), [N, C, ...] -> the same shape (arXiv 1710.10196, Section 4.2)."""
    return x * torch.rsqrt(x.square().mean(1, keepdim=True) + EPSILON)


def demodulated(weight: Tensor, axes: tuple[int, ...]) -> Tensor:
    """w'' = w' / sqrt(sum w'^2 + 1e-8), the sum over ``axes``: inputs and taps (arXiv 1912.04958, Eq. 3)."""
    return weight * torch.rsqrt(weight.square().sum(axes, keepdim=True) + EPSILON)


def run_block(block: nn.Module, *inputs: Any, recompute: bool) -> Any:
    """``block(*inputs)``; with ``recompute`` its maps are not kept but computed again when gradients ask for them."""
    if not (recompute and torch.is_grad_enabled()):
        return block(*inputs)
    from torch.utils.checkpoint import checkpoint

    return checkpoint(block, *inputs, use_reentrant=False)


def coefficients(network: nn.Module) -> dict[str, float]:
    """What multiplies each parameter at run time, by its name: gains of equalised layers, 1 for all others."""
    return {
        f"{prefix}.{name}".lstrip("."): getattr(module, f"{name}_gain", 1.0)
        for prefix, module in network.named_modules()
        for name, _ in module.named_parameters(recurse=False)
    }


class EqualisedLinear(nn.Module):
    """y = m (g / sqrt(C) w x + g_b b), [..., C] -> [..., E], w and b stored over the multiplier m.

    (arXiv 1710.10196, Section 4.1; the multiplier is that of arXiv 1812.04948.)

    Args:
        channels_in: C.
        channels_out: E.
        learning_rate_multiplier: m slows the layer down; the stored weight is N(0, 1) / m.
        bias_init: initial value of the bias in effect.
        activated: leaky ReLU follows.
        gain: g; None is sqrt(2) where activated, else 1. PGGAN's first layer has sqrt(2) / 4.
        bias_gain: g_b; None is the same as for ``gain``. It is 1 in PGGAN and StyleGAN.
    """

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        learning_rate_multiplier: float = 1.0,
        bias_init: float = 0.0,
        activated: bool = False,
        gain: float | None = None,
        bias_gain: float | None = None,
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(channels_out, channels_in) / learning_rate_multiplier)
        self.bias = nn.Parameter(torch.full((channels_out,), bias_init / learning_rate_multiplier))
        self.activated = activated
        usual = ACTIVATION_GAIN if activated else 1.0
        self.weight_gain = (usual if gain is None else gain) * learning_rate_multiplier / math.sqrt(channels_in)
        self.bias_gain = (usual if bias_gain is None else bias_gain) * learning_rate_multiplier

    def forward(self, x: Tensor) -> Tensor:
        x = F.linear(x, self.weight * self.weight_gain, self.bias * self.bias_gain)
        return leaky_relu(x) if self.activated else x


def bare_conv(channels_in: int, channels_out: int, resampling: Resampling = "none") -> EqualisedConv:
    """3x3 of gain sqrt(2), whose bias and activation come after the noise."""
    return EqualisedConv(channels_in, channels_out, 3, resampling, bias=False, activated=False, gain=ACTIVATION_GAIN)


def _conv(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Convolution of stride 1 that keeps the resolution, [N, C, H, W] and [E, C, k, k] -> [N, E, H, W]."""
    if not faster_by_planes(x, weight):
        return F.conv2d(x, weight, bias, padding=weight.shape[-1] // 2)
    x = conv_stride_1(x, weight)
    return x if bias is None else x + bias.to(x.dtype).view(-1, 1, 1)


class EqualisedConv(nn.Module):
    """y = r(g / sqrt(C k k) w * x) + g_b b, [N, C, H, W] -> [N, E, H', W'] (arXiv 1710.10196, Section 4.1).

    Resampling r, before bias and activation:

    - "fir_halve": blur x with [1, 3, 3, 1] / 8, then convolve at stride 2 (arXiv 1912.04958, Appendix B).
    - "mean_halve": convolve, then the mean over 2x2 pixels (arXiv 1710.10196, Appendix A; StyleGAN, StyleALAE).
    - "repeat_double": repeat each pixel of x twice along both axes, then convolve (the same papers).

    Args:
        channels_in: C.
        channels_out: E.
        kernel: k, 1 or 3; 3 with "mean_halve" and "repeat_double".
        resampling: r.
        bias: add b, which starts at 0. Where something stands between convolution and bias, such as noise: False.
        activated: leaky ReLU follows.
        gain: g; None is sqrt(2) where activated, else 1.
        bias_gain: g_b; None is the same as for ``gain``. It is 1 in PGGAN and StyleGAN.
    """

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        kernel: int,
        resampling: Resampling = "none",
        bias: bool = True,
        activated: bool = True,
        gain: float | None = None,
        bias_gain: float | None = None,
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(channels_out, channels_in, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(channels_out)) if bias else None
        self.kernel, self.activated = kernel, activated
        self.resampling: Resampling = resampling
        usual = ACTIVATION_GAIN if activated else 1.0
        self.weight_gain = (usual if gain is None else gain) / math.sqrt(channels_in * kernel * kernel)
        self.bias_gain = usual if bias_gain is None else bias_gain

    def forward(self, x: Tensor) -> Tensor:
        x = self._convolved(
            x, self.weight * self.weight_gain, None if self.bias is None else self.bias * self.bias_gain
        )
        return leaky_relu(x) if self.activated else x

    def _convolved(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        if self.resampling == "none":
            return _conv(x, weight, bias)
        if self.resampling == "fir_halve":
            if self.kernel == 1:  # a 1x1 convolution reads every second pixel only, so the blur computes only those
                return F.conv2d(fir_filter(x, padding=1, stride=2), weight, bias)
            x = fir_filter(x, padding=2)
            if not faster_by_taps(x, weight):
                return F.conv2d(x, weight, bias, stride=2)
            x = conv_stride_2(x, weight)
        else:
            x = (conv_then_mean if self.resampling == "mean_halve" else repeat_then_conv)(x, weight)
        return x if bias is None else x + bias.to(x.dtype).view(-1, 1, 1)


class ModulatedConv(nn.Module):
    """A convolution whose weights are scaled per input channel, [N, C, H, W] -> [N, E, H', W'].

    w'_ect = s_c w_ect / sqrt(C k k), w''_ect = w'_ect / sqrt(sum_ct w'_ect^2 + eps), y = g w'' * x + b
    (arXiv 1912.04958, Eq. 1 and 3), where s is

    - with ``style_dim``: an affine map of the image's style v [N, D], s = A v + a, a starting at 1. Then s_c is
      multiplied into x, and 1 / sqrt(...) into y: the same products, and one convolution for all images.
    - without: a learned scale [C] that starts at 1. Then w'' is one for all images, computed once in inference.

    Args:
        channels_in: C.
        channels_out: E.
        kernel: k, 1 or 3.
        upsample: doubles the sides: transposed convolution of stride 2, then FIR blur of gain 4.
        demodulate: use w'', else w'.
        style_dim: D; None for a learned scale.
    """

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        kernel: int,
        upsample: bool = False,
        demodulate: bool = True,
        style_dim: int | None = None,
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(channels_out, channels_in, kernel, kernel))
        self.style: EqualisedLinear | None = None
        if style_dim is None:
            self.scale = nn.Parameter(torch.ones(channels_in))
        else:
            self.style = EqualisedLinear(style_dim, channels_in, bias_init=1.0)
        self.kernel, self.upsample, self.demodulate = kernel, upsample, demodulate
        self.weight_gain = 1.0 / math.sqrt(channels_in * kernel * kernel)
        self._folded, self._parity = Folded[Tensor](), Folded[list[Tensor]]()

    def forward(self, x: Tensor, style: Tensor | None = None, gain: float = 1.0, bias: Tensor | None = None) -> Tensor:
        """y. Args: x [N, C, H, W]; style v [N, D], where there is ``style_dim``; gain g; bias b [E]."""
        if self.style is None:
            return self._convolved(x, gain, bias)
        assert style is not None, "a convolution with style_dim needs a style"
        with torch.autocast(x.device.type, enabled=False):
            scale = self.style(widened(style))  # [N, C]
            taps = (self.weight * self.weight_gain).square().sum((2, 3))  # [E, C]
            norm = gain * torch.rsqrt(F.linear(scale.square(), taps) + EPSILON) if self.demodulate else None  # [N, E]
        x = self._convolved(x * scale[:, :, None, None].to(x.dtype), gain if norm is None else 1.0, None)
        x = x if norm is None else x * norm[:, :, None, None].to(x.dtype)
        return x if bias is None else x + bias.to(x.dtype).view(-1, 1, 1)

    def effective_weight(self, gain: float = 1.0) -> Tensor:
        """g w'' without a style, g w with one, [E, C, k, k]; transposed where it upsamples."""
        return self._folded.of(self._parts(), gain, lambda: self._fold(gain))

    def _parts(self) -> tuple[Tensor, ...]:
        return (self.weight, self.scale) if self.style is None else (self.weight,)

    def _fold(self, gain: float) -> Tensor:
        if self.style is None:
            weight = self.weight * (self.weight_gain * self.scale.view(1, -1, 1, 1))
            weight = demodulated(weight, (1, 2, 3)) if self.demodulate else weight
        else:
            weight = self.weight * self.weight_gain
        weight = weight * gain if gain != 1.0 else weight
        if self.upsample:
            weight = weight.transpose(0, 1)
        return weight.contiguous(memory_format=torch.channels_last) if self.kernel > 1 else weight

    def _convolved(self, x: Tensor, gain: float, bias: Tensor | None) -> Tensor:
        if not self.upsample:
            return _conv(x, self.effective_weight(gain), bias)
        if x.device.type == "cpu" and not torch.is_grad_enabled():
            kernels = self._parity.of(self._parts(), gain, lambda: parity_kernels(self._fold(gain)))
            x = conv_transpose_by_parity(x, kernels)
        else:
            weight = self.effective_weight(gain)
            by_taps = faster_by_taps(x, weight)
            x = conv_transpose_stride_2(x, weight) if by_taps else F.conv_transpose2d(x, weight, stride=2)
        return fir_filter(x, padding=1, gain=4.0, bias=bias)


class ScaledNoise(nn.Module):
    """y = x + g u n for noise n [1 or N, 1, H, W] (arXiv 1812.04948, Section 2); u is learned and starts at 0.

    Overwrites ``x`` as leaky_relu does.

    Args:
        channels: u is one number per channel, as in StyleGAN and StyleALAE; None: one for all, as in StyleGAN2.
    """

    def __init__(self, channels: int | None = None) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(() if channels is None else (channels, 1, 1)))

    def forward(self, x: Tensor, noise: Tensor, gain: float = 1.0) -> Tensor:
        scaled = (noise * (self.weight * gain)).to(x.dtype)
        return x + scaled if torch.is_grad_enabled() else x.add_(scaled)


class NoisyConv(nn.Module):
    """y = sqrt(2) lrelu(w'' * x + b + u n): a modulated 3x3 convolution, bias, noise (arXiv 1912.04958, Figure 2).

    Arguments as of :class:`ModulatedConv`.
    """

    def __init__(self, channels_in: int, channels_out: int, upsample: bool = False, style_dim: int | None = None):
        super().__init__()
        self.conv = ModulatedConv(channels_in, channels_out, 3, upsample=upsample, style_dim=style_dim)
        self.noise = ScaledNoise()
        self.bias = nn.Parameter(torch.zeros(channels_out))

    def forward(self, x: Tensor, noise: Tensor, style: Tensor | None = None) -> Tensor:
        x = self.conv(x, style, gain=ACTIVATION_GAIN, bias=self.bias * ACTIVATION_GAIN)
        return leaky_relu(self.noise(x, noise, gain=ACTIVATION_GAIN))


class OutputHead(nn.Module):
    """y = w' x + b: a modulated 1x1 convolution to an output, not demodulated (arXiv 1912.04958, Figure 7)."""

    def __init__(self, channels_in: int, channels_out: int, style_dim: int | None = None) -> None:
        super().__init__()
        self.conv = ModulatedConv(channels_in, channels_out, 1, demodulate=False, style_dim=style_dim)
        self.bias = nn.Parameter(torch.zeros(channels_out))

    def forward(self, x: Tensor, style: Tensor | None = None) -> Tensor:
        """In float32 under autocast: the sum over resolutions loses nothing."""
        with torch.autocast(x.device.type, enabled=False):
            return self.conv(widened(x), style, bias=self.bias)


def instance_statistics(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance (biased) over the pixels of each image and channel, two of [N, C, 1, 1], at least float32.

    StyleALAE's encoder reads mean and sqrt(variance) as the style of a layer (arXiv 2004.04467).
    """
    variance, mean = torch.var_mean(widened(x), (2, 3), correction=0, keepdim=True)
    return mean, variance


def instance_norm(x: Tensor, epsilon: float = EPSILON) -> Tensor:
    """(x - mean(x)) / sqrt(var(x) + eps), over the pixels of each image and channel, [N, C, H, W]."""
    mean, variance = instance_statistics(x)
    return ((x - mean) * torch.rsqrt(variance + epsilon)).to(x.dtype)


class AdaIN(nn.Module):
    """y = (1 + s) (x - mean(x)) / sqrt(var(x) + 1e-8) + b, the halves s and b of an affine map of a style [N, D].

    (Adaptive instance normalisation: arXiv 1812.04948, Eq. 1, with 1 + s for the paper's y_s, as its code has it.)

    Args:
        channels: C.
        style_dim: D.
    """

    def __init__(self, channels: int, style_dim: int) -> None:
        super().__init__()
        self.style = EqualisedLinear(style_dim, 2 * channels)

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        scale, shift = self.style(style)[:, :, None, None].chunk(2, dim=1)  # [N, C, 1, 1] each
        return torch.addcmul(shift, instance_norm(x), 1.0 + scale)


def average_pool_to(x: Tensor, side: int) -> Tensor:
    """Average-pool [N, C, H, W] to [N, C, side, side], H a multiple of side."""
    factor = x.shape[-1] // side
    return x if factor == 1 else F.avg_pool2d(x, factor)
