"""Attributes become as frequent in generated pictures as in real ones."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from semanticgan.perception.classifier import AttributeClassifier, ClassifierConfig, ClassifierNetwork
from semanticgan.regions import PHOTOGRAPHS_11
from semanticgan.training.config import TrainingConfig
from semanticgan.training.objectives.rates import GENERATED, REAL, AttributeRates, Rates
from tests.training.test_trainer import pairs
from tests.training.trainers import trainer_of

Make = Callable[..., TrainingConfig]
CPU = torch.device("cpu")


def brightness_classifier(slope: float = 4.0) -> AttributeClassifier:
    """Tells "bright" by the mean of the first channel, and a category of two values that is its logit twice over."""
    network = ClassifierNetwork(ClassifierConfig(16, ("bright",), {"tone": ("dark", "light")}, channels=(4,)))
    network.maps = lambda image: [image[:, :1].expand(-1, 4, -1, -1)]  # type: ignore[method-assign]
    with torch.no_grad():
        network.head.weight.copy_(torch.tensor([[slope], [0.0], [slope]]).expand(-1, 4) / 4)
        network.head.bias.zero_()
    return AttributeClassifier(network, licence="none", data_licence="none")


def greys(values: list[float]) -> Tensor:
    return torch.tensor(values).view(-1, 1, 1, 1).repeat(1, 3, 16, 16)


def sum_of_one(tensor: Tensor) -> Tensor:
    return tensor


def test_the_divergence_is_that_of_the_running_rates() -> None:
    """By hand: rates of 0.2 beside 0.05; its derivative by the generated rate, through the sigmoid of each picture."""
    rates = AttributeRates(brightness_classifier(), half_life=100.0, batch=2)
    rates.running[REAL], rates.running[GENERATED] = torch.tensor([0.2, 0.8, 0.2]), torch.tensor([0.05, 0.8, 0.2])
    images = greys([0.1, -0.7]).requires_grad_()
    lost = rates.divergence(images)
    assert lost.item() == pytest.approx(0.2 * math.log(0.2 / 0.05) + 0.8 * math.log(0.8 / 0.95), abs=1e-6)
    lost.backward()
    assert images.grad is not None
    slope = -0.2 / 0.05 + 0.8 / 0.95
    chance = (4 * torch.tensor([0.1, -0.7])).sigmoid()
    by_hand = slope * chance * (1 - chance) * 4 / 2
    assert torch.allclose(images.grad.sum((1, 2, 3)), by_hand, rtol=1e-5)


def test_running_rates_reach_those_of_the_pictures() -> None:
    rates = AttributeRates(brightness_classifier(slope=400.0), half_life=10.0, batch=4)
    for _ in range(60):
        rates.observe_real(greys([0.5, -0.5, -0.5, -0.5]))
        rates.divergence(greys([0.5, 0.5, 0.5, -0.5]))
        rates.update(sum_of_one)
    expected = torch.tensor([[0.25, 0.75, 0.25], [0.75, 0.25, 0.75]], dtype=torch.float64)
    torch.testing.assert_close(rates.running, expected, atol=1e-5, rtol=0)


def test_parts_count_as_one_batch() -> None:
    values, made = [0.3, -0.2, 0.1, -0.9], [0.2, 0.6, -0.4, 0.0]
    whole, parts = (AttributeRates(brightness_classifier(), half_life=10.0, batch=4) for _ in range(2))
    whole.observe_real(greys(values))
    whole.divergence(greys(made))
    for half in (slice(2), slice(2, 4)):
        parts.observe_real(greys(values[half]))
        parts.divergence(greys(made[half]))
    assert torch.equal(parts.running, torch.full((2, 3), 0.5, dtype=torch.float64))  # until the step ends
    whole.update(sum_of_one)
    parts.update(sum_of_one)
    torch.testing.assert_close(parts.running, whole.running)


def test_a_training_comes_to_the_rate_of_the_data(tiny_config: Make, tmp_path: Path) -> None:
    """One real picture in four is bright; beside a training that only takes note."""
    apart = []
    for weight in (0, 10):
        config = tiny_config(
            tmp_path, f"loss.rates={weight}", "loss.classifier=attributes-64", "optimiser.learning_rate=0.01"
        )
        trainer = trainer_of(config, PHOTOGRAPHS_11, CPU)
        (objective,) = (one for one in trainer.method.objectives if isinstance(one, Rates))
        objective.rates = AttributeRates(brightness_classifier(), half_life=20.0, batch=config.batch)
        image, segmentation = pairs(config)
        image[:] = -0.8
        image[: len(image) // 4] = 0.8
        for _ in range(20):
            assert "loss/rates" in trainer.step(image, segmentation)
        apart.append(float((objective.rates.running[REAL] - objective.rates.running[GENERATED])[0].abs()))
    assert apart[1] < 0.1 < 0.2 < apart[0], apart
