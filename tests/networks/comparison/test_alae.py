"""StyleALAE against the outputs of its authors' implementation, in float32 and float64."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from semanticgan.errors import InputError
from semanticgan.latents import LatentCode, mix_by_schema, truncate
from semanticgan.networks.comparison.alae import (
    ALAEConfig,
    ALAEDiscriminator,
    ALAEDiscriminatorConfig,
    ALAEGenerator,
)
from semanticgan.networks.layers import coefficients
from semanticgan.rows import Rows
from tests.networks.comparison.alae_fixtures import level_of_case, networks_of, renamed
from tests.networks.fixtures import Case, assert_parity, case

FILES = ("alae_networks_32", "alae_networks_128")
EXACT = 1e-10  # of a float64 output's scale
TINY = ALAEConfig(size=16, style_dim=8, num_mapping_layers=2, channels={4: 8, 8: 6, 16: 4}, bottom_channels=10)


@pytest.fixture(params=[torch.float32, torch.float64], ids=["float32", "float64"])
def dtype(request: pytest.FixtureRequest) -> torch.dtype:
    found: torch.dtype = request.param
    return found


def assert_case(value: Tensor, given: Case, name: str) -> None:
    """Equal to the reference's output, and to its float64 output where both are float64."""
    assert_parity(value, given[f"out/{name}"])
    if value.dtype == torch.float64 and f"out64/{name}" in given:
        assert_parity(value, given[f"out64/{name}"], EXACT)


def names_of(given: Case, kind: str, output: str) -> list[str]:
    """The cases of a kind in a fixture, such as decode_lod2_zero."""
    start, end = f"out/{kind}", f"/{output}"
    return [name[4 : -len(end)] for name in given.arrays if name.startswith(start) and name.endswith(end)]


@torch.no_grad()
@pytest.mark.parametrize("file", FILES)
def test_mapping(file: str, dtype: torch.dtype) -> None:
    given = case(f"baselines/{file}")
    generator, _ = networks_of(given, dtype)
    assert_case(generator.expand(generator.map(given["in/F/z"].to(dtype))), given, "F/w")


@torch.no_grad()
@pytest.mark.parametrize(("file", "count"), list(zip(FILES, (19, 6), strict=True)))
def test_synthesis(file: str, count: int, dtype: torch.dtype) -> None:
    """Every stage and blend, with noise, with zeros in its place and without any."""
    given = case(f"baselines/{file}")
    generator, _ = networks_of(given, dtype)
    names = names_of(given, "decode_", "image")
    assert len(names) == count
    for name in names:
        noise = [level.to(dtype) for level in given.noise(f"in/{name}/noise_")]
        if name.endswith("_zero"):
            noise = [torch.zeros(1, 1, side, side, dtype=dtype) for side in generator.noise_sides]
        level = level_of_case(given, name, len(generator.config.sides))
        image = generator.synthesis(given["in/decode/styles"].to(dtype), noise, level)
        assert_case(image, given, f"{name}/image")


@torch.no_grad()
@pytest.mark.parametrize(("file", "count"), list(zip(FILES, (10, 9), strict=True)))
def test_encoder_and_discriminator(file: str, count: int, dtype: torch.dtype) -> None:
    given = case(f"baselines/{file}")
    generator, discriminator = networks_of(given, dtype)
    names = names_of(given, "encode_", "Z")
    assert len(names) == count
    for name in names:
        image = given[f"in/{name.partition('_blend')[0]}/x"].to(dtype)
        w = generator.encode(image, level_of_case(given, name, len(generator.config.sides)))
        assert_case(w.unsqueeze(1), given, f"{name}/Z")
        assert_case(discriminator(w).squeeze(1), given, f"{name}/D")


