"""Filters with a resampling step, as one convolution and step by step: values and gradients."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from semanticgan.networks.kernels.resampling import conv_then_mean, fir_filter, fir_upsample, repeat_then_conv
from semanticgan.networks.kernels.transposed import conv_transpose_by_parity, parity_kernels
from semanticgan.networks.layers import BLUR_TAPS


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def plain_repeat(x: Tensor, weight: Tensor) -> Tensor:
    return F.conv2d(x.repeat_interleave(2, 2).repeat_interleave(2, 3), weight, padding=1)


def plain_mean(x: Tensor, weight: Tensor) -> Tensor:
    return F.avg_pool2d(F.conv2d(x, weight, padding=1), 2)


def by_parity(x: Tensor, weight: Tensor) -> Tensor:
    return conv_transpose_by_parity(x, parity_kernels(weight.transpose(0, 1)))


def plain_transposed(x: Tensor, weight: Tensor) -> Tensor:
    return F.conv_transpose2d(x, weight.transpose(0, 1), stride=2)


@pytest.mark.parametrize(
    ("fast", "plain"),
    [(repeat_then_conv, plain_repeat), (conv_then_mean, plain_mean), (by_parity, plain_transposed)],
)
def test_convolutions(fast: Callable[..., Tensor], plain: Callable[..., Tensor]) -> None:
    inputs = [drawn(2, 3, 6, 8).requires_grad_(), drawn(4, 3, 3, 3, seed=1).requires_grad_()]
    torch.testing.assert_close(fast(*inputs), plain(*inputs), rtol=1e-12, atol=1e-12)
    gradients = [torch.autograd.grad(conv(*inputs).sin().sum(), inputs) for conv in (fast, plain)]
    for own, other in zip(*gradients, strict=True):
        torch.testing.assert_close(own, other, rtol=1e-11, atol=1e-11)


def plain_blur(x: Tensor, taps: tuple[float, ...], padding: int) -> Tensor:
    """Rows, then columns."""
    x = F.pad(x, (padding,) * 4)
    height, width = (side - len(taps) + 1 for side in x.shape[2:])
    x = sum(tap / sum(taps) * x[:, :, u : u + height] for u, tap in enumerate(taps))
    return sum(tap / sum(taps) * x[:, :, :, v : v + width] for v, tap in enumerate(taps))


@pytest.mark.parametrize("learning", [False, True])
@pytest.mark.parametrize(("taps", "padding"), [((1.0, 3.0, 3.0, 1.0), 2), (BLUR_TAPS, 1)])
def test_blur(taps: tuple[float, ...], padding: int, learning: bool) -> None:
    x, bias = drawn(2, 3, 6, 6), drawn(3, seed=1)
    expected = 4 * plain_blur(x, taps, padding)
    with torch.set_grad_enabled(learning):
        for found, wanted in (
            (fir_filter(x, padding, gain=4.0, taps=taps), expected),
            (fir_filter(x, padding, gain=4.0, bias=bias, taps=taps), expected + bias[:, None, None]),
            (fir_filter(x, padding, stride=2, gain=4.0, taps=taps), expected[:, :, ::2, ::2]),
        ):
            torch.testing.assert_close(found, wanted, rtol=1e-12, atol=1e-12)


def test_fir_upsample() -> None:
    x = drawn(2, 3, 4, 4)
    spread = x.new_zeros(2, 3, 7, 7)
    spread[:, :, ::2, ::2] = x
    expected = 4 * plain_blur(spread, (1.0, 3.0, 3.0, 1.0), 2)
    torch.testing.assert_close(fir_upsample(x), expected, rtol=1e-12, atol=1e-12)


FILTERS: dict[str, Callable[[Tensor], Tensor]] = {
    "blur": lambda x: fir_filter(x, 2, gain=4.0),
    "blur of three taps": lambda x: fir_filter(x, 1, taps=BLUR_TAPS),
    "every second": lambda x: fir_filter(x, 1, stride=2),
    "upsample": fir_upsample,
}


@pytest.mark.parametrize("side", [5, 6])
@pytest.mark.parametrize("name", FILTERS)
def test_first_and_second_derivatives(name: str, side: int) -> None:
    x = drawn(2, 3, side, side + 1).requires_grad_()
    assert torch.autograd.gradcheck(FILTERS[name], x)
    assert torch.autograd.gradgradcheck(lambda x: FILTERS[name](x).pow(3), x)
    with torch.no_grad():
        without = FILTERS[name](x)
    assert torch.equal(FILTERS[name](x), without)


@pytest.mark.parametrize("name", FILTERS)
def test_a_second_derivative_runs_in_bfloat16(name: str) -> None:
    """As R1 under autocast: of the types of a plain convolution, and near the derivative in float64."""
    x = drawn(2, 3, 6, 6)

    def penalty(x: Tensor, precise: bool) -> Tensor:
        x = x.clone().requires_grad_()
        with torch.autocast("cpu", torch.bfloat16, enabled=not precise):
            y = FILTERS[name](x * x)
        assert y.dtype == (x.dtype if precise or name == "every second" else torch.bfloat16)
        (gradient,) = torch.autograd.grad(y.sum(), x, create_graph=True)
        (second,) = torch.autograd.grad(gradient.square().sum(), x)
        return second

    exact, rounded = penalty(x, True), penalty(x.float(), False)
    torch.testing.assert_close(rounded.double(), exact, rtol=0.05, atol=0.05)


@pytest.mark.parametrize("learning", [False, True])
@pytest.mark.parametrize("stride", [1, 2])
def test_a_bias_in_float32_under_autocast(stride: int, learning: bool) -> None:
    x, bias = drawn(2, 3, 6, 6).float(), drawn(3, seed=1).float()
    expected = fir_filter(x.double(), 2, stride, bias=bias.double())
    with torch.autocast("cpu", torch.bfloat16), torch.set_grad_enabled(learning):
        found = fir_filter(x.bfloat16(), 2, stride, bias=bias)
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found.double(), expected, rtol=0.02, atol=0.02)
