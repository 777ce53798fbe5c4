"""PGGAN and StyleGAN from an ``.npz`` of the official code's variables: pictures and scores, and what is refused."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from torch import Tensor

from semanticgan.errors import WeightsError
from semanticgan.formats.arrayfile import read_npz
from semanticgan.reference import pggan, stylegan
from tests.networks.comparison.growth import variables
from tests.networks.fixtures import assert_parity, case

SYSTEMS = {"pggan": pggan, "stylegan": stylegan}
PREFIXES = {"pggan": {"G/": "G/", "D/": "D/"}, "stylegan": {"": ""}}
FIXTURES = {"pggan": "baselines/pggan_original", "stylegan": "baselines/stylegan1_original_32"}
LOD = {"pggan": "G/lod", "stylegan": "G_synthesis/lod"}


def given(name: str) -> dict[str, Tensor]:
    return variables(case(FIXTURES[name]), PREFIXES[name])


def refused(system: ModuleType, found: dict[str, Tensor]) -> str:
    with pytest.raises(WeightsError) as error:
        system.of_variables(found, "the file 'a.npz'")
    message = str(error.value)
    assert "\n" not in message
    return message


@torch.no_grad()
@pytest.mark.parametrize("name", SYSTEMS)
def test_a_file(tmp_path: Path, name: str) -> None:
    reference = case(FIXTURES[name])
    np.savez(tmp_path / "a.npz", **{key: value.numpy() for key, value in given(name).items()}, **{LOD[name]: 0.0})
    found = read_npz(tmp_path / "a.npz")
    assert [pggan.is_pggan(found), stylegan.is_stylegan(found)] == [name == "pggan", name == "stylegan"]
    generator, discriminator = SYSTEMS[name].of_variables(found, "a.npz")
    assert not generator.training and not discriminator.training
    latents = generator.map(reference["in/net/z"]) if name == "pggan" else reference["in/net/wp"]
    assert_parity(generator(latents).image, reference["out/lod0/image"])
    assert_parity(discriminator(reference["in/net/x"]), reference["out/lod0/scores"])


@torch.no_grad()
@pytest.mark.parametrize("name", SYSTEMS)
def test_sizes_and_level(name: str) -> None:
    lod = torch.tensor(1.5)
    generator, discriminator = SYSTEMS[name].of_variables({**given(name), LOD[name]: lod, "D/lod": lod}, "a.npz")
    config = generator.config
    assert (config.size, config.level, generator.picture_size) == (32, 1.5, 16)
    assert config.channels == discriminator.config.channels == {4: 20, 8: 20, 16: 16, 32: 8}
    if name == "stylegan":
        assert (config.latent_dim, config.mapping_channels, config.style_dim, config.num_mapping_layers) == (
            20,
            28,
            24,
            4,
        )
        assert torch.equal(generator.mean_latent, given(name)["G/dlatent_avg"])
    else:
        assert config.style_dim == 20


def test_parts_of_a_model() -> None:
    """Without a discriminator; the averaged generator's prefix; a file without noise gets maps, the same each time."""
    for name, system in SYSTEMS.items():
        alone = {key: value for key, value in given(name).items() if not key.startswith("D/")}
        assert system.of_variables(alone, "a.npz")[1] is None
        averaged = {key.replace("G/", "Gs/"): value for key, value in alone.items()}
        assert any(key.startswith("Gs/") for key in averaged)
        generators = [system.of_variables(found, "a.npz")[0].state_dict() for found in (alone, averaged)]
        assert all(torch.equal(value, generators[1][key]) for key, value in generators[0].items())
    silent = {key: value for key, value in given("stylegan").items() if "/noise" not in key}
    first, second = (stylegan.of_variables(silent, "a.npz")[0] for _ in range(2))
    assert torch.equal(first.noise_7, second.noise_7) and first.noise_7.std() > 0.8


@pytest.mark.parametrize("name", SYSTEMS)
def test_each_variable_is_needed_as_it_is(name: str) -> None:
    system, whole = SYSTEMS[name], given(name)
    for missing, tensor in whole.items():
        assert "lacks" in refused(system, {key: value for key, value in whole.items() if key != missing}), missing
        wider = torch.cat([tensor, tensor[..., :1]], dim=-1)  # the first axis of the first layer may have any length
        refused(system, {**whole, missing: wider})
        refused(system, {**whole, missing: tensor[None]})
        refused(system, {**whole, missing: tensor.long()})
    for unknown in ("G/extra", "D/extra/weight", "Gs/4x4/Dense/bias", "optimiser/beta"):
        assert "unknown" in refused(system, {**whole, unknown: torch.zeros(3)})
    assert "level" in refused(system, {**whole, LOD[name]: torch.tensor(3.5)})
    refused(system, {**whole, LOD[name]: torch.zeros(2)})
    for odd in ("G/64x64/Conv0_up/weight", "D/999999999x999999999/Conv0/weight", "D/24x24/Conv0/weight"):
        refused(system, {**whole, odd: torch.zeros(3, 3, 8, 8)})
