"""The stacked, folded, fused generator equals the plain one, values and gradients."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from semanticgan.networks.generator import Generator
from semanticgan.rendering import Rendering
from tests.networks import oracle
from tests.networks.models import CONFIGS, perturbed_generator

NUM_IMAGES = 2


def inputs(generator: Generator, dtype: torch.dtype) -> dict[str, Tensor]:
    config = generator.config
    source = torch.Generator().manual_seed(1)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=source, dtype=torch.float64).to(dtype)

    side, num_regions = config.coarse_size, config.num_regions
    visible = (torch.rand(NUM_IMAGES, num_regions, generator=source) < 0.6).to(dtype)
    visible[:, 0] = 1.0
    return {
        "latents": normal(NUM_IMAGES, config.num_rows, config.style_dim),
        "visible": visible,
        "coordinates": 0.7 * normal(NUM_IMAGES, num_regions, side, side, 2),
    }


def noise_maps(generator: Generator, dtype: torch.dtype) -> list[Tensor]:
    source = torch.Generator().manual_seed(2)
    return [
        torch.randn(1 if index % 2 else NUM_IMAGES, 1, side, side, generator=source, dtype=torch.float64).to(dtype)
        for index, side in enumerate(generator.renderer.noise_sides)
    ]


def assert_equal(rendering: Rendering, expected: Rendering, tolerance: float) -> None:
    for name in ("image", "segmentation", "coarse_segmentation", "depth"):
        value, other = getattr(rendering, name), getattr(expected, name)
        assert value.shape == other.shape
        error = ((value - other).abs().max() / other.abs().max()).item()
        assert error < tolerance, (name, error)


@pytest.mark.parametrize("case", ["plain", "visible", "coordinates", "noise", "all"])
@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_rendering(name: str, case: str, dtype: torch.dtype) -> None:
    generator = perturbed_generator(CONFIGS[name]).to(dtype)
    given = inputs(generator, dtype)
    visible = given["visible"] if case in ("visible", "all") else None
    coordinates = given["coordinates"] if case in ("coordinates", "all") else None
    noise = noise_maps(generator, dtype) if case in ("noise", "all") else None
    with torch.no_grad():
        rendering = generator(given["latents"], noise or "fixed", visible, coordinates)
        expected = oracle.render(generator, given["latents"], noise, visible, coordinates)
    # The Fourier features of the regular grid are kept in float32, which bounds the agreement in float64.
    exact = dtype == torch.float64 and coordinates is not None
    assert_equal(rendering, expected, 1e-12 if exact else 1e-5)


@pytest.mark.parametrize("name", CONFIGS)
def test_folded_weights_equal_those_with_gradients(name: str) -> None:
    """Inference keeps folded weights; they must follow when parameters change."""
    generator = perturbed_generator(CONFIGS[name])
    latents = inputs(generator, torch.float32)["latents"]
    for _ in range(2):
        with torch.no_grad():
            folded = generator(latents)
        assert_equal(folded, generator(latents), 1e-6)
        with torch.no_grad():
            for parameter in generator.renderer.parameters():
                parameter.mul_(1.1)
    other = perturbed_generator(CONFIGS[name], seed=5)
    with torch.no_grad():
        generator.load_state_dict(other.state_dict())
        assert_equal(generator(latents), other(latents), 1e-6)


@pytest.mark.parametrize("name", CONFIGS)
def test_gradients(name: str) -> None:
    """Of a random functional of all outputs, with respect to every parameter and the latents."""
    generator = perturbed_generator(CONFIGS[name]).double()
    given = inputs(generator, torch.float64)
    latents = given["latents"].requires_grad_()
    source = torch.Generator().manual_seed(3)

    def gradients(rendering: Rendering) -> dict[str, Tensor]:
        source.manual_seed(3)
        total = sum(
            (torch.randn(part.shape, generator=source, dtype=torch.float64) * part).sum()
            for part in (rendering.image, rendering.segmentation, rendering.coarse_segmentation, rendering.depth)
        )
        parameters = {"latents": latents, **{n: p for n, p in generator.named_parameters() if "mapping" not in n}}
        found = torch.autograd.grad(total, list(parameters.values()))
        return dict(zip(parameters, found, strict=True))

    fast = gradients(generator(latents, "fixed", given["visible"], given["coordinates"]))
    plain = gradients(oracle.render(generator, latents, None, given["visible"], given["coordinates"]))
    for parameter, expected in plain.items():
        error = ((fast[parameter] - expected).abs().max() / expected.abs().max().clamp_min(1e-3)).item()
        assert error < 1e-10, (parameter, error)


@pytest.mark.parametrize("name", CONFIGS)
def test_mapping(name: str) -> None:
    generator = perturbed_generator(CONFIGS[name])
    z = torch.randn(3, generator.config.style_dim, generator=torch.Generator().manual_seed(4))
    with torch.no_grad():
        expected = torch.stack([oracle.map_latent(generator, row) for row in z])
        torch.testing.assert_close(generator.map(z), expected, rtol=1e-5, atol=1e-5 * expected.abs().max().item())
