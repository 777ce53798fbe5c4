"""Each layer against its formula in float64, written with loops over pixels, taps and channels where it can be."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from semanticgan.networks.kernels.resampling import fir_filter, fir_upsample
from semanticgan.networks.layers import (
    ACTIVATION_GAIN,
    BLUR_TAPS,
    AdaIN,
    EqualisedConv,
    EqualisedLinear,
    ModulatedConv,
    ScaledNoise,
    instance_norm,
    instance_statistics,
    leaky_relu,
    pixel_norm,
)
from tests.networks.fixtures import FOLDER, assert_parity

BASELINES = FOLDER / "baselines"


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def drawn_parameters(layer: torch.nn.Module) -> torch.nn.Module:
    """The layer in float64 with random parameters, so that no initial 0 or 1 hides a term."""
    layer = layer.double()
    with torch.no_grad():
        for index, parameter in enumerate(layer.parameters()):
            parameter.copy_(drawn(*parameter.shape, seed=10 + index))
    return layer


def close(value: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(value, expected, rtol=1e-10, atol=1e-10)


def plain_conv(x: Tensor, weight: Tensor, padding: int) -> Tensor:
    """y_eij = sum_cuv w_ecuv x_c(i + u - padding, j + v - padding)."""
    x = F.pad(x, (padding,) * 4)
    kernel = weight.shape[-1]
    height, width = x.shape[2] - kernel + 1, x.shape[3] - kernel + 1
    terms = [
        torch.einsum("ec,nchw->nehw", weight[:, :, u, v], x[:, :, u : u + height, v : v + width])
        for u in range(kernel)
        for v in range(kernel)
    ]
    return torch.stack(terms).sum(0)


def plain_blur(x: Tensor, taps: tuple[float, ...], padding: int) -> Tensor:
    line = torch.tensor(taps, dtype=x.dtype) / sum(taps)
    channels = torch.eye(x.shape[1], dtype=x.dtype)
    return plain_conv(x, channels[:, :, None, None] * torch.outer(line, line), padding)


def zeros_between(x: Tensor) -> Tensor:
    spread = x.new_zeros(*x.shape[:2], 2 * x.shape[2] - 1, 2 * x.shape[3] - 1)
    spread[:, :, ::2, ::2] = x
    return spread


def mean_of_pixels(x: Tensor) -> Tensor:
    return (x[:, :, ::2, ::2] + x[:, :, 1::2, ::2] + x[:, :, ::2, 1::2] + x[:, :, 1::2, 1::2]) / 4


@pytest.mark.parametrize(("gain", "bias_gain"), [(None, None), (math.sqrt(2) / 4, 1.0)])
@pytest.mark.parametrize("activated", [False, True])
@pytest.mark.parametrize("multiplier", [1.0, 0.01])
def test_linear(multiplier: float, activated: bool, gain: float | None, bias_gain: float | None) -> None:
    layer = drawn_parameters(EqualisedLinear(6, 4, multiplier, 0.0, activated, gain, bias_gain))
    x = drawn(3, 6)
    usual = math.sqrt(2) if activated else 1.0
    g, b = (usual if value is None else value for value in (gain, bias_gain))
    expected = g * multiplier / math.sqrt(6) * x @ layer.weight.T + b * multiplier * layer.bias
    close(layer(x), torch.maximum(expected, 0.2 * expected) if activated else expected)
    assert EqualisedLinear(6, 4, multiplier, bias_init=1.5).bias[0].item() * multiplier == pytest.approx(1.5)


@pytest.mark.parametrize("gains", [(None, None), (math.sqrt(2), 1.0)])
@pytest.mark.parametrize(
    ("resampling", "kernel"),
    [("none", 1), ("none", 3), ("fir_halve", 1), ("fir_halve", 3), ("mean_halve", 3), ("repeat_double", 3)],
)
def test_convolution(resampling, kernel: int, gains: tuple[float | None, float | None]) -> None:
    layer = drawn_parameters(EqualisedConv(3, 4, kernel, resampling, gain=gains[0], bias_gain=gains[1]))
    x = drawn(2, 3, 6, 6)
    usual = math.sqrt(2)
    gain, bias_gain = (usual if value is None else value for value in gains)
    weight = gain / math.sqrt(3 * kernel * kernel) * layer.weight
    padding = kernel // 2
    if resampling == "repeat_double":
        expected = plain_conv(x.repeat_interleave(2, 2).repeat_interleave(2, 3), weight, padding)
    elif resampling == "mean_halve":
        expected = mean_of_pixels(plain_conv(x, weight, padding))
    elif resampling == "fir_halve":
        expected = plain_conv(plain_blur(x, (1, 3, 3, 1), 1 + padding), weight, 0)[:, :, ::2, ::2]
    else:
        expected = plain_conv(x, weight, padding)
    expected = expected + bias_gain * layer.bias[:, None, None]
    for learning in (True, False):
        with torch.set_grad_enabled(learning):
            close(layer(x), torch.maximum(expected, 0.2 * expected))


@pytest.mark.parametrize("style_dim", [None, 5])
@pytest.mark.parametrize("demodulate", [False, True])
@pytest.mark.parametrize(("kernel", "upsample"), [(1, False), (3, False), (3, True)])
def test_modulated_convolution(kernel: int, upsample: bool, demodulate: bool, style_dim: int | None) -> None:
    layer = drawn_parameters(ModulatedConv(3, 4, kernel, upsample, demodulate, style_dim))
    x, bias, gain = drawn(2, 3, 5, 5), drawn(4, seed=1), 1.7
    style = None if style_dim is None else drawn(2, style_dim, seed=2)
    if style is None:
        scales = layer.scale.expand(2, 3)
    else:
        scales = style @ layer.style.weight.T / math.sqrt(5) + layer.style.bias
    pictures = []
    for image, scale in zip(x.split(1), scales, strict=True):
        weight = layer.weight / math.sqrt(3 * kernel * kernel) * scale[None, :, None, None]
        if demodulate:
            weight = weight / torch.sqrt((weight**2).sum((1, 2, 3), keepdim=True) + 1e-8)
        if upsample:
            wide = plain_conv(zeros_between(image), weight.flip(2, 3), 2)
            pictures.append(4 * plain_blur(wide, (1, 3, 3, 1), 1))
        else:
            pictures.append(plain_conv(image, weight, kernel // 2))
    expected = gain * torch.cat(pictures) + bias[:, None, None]
    for learning in (True, False):
        with torch.set_grad_enabled(learning):
            close(layer(x, style, gain=gain, bias=bias), expected)


@pytest.mark.parametrize("style_dim", [None, 5])
def test_modulated_convolution_follows_its_parameters(style_dim: int | None) -> None:
    """What inference keeps of the weights is computed anew when one of them changes."""
    layer = drawn_parameters(ModulatedConv(3, 4, 3, True, style_dim=style_dim))
    x, style = drawn(2, 3, 5, 5), None if style_dim is None else drawn(2, style_dim, seed=2)
    with torch.no_grad():
        before = layer(x, style)
        for parameter in layer.parameters():
            parameter.add_(0.3)
            after = layer(x, style)
            assert not torch.allclose(after, before)
            close(after, drawn_copy(layer)(x, style))
            before = after


def drawn_copy(layer: ModulatedConv) -> ModulatedConv:
    dim = None if layer.style is None else layer.style.weight.shape[1]
    copy = ModulatedConv(3, 4, 3, True, style_dim=dim).double()
    copy.load_state_dict(layer.state_dict())
    return copy


def test_modulated_convolution_begins_unmodulated() -> None:
    """Scale and affine map start at 1: a style of 0 leaves the convolution as it is without one."""
    styled, plain = ModulatedConv(3, 4, 3, style_dim=5), ModulatedConv(3, 4, 3)
    plain.weight.data.copy_(styled.weight)
    x = drawn(2, 3, 5, 5).float()
    torch.testing.assert_close(styled(x, torch.zeros(2, 5)), plain(x))


def test_pixel_norm() -> None:
    for x in (drawn(2, 5), drawn(2, 5, 3, 4)):
        length = torch.sqrt(sum(x[:, c] ** 2 for c in range(5)) / 5 + 1e-8)
        close(pixel_norm(x), torch.stack([x[:, c] / length for c in range(5)], 1))


def test_adain_and_instance_norm() -> None:
    x, style = 3.0 * drawn(2, 4, 6, 5) + 1.0, drawn(2, 7, seed=1)
    mean = x.flatten(2).mean(-1)
    variance = ((x - mean[:, :, None, None]) ** 2).flatten(2).mean(-1)
    found = instance_statistics(x)
    close(found[0].flatten(1), mean)
    close(found[1].flatten(1), variance)
    normal = (x - mean[:, :, None, None]) / torch.sqrt(variance + 1e-5)[:, :, None, None]
    close(instance_norm(x, 1e-5), normal)
    layer = drawn_parameters(AdaIN(4, 7))
    affine = style @ layer.style.weight.T / math.sqrt(7) + layer.style.bias
    expected = instance_norm(x) * (affine[:, :4, None, None] + 1) + affine[:, 4:, None, None]
    close(layer(x, style), expected)


@pytest.mark.parametrize("layer", [ModulatedConv(3, 4, 3, True, style_dim=5), AdaIN(3, 5)], ids=["modulated", "adain"])
def test_styles_under_autocast(layer: torch.nn.Module) -> None:
    """The map stays short, its style is computed in float32."""
    x, style = drawn(2, 3, 4, 4).float(), drawn(2, 5, seed=1).float()
    exact = layer(x, style)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        short = layer(x.bfloat16(), style)
    assert (short - exact).abs().max() < 0.03 * exact.abs().max()
    if isinstance(layer, ModulatedConv):
        assert short.dtype == torch.bfloat16


@pytest.mark.parametrize("channels", [None, 3])
def test_noise(channels: int | None) -> None:
    layer = drawn_parameters(ScaledNoise(channels))
    x, noise = drawn(2, 3, 4, 4), drawn(2, 1, 4, 4, seed=1)
    strength = layer.weight.expand(3, 1, 1) if channels else layer.weight
    close(layer(x, noise, gain=1.5), x + 1.5 * strength * noise)
    assert not ScaledNoise(channels).weight.any()


def test_activation() -> None:
    x = drawn(50)
    close(leaky_relu(x), torch.where(x > 0, x, 0.2 * x))


def baseline(name: str, prefix: str) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Weights below ``prefix``, and all arrays, of a comparison system's fixture."""
    path = BASELINES / f"{name}.npz"
    if not path.is_file():
        pytest.skip(f"the reference implementations' outputs are not at {BASELINES}")
    with np.load(path, allow_pickle=False) as file:
        arrays = {key: torch.from_numpy(file[key]) for key in file.files if "/grad" not in key and key != "meta.json"}
    return {key.removeprefix(prefix): array for key, array in arrays.items() if key.startswith(prefix)}, arrays


