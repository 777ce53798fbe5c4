"""Regularisers, ramps and Ranger equal the references' own (their outputs are in the fixtures)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from semanticgan.inversion.regularisers import (
    code_noise,
    locality_codes,
    noise_correlation,
    noise_magnitude,
    normalise_noise,
    rate_ramp,
    w_norm,
)
from semanticgan.training.ranger import Ranger
from tests.networks.fixtures import Case, needs_fixtures

pytestmark = needs_fixtures

TOLERANCE = 1e-5


def fixture() -> Case:
    return Case("directions/inversion_tools")


def require_close(given: Tensor, wanted: Tensor) -> None:
    torch.testing.assert_close(given, wanted.reshape(given.shape), rtol=0, atol=TOLERANCE)


def test_noise_correlation_and_its_gradients() -> None:
    case = fixture()
    noise = [level.requires_grad_() for level in case.noise("in/noise/")]
    value = noise_correlation(noise)
    value.sum().backward()
    require_close(value.detach(), case["out/noise_regularize/loss"])
    require_close(value.detach(), case["out/pti_noise/loss"])
    for index, level in enumerate(noise):
        assert level.grad is not None
        require_close(level.grad, case[f"out/noise_regularize/grad/{index}"])
        require_close(noise_correlation([level.detach()]), case[f"out/noise_regularize/each/{index}"])


def test_noise_of_one_picture_does_not_depend_on_the_others() -> None:
    noise = fixture().noise("in/noise/")
    pair = [torch.cat([level, 2 * level.flip(3)]) for level in noise]
    for function in (noise_correlation, noise_magnitude):
        require_close(function(pair)[:1], function(noise))
    normalised = [level.clone() for level in noise]
    normalise_noise(normalised)
    normalise_noise(pair)
    for both, alone in zip(pair, normalised, strict=True):
        require_close(both[:1], alone)
        require_close(both[1:], alone.flip(3))


def test_noise_magnitude_and_both_normalisations() -> None:
    case = fixture()
    require_close(noise_magnitude(case.noise("in/noise/")), case["out/ssg_noise/loss"])
    for unbiased, name in ((True, "noise_normalize"), (False, "pti_noise/normalized")):
        noise = case.noise("in/noise/")
        normalise_noise(noise, unbiased)
        for index, level in enumerate(noise):
            require_close(level, case[f"out/{name}/{index}"])


def test_ramps() -> None:
    case = fixture()
    shares = case["in/ramp/t"].tolist()
    rates = torch.tensor([rate_ramp(t) for t in shares], dtype=torch.float64)
    for name, rate in (("rosinality_lr0_1", 0.1), ("ssg_lr0_1", 0.1), ("pti_lr0_01", 0.01)):
        require_close(rate * rates, case[f"out/ramp/{name}"])
    noise = torch.tensor([code_noise(t) for t in shares], dtype=torch.float64)
    require_close(noise, case["out/ramp/code_noise_factor"])


def test_w_norm_and_locality() -> None:
    case = fixture()
    codes = case["in/w_norm/latent"]
    require_close(w_norm(codes, case["in/w_norm/avg"]), case["out/w_norm/from_avg"])
    require_close(w_norm(codes), case["out/w_norm/plain"])
    pivot, samples = case["in/locality/pivot"], case["in/locality/new_w"]
    require_close(locality_codes(pivot, samples), case["out/pti_locality/w"])
    several = locality_codes(pivot.expand(2, -1, -1), torch.cat([3 * samples, samples]))
    require_close(several[1:], case["out/pti_locality/w"])


def test_ranger_after_each_step_of_the_reference() -> None:
    case = fixture()
    parameters = [nn.Parameter(case[f"in/ranger/p{index}"].clone()) for index in range(3)]
    optimiser, checked = Ranger(parameters, lr=0.01), 0
    for step in range(14):
        for index, parameter in enumerate(parameters):
            parameter.grad = case[f"in/ranger/g{index}"][step]
        optimiser.step()
        for index, parameter in enumerate(parameters):
            if (name := f"out/ranger/step{step + 1}/p{index}") in case:
                require_close(parameter.detach(), case[name])
                checked += 1
    assert checked == 18


def test_ranger_goes_on_from_its_state() -> None:
    """A resume in the middle of a lookahead changes no bit."""

    def run(steps: int, resume_at: int | None) -> Tensor:
        parameter, source = nn.Parameter(torch.ones(3, 4)), torch.Generator().manual_seed(0)
        optimiser = Ranger([parameter], lr=0.1)
        for step in range(steps):
            if step == resume_at:
                state = optimiser.state_dict()
                optimiser = Ranger([parameter], lr=0.5)
                optimiser.load_state_dict(state)
            parameter.grad = torch.randn(3, 4, generator=source)
            optimiser.step()
        return parameter.detach()

    assert torch.equal(run(15, None), run(15, 8))
