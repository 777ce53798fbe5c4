"""PGGAN against the authors' code, run in TensorFlow: levels and blends, fused or not, losses, gradients."""

from __future__ import annotations

import pytest
import torch

from semanticgan.networks.comparison.pggan import (
    PGGANConfig,
    PGGANDiscriminator,
    PGGANDiscriminatorConfig,
    PGGANGenerator,
)
from semanticgan.networks.discriminator import minibatch_deviation
from semanticgan.networks.layers import pixel_norm
from semanticgan.reference import pggan
from semanticgan.training.methods.pggan_losses import (
    between,
    discriminator_loss,
    generator_loss,
    gradient_penalty,
)
from tests.networks.comparison.growth import (
    assert_gradients,
    by_their_names,
    enlarged,
    expected,
    shrunk,
    variables,
)
from tests.networks.fixtures import Case, assert_parity, case

LEVELS = {"lod0": 0.0, "lod0_3": 0.3, "lod1": 1.0, "lod1_3": 1.3, "lod2": 2.0, "lod2_3": 2.3, "lod3": 3.0}
LOSSES = ["lod0", "lod0_3", "lod1_3", "lod2", "lod2_3", "lod3"]


@pytest.fixture
def reference() -> Case:
    return case("baselines/pggan_original")


def networks(reference: Case, kind: str = "") -> tuple[PGGANGenerator, PGGANDiscriminator]:
    found = variables(reference, {f"G{kind}/": "G/", f"D{kind}/": "D/"})
    generator, discriminator = pggan.of_variables(found, "the fixture")
    assert discriminator is not None
    return generator, discriminator


@pytest.mark.parametrize("kind", ["", "_unfused"])
@pytest.mark.parametrize("name", LEVELS)
def test_pictures(reference: Case, name: str, kind: str) -> None:
    generator, _ = networks(reference, kind)
    for learning in (False, True):
        with torch.set_grad_enabled(learning):
            image = generator(generator.map(reference["in/net/z"]), level=LEVELS[name]).image
        assert image.shape[-1] == 32 >> int(LEVELS[name])
        assert_parity(enlarged(image, 32), reference[f"out/{name}{kind}/image"])


@torch.no_grad()
@pytest.mark.parametrize("kind", ["", "_unfused"])
@pytest.mark.parametrize("name", LEVELS)
def test_scores(reference: Case, name: str, kind: str) -> None:
    _, discriminator = networks(reference, kind)
    assert discriminator.config.mean_last == bool(kind)
    runs = list(expected(reference, f"{name}{kind}/scores"))
    assert len(runs) == 2
    for dtype, tolerance, scores in runs:
        image = shrunk(reference["in/net/x"].to(dtype), LEVELS[name])
        assert_parity(discriminator.to(dtype)(image, LEVELS[name]), scores, tolerance)


def test_deviation_and_pixel_norm(reference: Case) -> None:
    for count in (1, 3, 4, 8):
        for dtype, tolerance, deviation in expected(reference, f"mbstd/n{count}"):
            found = minibatch_deviation(reference["in/mbstd/x"][:count].to(dtype))[:, -1:]
            assert_parity(found, deviation, tolerance)
    for dtype, tolerance, normal in expected(reference, "pixel_norm/y"):
        assert_parity(pixel_norm(reference["in/mbstd/x"][:2].to(dtype)), normal, tolerance)
    for dtype, tolerance, normal in expected(reference, "pixel_norm/z"):
        generator = networks(reference)[0].to(dtype)
        assert_parity(generator.map(reference["in/net/z"].to(dtype)), normal, tolerance)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", LOSSES)
def test_losses_and_gradients(reference: Case, name: str, dtype: torch.dtype) -> None:
    generator, discriminator = (network.to(dtype) for network in networks(reference))
    level = LEVELS[name]
    z, share = reference["in/loss/z"].to(dtype), reference["in/loss/u"].to(dtype)
    real = shrunk(reference[f"in/loss/reals_{name}"].to(dtype), level)
    w = generator.map(z)
    if dtype == torch.float64:  # the port that computed these normalises z twice, 5e-9 less
        w = pixel_norm(w)
    fake = generator(w, level=level).image
    mixed = between(real, fake, share)
    scores = [discriminator(image, level) for image in (real, fake.detach(), mixed)]
    loss = discriminator_loss(*scores[:2]) + 10.0 * gradient_penalty(scores[2], mixed, target=2.0 ** int(level))
    loss.backward()

    def theirs_of_d(tensors):
        return pggan.discriminator_from_reference(tensors, discriminator.config)

    def theirs_of_g(tensors):
        return pggan.generator_from_reference(tensors, generator.config)

    assert_gradients(reference, f"loss_{name}/d", by_their_names(reference, discriminator, theirs_of_d), dtype)
    of_generator = generator_loss(discriminator(fake, level))
    of_generator.backward()
    assert_gradients(reference, f"loss_{name}/g", by_their_names(reference, generator, theirs_of_g), dtype)
    for part, value in (("d", loss), ("g", of_generator)):
        for run, tolerance, mean in expected(reference, f"loss_{name}/{part}/mean"):
            if run == dtype:
                assert_parity(value, mean, tolerance)


@pytest.mark.parametrize(
    ("size", "of_generator", "of_discriminator"),
    [(128, 22_933_394, 22_941_313), (256, 23_044_309, 23_052_353), (1024, 23_079_115, 23_087_249)],
)
def test_number_of_values(size: int, of_generator: int, of_discriminator: int) -> None:
    """The paper's networks have as many trained values as the authors'."""
    with torch.device("meta"):
        generator = PGGANGenerator(PGGANConfig(size=size))
        discriminator = PGGANDiscriminator(PGGANDiscriminatorConfig(size=size))
    assert sum(parameter.numel() for parameter in generator.parameters()) == of_generator
    assert sum(parameter.numel() for parameter in discriminator.parameters()) == of_discriminator


def test_one_row() -> None:
    generator = PGGANGenerator(PGGANConfig(size=8, style_dim=6, channels={4: 8, 8: 8}))
    w = generator.map(torch.randn(2, 6))
    assert generator.expand(w).shape == (2, 1, 6)
    assert torch.equal(generator(w).image, generator(w[:, None]).image)
    assert not generator.noise_sides
