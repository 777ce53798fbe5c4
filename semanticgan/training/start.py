"""Where a training takes its first weights from: a state of another run, or a model file."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from torch import Tensor, nn

from semanticgan.checkpoint import fill
from semanticgan.errors import InputError
from semanticgan.networks.config import DiscriminatorSizes, GeneratorConfig, GeneratorSizes
from semanticgan.networks.discriminator import Discriminator
from semanticgan.networks.generator import Generator
from semanticgan.regions import RegionScheme
from semanticgan.runs.contents import CONFIG_FILE
from semanticgan.runs.state import newest_state
from semanticgan.runs.weights import Weights, read_weights
from semanticgan.seeds import derived
from semanticgan.surgery.discriminator_growth import grow_discriminator, grown_discriminator_config
from semanticgan.surgery.growth import grow_average, grow_generator, grown_generator_config
from semanticgan.surgery.optimiser_growth import grow_optimiser_state, parameter_names
from semanticgan.training.config import TrainingConfig, load_config
from semanticgan.training.draws import stream_of
from semanticgan.training.optimisers import adam
from semanticgan.training.readers import StartReader

Sizes = TypeVar("Sizes", GeneratorSizes, DiscriminatorSizes)

if TYPE_CHECKING:
    from semanticgan.training.methods.semanticstylegan import SemanticStyleGAN


@dataclass(frozen=True)
class _Networks:
    """Networks to begin with; the discriminator is None where none is known."""

    generator: Generator
    average: Generator
    discriminator: Discriminator | None


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

        Where the recipe states a larger size than the start's, the networks grow to it, with the recipe's widths at the
        new sides. A label network that the start lacks may be added; it begins as 0.
        """
        own: GeneratorConfig = self.model.regional.config
        if not own.label_channels:
            own = dataclasses.replace(own, label_channels=config.generator.label_channels)
        judge = None if self._judge is None else self._judge.config
        grows = "size" in config.stated and config.size > own.size
        if grows:
            own = grown_generator_config(own, config.size, _above(config.generator.channels, own.size))
        taken: dict[str, Any] = {"size": own.size, "generator": _sizes(config.generator, own)}
        if judge is not None and grows:
            widths = config.discriminator.channels, config.discriminator.segmentation_channels
            judge = grown_discriminator_config(judge, config.size, *(_above(given, judge.size) for given in widths))
        if self.config is not None and not grows:
            # As written, so that a run that began from it finds its own configuration again.
            taken["discriminator"] = self.config.discriminator
        elif judge is not None:
            taken["discriminator"] = _sizes(config.discriminator, judge)
        configured = dataclasses.replace(config, **taken)
        setattr(configured, "stated", config.stated)  # noqa: B010
        return configured

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
        own = self._networks()
        given = self._grown(own, method) if method.config.size > self.model.size else own
        self._fill(method.average, given.average.state_dict())
        if isinstance(method.reader, StartReader):
            self._fill(method.reader.generator, given.average.state_dict())
        self._fill(method.generator, given.generator.state_dict())
        if given.discriminator is not None:
            self._fill(method.discriminator, given.discriminator.state_dict())
        if self.state is None:
            return
        # What is frozen stays as it was in the model that comes out, too: the average would drift to other weights.
        for name in method.config.freeze.generator:
            self._fill(method.generator.get_submodule(name), given.average.get_submodule(name).state_dict())
        if given.discriminator is None:
            weights = self.state["networks"]["discriminator"]
            fill(method.discriminator, weights, f"the discriminator of start {self.name!r}")
        if self._has_heads_for(method.config):
            heads = self.state["networks"]["feature_discriminator"]
            method.networks["feature_discriminator"].load_state_dict(heads)
        for objective in method.objectives:
            if objective.name == "path_length":
                objective.load_state(self.state["method"]["objectives"]["path_length"])
        if given is not own and self.config is not None:
            self._carry_optimisers(own, method)

    @property
    def _judge(self) -> Discriminator | None:
        """The discriminator, of a model of regions."""
        assert self.discriminator is None or isinstance(self.discriminator, Discriminator)
        return self.discriminator

    def _networks(self) -> _Networks:
        """The networks of the start: as they were training where that is known, else of the model."""
        average = self.model.regional
        generator = copy.deepcopy(average).requires_grad_()
        if self.state is not None:
            generator.load_state_dict(self.state["networks"]["generator"])
        return _Networks(generator, average, self._judge)

    @staticmethod
    def _grown(own: _Networks, method: SemanticStyleGAN) -> _Networks:
        """The networks of the start at the method's size."""
        seed = derived(method.config.seed, 0, stream_of("growth"))
        generator = grow_generator(own.generator, method.generator.config, seed)
        judge = own.discriminator
        if judge is not None:
            judge = grow_discriminator(judge, method.discriminator.config, seed)
        return _Networks(generator, grow_average(own.average, generator), judge)

    def _carry_optimisers(self, own: _Networks, method: SemanticStyleGAN) -> None:
        """Old parameters keep their running means."""
        assert self.state is not None and self.config is not None
        for name in ("generator", "discriminator"):
            trained: dict[str, nn.Module] = {name: getattr(own, name)}
            if name == "discriminator" and self._has_heads_for(method.config):
                trained["feature_discriminator"] = method.networks["feature_discriminator"]
            rates = dict.fromkeys(trained.values(), 1.0)
            names = parameter_names(adam(rates, self.config.optimiser, method.device), trained)
            grown = {name: method.networks[name] for name in trained}
            state, optimiser = self.state["optimisers"][name], method.optimisers[name]
            optimiser.load_state_dict(grow_optimiser_state(state, names, optimiser, trained, grown))

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


def _sizes(section: Sizes, config: object) -> Sizes:
    """A section with the numbers of a network's config."""
    return dataclasses.replace(
        section, **{item.name: getattr(config, item.name) for item in dataclasses.fields(section)}
    )


def _above(widths: Mapping[int, int], size: int) -> dict[int, int]:
    """Widths at larger sides than ``size``."""
    return {side: width for side, width in widths.items() if side > size}
