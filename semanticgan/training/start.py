"""Where a training takes its first weights from: a state of another run, or a model file."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from semanticgan.checkpoint import fill
from semanticgan.errors import InputError
from semanticgan.networks.config import GeneratorConfig
from semanticgan.regions import RegionScheme
from semanticgan.runs.contents import CONFIG_FILE
from semanticgan.runs.state import newest_state
from semanticgan.runs.weights import Weights, read_weights
from semanticgan.training.config import TrainingConfig, load_config
from semanticgan.training.readers import StartReader

if TYPE_CHECKING:
    from semanticgan.training.methods.semanticstylegan import SemanticStyleGAN


@dataclass(frozen=True)
class Start(Weights):
    """Weights to begin with.

    Attributes:
        config: the configuration of the run that the state is of, or None.
    """

    config: TrainingConfig | None = None

    @classmethod
    def read(cls, path_or_name: str) -> Start:
        """What :func:`semanticgan.runs.weights.read_weights` reads, with the run's configuration."""
        weights = read_weights(path_or_name)
        recipe = None if weights.folder is None else weights.folder.parent / CONFIG_FILE
        config = load_config(recipe, kind=TrainingConfig) if recipe is not None and recipe.is_file() else None
        return cls(**vars(weights), config=config)

    @classmethod
    def of(cls, config: TrainingConfig) -> Start | None:
        """Where a run begins, None where it has no start. A run with a state of its own no longer needs its start."""
        if not config.start:
            return None
        try:
            return cls.read(config.start)
        except InputError:
            own = newest_state(Path(config.run_dir or ""))
            if own is None:
                raise
            return cls.read(str(own))

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

    def fill(self, method: SemanticStyleGAN) -> None:
        """Give a method that has made no step the weights of the start.

        A model file without a discriminator leaves the method's new.
        """
        weights = self.model.generator.state_dict()
        self._fill(method.average, weights)
        if isinstance(method.reader, StartReader):
            self._fill(method.reader.generator, weights)
        if self.discriminator is not None:
            self._fill(method.discriminator, self.discriminator.state_dict())
        if self.state is None:
            self._fill(method.generator, weights)
            return
        networks = self.state["networks"]
        self._fill(method.generator, networks["generator"])
        # What is frozen stays as it was in the model that comes out, too: the average would drift to other weights.
        for name in method.config.freeze.generator:
            self._fill(method.generator.get_submodule(name), self.model.generator.get_submodule(name).state_dict())
        if self.discriminator is None:
            fill(method.discriminator, networks["discriminator"], f"the discriminator of start {self.name!r}")
        if self._has_heads_for(method.config):
            method.networks["feature_discriminator"].load_state_dict(networks["feature_discriminator"])
        for objective in method.objectives:
            if objective.name == "path_length":
                objective.load_state(self.state["method"]["objectives"]["path_length"])

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
