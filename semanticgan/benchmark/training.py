"""How long the phases of a training step take: discriminator, generator, R1 and path length."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from semanticgan.benchmark.clock import PeakMemory, now
from semanticgan.regions import CELEBAMASK_13, RegionScheme
from semanticgan.training.config import TrainingConfig
from semanticgan.training.method import Method, Phase, Values
from semanticgan.training.methods.semanticstylegan import SemanticStyleGAN
from semanticgan.training.trainer import Trainer

DISCRIMINATOR, GENERATOR, R1, PATH_LENGTH = "discriminator", "generator", "R1", "path length"
_LABELS = {"r1": R1, "path_length": PATH_LENGTH}  # of phases, where the table says it in other words


# Seconds of the authors' code at batch 2 in float32, by side: two cores of an AMD EPYC (AVX-512), PyTorch 2.13, freed
# memory kept as ours is.
REFERENCE_BATCH = 2
REFERENCE_SECONDS = {
    128: {DISCRIMINATOR: 10.1, GENERATOR: 8.0, R1: 12.9, PATH_LENGTH: 3.8},
    256: {DISCRIMINATOR: 22.1, GENERATOR: 14.0, R1: 26.0, PATH_LENGTH: 5.4},
}


@dataclass(frozen=True)
class TrainingSpeed:
    """Seconds of each phase of a step, updates of the weights included.

    Attributes:
        precision: "float32" or "bfloat16".
        size: side of the pictures.
        batch: images a step.
        seconds: by phase, each when it runs.
        seconds_a_step: on average, with R1 and path length at the intervals of the configuration.
        images_a_second: of the average step.
        peak_memory: bytes beyond weights and optimisers as they are before the first step; None if the device does
            not tell.
    """

    precision: str
    size: int
    batch: int
    seconds: dict[str, float]
    seconds_a_step: float
    images_a_second: float
    peak_memory: int | None


class TimedTrainer(Trainer):
    """A trainer that notes the shortest time of each phase in ``seconds``."""

    def __init__(self, method: Method) -> None:
        super().__init__(method)
        self.seconds: dict[str, float] = {}

    def update(self, phase: Phase, *batch: Tensor) -> Values:
        device, label = self.method.device, _LABELS.get(phase.name, phase.name)
        start = now(device)
        values = super().update(phase, *batch)
        seconds = now(device) - start
        self.seconds[label] = min(self.seconds.get(label, seconds), seconds)
        return values


def measure_papers_training(
    device: torch.device, size: int, batch: int, precision: str, num_steps: int
) -> TrainingSpeed:
    """:func:`measure_training` of the paper's configuration for a size."""
    return measure_training(device, papers_config(size, batch, precision), CELEBAMASK_13, num_steps)


def papers_config(size: int, batch: int, precision: str) -> TrainingConfig:
    """The paper's configuration for a size.

    Raises:
        InputError: a batch that it does not allow.
    """
    return TrainingConfig(size=size, batch=batch, precision=precision)


def measure_training(
    device: torch.device, config: TrainingConfig, regions: RegionScheme, num_steps: int
) -> TrainingSpeed:
    """Run ``num_steps`` steps, each with R1 and path length, on random pictures; the first warms up where it can.

    On a CPU to be called in a fresh process, so that the peak of memory is its own.
    """
    intervals = {DISCRIMINATOR: 1, GENERATOR: 1, R1: config.loss.r1_every, PATH_LENGTH: config.loss.path_length_every}
    every_step = replace(config, loss=replace(config.loss, r1_every=1, path_length_every=1))
    trainer = TimedTrainer(SemanticStyleGAN(every_step, regions, device))
    draws = torch.Generator().manual_seed(0)
    image = torch.randn(config.batch, 3, config.size, config.size, generator=draws).clamp(-1.0, 1.0)
    labels = torch.randint(len(regions), (config.batch, config.size, config.size), generator=draws)
    segmentation = torch.nn.functional.one_hot(labels, len(regions)).movedim(-1, 1) * 2.0 - 1.0
    image, segmentation = image.to(device), segmentation.to(device)
    gauge = PeakMemory(device)
    for _ in range(num_steps):
        trainer.step(image, segmentation)
    average = sum(seconds / intervals[phase] for phase, seconds in trainer.seconds.items() if intervals[phase])
    return TrainingSpeed(
        config.precision, config.size, config.batch, trainer.seconds, average, config.batch / average, gauge.read()
    )
