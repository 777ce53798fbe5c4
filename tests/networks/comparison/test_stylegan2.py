"""StyleGAN2 against the outputs of rosinality's implementation, and its other architectures against their formulas."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from semanticgan.latents import LatentCode, truncate
from semanticgan.networks.comparison.stylegan2 import (
    WIRINGS,
    StyleGAN2Config,
    StyleGAN2Discriminator,
    StyleGAN2DiscriminatorConfig,
    StyleGAN2Generator,
)
from semanticgan.networks.kernels.resampling import fir_filter, fir_upsample
from semanticgan.reference import stylegan2 as reference
from semanticgan.rows import Rows
from semanticgan.training.objectives.adversarial import discriminator_loss, generator_loss
from semanticgan.training.objectives.path_length import path_length_penalty
from semanticgan.training.objectives.r1 import r1_penalty
from tests.networks.fixtures import Case, assert_gradient_norms, assert_parity, case

WIDTHS = {4: 8, 8: 8, 16: 4}


def generator_of(given: Case, prefix: str = "sd/") -> StyleGAN2Generator:
    tensors = given.starting(prefix)
    config = reference.generator_config(tensors)
    generator = StyleGAN2Generator(config)
    state = reference.generator_from_reference(tensors, config)
    generator.load_state_dict({**state, "mean_latent": torch.zeros(config.style_dim)})
    return generator


def discriminator_of(given: Case, prefix: str = "sd/") -> StyleGAN2Discriminator:
    tensors = given.starting(prefix)
    config = reference.discriminator_config(tensors)
    discriminator = StyleGAN2Discriminator(config)
    discriminator.load_state_dict(reference.discriminator_from_reference(tensors, config))
    return discriminator


def latents_of(generator: StyleGAN2Generator, given: Case, name: str) -> Tensor:
    """What a case of the fixture renders: z or w, two of them mixed, truncated."""
    if f"in/{name}/z" in given:
        z = given[f"in/{name}/z"]
        w = generator.map(z.flatten(0, -2)).view(z.shape)
    else:
        w = given[f"in/{name}/w"]
    if f"in/{name}/truncation" in given:
        psi = min(float(given[f"in/{name}/truncation"]), 1.0)  # the reference ignores it from 1 on
        w = torch.lerp(given["in/trunc/mean_latent"].view(-1), w, psi)
    if f"in/{name}/inject_index" not in given:
        return w
    first, second = (generator.expand(part) for part in w)
    place = int(given[f"in/{name}/inject_index"])
    return torch.cat([first[:, :place], second[:, place:]], 1)


CASES = ("z", "w", "wplus", "mix1", "mix3", "mix7", "mix_w4", "trunc7", "trunc0", "trunc_mix", "trunc_w", "trunc_wplus")


@torch.no_grad()
@pytest.mark.parametrize("name", CASES)
def test_generator(name: str) -> None:
    given = case("baselines/sg2_generator")
    generator = generator_of(given)
    latents = latents_of(generator, given, name)
    assert_parity(generator(latents).image, given[f"out/{name}/image"])
    if f"out/{name}/latent" in given:
        assert_parity(generator.expand(latents), given[f"out/{name}/latent"])


@torch.no_grad()
def test_every_case_of_the_generator_is_tested() -> None:
    given = case("baselines/sg2_generator")
    pictures = {key.split("/")[1] for key in given.arrays if key.startswith("out/") and key.endswith("/image")}
    rest = pictures - set(CASES)
    assert rest and all(name.startswith(("explicit_noise", "trunc_over1")) for name in rest), rest
    generator = generator_of(given)
    for name in rest:
        maps = given.noise(f"in/{name}/noise_")
        image = generator(latents_of(generator, given, name), noise=maps or "fixed").image
        assert_parity(image, given[f"out/{name}/image"])


@torch.no_grad()
def test_truncation_of_the_library() -> None:
    given = case("baselines/sg2_generator")
    generator = generator_of(given)
    code = LatentCode.from_w(generator.map(given["in/trunc7/z"]), Rows.of_layers(8))
    short = truncate(code, given["in/trunc/mean_latent"].view(-1), float(given["in/trunc7/truncation"]))
    assert_parity(generator(short.tensor).image, given["out/trunc7/image"])


@torch.no_grad()
@pytest.mark.parametrize("num", [1, 2, 3, 4, 8])
def test_discriminator(num: int) -> None:
    given = case("baselines/sg2_discriminator")
    assert_parity(discriminator_of(given)(given["in/img"][:num]), given[f"out/n{num}/logit"])


def test_r1() -> None:
    given = case("baselines/sg2_discriminator")
    discriminator = discriminator_of(given)
    image = given["in/img"][:4].requires_grad_()
    score = discriminator(image)
    penalty = r1_penalty(score, image).image
    assert_parity(penalty, given["out/r1/value"])
    gradients = theirs(discriminator, given, 10 / 2 * 16 * penalty + 0.0 * score[0].sum(), "d", "sd/")
    assert_gradient_norms(gradients, given.meta["param_names"], given["out/r1/param_grad_norms"])
    for name, gradient in given.starting("out/r1/param_grad/").items():
        assert_parity(gradients[name], gradient)


def theirs(network: torch.nn.Module, given: Case, loss: Tensor, kind: str, prefix: str) -> dict[str, Tensor]:
    """Gradients of a loss by their names."""
    parameters = dict(network.named_parameters())
    found = torch.autograd.grad(loss, list(parameters.values()), allow_unused=True)
    translate = reference.generator_from_reference if kind == "g" else reference.discriminator_from_reference
    gradients = dict(zip(parameters, found, strict=True))
    return given.reference_gradients(gradients, prefix, lambda tensors: translate(tensors, network.config))


def test_losses() -> None:
    given = case("baselines/sg2_losses")
    generator, discriminator = generator_of(given, "sd/g."), discriminator_of(given, "sd/d.")
    fake = generator(generator.map(given["in/z"]), noise=given.noise("in/noise_")).image
    assert_parity(fake, given["out/fake_img"])
    real_score, fake_score = discriminator(given["in/real_img"]), discriminator(fake.detach())
    assert_parity(real_score, given["out/d/real_pred"])
    assert_parity(fake_score, given["out/d/fake_pred"])
    loss = discriminator_loss(real_score, fake_score)
    assert_parity(loss, given["out/d/loss"])
    gradients = theirs(discriminator, given, loss, "d", "sd/d.")
    assert_gradient_norms(gradients, given.meta["d_param_names"], given["out/d/param_grad_norms"])
    loss = generator_loss(discriminator(fake))
    assert_parity(loss, given["out/g/loss"])
    gradients = theirs(generator, given, loss, "g", "sd/g.")
    assert_gradient_norms(gradients, given.meta["g_param_names"], given["out/g/param_grad_norms"])
    for name, gradient in given.starting("out/g/param_grad/").items():
        assert_parity(gradients[name], gradient)


@pytest.mark.parametrize("name", ["mean0", "mean1", "mixed"])
def test_path_length(name: str) -> None:
    given = case("baselines/sg2_losses")
    generator = generator_of(given, "sd/g.")
    z = given["in/path/z"]
    w = [generator.expand(generator.map(part)) for part in (z if z.shape[0] == 2 else z.unbind(1))]
    latents = torch.cat([w[0][:, :3], w[1][:, 3:]], 1) if name == "mixed" else w[0]
    noise = [level[: len(latents)] for level in given.noise("in/noise_")]
    fake = generator(latents, noise=noise).image
    before = given[f"in/path/{name}/mean_path_length"]
    path = path_length_penalty(fake, latents, before, given["in/path/randn"])
    assert_parity(path.penalty, given[f"out/path/{name}/loss"])
    assert_parity(path.mean, given[f"out/path/{name}/mean"])
    assert_parity(path.lengths, given[f"out/path/{name}/lengths"])
    loss = 2 * 4 * path.penalty + 0.0 * fake[0, 0, 0, 0]
    assert_parity(loss, given[f"out/path/{name}/weighted"])
    gradients = theirs(generator, given, loss, "g", "sd/g.")
    assert_gradient_norms(gradients, given.meta["g_param_names"], given[f"out/path/{name}/param_grad_norms"])


def test_paper_sizes() -> None:
    """Parameters and rows of configuration F at 1024 pixels, as the published weights have them."""
    with torch.device("meta"):
        generator = StyleGAN2Generator(StyleGAN2Config())
        discriminator = StyleGAN2Discriminator(StyleGAN2DiscriminatorConfig())
    assert sum(parameter.numel() for parameter in generator.parameters()) == 30_370_060
    assert sum(parameter.numel() for parameter in discriminator.parameters()) == 29_012_513
    assert generator.config.num_rows == 18 and StyleGAN2Config(size=512).num_rows == 16


@torch.no_grad()
@pytest.mark.parametrize("wiring", WIRINGS)
def test_wirings_of_the_generator(wiring: str) -> None:
    """Each architecture of Figure 7, put together from the blocks' own layers."""
    torch.manual_seed(0)
    generator = StyleGAN2Generator(StyleGAN2Config(size=16, style_dim=8, channels=WIDTHS, wiring=wiring)).double()
    codes = torch.randn(2, 6, 8, dtype=torch.float64)
    noise = generator.noise_maps("fixed", codes)
    x = generator.blocks[0].refine(generator.constant.expand(2, -1, -1, -1), noise[0], codes[:, 0])
    picture = generator.blocks[0].to_rgb(x, codes[:, 1]) if wiring == "skip" else None
    for index, block in ((1, generator.blocks[1]), (2, generator.blocks[2])):
        before, row = x, 2 * index - 1
        x = block.refine(block.upsample(x, noise[row], codes[:, row]), noise[row + 1], codes[:, row + 1])
        if wiring == "residual":
            weight = block.skip.weight / math.sqrt(block.skip.weight.shape[1])
            x = (x + torch.nn.functional.conv2d(fir_upsample(before), weight)) / math.sqrt(2)
        if wiring == "skip":
            picture = fir_upsample(picture) + block.to_rgb(x, codes[:, row + 2])
    picture = generator.blocks[2].to_rgb(x, codes[:, 5]) if picture is None else picture
    torch.testing.assert_close(generator(codes).image, picture, rtol=1e-9, atol=1e-9)
    assert (generator.blocks[0].to_rgb is None) == (wiring != "skip")


