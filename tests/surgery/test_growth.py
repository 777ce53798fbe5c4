"""Growing a generator: what it draws at first is what its start draws, enlarged, and all of it learns."""

from __future__ import annotations

import copy
import dataclasses
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

import semanticgan as sg
from semanticgan.checkpoint import LoadedModel, ModelMetadata, load_model, save_model
from semanticgan.errors import InputError
from semanticgan.model import Model
from semanticgan.networks.config import GeneratorConfig
from semanticgan.networks.generator import Generator
from semanticgan.rendering import Rendering
from semanticgan.surgery.growth import (
    enlarged,
    grow_average,
    grow_generator,
    grow_model,
    grown_generator_config,
    origins,
)
from tests.conftest import TINY_CONFIG, TINY_REGIONS
from tests.networks.models import CONFIGS, perturbed_generator

LABELLED = CONFIGS["5-regions-labelled"]


def doubled(x: Tensor) -> Tensor:
    """Twice the sides: a new pixel takes 3/4 of the pixel that it lies in and 1/4 of the nearest other one."""
    for _ in range(2):
        left, right = F.pad(x, (1, 0))[..., :-1], F.pad(x, (0, 1))[..., 1:]
        x = torch.stack([0.75 * x + 0.25 * left, 0.75 * x + 0.25 * right], dim=-1).flatten(-2).mT
    return x


def latents(config: GeneratorConfig, num_images: int = 2) -> Tensor:
    return torch.randn(num_images, config.num_rows, config.style_dim, generator=torch.Generator().manual_seed(1))


def assert_enlarged(small: Rendering, large: Rendering, doublings: int = 1) -> None:
    image, segmentation = small.image, small.segmentation
    for _ in range(doublings):
        image, segmentation = doubled(image), doubled(segmentation)
    torch.testing.assert_close(large.image, image, rtol=0.0, atol=1e-5)
    torch.testing.assert_close(large.segmentation, segmentation, rtol=0.0, atol=1e-5)
    assert torch.equal(large.coarse_segmentation, small.coarse_segmentation)
    assert torch.equal(large.depth, small.depth)


def test_enlarging_is_what_the_renderer_does() -> None:
    x = torch.randn(2, 3, 4, 4)
    torch.testing.assert_close(enlarged(x, 8), doubled(x))
    torch.testing.assert_close(enlarged(x, 16), doubled(doubled(x)))


@pytest.mark.parametrize("config", CONFIGS.values(), ids=list(CONFIGS))
@torch.no_grad()
def test_the_first_picture_is_that_of_the_start_enlarged(config: GeneratorConfig) -> None:
    start = perturbed_generator(config)
    grown = grow_generator(start, grown_generator_config(config, 2 * config.size))
    codes = latents(config)
    assert_enlarged(start(codes), grown(codes))
    sides = grown.renderer.noise_sides
    maps = [torch.randn(2, 1, side, side, generator=torch.Generator().manual_seed(side)) for side in sides]
    assert_enlarged(start(codes, maps[:-2]), grown(codes, maps))
    assert torch.equal(grown.map(codes[:, 0]), start.map(codes[:, 0]))
    visible = torch.tensor([[1.0] + [0.0] * (config.num_regions - 2) + [1.0]]).expand(2, -1)
    coordinates = torch.rand(2, config.num_regions, config.coarse_size, config.coarse_size, 2)
    assert_enlarged(start(codes, visible=visible), grown(codes, visible=visible))
    assert_enlarged(start(codes, coordinates=coordinates), grown(codes, coordinates=coordinates))


@torch.no_grad()
def test_grown_twice_and_at_once() -> None:
    config = dataclasses.replace(CONFIGS["5-regions-at-full-side"], label_channels=4)
    start, codes = perturbed_generator(config), latents(config)
    once = grow_generator(start, grown_generator_config(config, 32), seed=1)
    twice = grow_generator(once, grown_generator_config(once.config, 64), seed=2)
    at_once = grow_generator(start, grown_generator_config(config, 64))
    assert twice.config == at_once.config
    assert (twice.config.num_frequencies, twice.config.label_size) == (4, 16)
    for grown in (twice, at_once):
        assert_enlarged(start(codes), grown(codes), doublings=2)


