"""What the methods of layered models share: generator, its average and discriminator of pictures alone, with growth.

A method adds its objectives. Real pictures come at full size; at a lower level of growth they are averaged, and blended
as the networks blend::

    real = lerp(x, up2(mean2(x)), l - floor(l)),  x the mean over 2^floor(l) x 2^floor(l) pixels

Shape legend: N images, S full side of the picture, s side at the level of growth.
"""

from __future__ import annotations

import contextlib
import copy
import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from semanticgan.checkpoint import save_model
from semanticgan.data import PairDataset
from semanticgan.data.unlabelled import NO_REGIONS
from semanticgan.distributed import ALONE, Processes
from semanticgan.errors import InputError
from semanticgan.model import Model
from semanticgan.networks.architectures import architecture, name_of
from semanticgan.networks.comparison.layered import GrowingConfig, LayeredGenerator, level_of, side_at
from semanticgan.rendering import Rendering
from semanticgan.runs.weights import Weights, read_weights
from semanticgan.seeds import derived
from semanticgan.training.adversarial_method import AdversarialMethod
from semanticgan.training.augmentation import augment
from semanticgan.training.draws import Draws, stream_of
from semanticgan.training.judges import Judgement
from semanticgan.training.layered_config import GrowingTrainingConfig, LayeredTrainingConfig
from semanticgan.training.method import Batch, Method, Phase, Prepared, Stage
from semanticgan.training.objectives import Objective, Pair
from semanticgan.training.objectives.r1 import PictureR1Weight
from semanticgan.training.opening import batches_of, open_pairs
from semanticgan.training.optimisers import adam
from semanticgan.training.sheets import sheet_latents


