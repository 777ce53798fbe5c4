"""Every seed from 0 to 2^63 - 1 is a stream of its own; seeds below 2^32 keep the streams that they always had."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import semanticgan as sg
from docs.degradation import noisy, with_shuffled_regions
from semanticgan.commands import arguments
from semanticgan.data import batch_flips, batch_indices, open_dataset
from semanticgan.errors import InputError
from semanticgan.metrics.diversity import _variations
from semanticgan.metrics.path_length import _draw
from semanticgan.model import Model
from semanticgan.networks.generator import Generator
from semanticgan.perception.classifier_training import ClassifierTraining
from semanticgan.perception.parser_training import ParserTraining
from semanticgan.portraits import draw_portrait, portrait_attributes
from semanticgan.seeds import (
    MAX_SEED,
    derived,
    following,
    random_state,
    require_seed,
    seed_global_stream,
    sequence,
    stream,
)
from semanticgan.training.config import load_config
from semanticgan.training.draws import Draws
from semanticgan.training.sheets import sheet_latents

# Seeds that differ in their high words alone, or that a generator of 32 bits or a list of words takes for another.
SEEDS = (0, 1, 5, 2**31, 2**32 - 1, 2**32, 2**32 + 1, 2**33, 5 * 2**32, 5 * 2**32 + 1, 2**62, MAX_SEED - 1, MAX_SEED)
WRONG = (-1, 2**63, 2**64, 10**30, 1.0, float("nan"), True, np.True_, "3", None, [3], torch.tensor(3))


@pytest.fixture(scope="module")
def model() -> Model:
    return sg.load(device="cpu")


def different(make: Callable[[int], torch.Tensor | np.ndarray | list[Any]]) -> None:
    """Every seed gives something else, and the same one again."""
    made = {seed: np.asarray(make(seed)).tobytes() for seed in SEEDS}
    assert len(set(made.values())) == len(SEEDS)
    assert made == {seed: np.asarray(make(seed)).tobytes() for seed in SEEDS}


@pytest.mark.parametrize("seed", [0, 7, 2**31, 2**32 - 1])
def test_small_seeds_keep_their_streams(seed: int) -> None:
    expected = torch.randn(40, generator=torch.Generator().manual_seed(seed))
    assert torch.equal(torch.randn(40, generator=stream(seed)), expected)
    words = np.random.SeedSequence([seed, 3]).generate_state(2, np.uint64)
    assert (sequence(seed, 3).generate_state(2, np.uint64) == words).all()
    assert derived(seed, 3) == int(words[0] >> np.uint64(1))
    assert random_state(seed) == seed
    with torch.random.fork_rng(devices=[]):
        seed_global_stream(seed)
        assert torch.equal(torch.randn(40), expected)


def test_every_stream_differs() -> None:
    different(lambda seed: torch.randn(8, generator=stream(seed)))
    different(lambda seed: torch.rand(8, generator=stream(seed, 2), dtype=torch.float64))
    different(lambda seed: sequence(seed, 0).generate_state(4))
    different(lambda seed: [derived(seed, 1)])
    different(lambda seed: np.random.RandomState(random_state(seed)).rand(4))


def test_large_seeds_are_no_smaller_seed_with_an_index() -> None:
    """SeedSequence reads 5 * 2^32 + 7 as the words 7 and 5, and pads with zeros."""
    assert (sequence(5 * 2**32 + 7, 0).generate_state(4) != sequence(7, 5).generate_state(4)).any()
    assert portrait_attributes(5 * 2**32 + 7, 0) != portrait_attributes(7, 5)


def test_streams_of_large_seeds_are_normal() -> None:
    drawn = torch.randn(200_000, generator=stream(2**40), dtype=torch.float64)
    assert abs(drawn.mean()) < 0.01 and abs(drawn.std() - 1) < 0.01 and abs((drawn**4).mean() - 3) < 0.1


def test_everything_that_draws_differs(model: Model) -> None:
    different(lambda seed: model.sample(seed=seed).tensor)
    different(lambda seed: torch.cat(_draw(seed, 8)[:2]))
    different(lambda seed: sheet_latents(model.generator, 2, seed).cpu())
    different(lambda seed: draw_portrait(seed, 0, 16).image)
    different(lambda seed: batch_indices(0, 64, 64, seed))
    different(lambda seed: batch_flips(0, 64, seed))
    different(lambda seed: _variations(seed, 3))
    different(lambda seed: noisy(torch.full((2, 3, 8, 8), 128, dtype=torch.uint8), 0.2, seed=seed))
    for phase in ("discriminator", "generator", "path_length", "r1", "encoder"):
        draws = lambda seed, phase=phase: Draws(seed, 0, phase, 2, [0, 1], torch.device("cpu"))  # noqa: E731
        different(lambda seed, draws=draws: draws(seed).noise([4])[0])
        different(lambda seed, draws=draws: draws(seed).hidden(40))


def test_shuffled_regions_depend_on_the_seed() -> None:
    pictures = torch.randint(0, 256, (8, 3, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(3))
    labels = (torch.arange(64).reshape(1, 8, 8).repeat(8, 1, 1) % 13).to(torch.uint8)
    different(lambda seed: with_shuffled_regions(pictures, labels, 0.5, seed=seed))


@pytest.mark.parametrize("wrong", WRONG, ids=repr)
def test_what_is_no_seed_is_refused(model: Model, wrong: Any) -> None:
    calls: list[Callable[[], object]] = [
        lambda: require_seed(wrong),
        lambda: stream(wrong),
        lambda: sequence(wrong, 1),
        lambda: model.sample(seeds=[1, wrong]),
        lambda: open_dataset("portraits", size=16, length=1, seed=wrong),
        lambda: draw_portrait(wrong, 0, 16),
        lambda: batch_flips(0, 1, wrong),
        lambda: noisy(torch.zeros(1, 3, 4, 4, dtype=torch.uint8), 0.1, seed=wrong),
        lambda: ParserTraining(seed=wrong),
        lambda: ClassifierTraining(seed=wrong),
    ]
    for call in calls:
        with pytest.raises(InputError, match=r"2\^63-1"):
            call()


def test_numpy_integers_are_seeds(model: Model) -> None:
    assert torch.equal(model.sample(seed=np.int64(3)).tensor, model.sample(seed=3).tensor)  # type: ignore[arg-type]


def test_seeds_of_a_configuration() -> None:
    assert load_config("tiny", [f"seed={MAX_SEED}"]).seed == MAX_SEED
    for wrong in ("9223372036854775808", "18446744073709551615", "1" * 400, "1e30", "true", "-1"):
        with pytest.raises(InputError, match="seed"):
            load_config("tiny", [f"seed={wrong}"])


def test_seeds_of_the_command_line() -> None:
    assert arguments.seed(str(MAX_SEED)) == arguments.seeds(str(MAX_SEED))[0] == MAX_SEED
    for wrong in (str(MAX_SEED + 1), "-1", "1e3", "1.0", ""):
        with pytest.raises(argparse.ArgumentTypeError):
            arguments.seed(wrong)
        with pytest.raises(argparse.ArgumentTypeError):
            arguments.seeds(wrong)


def test_after_the_largest_comes_zero() -> None:
    assert [following(MAX_SEED, number) for number in range(3)] == [MAX_SEED, 0, 1]


def test_the_mean_code_of_a_large_seed(model: Model) -> None:
    generator = Generator(model.config)
    assert not torch.equal(
        generator.estimate_mean_latent(64, seed=0).clone(), generator.estimate_mean_latent(64, seed=2**32)
    )