@torch.no_grad()
def test_old_parts_are_kept_and_new_ones_are_those_of_the_seed() -> None:
    start = perturbed_generator(LABELLED)
    start.mean_latent.normal_()
    start.renderer.requires_grad_(False)
    start.renderer.recompute = True
    before, drawn = copy.deepcopy(start.state_dict()), torch.get_rng_state()
    config = grown_generator_config(LABELLED, 128)
    grown = grow_generator(start, config, seed=3)
    assert torch.equal(torch.get_rng_state(), drawn)
    kept, state = origins(start, grown), grown.state_dict()
    assert (
        kept.keys() == before.keys() and "renderer.noise_5" in kept and "renderer.noise_6" in state.keys() - kept.keys()
    )
    for name in before:
        assert torch.equal(state[name], before[name]) and torch.equal(start.state_dict()[name], before[name]), name
    required = {name: parameter.requires_grad for name, parameter in grown.named_parameters()}
    assert not required["renderer.blocks.0.refine.bias"] and required["renderer.blocks.3.refine.bias"]
    assert grown.renderer.recompute and not grown.training
    again, other = (
        grow_generator(start, config, seed=3).state_dict(),
        grow_generator(start, config, seed=4).state_dict(),
    )
    assert all(torch.equal(again[name], state[name]) for name in state)
    assert {name for name in state if not torch.equal(other[name], state[name])} == {
        f"renderer.{name}"
        for name in ("blocks.3.upsample.conv.weight", "blocks.3.refine.conv.weight", "noise_6", "noise_7")
    }


@torch.no_grad()
def test_a_label_network_may_be_added() -> None:
    start = perturbed_generator(CONFIGS["5-regions-opaque"])
    config = dataclasses.replace(grown_generator_config(start.config, 128), label_channels=6)
    grown, codes = grow_generator(start, config), latents(config)
    assert grown.renderer.label_size == 128
    assert_enlarged(start(codes), grown(codes))


def test_all_new_parameters_learn_after_two_steps() -> None:
    start = perturbed_generator(LABELLED).train()
    grown = grow_generator(start, grown_generator_config(LABELLED, 128))
    before = {name: parameter.detach().clone() for name, parameter in grown.named_parameters()}
    optimiser = torch.optim.SGD(grown.parameters(), lr=0.01)
    new = before.keys() - start.state_dict().keys()
    changed: list[set[str]] = []
    for _ in range(2):
        rendering = grown(latents(LABELLED))
        optimiser.zero_grad()
        ((rendering.image - 0.5).square().mean() + (rendering.segmentation - 0.5).square().mean()).backward()
        optimiser.step()
        now = dict(grown.named_parameters())
        changed.append({name for name in before if not torch.equal(now[name], before[name])})
    heads = {
        f"renderer.blocks.3.{head}.{part}" for head in ("to_rgb", "to_segmentation") for part in ("conv.weight", "bias")
    }
    assert changed[0] & new == heads
    assert new <= changed[1]


@torch.no_grad()
def test_the_average_has_the_new_parts_of_the_generator() -> None:
    start, average = perturbed_generator(LABELLED, 1), perturbed_generator(LABELLED, 2)
    grown = grow_generator(start, grown_generator_config(LABELLED, 128), seed=5).train()
    other = grow_average(average, grown)
    assert_enlarged(average(latents(LABELLED)), other(latents(LABELLED)))
    for name, tensor in other.state_dict().items():
        source = average if name in average.state_dict() else grown
        assert torch.equal(tensor, source.state_dict()[name]), name
    assert not other.training and not any(parameter.requires_grad for parameter in other.parameters())
    assert grown.training and all(parameter.requires_grad for parameter in grown.parameters())


@pytest.mark.parametrize("size", [32, 16, 96, 8192, "64", 64.0, True])
def test_another_size_than_a_larger_power_of_two_is_refused(size: Any) -> None:
    with pytest.raises(InputError, match=r"power of two|4096"):
        grown_generator_config(TINY_CONFIG, size)


