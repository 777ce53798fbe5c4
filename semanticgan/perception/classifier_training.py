"""Training of a classifier on drawn portraits, whose records say what they show, and its scores on others.

Each attribute has a loss of its own: binary cross-entropy, cross-entropy over a category's values, and the squared
error of a number in standard deviations. Rare values weigh more, by the square root of how much rarer they are: enough
that an earring is learnt, not so much that it is seen everywhere. Pictures are mirrored, with the numbers that have a
side, moved, recoloured, blurred and made noisy a little, since generated ones are less clean than drawn ones.

The last portraits of the dataset are held out. The same seed gives the same classifier on the same machine.

Shape legend: N pictures, S side of the picture, B binary attributes, V values of a category, M numbers.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from semanticgan.data.batches import batch_flips, batch_indices
from semanticgan.data.cache import CachedPairs
from semanticgan.data.portraits import PortraitDataset
from semanticgan.errors import InputError, TrainingDiverged, unknown_name
from semanticgan.model import PRECISIONS
from semanticgan.perception.classifier import (
    AttributeClassifier,
    ClassifierConfig,
    ClassifierNetwork,
    Logits,
    Number,
    Prediction,
)
from semanticgan.perception.classifier_truth import BINARY, CATEGORIES, HIDDEN, NUMBERS, Truth, mirrored, truth_of
from semanticgan.perception.parser_training import rate_at
from semanticgan.seeds import derived, require_seed, seed_global_stream

_SHIFT, _NOISE, _BRIGHTNESS, _CONTRAST = 2, 0.05, 0.1, 0.15  # pixels, of [-1, 1] twice, of the binary logarithm
_BLUR_CHANCE, _NOISE_CHANCE = 0.3, 0.3
_HEAVIEST = 5.0  # how much more than a common value the rarest one weighs


@dataclass(frozen=True)
class ClassifierTraining:
    """How a classifier is trained.

    Attributes:
        num_steps: steps of the optimiser (Adam with decoupled weight decay, its rate rising and falling as a cosine).
        batch: N, portraits a step.
        num_held_out: portraits at the end of the dataset that are scored and not trained on.
        learning_rate: the highest.
        seed: of the weights, the order of the portraits and the augmentation.
        precision: of the network's arithmetic while it learns, one of :data:`PRECISIONS`; bfloat16 is faster where
            the processor knows it.

    Raises:
        InputError: a number out of range, or an unknown precision.
    """

    num_steps: int = 2500
    batch: int = 64
    num_held_out: int = 2000
    learning_rate: float = 3e-3
    seed: int = 0
    precision: str = "float32"

    def __post_init__(self) -> None:
        require_seed(self.seed)
        if self.precision not in PRECISIONS:
            raise unknown_name("precision", self.precision, PRECISIONS)
        if min(self.num_steps, self.batch - 1, self.num_held_out) < 1 or not self.learning_rate > 0:
            raise InputError(
                f"a classifier cannot be trained in {self.num_steps} steps of {self.batch} portraits with "
                f"{self.num_held_out} held out, at a rate of {self.learning_rate}. Give numbers above 0, "
                "portraits a step above 1."
            )


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
        device: where to compute.
        workers: processes that draw; 0 draws in this one.
        licence: terms of the weights.
        data_licence: terms of the data.
        progress: show bars on stderr.

    Returns:
        The classifier on that device, its ``training`` complete with the scores on the portraits held out.

    Raises:
        InputError: too few portraits, or a side that no classifier has.
        TrainingDiverged: the loss is not finite any more.
    """
    training = training or ClassifierTraining()
    num_trained = len(dataset) - training.num_held_out
    if num_trained < 2:
        raise InputError(
            f"{training.num_held_out} of {len(dataset)} portraits would be held out, which leaves too few to train on. "
            "Hold out fewer, or draw more."
        )
    ClassifierConfig(dataset.size, tuple(BINARY))  # a wrong side is told before anything is drawn
    truth = truth_of(dataset)
    trained, held_out = truth[:num_trained], truth[num_trained:]
    numbers = zip(NUMBERS, trained.numbers.mean(0).tolist(), trained.numbers.std(0).tolist(), strict=True)
    config = ClassifierConfig(
        dataset.size,
        tuple(BINARY),
        CATEGORIES,
        tuple(Number(name, mean, max(deviation, 1e-3)) for name, mean, deviation in numbers),
    )
    with torch.random.fork_rng(devices=[]):
        seed_global_stream(training.seed)
        network = ClassifierNetwork(config).to(device)
    pictures = CachedPairs(dataset, workers, progress).images
    start = time.perf_counter()
    _fit(network, pictures[:num_trained], trained, training, progress)
    seconds = time.perf_counter() - start
    facts = {
        "num_steps": training.num_steps,
        "batch": training.batch,
        "learning_rate": training.learning_rate,
        "precision": training.precision,
        "seed": training.seed,
        "dataset": dataset.key(),
        "num_portraits": num_trained,
        "seconds": round(seconds, 1),
        "held_out": {
            "num_portraits": training.num_held_out,
            **score(AttributeClassifier(network).predict(pictures[num_trained:]), held_out),
        },
    }
    return AttributeClassifier(network, facts, licence, data_licence)


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


