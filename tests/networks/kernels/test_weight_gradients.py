"""Convolutions with their own derivatives: PyTorch's must be the same, to the second."""

import pytest
import torch
import torch.nn.functional as F

from semanticgan.networks.config import DiscriminatorConfig
from semanticgan.networks.discriminator import Discriminator
from semanticgan.networks.kernels import weight_gradients
from semanticgan.networks.kernels.weight_gradients import (
    conv_stride_1,
    conv_stride_2,
    conv_transpose_stride_2,
    faster_by_planes,
    faster_by_taps,
)
from semanticgan.networks.layers import EqualisedConv
from semanticgan.training.objectives.r1 import r1_penalty

SIDE = 5
PAIRS = [
    (conv_stride_1, lambda x, w: F.conv2d(x, w, padding=1), (2, 3, SIDE, SIDE + 1)),
    (conv_stride_2, lambda x, w: F.conv2d(x, w, stride=2), (2, 3, 2 * SIDE + 1, 2 * SIDE + 1)),
    (conv_transpose_stride_2, lambda x, w: F.conv_transpose2d(x, w, stride=2), (2, 4, SIDE, SIDE)),
]


def _inputs(shape: tuple[int, ...]) -> list[torch.Tensor]:
    draws = torch.Generator().manual_seed(0)
    x = torch.randn(shape, generator=draws, dtype=torch.float64).contiguous(memory_format=torch.channels_last)
    weight = torch.randn(4, 3, 3, 3, generator=draws, dtype=torch.float64)
    return [x.requires_grad_(), weight.requires_grad_()]


@pytest.mark.parametrize(("ours", "theirs", "shape"), PAIRS)
def test_values_and_gradients(ours, theirs, shape) -> None:
    inputs = _inputs(shape)
    torch.testing.assert_close(ours(*inputs), theirs(*inputs), rtol=0, atol=0)
    gradients = [torch.autograd.grad(conv(*inputs).sin().sum(), inputs) for conv in (ours, theirs)]
    for own, other in zip(*gradients, strict=True):
        torch.testing.assert_close(own, other, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("ours", "theirs", "shape"), PAIRS)
def test_second_derivatives(ours, theirs, shape) -> None:
    inputs = _inputs(shape)
    assert torch.autograd.gradcheck(ours, inputs)
    assert torch.autograd.gradgradcheck(ours, inputs)


def test_where_it_is_used() -> None:
    x, weight = torch.zeros(1), torch.zeros(1, requires_grad=True)
    assert faster_by_taps(x, weight)
    assert not faster_by_taps(x, weight.detach())  # a discriminator that is frozen
    assert not faster_by_taps(x.bfloat16(), weight)  # oneDNN's own is as fast
    with torch.no_grad():
        assert not faster_by_taps(x, weight)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert not faster_by_taps(x, weight)


def test_stride_1_is_for_large_maps_without_avx512(monkeypatch) -> None:
    weight = torch.zeros(128, 32, 3, 3, requires_grad=True)
    large, small = torch.zeros(1, 32, 32, 32), torch.zeros(1, 32, 31, 32)
    for capability, expected in (("AVX2", True), ("DEFAULT", True), ("AVX512", False)):
        monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda capability=capability: capability)
        assert faster_by_planes(large, weight) is expected
        assert not faster_by_planes(small, weight)
        assert not faster_by_planes(large[:, :31], weight[:, :31])
        assert not faster_by_planes(large, weight[:, :, :1, :1])
        assert not faster_by_planes(large, weight.detach())


def test_a_compiled_convolution_of_large_maps_is_one_graph(monkeypatch) -> None:
    monkeypatch.setattr(weight_gradients, "LARGE_MAP", 0)
    monkeypatch.setattr(weight_gradients, "FEWEST_CHANNELS", 1)
    conv = EqualisedConv(3, 4, 3)
    x = torch.randn(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    compiled = torch.compile(conv, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(x), conv(x))


def test_discriminator_with_large_maps(monkeypatch) -> None:
    """The same scores, gradients and R1 gradients where every 3x3 convolution of stride 1 takes the other way."""
    widths = {4: 8, 8: 8, 16: 8}
    discriminator = Discriminator(DiscriminatorConfig(16, 3, widths, widths)).double()
    image = torch.randn(2, 3, 16, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    calls: list[int] = []
    usual = weight_gradients._by_planes
    monkeypatch.setattr(weight_gradients, "_by_planes", lambda *inputs: calls.append(1) or usual(*inputs))
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX2")
    monkeypatch.setattr(weight_gradients, "FEWEST_CHANNELS", 1)
    found = []
    for smallest in (1 << 62, 0):
        monkeypatch.setattr(weight_gradients, "LARGE_MAP", smallest)
        shown = image.clone().requires_grad_()
        score = discriminator(shown)
        loss = F.softplus(score).mean() + r1_penalty(score, shown, None).image
        found.append([score.detach(), *torch.autograd.grad(loss, [*discriminator.parameters()], allow_unused=True)])
        assert bool(calls) is (smallest == 0)
    for plain, other in zip(*found, strict=True):
        assert (plain is None) == (other is None)
        if plain is not None:
            torch.testing.assert_close(plain, other, rtol=1e-10, atol=1e-12)


def test_no_gradient_of_weights_that_nobody_asked_for(monkeypatch) -> None:
    """R1's first derivative is that of the picture alone."""
    calls = []
    usual = weight_gradients._by_taps
    monkeypatch.setattr(weight_gradients, "_by_taps", lambda *inputs: calls.append(1) or usual(*inputs))
    widths = {4: 8, 8: 8, 16: 8}
    discriminator = Discriminator(DiscriminatorConfig(16, 3, widths, widths))
    image = torch.randn(2, 3, 16, 16).requires_grad_()
    score = discriminator(image)
    penalty = r1_penalty(score, image, None).image
    assert not calls
    penalty.backward()
    assert calls
