"""Growth of PGGAN and StyleGAN: blends, what a level uses, what it refuses."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from semanticgan.errors import InputError
from semanticgan.networks.architectures import architecture, architectures, name_of
from semanticgan.networks.comparison.growing import in_use
from semanticgan.networks.comparison.layered import level_of, side_at

NAMES = ("pggan", "stylegan")
SIZES = {"size": 16, "channels": {4: 8, 8: 6, 16: 5}}


def networks(name: str) -> tuple[nn.Module, nn.Module]:
    """Small networks in float64 with all numbers drawn, so that no initial 0 or 1 hides a term."""
    known, random = architecture(name), torch.Generator().manual_seed(0)
    generator = known.generator(known.config(style_dim=7, **SIZES)).double()
    discriminator = known.discriminator(known.discriminator_config(**SIZES)).double()
    with torch.no_grad():
        for network in (generator, discriminator):
            for parameter in network.parameters():
                parameter.copy_(torch.randn(parameter.shape, generator=random, dtype=torch.float64))
    return generator, discriminator


def pictures(side: int, count: int = 4) -> Tensor:
    return torch.randn(count, 3, side, side, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def codes(count: int = 4) -> Tensor:
    return torch.randn(count, 7, generator=torch.Generator().manual_seed(2), dtype=torch.float64)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("level", [0.25, 1.0 / 3.0, 1.75])
@torch.no_grad()
def test_a_blend_of_pictures(name: str, level: float) -> None:
    """A fractional level is the mixture of the pictures of the two whole ones."""
    generator, _ = networks(name)
    whole = math.floor(level)
    new, old = (generator(codes(), level=float(at)).image for at in (whole, whole + 1))
    blend = torch.lerp(new, old.repeat_interleave(2, 2).repeat_interleave(2, 3), level - whole)
    torch.testing.assert_close(generator(codes(), level=level).image, blend)


@pytest.mark.parametrize("name", NAMES)
@torch.no_grad()
def test_scores_go_over_into_those_of_the_next_level(name: str) -> None:
    """At the start of a fade the discriminator scores as the smaller one, at its end as the larger one."""
    _, discriminator = networks(name)
    full = pictures(16)
    smaller, larger = discriminator(F.avg_pool2d(full, 2), 1.0), discriminator(full, 0.0)
    assert not torch.allclose(smaller, larger)
    torch.testing.assert_close(discriminator(full, 1.0 - 1e-12), smaller)
    torch.testing.assert_close(discriminator(full, 1e-12), larger)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("level", [0.0, 0.5, 1.0, 1.5, 2.0])
def test_parts_in_use(name: str, level: float) -> None:
    """Exactly the parts that ``in_use`` names get a gradient."""
    generator, discriminator = networks(name)
    num_resolutions, fade = in_use(16, level)
    image = generator(generator.map(codes()), level=level).image
    assert image.shape[-1] == side_at(16, level) == 4 * 2 ** (num_resolutions - 1)
    discriminator(image, level).sum().backward()
    ends = {num_resolutions - 1, num_resolutions - 2} if fade else {num_resolutions - 1}
    for network, readers in ((generator, "to_rgb"), (discriminator, "from_rgb")):
        wanted = {f"{readers}.{index}" for index in ends} | {f"blocks.{index}" for index in range(num_resolutions)}
        found = {name for name, parameter in network.named_parameters() if parameter.grad is not None}
        assert {".".join(name.split(".")[:2]) for name in found} - {"constant", *_mapping(generator)} == wanted


def _mapping(generator: nn.Module) -> set[str]:
    return {".".join(name.split(".")[:2]) for name, _ in generator.named_parameters() if name.startswith("mapping.")}


@pytest.mark.parametrize("name", NAMES)
def test_sets_are_scored_apart(name: str) -> None:
    _, discriminator = networks(name)
    first, second = pictures(8), pictures(8).flip(0) + 0.5
    apart = torch.cat([discriminator(first, 1.0), discriminator(second, 1.0)])
    torch.testing.assert_close(discriminator(torch.cat([first, second]), 1.0, num_sets=2), apart)


@pytest.mark.parametrize("name", NAMES)
def test_maps_computed_again_give_the_same_gradients(name: str) -> None:
    generator, discriminator = networks(name)
    gradients = []
    for recompute in (False, True):
        generator.recompute = discriminator.recompute = recompute
        for network in (generator, discriminator):
            network.zero_grad()
        discriminator(generator(codes(), level=0.5).image, 0.5).sum().backward()
        gradients.append([parameter.grad for parameter in (*generator.parameters(), *discriminator.parameters())])
    for kept, again in zip(*gradients, strict=True):
        torch.testing.assert_close(kept, again)


@pytest.mark.parametrize("name", NAMES)
def test_under_autocast(name: str) -> None:
    """Pictures and scores stay float32 and near those without."""
    generator, discriminator = (network.float() for network in networks(name))
    w = codes().float()
    exact = generator(w, level=0.5).image
    score = discriminator(exact, 0.5)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        image = generator(w, level=0.5).image
        judged = discriminator(exact, 0.5)
    assert image.dtype == judged.dtype == torch.float32
    assert (image - exact).abs().max() < 0.05 * exact.abs().max()
    assert (judged - score).abs().max() < 0.05 * score.abs().max()


def test_random_noise_is_drawn_up_to_the_level() -> None:
    """A level's picture has the same noise whatever the full size is, and larger maps are not drawn."""
    generator, _ = networks("stylegan")
    maps = generator.noise_maps(torch.Generator().manual_seed(3), like=codes(), largest=8)
    assert [tuple(given.shape) for given in maps] == [(4, 1, side, side) for side in (4, 4, 8, 8)]
    drawn = generator.noise_maps(torch.Generator().manual_seed(3), like=codes())
    assert len(drawn) == 6
    assert all(torch.equal(*pair) for pair in zip(maps, drawn, strict=False))
    given, random = (generator(codes(), noise=noise, level=1.0) for noise in (drawn, torch.Generator().manual_seed(3)))
    assert torch.equal(given.image, random.image)


