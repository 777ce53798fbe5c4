"""The equalised Adam of StyleALAE: two steps of its authors' one, and exact resume."""

from __future__ import annotations

import io
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from semanticgan.errors import InputError
from semanticgan.networks.comparison.alae import ALAEConfig, ALAEGenerator
from semanticgan.networks.layers import coefficients
from semanticgan.training.lreq_adam import LreqAdam, groups_by_coefficient
from tests.networks.fixtures import assert_parity, case

TINY = ALAEConfig(size=8, style_dim=8, num_mapping_layers=2, channels={4: 8, 8: 6})
RATE = 0.0015


@pytest.mark.parametrize("stored", ["divided by the gain", "as used"])
def test_two_steps_of_the_reference(stored: str) -> None:
    """Weights in effect move the same whether the gain lies in the network or, with gain 1, in the gradient's rate."""
    given = case("baselines/alae_lreq_adam")
    gains = given.meta["lr_equalization_coef"]
    before = given.starting("before/")
    assert len(before) == 11
    for name, start in before.items():
        gain = gains.get(name, 1.0)
        own = gain if stored == "divided by the gain" else 1.0
        parameter = nn.Parameter(start / own)
        optimiser = LreqAdam([{"params": [parameter], "coefficient": own, "lr": RATE * gain / own}])
        for step in ("grad1", "grad2"):
            parameter.grad = given[f"{step}/{name}"] * own
            optimiser.step()
        moved, expected = parameter.detach() * own - start, given[f"after/{name}"] - start
        # Differences of float32 numbers of size 1 are known to 1e-7, those here are 1e-4 and more.
        assert_parity(parameter.detach() * own, given[f"after/{name}"], 1e-6)
        assert_parity(moved, expected, 5e-3)


def test_the_formula_where_gradients_are_tiny() -> None:
    """eps is that of the weights in effect: v = b v + (1 - b) g^2, w -= rate c sqrt(1 - b^t) g / (sqrt(v) + eps)."""
    gain, eps, beta, rate = 0.05, 1e-3, 0.9, 0.01
    w, v = torch.tensor([1.0, -2.0], dtype=torch.float64), torch.zeros(2, dtype=torch.float64)
    parameter = nn.Parameter(w / gain)
    optimiser = LreqAdam([{"params": [parameter], "coefficient": gain}], lr=rate, beta=beta, eps=eps)
    for step in range(1, 6):
        gradient = torch.tensor([1e-3, -2e-2], dtype=torch.float64) * step
        parameter.grad = gain * gradient
        optimiser.step()
        v = beta * v + (1 - beta) * gradient**2
        w = w - rate * gain * (1 - beta**step) ** 0.5 * gradient / (v.sqrt() + eps)
        torch.testing.assert_close(parameter.detach() * gain, w, rtol=1e-12, atol=0.0)


def test_groups_hold_every_parameter_once() -> None:
    generator = ALAEGenerator(TINY)
    groups, gains = groups_by_coefficient(generator), coefficients(generator)
    names = {id(parameter): name for name, parameter in generator.named_parameters()}
    held = [(names[id(parameter)], group["coefficient"]) for group in groups for parameter in group["params"]]
    assert len(held) == len(names) and dict(held) == gains
    assert gains["mapping.layers.0.bias"] == pytest.approx(0.1) and gains["blocks.1.style1.noise.weight"] == 1.0


def train(generator: ALAEGenerator, optimiser: LreqAdam, steps: range) -> None:
    for step in steps:
        w = generator.map(torch.randn(2, 8, generator=torch.Generator().manual_seed(step)))
        # Every second step uses half of the network, as a growing one does: its other parameters stay behind.
        level = float(step % 2)
        image = generator.synthesis(generator.expand(w), generator.noise_maps("fixed", w), level)
        optimiser.zero_grad(set_to_none=True)
        (generator.encode(image, level) - w.detach()).square().mean().backward()
        optimiser.step()


def test_a_state_continues_bit_for_bit() -> None:
    torch.manual_seed(0)
    generator = ALAEGenerator(TINY)
    start = {name: tensor.clone() for name, tensor in generator.state_dict().items()}
    optimiser = LreqAdam(groups_by_coefficient(generator), lr=0.01)
    train(generator, optimiser, range(7))

    halfway = ALAEGenerator(TINY)
    halfway.load_state_dict(start)
    first = LreqAdam(groups_by_coefficient(halfway), lr=0.01)
    train(halfway, first, range(3))
    resumed = ALAEGenerator(TINY)
    resumed.load_state_dict(halfway.state_dict())
    second = LreqAdam(groups_by_coefficient(resumed))
    second.load_state_dict(copied(first.state_dict()))
    train(resumed, second, range(3, 7))
    for name, tensor in generator.state_dict().items():
        assert torch.equal(resumed.state_dict()[name], tensor), name
    assert any(not torch.equal(tensor, start[name]) for name, tensor in generator.state_dict().items())
    for one, other in zip(second.state_dict()["state"].values(), optimiser.state_dict()["state"].values(), strict=True):
        assert all(torch.equal(one[key], other[key]) for key in ("step", "exp_avg_sq"))


def copied(state: dict[str, Any]) -> dict[str, Any]:
    """As a file gives it back, with tensors alone."""
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    found: dict[str, Any] = torch.load(file, weights_only=True)
    return found


def test_parameters_without_a_gradient_stay() -> None:
    used, unused = nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(2))
    optimiser = LreqAdam([used, unused])
    used.grad = torch.ones(2)

    def loss() -> Tensor:
        return used.square().sum()

    assert optimiser.step(loss).item() == 2.0
    assert torch.equal(unused, torch.ones(2)) and not optimiser.state[unused] and bool((used < 1).all())


@pytest.mark.parametrize("wrong", [{"lr": -1.0}, {"beta": 1.0}, {"eps": -1e-8}])
def test_numbers_out_of_range(wrong: dict[str, float]) -> None:
    with pytest.raises(InputError, match="LreqAdam takes lr"):
        LreqAdam([nn.Parameter(torch.ones(2))], **wrong)