def test_widths_of_new_blocks() -> None:
    config = dataclasses.replace(TINY_CONFIG, channels={16: 100, 32: 50})
    assert grown_generator_config(config, 128).channels == {16: 100, 32: 50, 64: 25, 128: 16}
    assert grown_generator_config(config, 128, {64: 7}).channels == {16: 100, 32: 50, 64: 7, 128: 7}
    assert grown_generator_config(config, 64, {32: 50, 64: 7}).channels == {16: 100, 32: 50, 64: 7}
    known = dataclasses.replace(config, channels={16: 100, 32: 50, 64: 40})
    assert grown_generator_config(known, 64).channels[64] == 40
    with pytest.raises(InputError, match=r"channels at side 32 is 50 in the start, got 9. Give widths of side 64 on"):
        grown_generator_config(config, 64, {32: 9})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_regions": 4}, r"num_regions \(5 and 4\)"),
        ({"style_dim": 8}, r"style_dim \(16 and 8\)"),
        ({"channels": {16: 12, 32: 9, 64: 6, 128: 6}}, r"channels at side 32 \(8 and 9\)"),
        ({"num_frequencies": 0}, r"num_frequencies \(6 and 7\)"),
        ({"label_size": 0}, r"label_size \(64 and 128\)"),
        ({"label_channels": 0}, r"label_channels \(6 and 0\)"),
        ({"size": 64}, "larger power of two, got 64"),
    ],
)
def test_a_config_that_does_not_continue_the_start_is_refused(change: dict[str, Any], message: str) -> None:
    config = dataclasses.replace(grown_generator_config(LABELLED, 128), **change)
    with pytest.raises(InputError, match=message) as caught:
        grow_generator(perturbed_generator(LABELLED), config)
    assert "\n" not in str(caught.value)


def test_a_grown_model_is_saved_and_read(tmp_path: Any) -> None:
    generator = perturbed_generator(dataclasses.replace(TINY_CONFIG, label_channels=4)).requires_grad_(False)
    metadata = ModelMetadata("tiny", generator.config, TINY_REGIONS, None, {"images": 7}, "MIT", "own", "float32")
    model = Model(LoadedModel(generator, TINY_REGIONS, metadata))
    grown = grow_model(grow_model(model, 64, {64: 5}), 128, seed=2)
    assert grown.size == grown.config.size == grown.metadata.config.size == 128
    assert (grown.regions, grown.metadata.regions) == (model.regions, model.regions)
    assert grown.metadata.training == {
        "images": 7,
        "grown": [{"from": 32, "to": 64, "seed": 0}, {"from": 64, "to": 128, "seed": 2}],
    }
    assert (grown.metadata.licence, grown.metadata.data_licence) == ("MIT", "own")
    code = model.sample(seeds=[1, 2])
    assert grown.sample(seeds=[1, 2]) == code
    assert_enlarged(model.render(code), grown.render(code), doublings=2)
    save_model(tmp_path / "a.safetensors", grown.generator, grown.regions, training={}, licence="", data_licence="")
    assert Model(load_model(tmp_path / "a.safetensors")).render(code) == grown.render(code)


def test_the_bundled_model_grows() -> None:
    model = sg.load("portraits-64")
    grown = grow_model(model, 128)
    assert grown.config.channels[128] == 16 and grown.config.label_size == 64
    code = model.sample(seed=3)
    small, large = model.render(code), grown.render(code)
    assert_enlarged(small, large)
    agreeing = large.labels()[:, ::2, ::2] == small.labels()
    assert agreeing.float().mean() > 0.97


@pytest.mark.parametrize(("frequencies", "in_use"), [(0, 5), (3, 3)])
def test_number_of_frequencies(frequencies: int, in_use: int) -> None:
    config = dataclasses.replace(TINY_CONFIG, num_frequencies=frequencies)
    assert config.fourier_frequencies == in_use
    assert Generator(config).local.fourier_weight.shape == (TINY_CONFIG.local_channels, 2 + 4 * in_use)


@pytest.mark.parametrize(
    "change",
    [{"num_frequencies": -1}, {"num_frequencies": 25}, {"label_size": 8}, {"label_size": 64}, {"label_size": 24}],
)
def test_impossible_numbers_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=next(iter(change))):
        dataclasses.replace(TINY_CONFIG, **change)


def test_a_description_of_before_these_fields_is_read() -> None:
    described = TINY_CONFIG.to_dict()
    del described["num_frequencies"], described["label_size"]
    assert GeneratorConfig.from_dict(described) == TINY_CONFIG
