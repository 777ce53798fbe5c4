"""The losses of StyleALAE and their gradients are those of its authors' training step, in float64 too."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from semanticgan.networks.comparison.alae import ALAEDiscriminator, ALAEGenerator
from semanticgan.training.methods.alae_losses import encoder_loss, generator_loss, reconstruction_loss
from tests.networks.comparison.alae_fixtures import by_name, level_of_case, networks_of, renamed
from tests.networks.fixtures import Case, assert_gradient_norms, assert_parity, case

FILE = "baselines/alae_losses_32"
EXACT = 1e-10  # of a float64 value's scale
CASES = [(stage, name) for stage in ("full", "fade") for name in ("d", "d_mix3", "g", "g_mix2", "ae")]


def test_values_on_fixed_tensors() -> None:
    given = case(FILE)
    real, fake = given["in/fn/real_img"].requires_grad_(), given["in/fn/d_fake"]
    score = (real * given["in/fn/weight"]).sum((1, 2, 3)) + 0.5 * real.square().mean((1, 2, 3))
    assert_parity(score.detach(), given["out/fn/d_real"])
    assert_parity(encoder_loss(score, fake, real, 10.0), given["out/fn/d_loss"])
    assert_parity(encoder_loss(score, fake, real, 0.0), given["out/fn/d_loss_gamma0"])
    assert_parity(generator_loss(fake), given["out/fn/g_loss"])
    assert_parity(reconstruction_loss(real, given["in/fn/rec"]), given["out/fn/reconstruction"])


def loss_of(
    given: Case, name: str, level: float, generator: ALAEGenerator, discriminator: ALAEDiscriminator, dtype: torch.dtype
) -> tuple[Tensor, dict[str, Tensor]]:
    """A case's loss, and what else the fixture has of it."""
    w = generator.map(given[f"in/{name}/z"].to(dtype))
    codes = generator.expand(w)
    if f"in/{name}/z2" in given:
        second = generator.expand(generator.map(given[f"in/{name}/z2"].to(dtype)))
        place = int(given[f"in/{name}/mix_cutoff"])
        codes = torch.cat([codes[:, :place], second[:, place:]], 1)
    noise = [maps.to(dtype) for maps in given.noise(f"in/{name}/noise_")]
    fake = generator.synthesis(codes, noise, level)
    kind = name.split("/")[1]
    if kind == "ae":
        return reconstruction_loss(w, generator.encode(fake, level)), {}
    if kind.startswith("g"):
        generator.encoder.requires_grad_(False)
        score = discriminator(generator.encode(fake, level))
        return generator_loss(score), {"d_fake": score}
    real = given[f"in/{name}/x"].to(dtype).requires_grad_()
    real_score = discriminator(generator.encode(real, level))
    fake_score = discriminator(generator.encode(fake.detach(), level))
    loss = encoder_loss(real_score, fake_score, real)
    penalty = loss - encoder_loss(real_score, fake_score, real, gamma=0)
    return loss, {"d_fake": fake_score, "d_real": real_score, "r1": penalty}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
@pytest.mark.parametrize(("stage", "kind"), CASES)
def test_losses_and_gradients(stage: str, kind: str, dtype: torch.dtype) -> None:
    given, name = case(FILE), f"{stage}/{kind}"
    generator, discriminator = networks_of(given, dtype)
    outputs, tolerance = ("out", 1e-4) if dtype == torch.float32 else ("out64", EXACT)
    level = level_of_case(given, stage, len(generator.config.sides))
    loss, values = loss_of(given, name, level, generator, discriminator, dtype)
    assert_parity(loss, given[f"{outputs}/{name}/loss"], tolerance)
    for value, tensor in values.items():
        expected = given[f"{outputs}/{name}/{value}"]
        assert_parity(tensor.view(expected.shape), expected, tolerance)

    gradients = gradients_of(loss, given, generator, discriminator)
    norms = given[f"{outputs}/{name}/param_grad_norms"]
    assert_gradient_norms(gradients, given.meta["param_names"], norms)
    for output in {"out", outputs}:
        for parameter, expected in given.starting(f"{output}/{name}/param_grad/").items():
            gradient = gradients[parameter]
            assert gradient is not None
            assert_parity(gradient, expected, tolerance if output == outputs else 1e-4)


def gradients_of(
    loss: Tensor, given: Case, generator: ALAEGenerator, discriminator: ALAEDiscriminator
) -> dict[str, Tensor | None]:
    """By their weights, which are ours times the gains; rows that only they have get 0."""
    parameters = {name: pair for name, pair in by_name(generator, discriminator).items() if pair[0].requires_grad}
    found = torch.autograd.grad(loss, [parameter for parameter, _ in parameters.values()], allow_unused=True)
    gradients = {
        name: None if gradient is None else gradient / gain
        for (name, (_, gain)), gradient in zip(parameters.items(), found, strict=True)
    }
    theirs = given.reference_gradients(gradients, "sd/", lambda tensors: renamed(tensors, generator, discriminator))
    return {name: None if gradient is None else gradient.nan_to_num(0.0) for name, gradient in theirs.items()}
