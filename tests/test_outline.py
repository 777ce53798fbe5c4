"""Networks of zeros for a file's weights: nothing is drawn, and nothing large is made."""

from collections.abc import Callable

import pytest
import torch
from torch import nn

from semanticgan.errors import WeightsError
from semanticgan.networks.config import GeneratorConfig
from semanticgan.networks.generator import Generator
from semanticgan.networks.local import LocalGenerators
from semanticgan.outline import outline

HUGE = 1 << 26


class Holding(nn.Module):
    def __init__(self, make: Callable[[], torch.Tensor]) -> None:
        super().__init__()
        self.register_buffer("held", make())


def test_weights_are_zeros_and_no_random_number_is_drawn() -> None:
    before = torch.get_rng_state()
    linear = outline(lambda: nn.Linear(3, 4), 16, "a file")
    holding = outline(lambda: Holding(lambda: torch.randn(2, 3, generator=torch.Generator())), 6, "a file")
    assert linear.weight.shape == (4, 3)
    assert not holding.held.any()
    assert torch.equal(before, torch.get_rng_state())


def test_what_is_computed_is_the_same() -> None:
    config = GeneratorConfig(size=32, coarse_size=16, min_feature_size=16, style_dim=8, local_channels=4)
    made, drawn = outline(lambda: Generator(config), 1, "a file"), Generator(config)
    assert torch.equal(made.local.fourier, drawn.local.fourier)
    assert {name: tensor.shape for name, tensor in made.state_dict().items()} == {
        name: tensor.shape for name, tensor in drawn.state_dict().items()
    }


@pytest.mark.parametrize(
    "make",
    [
        lambda: torch.zeros(HUGE),
        lambda: torch.ones((HUGE, 1)),
        lambda: torch.empty(size=(2, HUGE)),
        lambda: torch.randn(HUGE),
        lambda: torch.rand(1 << 62, 4),
        lambda: torch.ones(1 << 13, 1) * torch.ones(1, 1 << 13),
        lambda: torch.stack(torch.meshgrid(torch.arange(1 << 13), torch.arange(1 << 13), indexing="ij"), dim=-1),
        lambda: torch.zeros(-3),
        lambda: torch.full((HUGE,), 1.0),
        lambda: sum((torch.zeros(HUGE >> 4) for _ in range(17)), torch.zeros(())),
    ],
    ids=["zeros", "ones", "empty", "randn", "rand", "product", "grid", "negative", "full", "many"],
)
def test_what_is_too_large_is_refused_before_it_is_made(make: Callable[[], torch.Tensor]) -> None:
    with pytest.raises(WeightsError, match="config of a file asks for tensors that are too large"):
        outline(lambda: Holding(make), 100, "a file")


def test_a_grid_of_local_generators_that_is_too_large_is_refused() -> None:
    with pytest.raises(WeightsError, match="too large"):
        outline(lambda: LocalGenerators(3, 4, 8, 2, 1, 1 << 14, 4), 1000, "a file")
