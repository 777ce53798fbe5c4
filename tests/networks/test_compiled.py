"""A generator is one graph for ``torch.compile``, and its exported program takes any number of images."""

from __future__ import annotations

import pytest
import torch

from semanticgan.networks.config import DiscriminatorConfig
from semanticgan.networks.discriminator import Discriminator
from semanticgan.networks.generator import Generator
from semanticgan.rendering import Rendering
from tests.networks.models import CONFIGS, perturbed_generator
from tests.networks.test_oracle import assert_equal, inputs, noise_maps


@pytest.fixture(params=["5-regions-from-the-coarse-side"])
def generator(request: pytest.FixtureRequest) -> Generator:
    torch.compiler.reset()
    return perturbed_generator(CONFIGS[request.param]).requires_grad_(False)


@pytest.mark.slow
@pytest.mark.parametrize("generator", ["13-regions-floored", "5-regions-labelled"], indirect=True)
@pytest.mark.parametrize("gradients", [False, True])
def test_no_graph_break(generator: Generator, gradients: bool) -> None:
    """``fullgraph`` raises at a graph break; the backend runs the graph as it was traced."""
    compiled = torch.compile(generator, fullgraph=True, backend="eager", dynamic=False)
    given, maps = inputs(generator, torch.float32), noise_maps(generator, torch.float32)
    arguments = (given["latents"].requires_grad_(gradients), maps, given["visible"], given["coordinates"])
    with torch.set_grad_enabled(gradients):
        found, expected = compiled(*arguments), generator(*arguments)
    assert_equal(found, expected, 1e-5)
    assert found.image.requires_grad == gradients


@pytest.mark.slow
def test_an_exported_generator_takes_any_batch(generator: Generator) -> None:
    config = generator.config
    latents = torch.randn(5, config.num_rows, config.style_dim, generator=torch.Generator().manual_seed(0))
    images = torch.export.Dim("images", min=1, max=16)
    with torch.no_grad():
        program = torch.export.export(generator, (latents[:2],), dynamic_shapes={"latents": {0: images}})
        module = program.module()
        for count in (1, 2, 5):
            found = module(latents[:count])
            assert isinstance(found, Rendering)
            assert_equal(found, generator(latents[:count]), 1e-5)
        with pytest.raises(Exception, match="16"):
            module(latents.repeat(4, 1, 1))


@pytest.mark.slow
def test_an_exported_mapping_takes_any_batch(generator: Generator) -> None:
    z = torch.randn(5, generator.config.style_dim, generator=torch.Generator().manual_seed(0))
    images = torch.export.Dim("images", min=1, max=16)
    with torch.no_grad():
        module = torch.export.export(generator.mapping, (z[:2],), dynamic_shapes={"z": {0: images}}).module()
        for count in (1, 2, 5):
            torch.testing.assert_close(module(z[:count]), generator.map(z[:count]))


@pytest.mark.slow
def test_no_graph_break_in_a_discriminator() -> None:
    torch.compiler.reset()
    discriminator = Discriminator(DiscriminatorConfig(16, 3, {4: 4, 8: 4, 16: 4}, {4: 4, 8: 4, 16: 4}))
    image, segmentation = torch.randn(4, 3, 16, 16), torch.randn(4, 3, 16, 16)
    compiled = torch.compile(discriminator, fullgraph=True, backend="eager", dynamic=False)
    torch.testing.assert_close(compiled(image, segmentation), discriminator(image, segmentation))
