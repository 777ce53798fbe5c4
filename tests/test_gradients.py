"""A model can be differentiated: its parameters are frozen; codes, noise and coordinates are not."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

import semanticgan as sg
from semanticgan.checkpoint import load_model
from semanticgan.editing.regions import edit, interpolate_regions, swap_regions, vary_regions
from semanticgan.model import Model


@pytest.fixture
def model(tiny_model_file: Path) -> Model:
    """The tiny model with noise that shows: its strength is 0 in new weights."""
    loaded = sg.load(tiny_model_file, device="cpu")
    for name, parameter in loaded.generator.named_parameters():
        if name.endswith("noise.weight"):
            parameter.data.fill_(0.5)
    return loaded


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def noise_of(model: Model, num_images: int = 1) -> list[Tensor]:
    return [drawn(num_images, 1, side, side, seed=side) for side in model.generator.renderer.noise_sides]


@pytest.mark.parametrize("differentiated", ["code", "noise", "coordinates"])
def test_gradients_are_those_of_finite_differences(model: Model, differentiated: str) -> None:
    """In float64, along a random direction, of a random functional of picture, segmentation, masks and depth."""
    model.generator.double()
    config = model.config
    side = config.coarse_size
    given = {
        "code": model.sample(seeds=[1, 2, 3]).tensor,
        "noise": noise_of(model),
        "coordinates": 0.5 * drawn(3, config.num_regions, side, side, 2),
    }
    chosen = given["noise"][1] if differentiated == "noise" else given[differentiated]
    chosen.requires_grad_()

    def functional(gradients: bool) -> Tensor:
        code, noise, coordinates = given.values()
        rendering = model.render(code, noise, coordinates=coordinates, batch_size=2, gradients=gradients)
        assert all(part.dtype == torch.float64 for part in vars(rendering).values())
        return sum((drawn(*part.shape, seed=index) * part).sum() for index, part in enumerate(vars(rendering).values()))

    (gradient,) = torch.autograd.grad(functional(gradients=True), chosen)
    direction, step = drawn(*chosen.shape, seed=9), 1e-7
    values = []
    for sign in (1.0, -1.0):
        chosen.data.add_(direction, alpha=sign * step)
        values.append(functional(gradients=False))
        chosen.data.sub_(direction, alpha=sign * step)
    assert not values[0].requires_grad
    slope = ((values[0] - values[1]) / (2 * step)).item()
    assert (gradient * direction).sum().item() == pytest.approx(slope, rel=1e-4)
    assert slope != 0 and not any(parameter.requires_grad for parameter in model.generator.parameters())
    assert all(parameter.grad is None for parameter in model.generator.parameters())


def test_a_model_freezes_what_it_is_made_of(tiny_model_file: Path) -> None:
    """``load_model`` gives networks to train; a Model's are frozen, however it was made."""
    loaded = load_model(tiny_model_file)
    assert all(parameter.requires_grad for parameter in loaded.generator.parameters())
    assert not any(parameter.requires_grad for parameter in Model(loaded).generator.parameters())


def test_without_gradients_there_is_no_graph(model: Model) -> None:
    code = model.sample(seed=1).tensor.requires_grad_()
    for rendering in (model.render(code), model.session().render(code)):
        assert not any(part.requires_grad for part in vars(rendering).values())
    with torch.no_grad():
        assert model.render(code, gradients=True).image.requires_grad


def test_noise_passes_through_edits(model: Model) -> None:
    """Before and after are rendered with the given maps, such as those of an inversion."""
    a, b, noise = model.sample(seed=1), model.sample(seed=2), noise_of(model)
    for change in (
        lambda **given: edit(model, a, model.edit(a, "hair", b), "hair", b, **given),
        lambda **given: swap_regions(model, a, b, "hair", **given),
        lambda **given: vary_regions(model, a, "hair", [5, 6], **given),
        lambda **given: interpolate_regions(model, [a, b], 3, "hair", **given),
    ):
        result = change(noise=noise)
        assert result.source == model.render(a, noise) != change().source
        torch.testing.assert_close(result.result.image, model.render(result.code, noise).image)
        assert result.reference is None or result.reference == model.render(b, noise)
