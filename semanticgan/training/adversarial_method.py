"""What methods with a discriminator share: objectives, adaptive augmentation, the average, the state."""

from __future__ import annotations

import contextlib
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from semanticgan.checkpoint import LoadedModel, ModelMetadata
from semanticgan.data import PairDataset
from semanticgan.distributed import Processes
from semanticgan.face_points import face_points
from semanticgan.model import Model
from semanticgan.networks.latent_generator import LatentGenerator
from semanticgan.regions import RegionScheme
from semanticgan.rendering import Rendering
from semanticgan.runs.weights import Weights
from semanticgan.training import ranks
from semanticgan.training.augmentation import AdaptiveProbability
from semanticgan.training.draws import Draws
from semanticgan.training.method import Average, Batch, Method, Phase, Stage, Values
from semanticgan.training.objectives import GeneratorStep, Objective
from semanticgan.training.objectives.adversarial import Adversarial


class AdversarialMethod(Method):
    """A generator, its average, what judges it, and the objectives of both.

    Attributes:
        config: with the section ``augmentation``.
        processes: those that share each batch.
        dataset: the data; None where the caller hands batches to the trainer.
        first: where the weights of step 0 come from.
        generator: learns.
        average: its average.
        judging: the module that is frozen while the generator learns.
        objectives: of this training, in the order of their terms.
        augmentation: its probability.
    """

    config: Any
    processes: Processes
    dataset: PairDataset | None
    first: Weights | None
    generator: LatentGenerator
    average: LatentGenerator
    judging: nn.Module
    objectives: list[Objective]
    augmentation: AdaptiveProbability

    def open_augmentation(self) -> AdaptiveProbability:
        values = self.config.augmentation
        return AdaptiveProbability(
            start=values.probability,
            target=values.target,
            images_to_one=values.images_to_one,
            every=values.every,
            batch=self.config.batch,
            device=self.device,
        )

    def phases(self, stage: Stage) -> Sequence[Phase]:
        """Those of the objectives, with the generator's after the discriminator's."""
        own = [phase for objective in self.objectives for phase in objective.phases()]
        of_discriminator = [phase for phase in own if phase.optimisers == ("discriminator",)]
        generator = Phase("generator", ("generator",), self._generator_loss, frozen=(self.judging,))
        return [*of_discriminator, generator, *(phase for phase in own if phase not in of_discriminator)]

    def _generator_loss(self, batch: Batch, draws: Draws) -> tuple[Tensor, Values]:
        (adversarial,) = (one for one in self.objectives if isinstance(one, Adversarial))
        with self.autocast():
            step = GeneratorStep(self.generate(draws), batch, draws)
            judged = adversarial.judged(step)
            self.read(step)
        loss, values = adversarial.of_generator(judged)
        for objective in self.objectives:
            for name, (weight, value) in objective.terms(step).items():
                loss = loss + weight * value
                values[f"loss/{name}"] = value
        return loss, values

    @abstractmethod
    def generate(self, draws: Draws, visible: Tensor | None = None) -> Rendering:
        """Pictures of fresh codes."""

    def read(self, step: GeneratorStep) -> None:
        """Let a reader look at the pictures of a step, where there is one."""

    def observe_scores(self, score: Tensor) -> None:
        if self.config.augmentation.adaptive:
            self.augmentation.observe(score)

    def autocast(self) -> contextlib.AbstractContextManager[object]:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.config.precision == "bfloat16")

    def averages(self, stage: Stage) -> Sequence[Average]:
        return [Average(self.generator, self.average, self.config.ema.half_life, self.config.ema.ramp_up)]

    def finish_step(self, step: int) -> Values:
        values: Values = {}
        for objective in self.objectives:
            values |= objective.finish_step()
        if self.config.augmentation.adaptive:
            self.augmentation.update(step, self.processes.sum)
            values["augmentation/probability"] = self.augmentation.value.clone()
            values["augmentation/sign"] = self.augmentation.last_sign.clone()
        return values

    def state(self) -> dict[str, Any]:
        self.average.estimate_mean_latent()  # it is saved with the networks
        return {
            "objectives": {objective.name: objective.state() for objective in self.objectives},
            "augmentation": self.augmentation.state(self.processes.sum),
        }

    def load_state(self, state: Mapping[str, Any]) -> None:
        for objective in self.objectives:
            objective.load_state(state["objectives"].get(objective.name))
        if state["augmentation"] is not None:
            self.augmentation.load_state(state["augmentation"], self.processes.is_first)

    def facts(self) -> Mapping[str, str]:
        return {} if self.dataset is None else ranks.of_data(self.dataset)

    def average_model(self, regions: RegionScheme | None) -> Model:
        """The average as a model of these regions, or of layers; it goes on learning."""
        metadata = ModelMetadata(
            config=self.average.config,
            regions=regions,
            discriminator=None,
            training={},
            precision="float32",
            **self.about(),
        )
        return Model(LoadedModel(self.average, regions, metadata), self.device)

    def about(self) -> dict[str, Any]:
        """What a model's file says beside the figures of its training."""
        about = {name: getattr(self.config, name) for name in ("licence", "data_licence", "description")}
        inherited = None if self.first is None else self.first.model.alignment
        return {**about, "alignment": face_points(self.config.data.alignment) or inherited}
