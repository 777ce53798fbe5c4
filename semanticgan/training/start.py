"""Where a training takes its first weights from: a state of another run, or a model file."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from semanticgan.checkpoint import fill, load_model
from semanticgan.errors import InputError
from semanticgan.files import user_path
from semanticgan.model import Model, load
from semanticgan.networks.config import GeneratorConfig
from semanticgan.networks.discriminator import Discriminator
from semanticgan.regions import RegionScheme
from semanticgan.registry import resolve
from semanticgan.runs.contents import CONFIG_FILE, is_plain_file, require_plain
from semanticgan.runs.state import MODEL_FILE, TRAINING_FILE, is_valid, load_state, misfits_named, newest_state
from semanticgan.training.config import TrainingConfig, load_config
from semanticgan.training.readers import StartReader
from semanticgan.training.trainer import Trainer


@dataclass(frozen=True)
class Start:
    """Weights to begin with.

    Attributes:
        name: as it was given.
        model: the averaged generator.
        state: both networks as they were training, or None where only a model is known.
        config: the configuration of the run that the state is of, or None.
        discriminator: of the state or, where it has one, of the model file; else None.
    """

    name: str
    model: Model
    state: dict[str, Any] | None = None
    config: TrainingConfig | None = None
    discriminator: Discriminator | None = None

    @classmethod
    def read(cls, path_or_name: str) -> Start:
        """A run's folder (its newest state), one of its states, a model file, or the name of a known model.

        Raises:
            InputError: none of these, or damaged.
        """
        path = user_path(path_or_name, "start")
        if not path.is_dir():
            loaded = load_model(resolve(path_or_name), with_discriminator=True)
            return cls(path_or_name, Model(loaded), discriminator=loaded.discriminator)
        require_plain(path)
        folder = path if is_plain_file(path / TRAINING_FILE) else newest_state(path)
        if folder is None or not is_valid(folder):
            raise InputError(
                f"start {path_or_name!r} holds no whole training state. Give a run's folder, one of its step-* "
                "folders, a model file, or the name of a model."
            )
        if folder == path:
            require_plain(path.absolute().parent)
        recipe = folder.parent / CONFIG_FILE
        config = load_config(recipe, kind=TrainingConfig) if recipe.is_file() else None
        model, state, discriminator = load(folder / MODEL_FILE, device="cpu"), load_state(folder), None
        if config is not None:
            with torch.random.fork_rng(devices=[]):
                discriminator = Discriminator(config.discriminator_config(model.regions))
            with misfits_named(folder):
                fill(discriminator, state["discriminator"], f"the discriminator of start {path_or_name!r}")
        return cls(path_or_name, model, state, config, discriminator)

    @property
    def regions(self) -> RegionScheme:
        return self.model.regions

    def configure(self, config: TrainingConfig) -> TrainingConfig:
        """``config`` with the networks' numbers of the start, which a recipe that starts there need not repeat.

        A label network that the start lacks may be added; it begins as 0.
        """
        numbers: GeneratorConfig = self.model.generator.config
        values = {item.name: getattr(numbers, item.name) for item in dataclasses.fields(config.generator)}
        values["label_channels"] = numbers.label_channels or vars(config.generator)["label_channels"]
        generator = dataclasses.replace(config.generator, **values)
        taken: dict[str, Any] = {"size": numbers.size, "generator": generator}
        if self.config is not None:  # as written, so that a run that began from it finds its own configuration again
            taken["discriminator"] = self.config.discriminator
        elif self.discriminator is not None:
            own = self.discriminator.config
            widths = {item.name: getattr(own, item.name) for item in dataclasses.fields(config.discriminator)}
            taken["discriminator"] = dataclasses.replace(config.discriminator, **widths)
        return dataclasses.replace(config, **taken)

    def require_regions(self, regions: RegionScheme) -> None:
        """Raises: InputError: the data have other regions than the start."""
        if regions != self.regions:
            raise InputError(
                f"the data have the regions {', '.join(regions.names)}, start {self.name!r} has "
                f"{', '.join(self.regions.names)}. Give data of the same regions, or train from the beginning."
            )

    def fill(self, trainer: Trainer) -> None:
        """Give a trainer that has made no step the weights of the start.

        A model file without a discriminator leaves the trainer's new.
        """
        self._fill(trainer.average, self.model.generator.state_dict())
        if isinstance(trainer.reader, StartReader):
            self._fill(trainer.reader.generator, self.model.generator.state_dict())
        if self.discriminator is not None:
            self._fill(trainer.discriminator, self.discriminator.state_dict())
        if self.state is None:
            self._fill(trainer.generator, self.model.generator.state_dict())
            return
        self._fill(trainer.generator, self.state["generator"])
        # What is frozen stays as it was in the model that comes out, too: the average would drift to other weights.
        for name in trainer.config.freeze.generator:
            self._fill(trainer.generator.get_submodule(name), self.model.generator.get_submodule(name).state_dict())
        trainer.path_length_mean = self.state["path_length_mean"].to(trainer.device)
        if self.discriminator is None:
            fill(trainer.discriminator, self.state["discriminator"], f"the discriminator of start {self.name!r}")
        if self._has_heads_for(trainer.config):
            assert trainer.judges.features is not None
            trainer.judges.features.load_state_dict(self.state["feature_judge"])

    def _has_heads_for(self, config: TrainingConfig) -> bool:
        """Whether the state has heads that read the maps of the same frozen network."""
        if self.config is None or config.features.extractor is None:
            return False
        own, wanted = self.config.features, config.features
        return (own.extractor, own.channels) == (wanted.extractor, wanted.channels)

    @staticmethod
    def _fill(network: nn.Module, weights: Mapping[str, Tensor]) -> None:
        """A label network that was added, which the start lacks, stays new."""
        new = {name: value for name, value in network.state_dict().items() if "label_network." in name}
        network.load_state_dict({**new, **weights})
