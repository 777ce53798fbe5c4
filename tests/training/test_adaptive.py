"""The probability of augmentation follows the sign of the discriminator's scores of real pictures."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from semanticgan.errors import InputError
from semanticgan.training.augmentation import AdaptiveProbability, augment


def steered(start: float = 0.0, limit: float = 1.0) -> AdaptiveProbability:
    return AdaptiveProbability(start, 0.6, images_to_one=1000, every=4, batch=10, device="cpu", limit=limit)


def steps(probability: AdaptiveProbability, score: Tensor, first: int, last: int) -> list[float]:
    values = []
    for step in range(first, last + 1):
        probability.observe(score)
        probability.update(step)
        values.append(float(probability.value))
    return values


def test_probability_grows_by_the_formula_up_to_its_limit() -> None:
    probability = steered(limit=0.8)
    values = steps(probability, torch.full((10, 1), 0.1), 1, 100)
    expected = [min(0.8, step // 4 * 10 * 4 / 1000) for step in range(1, 101)]
    assert values == pytest.approx(expected, abs=1e-6)
    assert float(probability.last_sign) == 1.0
    assert steps(probability, torch.full((10, 1), -3.0), 101, 200)[-1] == 0.0
    assert float(probability.last_sign) == -1.0


@pytest.mark.parametrize(("positive", "moves"), [(5, -1), (7, -1), (8, 0), (9, 1)])
def test_probability_follows_the_sign_of_the_scores_not_their_size(positive: int, moves: int) -> None:
    """8 of 10 above 0 is a mean sign of 0.6, the target."""
    score = torch.tensor([1e-3] * positive + [-50.0] * (10 - positive))[:, None].bfloat16()
    probability = steered(0.5)
    assert steps(probability, score, 1, 4)[-1] == pytest.approx(0.5 + 0.04 * moves)
    assert float(probability.last_sign) == pytest.approx((2 * positive - 10) / 10)


def test_each_update_counts_anew_and_without_scores_nothing_moves() -> None:
    probability = steered(0.5)
    steps(probability, -torch.ones(10, 1), 1, 4)
    steps(probability, torch.ones(10, 1), 5, 8)
    assert float(probability.value) == pytest.approx(0.5) and float(probability.last_sign) == 1.0
    probability.update(12)
    assert float(probability.value) == pytest.approx(0.5) and float(probability.last_sign) == 1.0


def test_processes_agree() -> None:
    """Two processes whose signs are summed move as one that saw all."""
    one, parts = steered(0.5), [steered(0.5), steered(0.5)]
    score = torch.tensor([1.0] * 9 + [-1.0])[:, None]
    for step in range(1, 5):
        one.observe(score)
        for part, half in zip(parts, score.split(5), strict=True):
            part.observe(half)
            if step < 4:
                part.update(step)
        one.update(step)
    total = parts[0].state()["signs"] + parts[1].state()["signs"]
    for part in parts:
        part.update(4, reduce=lambda given: total)
        assert torch.equal(part.value, one.value) and torch.equal(part.last_sign, one.last_sign)
    assert float(one.value) == pytest.approx(0.54)


def test_state_resumes_between_two_updates() -> None:
    scores = torch.randn(23, 10, 1, generator=torch.Generator().manual_seed(3)) + 0.8
    whole, first, second = steered(0.3), steered(0.3), steered()
    for step, score in enumerate(scores, start=1):
        whole.observe(score)
        whole.update(step)
        part = first if step <= 10 else second
        if step == 11:
            saved = first.state()
            steps(first, -torch.ones(10, 1), 11, 12)  # what goes on after saving does not reach the state
            second.load_state(saved)
        part.observe(score)
        part.update(step)
    assert all(torch.equal(value, second.state()[name]) for name, value in whole.state().items())
    assert float(whole.value) != 0.3


def test_the_value_is_taken_as_it_is() -> None:
    probability, image = steered(1.0), torch.rand(4, 3, 32, 32) * 2 - 1
    expected, given = (
        augment(image, None, value, [torch.Generator().manual_seed(index) for index in range(4)])[0]
        for value in (1.0, probability.value)
    )
    assert torch.equal(given, expected)
    assert not (expected == image).flatten(1).all(1).any()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"start": 0.9, "limit": 0.8}, "0.9 up to 0.8"),
        ({"limit": 1.5}, "up to 1.5"),
        ({"target": 2.0}, "2.0 was aimed at"),
        ({"images_to_one": 0.0}, "in 0.0 pictures"),
        ({"every": 0}, "every 0 steps"),
    ],
)
def test_numbers_out_of_range_are_said(changed: dict[str, float], message: str) -> None:
    values = {"start": 0.0, "target": 0.6, "images_to_one": 1000, "every": 4, "batch": 10, "device": "cpu"}
    with pytest.raises(InputError, match=message):
        AdaptiveProbability(**{**values, **changed})