def conv_from_tensorflow(weight: Tensor, bias: Tensor | None = None, fused: bool = False, **options) -> EqualisedConv:
    """A convolution of the official TensorFlow code; a fused one is turned by 180 degrees."""
    stored = weight.permute(2, 3, 0, 1).flip(2, 3) if fused else weight.permute(3, 2, 0, 1)
    channels_out, channels_in, kernel, _ = stored.shape
    layer = EqualisedConv(channels_in, channels_out, kernel, bias=bias is not None, bias_gain=1.0, **options)
    layer.load_state_dict({"weight": stored} | ({} if bias is None else {"bias": bias}))
    return layer


@torch.no_grad()
def test_the_layers_make_pggans_generator() -> None:
    weights, given = baseline("pggan_original", "sd/G/")

    def conv(name: str, x: Tensor, **options) -> Tensor:
        return conv_from_tensorflow(weights[f"{name}/weight"], weights[f"{name}/bias"], **options)(x)

    dense = weights["4x4/Dense/weight"]  # its bias is one per channel, so it is added after the reshape
    first = EqualisedLinear(*dense.shape, gain=math.sqrt(2) / 4)
    first.load_state_dict({"weight": dense.T, "bias": torch.zeros(dense.shape[1])})
    x = first(pixel_norm(given["in/net/z"])).view(3, -1, 4, 4) + weights["4x4/Dense/bias"][:, None, None]
    x = pixel_norm(conv("4x4/Conv", pixel_norm(leaky_relu(x))))
    for side in (8, 16, 32):
        x = pixel_norm(conv(f"{side}x{side}/Conv0_up", x, fused=True, resampling="repeat_double"))
        x = pixel_norm(conv(f"{side}x{side}/Conv1", x))
    assert_parity(conv("ToRGB_lod0", x, activated=False), given["out/lod0/image"])