def _fit(
    network: ClassifierNetwork, pictures: Tensor, truth: Truth, training: ClassifierTraining, progress: bool
) -> None:
    """Train a network in place on pictures uint8 [N, 3, S, S]."""
    from tqdm import tqdm

    device = network.head.weight.device
    optimiser = torch.optim.AdamW(network.parameters(), lr=training.learning_rate, weight_decay=1e-2)
    losses = Losses(network.config, truth).to(device)
    network.train()
    # Channels last, convolutions are faster on a CPU.
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    with tqdm(
        total=training.num_steps, unit="step", desc="training a classifier", disable=None if progress else True
    ) as bar:
        for step in range(training.num_steps):
            for group in optimiser.param_groups:
                group["lr"] = training.learning_rate * rate_at(step, training.num_steps)
            chosen = torch.tensor(batch_indices(step, training.batch, len(pictures), training.seed))
            flipped = torch.tensor(batch_flips(step, training.batch, training.seed))
            image, shown = mirrored(pictures[chosen].to(device).float() / 127.5 - 1, truth[chosen], flipped)
            image = vary(image, _random_numbers(training.seed, step, image.shape))
            with torch.autocast(device.type, torch.bfloat16, enabled=training.precision == "bfloat16"):
                loss = losses(network(image.contiguous(memory_format=torch.channels_last)), shown)
            if not math.isfinite(loss.item()):
                raise TrainingDiverged(
                    f"the loss of the classifier is {loss.item()} at step {step}. Nothing was written; train again "
                    "with a lower learning rate."
                )
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            bar.update()
            bar.set_postfix(loss=f"{loss.item():.3f}", refresh=False)
    # As it is after a file: other strides round otherwise.
    network.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]


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
    num_images, size = len(image), image.shape[-1]
    places = torch.arange(size, device=image.device)
    x, y = ((places + numbers[axis][:, None]).clamp(0, size - 1) for axis in ("x", "y"))  # [N, S]
    image = image.gather(2, y[:, None, :, None].expand_as(image)).gather(3, x[:, None, None, :].expand_as(image))
    blurred = F.avg_pool2d(F.pad(image, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
    image = torch.lerp(image, blurred, _sometimes(numbers["blur"], _BLUR_CHANCE))
    contrast = 2 ** (_CONTRAST * numbers["contrast"])[:, None, None, None]
    tint = _BRIGHTNESS * (numbers["brightness"][:, None] + numbers["tint"] / 2)
    noise = _NOISE * numbers["noise"] * _sometimes(numbers["noisy"], _NOISE_CHANCE)
    return (image * contrast + tint.view(num_images, 3, 1, 1) + noise).clamp(-1, 1)


def _sometimes(uniform: Tensor, chance: float) -> Tensor:
    """[N] in [0, 1) -> [N, 1, 1, 1] in [0, 1): 0 but for a share ``chance``, uniform there."""
    return torch.where(uniform < chance, uniform / chance, torch.zeros_like(uniform))[:, None, None, None]


def _random_numbers(seed: int, step: int, shape: torch.Size) -> dict[str, Tensor]:
    """What :func:`vary` needs of images [N, 3, S, S]: normal, but for whole pixels, and blur and noisy in [0, 1)."""
    random = torch.Generator().manual_seed(derived(seed, step))
    num_images = shape[0]
    numbers = {name: torch.randint(-_SHIFT, _SHIFT + 1, (num_images,), generator=random) for name in ("x", "y")}
    numbers |= {name: torch.randn(num_images, generator=random) for name in ("brightness", "contrast")}
    numbers["tint"] = torch.randn(num_images, 3, generator=random)
    numbers |= {name: torch.rand(num_images, generator=random) for name in ("blur", "noisy")}
    numbers["noise"] = torch.randn(shape, generator=random)
    return numbers