@torch.no_grad()
@pytest.mark.parametrize("file", FILES)
def test_truncation_and_mixing(file: str) -> None:
    given = case(f"baselines/{file}")
    generator, _ = networks_of(given)
    num_rows, noise = generator.config.num_rows, given.noise("in/generate/noise_")
    first, second = (
        LatentCode.from_w(generator.map(given[f"in/generate/{z}"]), Rows.of_layers(num_rows)) for z in ("z", "z2")
    )
    for name in given.starting("out/generate/"):
        code, (kind, _, rest) = first, name.partition("_cutoff")
        if kind == "mix":
            place = int(rest[0])
            code = mix_by_schema(second, first, "D" * place + "S" * (num_rows - place))
        if "trunc_" in name:
            code = truncate(code, generator.mean_latent, 0.7, layers=f"0-{int(name[-1]) - 1}")
        assert_parity(generator(code.tensor, noise).image, given[f"out/generate/{name}"])


@torch.no_grad()
def test_reconstruction_and_style_mixing() -> None:
    """Pictures are encoded in one pass; layers of the first code go into the second."""
    given = case("baselines/alae_networks_32")
    generator, _ = networks_of(given)
    zeros = [torch.zeros(1, 1, side, side) for side in generator.noise_sides]
    code = LatentCode.from_w(generator.encode(given["in/stylemix/x"]), Rows.of_layers(8))
    assert_parity(generator(code.tensor, zeros).image, given["out/stylemix/reconstruction"])
    for name, schema in (("coarse", "SSSSDDDD"), ("middle", "DDDDSSSS")):
        mixed = mix_by_schema(code[0], code[1], schema)
        assert_parity(generator(mixed.tensor, zeros).image, given[f"out/stylemix/{name}"])


@pytest.mark.parametrize("file", FILES)
def test_gains_are_the_rates_of_the_reference(file: str) -> None:
    """What multiplies our weights at run time is what multiplies the reference's learning rates."""
    rates = case("baselines/alae_lreq_adam").meta["lr_equalization_coef"]
    given = case(f"baselines/{file}")
    generator, discriminator = networks_of(given)
    if file == "alae_networks_32":
        tensors = given.starting("sd/")
        constant = {name: torch.full_like(tensor, rates.get(name, 1.0)) for name, tensor in tensors.items()}
        found = renamed(constant, generator, discriminator)
        for prefix, network in (("generator", generator), ("discriminator", discriminator)):
            for name, gain in coefficients(network).items():
                tensor = found[f"{prefix}.{name}"]
                torch.testing.assert_close(tensor, torch.full_like(tensor, gain), rtol=1e-6, atol=0.0)
    else:
        weight = generator.blocks[-1].upsample.weight  # type: ignore[union-attr]
        fan_in = weight[0].numel()
        assert coefficients(generator)["blocks.5.upsample.weight"] == pytest.approx((2 / fan_in) ** 0.5)


def test_paper_sizes() -> None:
    """Parameters and rows of the model of FFHQ, as the published weights have them, and at other sizes."""
    with torch.device("meta"):
        generator, discriminator = ALAEGenerator(ALAEConfig()), ALAEDiscriminator(ALAEDiscriminatorConfig())
    num_of_encoder = sum(parameter.numel() for parameter in generator.encoder.parameters())
    num_of_mapping = sum(parameter.numel() for parameter in generator.mapping.parameters())
    num = sum(parameter.numel() for parameter in generator.parameters())
    assert (num_of_encoder, num_of_mapping) == (26_974_352, 2_101_248)
    assert num - num_of_encoder - num_of_mapping == 24_118_379
    # Of the last layer of D, 1024 outputs there, one is used.
    assert sum(parameter.numel() for parameter in discriminator.parameters()) == 1_050_624 - 1023 * 513
    assert generator.mean_latent.shape == (18, 512) and ALAEConfig(size=512).num_rows == 16