@torch.no_grad()
@pytest.mark.parametrize("wiring", WIRINGS)
def test_wirings_of_the_discriminator(wiring: str) -> None:
    torch.manual_seed(0)
    sizes = StyleGAN2DiscriminatorConfig(size=16, channels=WIDTHS, wiring=wiring)
    discriminator = StyleGAN2Discriminator(sizes).double()
    image = torch.randn(2, 3, 16, 16, dtype=torch.float64)
    x, small = discriminator.stem(image), image
    for index, block in enumerate(discriminator.blocks):
        y = block.conv2(block.conv1(x))
        x = (y + block.skip(x)) / math.sqrt(2) if wiring == "residual" else y
        if wiring == "skip":
            small = fir_filter(small, padding=1)[:, :, ::2, ::2]
            x = x + discriminator.readers[index](small)
    deviation = (x.var(0, unbiased=False) + 1e-8).sqrt().mean()
    x = torch.cat([x, deviation.expand(2, 1, 4, 4)], 1)
    score = discriminator.score(discriminator.final_linear(discriminator.final_conv(x).flatten(1)))
    torch.testing.assert_close(discriminator(image), score, rtol=1e-9, atol=1e-9)


@torch.no_grad()
def test_shares_of_the_output_add_up() -> None:
    """The picture is the sum of what each resolution adds, upsampled (Figure 8)."""
    torch.manual_seed(0)
    generator = StyleGAN2Generator(StyleGAN2Config(size=16, style_dim=8, channels=WIDTHS)).double()
    codes = torch.randn(2, 6, 8, dtype=torch.float64)
    total = torch.zeros(2, 3, 16, 16, dtype=torch.float64)
    additions = generator.contributions(codes, generator.noise_maps("fixed", codes))
    for addition in additions:
        while addition.shape[-1] < 16:
            addition = fir_upsample(addition)
        total += addition
    assert len(additions) == 3
    torch.testing.assert_close(total, generator(codes).image, rtol=1e-9, atol=1e-9)
