"""The random numbers of a training: a picture's own, whoever asks for them."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from semanticgan.networks.generator import Generator, mixing_rows
from semanticgan.training.draws import Draws
from tests.networks.models import CONFIGS

CPU = torch.device("cpu")
WHOLE = Draws(seed=1, step=5, phase="generator", batch=8, positions=range(8), device=CPU)


@pytest.fixture(scope="module")
def generator() -> Generator:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Generator(CONFIGS["5-regions-opaque"])


def all_numbers(draws: Draws, generator: Generator) -> list[torch.Tensor]:
    image = torch.empty(len(draws.positions), 3, 4, 4)
    streams = [[torch.rand(3, generator=stream) for stream in draws.streams(real)] for real in (True, False)]
    return [
        *draws.noise([4, 8]),
        draws.direction(image),
        draws.latents(generator, mixing=1.0).detach(),
        *(torch.stack(some) for some in streams),
    ]


def test_pictures_have_the_same_numbers_alone_and_in_a_batch(generator: Generator) -> None:
    whole = all_numbers(WHOLE, generator)
    for positions in ([3], [6, 1]):
        some = all_numbers(dataclasses.replace(WHOLE, positions=positions), generator)
        for part, full in zip(some, whole, strict=True):
            torch.testing.assert_close(part, full[positions], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("change", [{"seed": 2}, {"step": 6}, {"phase": "r1"}])
def test_other_steps_have_other_numbers(change: dict[str, int], generator: Generator) -> None:
    for one, other in zip(
        all_numbers(WHOLE, generator), all_numbers(dataclasses.replace(WHOLE, **change), generator), strict=True
    ):
        assert not torch.equal(one, other)


def test_no_two_purposes_share_numbers() -> None:
    noise = WHOLE.noise([8])[0].flatten(1)
    direction = WHOLE.direction(torch.empty(8, 1, 8, 8)).flatten(1)
    assert (torch.corrcoef(torch.stack([noise.flatten(), direction.flatten()]))[0, 1]).abs() < 0.15
    assert len({tuple(row.tolist()) for row in torch.cat([noise, direction])}) == 16


def test_noise_is_standard_normal() -> None:
    noise = torch.cat([part.flatten() for part in WHOLE.noise([32, 64])])
    assert abs(noise.mean().item()) < 0.02 and abs(noise.std().item() - 1) < 0.02


def test_mixing_follows_the_choice_of_each_region() -> None:
    rows = mixing_rows(torch.tensor([[0, 1, 2]]), num_base_layers=2)
    expected = [[False, False, False, False, False, True, True, True]]
    assert rows.tolist() == expected


def test_mixing_has_the_stated_probability(generator: Generator) -> None:
    mixed, taken = 0, torch.zeros(3)
    for step in range(300):
        draws = dataclasses.replace(WHOLE, step=step, positions=[0, 5])
        latents = draws.latents(generator, mixing=0.3).detach()
        assert torch.equal(latents[:, 0], latents[:, generator.config.num_base_layers - 1])
        if not torch.equal(latents, latents[:, :1].expand_as(latents)):
            mixed += 1
            own = latents[:, generator.config.num_base_layers :].unflatten(1, (-1, 2))  # [N, K, 2, D]
            changed = (own != latents[:, :1, None]).any(-1).sum(-1)  # rows of each region from the second code
            taken += torch.bincount(changed.flatten(), minlength=3)
    assert 60 <= mixed <= 120
    assert (taken / taken.sum() - 1 / 3).abs().max() < 0.06
