"""StyleGAN against the authors' code, run in TensorFlow: levels, truncation, mixing, losses, gradients; 128 fused."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from semanticgan.latent_code import LatentCode
from semanticgan.latents import swap, truncate
from semanticgan.networks.comparison.stylegan import (
    StyleGANConfig,
    StyleGANDiscriminator,
    StyleGANDiscriminatorConfig,
    StyleGANGenerator,
)
from semanticgan.reference import stylegan
from semanticgan.rows import Rows
from semanticgan.training.objectives.adversarial import discriminator_loss, generator_loss
from semanticgan.training.objectives.r1 import r1_penalty
from tests.networks.comparison.growth import (
    assert_gradients,
    by_their_names,
    enlarged,
    expected,
    shrunk,
    variables,
)
from tests.networks.fixtures import Case, assert_parity, case

SMALL, FUSED = "baselines/stylegan1_original_32", "baselines/stylegan1_original_128"
LEVELS = {"lod0": 0.0, "lod0_3": 0.3, "lod1": 1.0, "lod1_3": 1.3, "lod2": 2.0, "lod2_3": 2.3}
LEVELS_OF = [(SMALL, name) for name in LEVELS] + [(FUSED, "lod0"), (FUSED, "lod0_3")]
LOSSES_OF = [(SMALL, "lod0"), (SMALL, "lod0_3"), (SMALL, "lod2"), (FUSED, "lod0")]
GAMMA = 10.0


def networks(reference: Case) -> tuple[StyleGANGenerator, StyleGANDiscriminator]:
    generator, discriminator = stylegan.of_variables(variables(reference, {"": ""}), "the fixture")
    assert discriminator is not None
    return generator, discriminator


@pytest.mark.parametrize(("name", "level"), LEVELS_OF)
def test_pictures(name: str, level: str) -> None:
    reference = case(name)
    generator, _ = networks(reference)
    for learning in (False, True):
        with torch.set_grad_enabled(learning):
            image = generator(reference["in/net/wp"], level=LEVELS[level]).image
        assert image.shape[-1] == generator.config.size >> int(LEVELS[level])
        assert_parity(enlarged(image, generator.config.size), reference[f"out/{level}/image"])


@torch.no_grad()
@pytest.mark.parametrize(("name", "level"), LEVELS_OF)
def test_scores(name: str, level: str) -> None:
    reference = case(name)
    _, discriminator = networks(reference)
    runs = list(expected(reference, f"{level}/scores"))
    assert len(runs) == 2
    for dtype, tolerance, scores in runs:
        image = shrunk(reference["in/net/x"].to(dtype), LEVELS[level])
        assert_parity(discriminator.to(dtype)(image, LEVELS[level]), scores, tolerance)


@torch.no_grad()
@pytest.mark.parametrize("name", [SMALL, FUSED])
def test_mapping(name: str) -> None:
    reference = case(name)
    for dtype, tolerance, w in expected(reference, "mapping/w"):
        assert_parity(networks(reference)[0].to(dtype).map(reference["in/net/z"].to(dtype)), w, tolerance)


def code(generator: StyleGANGenerator, z: Tensor) -> LatentCode:
    return LatentCode(generator.expand(generator.map(z)), Rows.of_layers(generator.config.num_rows))


@torch.no_grad()
def test_truncation() -> None:
    """psi on the layers below the cutoff; psi 1 leaves the code."""
    reference = case(SMALL)
    generator, _ = networks(reference)
    drawn = code(generator, reference["in/net/z"])
    for name, psi, layers in (("trunc_all", 0.7, "0-7"), ("trunc_3", 0.5, "0-2"), ("trunc_off", 1.0, "0-7")):
        stated = reference.meta["config"]["stylecases"][name]
        assert (stated["psi"], min(stated["cutoff"], 8)) == (psi, int(layers[-1]) + 1)
        truncated = truncate(drawn, generator.mean_latent, psi, layers=layers)
        assert_parity(generator(truncated.tensor).image, reference[f"out/{name}/image"])


@torch.no_grad()
@pytest.mark.parametrize("name", ["train_mix_3", "train_mix_1", "train_nomix", "train_nomix_lod1"])
def test_mixing_and_the_running_mean(name: str) -> None:
    """Layers from the cutoff on take the second code; the mean follows the first."""
    reference = case(SMALL)
    stated = reference.meta["config"]["stylecases"][name]
    for dtype, tolerance, mean in expected(reference, f"{name}/dlatent_avg"):
        generator = networks(reference)[0].to(dtype)
        z, second = reference["in/net/z"].to(dtype), reference["in/style/z2"].to(dtype)
        mixed = code(generator, z)
        if stated["u"] < 0.9:
            mixed = swap(mixed, code(generator, second), layers=f"{stated['cutoff']}-7")
        generator.follow_mean(generator.map(z))
        assert_parity(generator.mean_latent, mean, tolerance)
        if dtype == torch.float32:
            image = generator(mixed.tensor, level=stated["lod"]).image
            assert_parity(enlarged(image, 32), reference[f"out/{name}/image"])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("name", "level"), LOSSES_OF)
def test_losses_and_gradients(name: str, level: str, dtype: torch.dtype) -> None:
    """Logistic losses. R1 is on the full picture: 1 / 4^floor(level) of that at the level's own side."""
    reference = case(name)
    generator, discriminator = (network.to(dtype) for network in networks(reference))
    lod = LEVELS[level]
    real = shrunk(reference["in/loss/reals"].to(dtype), lod).requires_grad_()
    fake = generator(generator.map(reference["in/loss/z"].to(dtype)), level=lod).image
    real_score = discriminator(real, lod)
    loss = discriminator_loss(real_score, discriminator(fake.detach(), lod))
    loss = loss + GAMMA / 2 * r1_penalty(real_score, real).image / 4 ** int(lod)
    loss.backward()

    def theirs_of_d(tensors):
        return stylegan.discriminator_from_reference(tensors, discriminator.config)

    def theirs_of_g(tensors):
        return stylegan.generator_from_reference(tensors, generator.config)

    assert_gradients(reference, f"loss_{level}/d", by_their_names(reference, discriminator, theirs_of_d), dtype)
    of_generator = generator_loss(discriminator(fake, lod))
    of_generator.backward()
    assert_gradients(reference, f"loss_{level}/g", by_their_names(reference, generator, theirs_of_g), dtype)
    for part, value in (("d", loss), ("g", of_generator)):
        for run, tolerance, mean in expected(reference, f"loss_{level}/{part}/mean"):
            if run == dtype:
                assert_parity(value, mean, tolerance)


def test_number_of_values() -> None:
    """18 rows at 1024, 16 at 512; the paper's networks have as many trained values as the released ones."""
    with torch.device("meta"):
        generator = StyleGANGenerator(StyleGANConfig(size=1024))
        discriminator = StyleGANDiscriminator(StyleGANDiscriminatorConfig(size=1024))
    assert sum(parameter.numel() for parameter in generator.parameters()) == 26_219_627
    assert sum(parameter.numel() for parameter in discriminator.parameters()) == 23_087_249
    assert generator.config.num_rows == len(generator.noise_sides) == 18
    assert StyleGANConfig(size=512).num_rows == 16


def test_pictures_leave_the_constant_alone() -> None:
    """Layers overwrite their input in inference; the learnt constant stays."""
    generator = StyleGANGenerator(StyleGANConfig(size=8, style_dim=6, channels={4: 8, 8: 8}, num_mapping_layers=2))
    generator = generator.to(memory_format=torch.channels_last)
    before = generator.constant.clone()
    with torch.no_grad():
        for parameter in generator.blocks.parameters():
            parameter.add_(0.1)
        first = generator(generator.mean_latent[None]).image
        assert torch.equal(first, generator(generator.mean_latent[None]).image)
    assert torch.equal(generator.constant, before)
