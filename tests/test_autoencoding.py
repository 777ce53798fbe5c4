"""Pictures encoded in one pass by a model of StyleALAE, through the facade."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import semanticgan as sg
from semanticgan.networks.comparison.alae import ALAEGenerator
from tests.alae import CONFIG


@pytest.fixture(scope="module")
def model(tiny_alae_file: Path) -> sg.Model:
    return sg.load(tiny_alae_file, device="cpu")


@pytest.fixture(scope="module")
def pictures() -> torch.Tensor:
    return torch.rand(5, 3, 16, 16, generator=torch.Generator().manual_seed(3)) * 2 - 1


def test_encode_is_the_sum_of_the_mapped_statistics_in_float64(model: sg.Model, pictures: torch.Tensor) -> None:
    """E by Figure 2 of the paper, computed a second time from the stored weights without the package's layers."""
    w = model.encode(pictures)
    assert w.shape == (5, CONFIG.style_dim) and w.device == model.device
    expected = encoded(model.generator, pictures.double())
    torch.testing.assert_close(w.double(), expected, rtol=0, atol=1e-4 * float(expected.abs().max()))
    torch.testing.assert_close(model.encode(pictures, batch_size=2), w)


def encoded(generator: torch.nn.Module, image: torch.Tensor) -> torch.Tensor:
    """w of pictures [N, 3, S, S] in float64."""
    assert isinstance(generator, ALAEGenerator)
    weights = {name: value.double() for name, value in generator.encoder.state_dict().items()}
    last = len(CONFIG.sides) - 1

    def conv(x: torch.Tensor, name: str, padding: int) -> torch.Tensor:
        kernel = weights[f"{name}.weight"]
        gain = (2.0 / kernel[0].numel()) ** 0.5
        y = torch.nn.functional.conv2d(x, gain * kernel, padding=padding)
        return y + weights[f"{name}.bias"].view(1, -1, 1, 1)

    def statistics(x: torch.Tensor, name: str) -> torch.Tensor:
        given = torch.cat([x.mean((2, 3)), x.var((2, 3), unbiased=False).sqrt()], 1)
        matrix = weights[f"{name}.weight"]
        return given @ ((2.0 / matrix.shape[1]) ** 0.5 * matrix).T + weights[f"{name}.bias"]

    def normalised(x: torch.Tensor) -> torch.Tensor:
        variance = x.var((2, 3), unbiased=False, keepdim=True)
        return (x - x.mean((2, 3), keepdim=True)) / (variance + 1e-5).sqrt()

    def lrelu(x: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.leaky_relu(x, 0.2)

    x = lrelu(lrelu(conv(image, f"from_rgb.{last}", 0)))
    w = torch.zeros(len(image), CONFIG.style_dim, dtype=torch.float64)
    binomial = torch.tensor([1.0, 2.0, 1.0], dtype=torch.float64)
    blur = torch.outer(binomial, binomial) / 16
    for index in reversed(range(last + 1)):
        block = f"blocks.{index}"
        x = lrelu(conv(x, f"{block}.conv1", 1))
        w = w + statistics(x, f"{block}.style1")
        x = normalised(x)
        x = torch.nn.functional.conv2d(x, blur.expand(x.shape[1], 1, 3, 3), padding=1, groups=x.shape[1])
        kernel = weights[f"{block}.conv2.weight"]
        gain = (2.0 / kernel[0].numel()) ** 0.5
        y = torch.nn.functional.conv2d(x, gain * kernel, padding=1)
        y = torch.nn.functional.avg_pool2d(y, 2)
        x = lrelu(y + weights[f"{block}.conv2.bias"].view(1, -1, 1, 1))
        w = w + statistics(x, f"{block}.style2")
        x = normalised(x)
    return w


def test_reconstruct_renders_the_code_found(model: sg.Model, pictures: torch.Tensor) -> None:
    found = model.reconstruct(pictures, batch_size=3)
    torch.testing.assert_close(found.image, model.render(model.code(model.encode(pictures))).image)
    assert found.image.shape == pictures.shape and not found.image.requires_grad


def test_gradients_where_they_are_asked_for(model: sg.Model, pictures: torch.Tensor) -> None:
    given = pictures[:1].clone().requires_grad_()
    assert not model.encode(given).requires_grad
    model.reconstruct(given, gradients=True).image.square().mean().backward()
    assert given.grad is not None and float(given.grad.abs().sum()) > 0


def test_the_mean_is_a_code_of_one_row_a_layer(model: sg.Model) -> None:
    assert model.generator.mean_latent.shape == (6, CONFIG.style_dim)
    mean = model.mean
    assert isinstance(mean, sg.LatentCode) and mean.tensor.shape == (1, 6, CONFIG.style_dim)
    assert torch.equal(mean.tensor[0], model.generator.mean_latent)
    assert torch.equal(sg.truncate(model.sample(seed=3), model.generator.mean_latent, 0.0).tensor, mean.tensor)
    torch.testing.assert_close(model.sample(seed=3, truncation=0.0).tensor, mean.tensor)


def test_invert_takes_one_pass(model: sg.Model, pictures: torch.Tensor, tmp_path: Path) -> None:
    for method in ("auto", "encoder"):
        found = model.invert(pictures[:1], method)
        assert found.method == "encoder" and torch.equal(found.code.tensor[:, 0], model.encode(pictures[:1]))
        error = (found.rendering.image.clamp(-1, 1) - pictures[:1]).square().mean() / 4
        assert found.figures["mse"] == pytest.approx(float(error), rel=1e-5)
    levels = ((pictures[0] + 1) * 127.5).round().byte().permute(1, 2, 0).numpy()
    Image.fromarray(np.ascontiguousarray(levels)).save(tmp_path / "a.png")
    from_file = model.invert(tmp_path / "a.png", aligned=True)
    own = torch.from_numpy(levels.copy()).permute(2, 0, 1)[None].float() / 127.5 - 1
    torch.testing.assert_close(from_file.code.tensor[:, 0], model.encode(own), rtol=0, atol=1e-4)
    with pytest.raises(sg.InputError, match="does not say where faces lie"):
        model.invert(tmp_path / "a.png")
    closer = model.invert(pictures[:1], "optimise", steps=8, distance=None)
    assert closer.figures["mse"] < model.invert(pictures[:1], "encoder").figures["mse"]


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (torch.zeros(1, 3, 8, 8), r"\[N, 3, 16, 16\]"),
        (torch.zeros(3, 16, 16), r"\[N, 3, 16, 16\]"),
        (torch.zeros(0, 3, 16, 16), r"\[N, 3, 16, 16\]"),
        (torch.tensor(1.0), r"\[N, 3, 16, 16\]"),
        (torch.zeros(1, 3, 16, 16, dtype=torch.uint8), "floating numbers"),
        (torch.full((1, 3, 16, 16), float("nan")), "not finite"),
        ("a.png", "torch.Tensor"),
    ],
)
def test_what_is_no_picture_is_refused(model: sg.Model, image: object, words: str) -> None:
    with pytest.raises(sg.InputError, match=words):
        model.encode(image)  # type: ignore[arg-type]


def test_other_models_say_which_have_an_encoder(tiny_model_file: Path) -> None:
    model = sg.load(tiny_model_file, device="cpu")
    assert not model.has_encoder
    for asked in (model.encode, model.reconstruct):
        with pytest.raises(sg.InputError, match="models of the method alae have one"):
            asked(torch.zeros(1, 3, 32, 32))
