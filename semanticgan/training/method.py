"""What the training loop trains: a method has networks, optimisers, and the phases of a step with their losses.

``docs/methods.md`` shows how the systems of this library fit. The loop and the trainer know no network by name. What
they need of a method is here; a method is one file of ``methods/``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from semanticgan.distributed import Processes
from semanticgan.training.draws import Draws
from semanticgan.training.sections import CommonConfig, register_method_config

if TYPE_CHECKING:
    from semanticgan.data.pairs import PairDataset
    from semanticgan.model import Model

Values = dict[str, Tensor]
"""Scalars to be logged, by name."""
Batch = tuple[Tensor, ...]
"""What a step sees of the data; the first axis of each tensor counts the pictures (or codes)."""


@dataclass(frozen=True)
class Stage:
    """A part of a training in which shapes stay the same. Every step belongs to one stage.

    Attributes:
        name: of the stage; a stage begins where the name changes.
        batch: pictures per step, over all processes.
        size: resolution of the pictures.
        fade: weight of the newest blocks, 0..1; it may change from step to step.
        rate: factor of all learning rates; it may change from step to step.
        in_use: names of the parts that learn, such as "generator.blocks.0"; None leaves ``requires_grad`` alone.
        anew: names of the optimisers whose state is dropped when the stage begins.
    """

    name: str
    batch: int
    size: int
    fade: float = 1.0
    rate: float = 1.0
    in_use: tuple[str, ...] | None = None
    anew: tuple[str, ...] = ()


@dataclass(frozen=True)
class Phase:
    """One update of some networks within a step.

    Attributes:
        name: of the phase; its random streams follow from it.
        optimisers: names of the optimisers that make a step.
        loss: (part of the batch, its random streams) -> (loss, values to log). A mean over the pictures, or a sum of
            terms that pair them by place, so that parts of a batch average to the whole.
        every: steps between two updates; 0 never runs it.
        shrink: the batch is divided by this. A phase with a smaller batch gets no data.
        frozen: networks that pass gradients on and get none.
        after: called after the update; returns more values to log.
    """

    name: str
    optimisers: tuple[str, ...]
    loss: Callable[[Batch, Draws], tuple[Tensor, Values]]
    every: int = 1
    shrink: int = 1
    frozen: tuple[nn.Module, ...] = ()
    after: Callable[[], Values] | None = None


@dataclass(frozen=True)
class Average:
    """An exponential moving average of a network's parameters.

    Attributes:
        network: that learns.
        average: its average, a network of the same shape.
        half_life: in images.
        ramp_up: the half-life is at most this share of the images seen; 0 switches the ramp off.
        after: name of the phase after which it is updated; "" is the end of the step.
    """

    network: nn.Module
    average: nn.Module
    half_life: float
    ramp_up: float = 0.0
    after: str = ""


class Method(ABC):
    """What is trained.

    Attributes:
        sheet_kind: of the mark of :meth:`preview`'s sheet; "composite" where it shows real pictures, too.
        config: of the training.
        device: where it trains.
        networks: by name, at full size; saved and resumed by name, averages too.
        optimisers: by name.
        data_key: identifies the data; a run continues only on the same.
        schedule: the stages, by the number of images seen at which each begins.
    """

    sheet_kind: ClassVar[str] = "generated"
    config: CommonConfig
    device: torch.device
    networks: dict[str, nn.Module]
    optimisers: dict[str, Optimizer]
    data_key: str
    schedule: Mapping[int, Stage]

    def stage(self, images: int) -> Stage:
        """The stage of the step after ``images`` images; a pure function. A method that fades overrides it."""
        return self.schedule[max(start for start in self.schedule if start <= images)]

    @abstractmethod
    def batches(self, stage: Stage, images: int, positions: Sequence[int]) -> Iterator[Batch]:
        """This process's share of each step's batch from ``images`` on, on the device.

        Args:
            stage: of these steps; the trainer asks anew when it changes.
            images: seen before.
            positions: which of the ``stage.batch`` pictures are wanted, in which order.
        """

    @abstractmethod
    def phases(self, stage: Stage) -> Sequence[Phase]:
        """The updates of a step in their order."""

    def averages(self, stage: Stage) -> Sequence[Average]:
        """The averages that are kept."""
        return ()

    def finish_step(self, step: int) -> Values:
        """End step number ``step``, counted from 1: share what was observed. Returns more values to log."""
        return {}

    def state(self) -> dict[str, Any]:
        """What a resumed run needs beside networks and optimisers. All processes call this together."""
        return {}

    def load_state(self, state: Mapping[str, Any]) -> None:  # noqa: B027
        """Go on from :meth:`state`."""

    def start(self) -> None:  # noqa: B027
        """Take the weights of ``config.start``; called before the first step of a new run."""

    def facts(self) -> Mapping[str, str]:
        """What must be the same in all processes, by what it is called in a message."""
        return {"the key of the data": self.data_key}

    def preview(self) -> np.ndarray | None:
        """The sheet of samples as uint8 [H, W, 3]; None draws none."""
        return None

    @abstractmethod
    def export(self, path: Path, images: int) -> None:
        """Write the model file of a state. Args: path: of the file. images: seen so far."""

    def figures(self, images: int) -> dict[str, Any]:
        """Of the training, for the model's file."""
        config = self.config
        return {"recipe": config.name, "images": images, "seed": config.seed, "batch": config.batch}

    def measured(self) -> tuple[Model, PairDataset] | None:
        """The model whose metrics are measured during the training, and the data they compare with."""
        return None


Prepared = tuple["CommonConfig", Callable[[torch.device, Processes], Method]]
"""The configuration as it is trained, and what opens the data and builds the networks."""
Prepare = Callable[[Any], Prepared]

_METHODS: dict[str, Prepare] = {}


def register(config: type[CommonConfig], prepare: Prepare) -> None:
    """Make a method known under the default of its configuration's key ``method``.

    Args:
        config: class of its configuration.
        prepare: completes such a configuration, without reading the data, and returns it with the method's opener.
            Both raise InputError where something does not fit.
    """
    register_method_config(config)
    _METHODS[config.method] = prepare


def prepared(config: CommonConfig) -> Prepared:
    """What the method of a configuration makes of it. A method of this package registers itself when it is imported."""
    if config.method not in _METHODS:
        import_module(f"semanticgan.training.methods.{config.method}")
    return _METHODS[config.method](config)
