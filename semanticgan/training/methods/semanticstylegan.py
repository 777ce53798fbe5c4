"""SemanticStyleGAN as a method of the training loop (Section 3 of arXiv 2112.02236).

A step: the discriminator's update, R1 where it is due, the generator's update with the terms of all objectives, path
length where it is due, then the average.

Shape legend: N images, K regions, S side of the picture.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from semanticgan.checkpoint import save_model
from semanticgan.data import PairDataset
from semanticgan.distributed import ALONE, Processes
from semanticgan.model import Model
from semanticgan.networks.discriminator import Discriminator
from semanticgan.networks.generator import Generator
from semanticgan.regions import RegionScheme
from semanticgan.rendering import Rendering
from semanticgan.seeds import derived
from semanticgan.training.adversarial_method import AdversarialMethod
from semanticgan.training.augmentation import augment
from semanticgan.training.config import TrainingConfig
from semanticgan.training.draws import Draws, stream_of
from semanticgan.training.judges import Judgement, Judges, open_feature_judge
from semanticgan.training.learnt import learnt_from
from semanticgan.training.method import Batch, Method, Prepared, Stage, register
from semanticgan.training.objectives import GeneratorStep, Pair, known_objectives
from semanticgan.training.opening import batches_of, open_pairs
from semanticgan.training.optimisers import adam
from semanticgan.training.readers import open_reader
from semanticgan.training.sheets import draw_sheet
from semanticgan.training.start import Start


class SemanticStyleGAN(AdversarialMethod):
    """Generator, its average and discriminator with their objectives.

    Args:
        config: the configuration.
        regions: the regions of the data.
        device: where to train.
        processes: those that share each batch.
        labelled: whether the data have label maps; without, pictures alone are judged.
        dataset: the data; None where the caller hands batches to the trainer.
        first: where the weights of step 0 come from; None begins with random ones.
    """

    config: TrainingConfig
    generator: Generator
    average: Generator
    first: Start | None

    def __init__(
        self,
        config: TrainingConfig,
        regions: RegionScheme,
        device: torch.device,
        processes: Processes = ALONE,
        labelled: bool = True,
        dataset: PairDataset | None = None,
        first: Start | None = None,
    ) -> None:
        config.require_teacher()
        self.config, self.regions, self.device, self.processes = config, regions, device, processes
        self.labelled, self.dataset, self.first = labelled, dataset, first
        self.perception = learnt_from(config, first)
        self.data_key = "" if dataset is None else dataset.key()
        self.schedule = {0: Stage("all", config.batch, config.size)}
        with torch.random.fork_rng(devices=[]):  # networks draw their first weights from the global stream
            torch.manual_seed(derived(config.seed, 0, stream_of("weights")))
            self.generator = Generator(config.generator_config(regions)).to(device)
            self.discriminator = Discriminator(config.discriminator_config(regions)).to(device)
            self._branches = (self.discriminator.image_branch, self.discriminator.segmentation_branch)
            features = open_feature_judge(config.features, config.size, device)
            self.judges = Judges(self.discriminator, features).to(device)
        self.reader = open_reader(config, regions, self.generator, device)
        self.average = copy.deepcopy(self.generator).eval().requires_grad_(False)
        self._freeze()
        for part in (self.generator.renderer, *self._branches):
            part.recompute = config.recompute
        self.networks = {"generator": self.generator, "discriminator": self.discriminator, "average": self.average}
        judges: dict[nn.Module, float] = {self.discriminator: 1.0}
        if features is not None:
            self.networks["feature_discriminator"] = features
            judges[features] = config.features.rate
        self.optimisers = {
            "generator": adam({self.generator: 1.0}, config.optimiser, device, config.loss.path_length_every),
            "discriminator": adam(judges, config.optimiser, device, config.loss.r1_every),
        }
        self.augmentation, self._flip_table = self.open_augmentation(), self._sides()
        # What is differentiated twice runs as written; the rest may be compiled.
        self.judge: Callable[..., Judgement] = self.judges
        self.render: Callable[..., Rendering] = self.generator
        self.judge_compiled = torch.compile(self.judges) if config.compile else self.judge
        self._render_compiled = torch.compile(self.generator) if config.compile else self.render
        self.objectives = [kind(self) for kind in known_objectives().values() if kind.wanted(config)]

    def _freeze(self) -> None:
        """Take out of the training what the configuration or the data say."""
        freeze = self.config.freeze
        for name in freeze.generator:
            self.generator.get_submodule(name).requires_grad_(False)
        for branch in self._branches:
            branch.freeze(freeze.discriminator_blocks)
        if not self.labelled:
            self.discriminator.segmentation_branch.requires_grad_(False)

    def _sides(self) -> Tensor | None:
        """The region that each becomes in a mirrored picture; None where none changes."""
        sides = torch.from_numpy(self.regions.flip_table()[: len(self.regions)]).long()
        return None if torch.equal(sides, torch.arange(len(sides))) else sides.to(self.device)

    def batches(self, stage: Stage, images: int, positions: Sequence[int]) -> Iterator[Batch]:
        assert self.dataset is not None
        return batches_of(self.config, self.dataset, stage, images, positions, self.device)

    @property
    def judging(self) -> Judges:  # type: ignore[override]
        return self.judges

    def read(self, step: GeneratorStep) -> None:
        if self.reader is not None:
            step.read = self.reader.logits(step.fake.image, step.draws)

    def generate(self, draws: Draws, visible: Tensor | None = None) -> Rendering:
        """Pictures of fresh codes; of ``visible`` [N, K] regions alone, if given."""
        latents = draws.latents(self.generator, self.config.loss.style_mixing)
        noise = draws.noise(self.generator.noise_sides)
        rendering: Rendering = self._render_compiled(latents, noise=noise, visible=visible)
        return rendering

    def augmented(self, image: Tensor, segmentation: Tensor, draws: Draws, real: bool) -> Pair:
        """What the discriminator is shown of pictures: both, or the pictures alone, augmented if that is wanted."""
        joint = segmentation if self.labelled else None
        values = self.config.augmentation
        if not values.wanted:
            return image, joint
        return augment(
            image,
            joint,
            self.augmentation.value,
            draws.streams(real),
            flip_table=self._flip_table,
            geometric=values.geometric,
            colour=values.colour,
        )

    def r1_weights(self) -> tuple[float, float]:
        return self.config.r1_weights()

    def state(self) -> dict[str, Any]:
        return {**super().state(), "reader": None if self.reader is None else self.reader.state()}

    def load_state(self, state: Mapping[str, Any]) -> None:
        super().load_state(state)
        if self.reader is not None:
            self.reader.load_state(state["reader"])

    def start(self) -> None:
        if self.first is not None:
            self.first.fill(self)

    def preview(self) -> np.ndarray:
        return draw_sheet(self.average, self.regions, self.config.schedule.sheet_images, self.config.seed)

    def export(self, path: Path, images: int) -> None:
        save_model(path, self.average, self.regions, training=self.figures(images), **self.about())

    def about(self) -> dict[str, Any]:
        return {**super().about(), "perception": self.perception}

    def measured(self) -> tuple[Model, PairDataset] | None:
        return None if self.dataset is None else (self.average_model(self.regions), self.dataset)


def prepare(config: TrainingConfig) -> Prepared:
    """Read the start, whose sizes the configuration takes over; the method opens the data."""
    start = Start.of(config)
    configured = config if start is None else start.configure(config)

    def opened(device: torch.device, processes: Processes) -> Method:
        data = open_pairs(configured, start, processes.is_first)
        return SemanticStyleGAN(configured, data.regions, device, processes, data.labelled, data, start)

    return configured, opened


register(TrainingConfig, prepare)