def test_parts_are_named_by_resolution() -> None:
    """At each level exactly the parts of the sides in use have gradients, of to_rgb and from_rgb the last ones."""
    generator = ALAEGenerator(TINY)
    for level in (0.0, 0.5, 1.0, 1.25, 2.0):
        side, fading = 16 >> int(level), level % 1 > 0
        noise = generator.noise_maps("fixed", generator.mean_latent)
        image = generator.synthesis(generator.expand(generator.map(torch.randn(2, 8))), noise, level)
        assert image.shape == (2, 3, side, side)
        parameters = dict(generator.named_parameters())
        gradients = torch.autograd.grad(
            generator.encode(image, level).sum(), list(parameters.values()), allow_unused=True
        )
        for (name, _), gradient in zip(parameters.items(), gradients, strict=True):
            of = generator.side_of(name)
            read = of == side or (fading and of == side // 2) if "rgb" in name else of is None or of <= side
            assert (gradient is not None) == read, (name, level)
    assert generator.side_of("noise_2") == 8 and generator.side_of("mean_latent") is None


def test_recomputed_blocks_have_the_same_gradients() -> None:
    generator = ALAEGenerator(TINY).double()
    found = []
    for generator.recompute in (False, True):
        image = generator(torch.linspace(-1, 1, 16).double().view(2, 8)).image
        loss = generator.encode(image).square().sum()
        found.append(torch.autograd.grad(loss, [generator.constant, generator.encoder.blocks[2].conv1.weight]))
    for plain, again in zip(*found, strict=True):
        assert torch.equal(plain, again)


def test_an_even_picture_has_finite_gradients() -> None:
    """Its first maps have no deviation, where the square root is steepest."""
    generator = ALAEGenerator(TINY)
    image = torch.zeros(2, 3, 16, 16, requires_grad=True)
    (gradient,) = torch.autograd.grad(generator.encode(image).sum(), image, create_graph=True)
    gradients = torch.autograd.grad(gradient.square().sum(), list(generator.encoder.parameters()), allow_unused=True)
    assert all(bool(found.isfinite().all()) for found in (gradient, *gradients) if found is not None)


def test_bfloat16() -> None:
    """Pictures and codes are summed in float32; they differ by what maps of 8 bits lose."""
    torch.manual_seed(0)
    generator, discriminator = ALAEGenerator(TINY), ALAEDiscriminator(ALAEDiscriminatorConfig(8, 3))
    w = generator.map(torch.randn(4, 8))
    for level in (0.0, 0.5):
        noise = generator.noise_maps("fixed", w)
        exact = generator.synthesis(generator.expand(w), noise, level)
        with torch.autocast("cpu", torch.bfloat16):
            image = generator.synthesis(generator.expand(w), noise, level)
            encoded = generator.encode(exact.detach(), level)
            score = discriminator(encoded)
        assert image.dtype == encoded.dtype == score.dtype == torch.float32
        assert_parity(image, exact.detach(), 0.05)
        assert_parity(encoded, generator.encode(exact.detach(), level).detach(), 0.05)


@torch.no_grad()
def test_rendering_changes_no_weights() -> None:
    generator = ALAEGenerator(TINY).requires_grad_(False)
    before = {name: tensor.clone() for name, tensor in generator.state_dict().items()}
    first = generator(torch.ones(1, 8), noise="random").image
    generator.encode(first)
    assert all(torch.equal(tensor, before[name]) for name, tensor in generator.state_dict().items())


@pytest.mark.parametrize(
    ("image", "level", "message"),
    [
        (torch.zeros(1, 3, 8, 8), None, r"of the shape \[N, 3, 16, 16\], got torch.float32 \[1, 3, 8, 8\]"),
        (torch.zeros(1, 3, 16, 16), 1.0, r"\[N, 3, 8, 8\]"),
        (torch.zeros(0, 3, 16, 16), None, r"got torch.float32 \[0, 3, 16, 16\]"),
        (torch.zeros(1, 3, 16, 16, dtype=torch.uint8), None, "floating numbers"),
        ("me.jpg", None, "image"),
        (torch.zeros(1, 3, 16, 16), 2.5, "level runs from 0"),
        (torch.zeros(1, 3, 16, 16), "all", "level"),
    ],
)
def test_pictures_that_do_not_fit(image: object, level: object, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        ALAEGenerator(TINY).encode(image, level)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)