@pytest.mark.parametrize("name", NAMES)
def test_refused(name: str) -> None:
    generator, discriminator = networks(name)
    for level in (-0.1, 2.1, float("nan")):
        with pytest.raises(InputError, match=r"lies in 0\.\.2"):
            generator(codes(), level=level)
        with pytest.raises(InputError, match=r"lies in 0\.\.2"):
            discriminator(pictures(16), level)
    with pytest.raises(InputError, match="level"):
        architecture(name).config(style_dim=7, level=2.5, **SIZES)
    with pytest.raises(InputError, match=r"\[N, 3, 8, 8\] at level 1\.0"):
        discriminator(pictures(16), 1.0)


@pytest.mark.parametrize("name", NAMES)
def test_configurations(name: str) -> None:
    """They are told apart, come back from JSON, and a level in them is used unless another is asked for."""
    known = architecture(name)
    assert name in architectures()
    config, judging = known.config(style_dim=7, level=1.5, **SIZES), known.discriminator_config(**SIZES)
    for made in (config, judging):
        assert name_of(made) == name
        assert type(made).from_dict(made.to_dict()) == made
        assert hash(type(made).from_dict(made.to_dict())) == hash(made)
    generator = known.generator(config)
    assert generator.picture_size == generator(codes().float()).image.shape[-1] == 8
    assert known.config().channels[1024] == known.discriminator_config().channels[1024] == 16


def test_level_of_a_side() -> None:
    assert [level_of(32, side) for side in (4, 8, 16, 32)] == [3.0, 2.0, 1.0, 0.0]
    assert level_of(32, 16, fade=0.25) == 1.75
    assert side_at(32, level_of(32, 16, fade=0.25)) == 16


def test_widths_of_the_mapping() -> None:
    known = architecture("stylegan")
    config = known.config(style_dim=7, latent_dim=5, mapping_channels=9, num_mapping_layers=3, **SIZES)
    generator = known.generator(config)
    assert [tuple(layer.weight.shape) for layer in generator.mapping.layers] == [(9, 5), (9, 9), (7, 9)]
    assert generator.map(torch.randn(2, 5)).shape == (2, 7)
    assert generator.estimate_mean_latent(16).shape == (7,)
    with pytest.raises(InputError, match=r"\[N, 5\]"):
        generator.map(torch.randn(2, 7))
    with pytest.raises(InputError, match="latent_dim"):
        known.config(style_dim=7, latent_dim=5, num_mapping_layers=0, **SIZES)
