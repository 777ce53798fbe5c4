"""Training of a classifier on drawn portraits, whose records say what they show, and its scores on others.

loss = 2 sum over attributes of BCE + sum over categories of CE / log V + sum over numbers of ((m - mean) / deviation)^2

Rare values weigh more, by the square root of how much rarer they are: enough that an earring is learnt, not so much
that it is seen everywhere. Pictures are mirrored, with the numbers that have a side, moved, recoloured, blurred and
made noisy a little.

Shape legend: N pictures, S side of the picture, B binary attributes, V values of a category, M numbers.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from semanticgan.data.batches import batch_flips, batch_indices
from semanticgan.data.cache import CachedPairs
from semanticgan.data.portraits import PortraitDataset
from semanticgan.perception.classifier import (
    AttributeClassifier,
    ClassifierConfig,
    ClassifierNetwork,
    Logits,
    Number,
    Prediction,
)
from semanticgan.perception.classifier_truth import BINARY, CATEGORIES, HIDDEN, NUMBERS, Truth, mirrored, truth_of
from semanticgan.perception.fitting import fit, seeded
from semanticgan.perception.pictures import as_float
from semanticgan.perception.settings import ClassifierTraining as ClassifierTraining
from semanticgan.perception.variation import blurred, draw_numbers, numbers_of, recoloured, sometimes

_SHIFT, _NOISE, _BRIGHTNESS, _CONTRAST = 2, 0.05, 0.1, 0.15  # pixels, of [-1, 1] twice, of the binary logarithm
_NOISE_CHANCE = 0.3
_HEAVIEST = 5.0  # how much more than a common value the rarest one weighs


def train_classifier(
    dataset: PortraitDataset,
    training: ClassifierTraining | None = None,
    *,
    device: torch.device | str = "cpu",
    workers: int = 0,
    licence: str = "",
    data_licence: str = "",
    progress: bool = False,
) -> AttributeClassifier:
    """Train a classifier at the side of a dataset.

    Args:
        dataset: drawn portraits; all are drawn once and kept in memory.
        training: how; None for the defaults.
        workers: processes that draw; 0 draws in this one.

    Returns:
        The classifier on that device, its ``training`` complete with the scores on the portraits held out.

    Raises:
        InputError: too few portraits, or a side that no classifier has.
        TrainingDiverged: the loss is not finite any more.
    """
    training = training or ClassifierTraining()
    num_trained = training.num_trained(len(dataset))
    ClassifierConfig(dataset.size, tuple(BINARY))  # a wrong side is told before anything is drawn
    truth = truth_of(dataset)
    trained, held_out = truth[:num_trained], truth[num_trained:]
    config = _config_of(dataset.size, trained)
    network = seeded(lambda: ClassifierNetwork(config), training.seed).to(device)
    pictures = CachedPairs(dataset, workers, progress).images
    batches = _varied(pictures[:num_trained], trained, training, device)
    seconds = fit(network, batches, Losses(config, trained).to(device), training, progress)
    scores = score(AttributeClassifier(network).predict(pictures[num_trained:]), held_out)
    return AttributeClassifier(
        network, training.facts(dataset.key(), num_trained, seconds, scores), licence, data_licence
    )


def _config_of(size: int, truth: Truth) -> ClassifierConfig:
    """All attributes of portraits, their numbers in the units of what is trained on."""
    numbers = zip(NUMBERS, truth.numbers.mean(0).tolist(), truth.numbers.std(0).tolist(), strict=True)
    return ClassifierConfig(
        size,
        tuple(BINARY),
        CATEGORIES,
        tuple(Number(name, mean, max(deviation, 1e-3)) for name, mean, deviation in numbers),
    )


def score(prediction: Prediction, truth: Truth) -> dict[str, Any]:
    """How well portraits were read, JSON-able.

    Returns:
        For each binary attribute the share of portraits that have it (``rate``) and are read to have it
        (``rate_read``), accuracy among those that have it (``found``) and those that do not (``free``), and the mean
        of both (``balanced_accuracy``), None where there are none of a kind; for each category the accuracy where it
        is shown; for each number the mean absolute error in its unit and the correlation.
    """
    binary = {}
    for name, there in zip(BINARY, truth.binary.bool().unbind(1), strict=True):
        read = prediction.binary[name]
        found, free = _share(read[there]), _share(~read[~there])
        binary[name] = {
            "rate": _share(there),
            "rate_read": _share(read),
            "found": found,
            "free": free,
            "balanced_accuracy": None if found is None or free is None else round((found + free) / 2, 4),
        }
    categories = {}
    for name, value in zip(CATEGORIES, truth.categories.unbind(1), strict=True):
        shown = value != HIDDEN
        categories[name] = {"accuracy": _share((prediction.categories[name] == value)[shown])}
    numbers = {}
    for name, column in zip(NUMBERS, truth.numbers.double().unbind(1), strict=True):
        read = prediction.numbers[name].double()
        both = torch.stack([column, read])
        varies = len(column) > 1 and bool((both.std(1) > 0).all())
        numbers[name] = {
            "mean_absolute_error": round(float((read - column).abs().mean()), 4),
            "correlation": round(float(torch.corrcoef(both)[0, 1]), 4) if varies else None,
        }
    return {"binary": binary, "categories": categories, "numbers": numbers}


def _share(chosen: Tensor) -> float | None:
    """The share of what is true, None of nothing."""
    return round(float(chosen.double().mean()), 4) if len(chosen) else None


def _varied(
    pictures: Tensor, truth: Truth, training: ClassifierTraining, device: torch.device | str
) -> Iterator[tuple[Tensor, Truth]]:
    """The batches of all steps, of pictures uint8 [N, 3, S, S], as :func:`fit` takes them."""
    for step in range(training.num_steps):
        chosen = torch.tensor(batch_indices(step, training.batch, len(pictures), training.seed))
        flipped = torch.tensor(batch_flips(step, training.batch, training.seed))
        image, shown = mirrored(as_float(pictures[chosen].to(device)), truth[chosen], flipped)
        yield vary(image, _random_numbers(training.seed, step, image.shape)), shown


class Losses:
    """The sum of all attributes' losses, each with the weights of its values.

    Args:
        config: what is told.
        truth: what the portraits show that are trained on.
    """

    def __init__(self, config: ClassifierConfig, truth: Truth) -> None:
        there = truth.binary.mean(0).clamp(1e-3, 1 - 1e-3)  # [B]
        self._positive = ((1 - there) / there).sqrt().clamp(1 / _HEAVIEST, _HEAVIEST)
        self._values = []
        for values, column in zip(CATEGORIES.values(), truth.categories.unbind(1), strict=True):
            counts = column[column != HIDDEN].bincount(minlength=len(values)).float()
            self._values.append((counts.max() / counts.clamp(min=1)).sqrt().clamp(max=_HEAVIEST))  # [V]
        self._mean = torch.tensor([number.mean for number in config.numbers])
        self._deviation = torch.tensor([number.deviation for number in config.numbers])

    def to(self, device: torch.device | str) -> Losses:
        """Move the weights; returns these losses."""
        self._positive, self._mean = self._positive.to(device), self._mean.to(device)
        self._deviation, self._values = self._deviation.to(device), [values.to(device) for values in self._values]
        return self

    def __call__(self, logits: Logits, truth: Truth) -> Tensor:
        """The loss of a batch, a scalar; binary attributes count twice, being what is measured."""
        device = logits.binary.device
        binary = F.binary_cross_entropy_with_logits(
            logits.binary, truth.binary.to(device), pos_weight=self._positive, reduction="none"
        )
        total = 2 * binary.mean(0).sum()
        for part, weights, column in zip(logits.categories, self._values, truth.categories.unbind(1), strict=True):
            target = column.to(device)
            # By pictures, not by weights: a batch without a shown value must not divide by zero.
            apart = F.cross_entropy(part, target, weights, ignore_index=HIDDEN, reduction="none")
            total = total + apart.mean() / math.log(part.shape[1])
        wanted = (truth.numbers.to(device) - self._mean) / self._deviation
        return total + F.mse_loss(logits.numbers, wanted, reduction="none").mean(0).sum()


def vary(image: Tensor, numbers: Mapping[str, Tensor]) -> Tensor:
    """Pictures moved by whole pixels, blurred, recoloured and made noisy a little.

    Args:
        image: [N, 3, S, S] in [-1, 1].
        numbers: random ones by what they are for, as :func:`_random_numbers` draws them.

    Returns:
        As many in [-1, 1]; what lies beyond the edge repeats the edge.
    """
    numbers = {name: value.to(image.device) for name, value in numbers.items()}
    size = image.shape[-1]
    places = torch.arange(size, device=image.device)
    x, y = ((places + numbers[axis][:, None]).clamp(0, size - 1) for axis in ("x", "y"))  # [N, S]
    image = image.gather(2, y[:, None, :, None].expand_as(image)).gather(3, x[:, None, None, :].expand_as(image))
    noise = _NOISE * numbers["noise"] * sometimes(numbers["noisy"], _NOISE_CHANCE)
    return recoloured(blurred(image, numbers["blur"]), numbers, _BRIGHTNESS, _CONTRAST, noise)


def _random_numbers(seed: int, step: int, shape: torch.Size) -> dict[str, Tensor]:
    """What :func:`vary` needs of images [N, 3, S, S]."""
    random = numbers_of(seed, step)
    moves = {name: torch.randint(-_SHIFT, _SHIFT + 1, shape[:1], generator=random) for name in ("x", "y")}
    numbers = draw_numbers(random, shape[0], ("brightness", "contrast"), ("blur", "noisy"))
    return {**moves, **numbers, "noise": torch.randn(shape, generator=random)}