@torch.no_grad()
def test_the_layers_make_stylegans_generator() -> None:
    weights, given = baseline("stylegan1_original_32", "sd/G_synthesis/")
    layers = iter(range(8))

    def after(name: str, x: Tensor) -> Tensor:
        """Noise, bias, activation, style."""
        index = next(layers)
        noise = ScaledNoise(x.shape[1])
        noise.weight.copy_(weights[f"{name}/Noise/weight"].view(-1, 1, 1))
        x = leaky_relu(noise(x, weights[f"noise{index}"]) + weights[f"{name}/bias"].view(-1, 1, 1))
        style = AdaIN(x.shape[1], 24)
        state = {"style.weight": weights[f"{name}/StyleMod/weight"].T, "style.bias": weights[f"{name}/StyleMod/bias"]}
        style.load_state_dict(state)
        return style(x, given["in/net/wp"][:, index])

    def conv(name: str, x: Tensor, **options) -> Tensor:
        options = {"activated": False, "gain": math.sqrt(2), **options}
        return conv_from_tensorflow(weights[f"{name}/weight"], **options)(x)

    x = after("4x4/Const", weights["4x4/Const/const"].expand(3, -1, -1, -1).clone())
    x = after("4x4/Conv", conv("4x4/Conv", x))
    for side in (8, 16, 32):
        up = conv(f"{side}x{side}/Conv0_up", x, resampling="repeat_double")
        x = after(f"{side}x{side}/Conv0_up", fir_filter(up, padding=1, taps=BLUR_TAPS))
        x = after(f"{side}x{side}/Conv1", conv(f"{side}x{side}/Conv1", x))
    image = conv("ToRGB_lod0", x, gain=1.0) + weights["ToRGB_lod0/bias"].view(-1, 1, 1)
    assert_parity(image, given["out/lod0/image"])


