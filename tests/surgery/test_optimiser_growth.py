"""The optimiser of grown networks: running means by name, and steps that are counted for each parameter."""

from __future__ import annotations

import copy
import itertools

import pytest
import torch
from torch import nn

from semanticgan.errors import InputError
from semanticgan.networks.config import DiscriminatorConfig
from semanticgan.networks.discriminator import Discriminator
from semanticgan.surgery.discriminator_growth import grow_discriminator, grown_discriminator_config
from semanticgan.surgery.growth import grow_generator, grown_generator_config
from semanticgan.surgery.optimiser_growth import grow_optimiser_state, parameter_names
from tests.networks.models import CONFIGS, perturbed_generator

CONFIG = DiscriminatorConfig(8, 5, {4: 8, 8: 8}, {4: 8, 8: 8})
Networks = dict[str, nn.Module]


def adam(networks: Networks, rate: float = 0.1) -> torch.optim.Adam:
    """One group a network; what is frozen has no part."""
    groups = [{"params": [p for p in network.parameters() if p.requires_grad]} for network in networks.values()]
    return torch.optim.Adam(groups, lr=rate, betas=(0.5, 0.9))


def step(networks: Networks, optimiser: torch.optim.Adam, seed: int) -> None:
    """A step of gradients that follow from the seed, for every parameter."""
    source = torch.Generator().manual_seed(seed)
    for parameter in itertools.chain.from_iterable(network.parameters() for network in networks.values()):
        parameter.grad = torch.randn(parameter.shape, generator=source) if parameter.requires_grad else None
    optimiser.step()


def both() -> tuple[Networks, Networks]:
    """A discriminator with a part frozen beside a network that does not grow, and what grows of them."""
    torch.manual_seed(0)
    discriminator = Discriminator(CONFIG)
    discriminator.final_linear.requires_grad_(False)
    grown = grow_discriminator(discriminator, grown_discriminator_config(CONFIG, 32))
    heads = nn.Linear(2, 2)
    return {"discriminator": discriminator, "heads": heads}, {"discriminator": grown, "heads": copy.deepcopy(heads)}


def test_means_go_by_name_and_new_parameters_begin_without() -> None:
    start, grown = both()
    old, new = adam(start), adam(grown, rate=0.3)
    for seed in range(3):
        step(start, old, seed)
    state = copy.deepcopy(old.state_dict())
    new.load_state_dict(grow_optimiser_state(old.state_dict(), parameter_names(old, start), new, start, grown))
    assert [group["lr"] for group in new.param_groups] == [0.3, 0.3]
    theirs = dict(zip(parameter_names(old, start), old.state.values(), strict=True))
    found = {}
    for name, parameter in zip(
        parameter_names(new, grown), (p for g in new.param_groups for p in g["params"]), strict=True
    ):
        if parameter in new.state:
            found[name] = new.state[parameter]
    names = {
        name.replace("blocks.0.", "blocks.2.") if "blocks" in name else name for name in theirs if ".stem." not in name
    }
    assert found.keys() == names and "heads.bias" in names and "discriminator.image_branch.blocks.2.conv1.bias" in names
    for name, values in found.items():
        for key, value in values.items():
            assert torch.equal(value, theirs[name.replace("blocks.2.", "blocks.0.")][key]), (name, key)
    # The next step: a new parameter moves by the rate against the sign of its first gradient; unbiased means tell it.
    before = {name: p.detach().clone() for name, p in grown["discriminator"].named_parameters()}
    step(grown, new, 9)
    for name, parameter in grown["discriminator"].named_parameters():
        count = new.state[parameter]["step"] if parameter.requires_grad else None
        assert count == (None if "final_linear" in name else 1 if f"discriminator.{name}" not in names else 4), name
        if count == 1:
            torch.testing.assert_close(
                before[name] - parameter.detach(), 0.3 * parameter.grad.sign(), atol=1e-4, rtol=1e-4
            )
    assert all(
        torch.equal(old.state_dict()["state"][i]["exp_avg"], state["state"][i]["exp_avg"]) for i in state["state"]
    )


def test_a_grown_generator_goes_on_as_its_start_would() -> None:
    start = perturbed_generator(CONFIGS["5-regions-labelled"])
    old = adam({"g": start})
    step({"g": start}, old, 0)
    grown = grow_generator(start, grown_generator_config(start.config, 128))
    new = adam({"g": grown})
    new.load_state_dict(
        grow_optimiser_state(old.state_dict(), parameter_names(old, {"g": start}), new, {"g": start}, {"g": grown})
    )
    ours = dict(grown.named_parameters())
    for parameter in (*grown.parameters(), *start.parameters()):
        parameter.grad = torch.ones_like(parameter)
    old.step()
    new.step()
    assert all(torch.equal(ours[name], parameter) for name, parameter in start.named_parameters())


def test_names_that_do_not_fit_are_refused() -> None:
    start, grown = both()
    old, new = adam(start), adam(grown)
    step(start, old, 0)
    names = parameter_names(old, start)
    with pytest.raises(InputError, match=f"has {len(names)} parameters, got {len(names) - 1} names"):
        grow_optimiser_state(old.state_dict(), names[1:], new, start, grown)
    with pytest.raises(InputError, match="another shape than"):
        grow_optimiser_state(old.state_dict(), names[::-1], new, start, grown)