class LayeredMethod(AdversarialMethod):
    """Generator, average and discriminator of pictures.

    Args:
        config: the configuration.
        device: where to train.
        processes: those that share each batch.
        dataset: the data, of which pictures alone are used; None where the caller hands batches to the trainer.
        first: where the weights of step 0 come from; None begins with random ones.
    """

    config: LayeredTrainingConfig
    generator: LayeredGenerator
    average: LayeredGenerator
    objective_kinds: Sequence[type[Objective]] = ()

    def __init__(
        self,
        config: LayeredTrainingConfig,
        device: torch.device,
        processes: Processes = ALONE,
        dataset: PairDataset | None = None,
        first: Weights | None = None,
    ) -> None:
        self.config, self.device, self.processes = config, device, processes
        self.dataset, self.first = dataset, first
        self.data_key = "" if dataset is None else dataset.key()
        self.schedule = config.stages()
        self.level = 0.0
        sizes = config.generator_config()
        kind = architecture(name_of(sizes))
        with torch.random.fork_rng(devices=[]):  # networks draw their first weights from the global stream
            torch.manual_seed(derived(config.seed, 0, stream_of("weights")))
            generator = kind.generator(sizes).to(device)
            self.discriminator = kind.discriminator(config.discriminator_config()).to(device)
        assert isinstance(generator, LayeredGenerator)
        self.generator: LayeredGenerator = generator
        self.average = copy.deepcopy(generator).eval().requires_grad_(False)
        for part in (self.generator, self.discriminator):
            part.recompute = config.recompute  # type: ignore[assignment]
        self.networks = {"generator": generator, "discriminator": self.discriminator, "average": self.average}
        self.optimisers = self._optimisers()
        self.augmentation, self.judging = self.open_augmentation(), self.discriminator
        self.judge: Callable[..., Judgement] = self._judge
        self.judge_compiled = torch.compile(self._judge) if config.compile else self.judge
        self.render: Callable[..., Rendering] = self._render
        self._render_compiled = torch.compile(self._render) if config.compile else self.render
        self.objectives = [kind(self) for kind in self.objective_kinds]

    @property
    def mixing(self) -> float:
        """Probability per batch that codes are mixed from two; 0 where the losses have no such key."""
        return float(getattr(getattr(self.config, "loss", None), "style_mixing", 0.0))

    def _optimisers(self) -> dict[str, torch.optim.Optimizer]:
        """One of each network; their betas are scaled where a regulariser runs seldom."""
        loss = getattr(self.config, "loss", None)
        every = {"generator": getattr(loss, "path_length_every", 0), "discriminator": getattr(loss, "r1_every", 0)}
        return {
            name: adam({self.networks[name]: 1.0}, self.config.optimiser, self.device, steps)
            for name, steps in every.items()
        }

    def _judge(self, image: Tensor, segmentation: None = None, num_sets: int = 1) -> Judgement:
        """Scores at the level of this step."""
        level = {"level": self.level} if self.level else {}
        return Judgement(self.discriminator(image, num_sets=num_sets, **level).float(), None)

    def _render(self, latents: Tensor, noise: Sequence[Tensor]) -> Rendering:
        rendering: Rendering = self.generator(latents, noise, level=self.level)
        return rendering

    def batches(self, stage: Stage, images: int, positions: Sequence[int]) -> Iterator[Batch]:
        """Pictures, and segmentations of no regions [N, 0, S, S]."""
        assert self.dataset is not None
        for image, _ in batches_of(self.config, self.dataset, stage, images, positions, self.device):
            yield image, image[:, :0]

    def stage(self, images: int) -> Stage:
        if isinstance(self.config, GrowingTrainingConfig):
            return self.config.stage_at(images, self.schedule)
        return super().stage(images)

    def phases(self, stage: Stage) -> Sequence[Phase]:
        """Sets the level that generator, discriminator and real pictures have in this step."""
        self.level = level_of(self.config.size, stage.size, stage.fade)
        return self.own_phases(stage)

    def own_phases(self, stage: Stage) -> Sequence[Phase]:
        """The updates of a step: by default those of the objectives."""
        return super().phases(stage)

    def generate(self, draws: Draws, visible: Tensor | None = None) -> Rendering:
        """Pictures of fresh codes, at the level of this step. Nothing can be hidden of them."""
        assert visible is None
        latents = draws.latents(self.generator, self.mixing, self.level)
        return self._render_compiled(latents, draws.noise(self.generator.noise_sides))

    def augmented(self, image: Tensor, segmentation: Tensor | None, draws: Draws, real: bool) -> Pair:
        """What the discriminator is shown: real pictures at the level of this step, augmented if that is wanted."""
        image = at_level(image, self.level) if real else image
        values = self.config.augmentation
        if not values.wanted:
            return image, None
        probability, streams = self.augmentation.value, draws.streams(real)
        return augment(image, None, probability, streams, geometric=values.geometric, colour=values.colour)

    def score_of_generated(self, draws: Draws) -> Tensor:
        """What the discriminator says of pictures of fresh codes, [N, 1]."""
        with self.autocast():
            shown, _ = self.augmented(self.generate(draws).image, None, draws, real=False)
            return self.judge_compiled(shown).score

    def r1_weights(self) -> tuple[float, float]:
        """Of pictures alone. The penalty is that of the full picture whose mean the discriminator sees.

        Its gradient is spread over 4^floor(l) pixels for each of the smaller picture, so its square is as much smaller.
        """
        loss: PictureR1Weight = self.config.loss  # type: ignore[attr-defined]
        return loss.r1_of(self.config.size, self.config.batch) / 4 ** math.floor(self.level), 0.0

    def start(self) -> None:
        """Take the networks of a model or run of the same sizes."""
        if self.first is None:
            return
        trained = {} if self.first.state is None else self.first.state["networks"]
        average = self.first.model.generator.state_dict()
        self.average.load_state_dict(average)
        self.generator.load_state_dict(trained.get("generator", average))
        if self.first.discriminator is not None:
            self.discriminator.load_state_dict(self.first.discriminator.state_dict())

    @torch.no_grad()
    def preview(self) -> np.ndarray:
        """The fixed samples at the level of growth, side by side: uint8 [s, num_images s, 3]."""
        z = sheet_latents(self.average, self.config.schedule.sheet_images, self.config.seed)
        images = [self.average(self.average.map(some[None]), level=self.level).to_uint8()[0] for some in z]
        return torch.cat(images, dim=2).movedim(0, 2).cpu().numpy()

    def export(self, path: Path, images: int) -> None:
        with self._exported() as generator:
            save_model(path, generator, None, training=self.figures(images), **self.about())

    @contextlib.contextmanager
    def _exported(self) -> Iterator[LayeredGenerator]:
        """The average, whose configuration says the level that it is trained at."""
        own = self.average.config
        try:
            self.average.config = own.at_level(self.level) if isinstance(own, GrowingConfig) else own
            yield self.average
        finally:
            self.average.config = own

    def measured(self) -> tuple[Model, PairDataset] | None:
        """The average. Nothing before it has grown to its full size."""
        if self.dataset is None or side_at(self.config.size, self.level) != self.config.size:
            return None
        return self.average_model(None), self.dataset


def at_level(image: Tensor, level: float) -> Tensor:
    """Real pictures [N, 3, S, S] as they are at a level of growth, [N, 3, s, s]."""
    whole = math.floor(level)
    if whole:
        image = F.avg_pool2d(image, 2**whole)
    if level == whole:
        return image
    return torch.lerp(image, F.interpolate(F.avg_pool2d(image, 2), scale_factor=2.0), level - whole)


def prepared_layered(config: LayeredTrainingConfig, method: type[LayeredMethod]) -> Prepared:
    """The configuration, and what opens the data and a start of the same architecture and sizes."""

    def opened(device: torch.device, processes: Processes) -> Method:
        first = None if not config.start else _started(config)
        return method(config, device, processes, open_pairs(config, None, processes.is_first, NO_REGIONS), first)

    return config, opened


def _started(config: LayeredTrainingConfig) -> Weights:
    """Raises: InputError: a start of another architecture or of other sizes."""
    assert config.start is not None
    weights = read_weights(config.start)
    own, wanted = weights.model.config.to_dict(), config.generator_config().to_dict()
    differing = [f"{name} ({own.get(name)} and {value})" for name, value in wanted.items() if own.get(name) != value]
    if differing or type(weights.model.config) is not type(config.generator_config()):
        what = ", ".join(differing) or weights.model.metadata.architecture
        raise InputError(
            f"start {config.start!r} does not have the networks of this recipe: {what}. Give a model of the same sizes."
        )
    return weights