@torch.no_grad()
def test_the_layers_make_stylegan2s_generator() -> None:
    weights, given = baseline("sg2_generator", "sd/")
    w = given["in/w/w"]

    def modulated(name: str, **options) -> ModulatedConv:
        stored = weights[f"{name}.conv.weight"][0]
        layer = ModulatedConv(stored.shape[1], stored.shape[0], stored.shape[2], style_dim=w.shape[1], **options)
        style = {key: weights[f"{name}.conv.modulation.{key}"] for key in ("weight", "bias")}
        layer.load_state_dict({"weight": stored, **{f"style.{key}": value for key, value in style.items()}})
        return layer

    def styled(name: str, index: int, x: Tensor, **options) -> Tensor:
        noise = ScaledNoise()
        noise.weight.copy_(weights[f"{name}.noise.weight"][0])
        x = modulated(name, **options)(x, w, gain=ACTIVATION_GAIN)
        x = noise(x, weights[f"noises.noise_{index}"], gain=ACTIVATION_GAIN)
        return leaky_relu(x + ACTIVATION_GAIN * weights[f"{name}.activate.bias"].view(-1, 1, 1))

    def colours(name: str, x: Tensor) -> Tensor:
        return modulated(name, demodulate=False)(x, w, bias=weights[f"{name}.bias"].flatten())

    x = styled("conv1", 0, weights["input.input"].expand(2, -1, -1, -1))
    image = colours("to_rgb1", x)
    for index in range(3):
        x = styled(f"convs.{2 * index}", 2 * index + 1, x, upsample=True)
        x = styled(f"convs.{2 * index + 1}", 2 * index + 2, x)
        image = fir_upsample(image) + colours(f"to_rgbs.{index}", x)
    assert_parity(image, given["out/w/image"])
