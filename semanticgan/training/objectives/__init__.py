"""The terms of what a model learns, one file each: its loss, what it observes, its state.

SemanticStyleGAN trains those that its configuration wants, StyleGAN and StyleGAN2 those of their ``objective_kinds``.

An objective is a subclass of :class:`Objective` in a file of this folder; :data:`ORDER` says in which order their terms
are added, the others follow by name.

Shape legend: N images, K regions, S side of the picture, D style width, B base rows.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib import import_module
from typing import Any, ClassVar, Protocol

import torch
from torch import Tensor

from semanticgan.distributed import Processes
from semanticgan.errors import InputError
from semanticgan.regions import RegionScheme
from semanticgan.rendering import Rendering
from semanticgan.training.draws import Draws
from semanticgan.training.judges import Judgement
from semanticgan.training.method import Batch, Phase, Values
from semanticgan.training.readers import Reader

ORDER = ("adversarial", "r1", "mask", "depth", "agreement", "rates", "ownership", "added", "path_length")

Pair = tuple[Tensor, Tensor | None]
"""Pictures [N, 3, S, S] and their segmentations [N, K, S, S], None where pictures are judged alone."""


class Setting(Protocol):
    """What objectives use of the method that they are part of; those of regions alone use :class:`RegionSetting`."""

    config: Any
    device: torch.device
    processes: Processes
    generator: Any
    # As they are called: compiled where that is wanted, plain where gradients are differentiated again.
    judge: Callable[..., Judgement]
    judge_compiled: Callable[..., Judgement]
    render: Callable[..., Rendering]

    def autocast(self) -> AbstractContextManager[object]: ...

    def generate(self, draws: Draws, visible: Tensor | None = None) -> Rendering:
        """Pictures of fresh codes; of ``visible`` [N, K] regions alone, if given."""

    def augmented(self, image: Tensor, segmentation: Tensor, draws: Draws, real: bool) -> Pair:
        """What the discriminator is shown of pictures."""

    def r1_weights(self) -> tuple[float, float]:
        """Weights of R1 on pictures and on segmentations in this step."""

    def observe_scores(self, score: Tensor) -> None:
        """Steer the augmentation by scores [N, 1] that are positive where the discriminator is right."""


class RegionSetting(Setting, Protocol):
    """A method whose pictures have regions."""

    regions: RegionScheme
    reader: Reader | None


@dataclass
class GeneratorStep:
    """What the terms of the generator's loss see of one part of a batch.

    Attributes:
        fake: pictures of fresh codes, through which gradients flow.
        real: pictures [N, 3, S, S] and segmentations [N, K, S, S] of the data.
        draws: the random streams that the codes come from.
        read: what the reader sees in the pictures, logits [N, K, S, S] without gradients; None without a reader.
    """

    fake: Rendering
    real: Batch
    draws: Draws
    read: Tensor | None = None


Terms = dict[str, tuple[float, Tensor]]
"""Weight and unweighted value of each term, by the name under which it is logged."""


class Objective:
    """One term, or several that belong together.

    Args:
        setting: the method.
    """

    name: ClassVar[str]

    def __init__(self, setting: Setting) -> None:
        self.setting = setting

    @classmethod
    def wanted(cls, config: Any) -> bool:
        """Whether a configuration asks for it: by default, with a weight in ``loss.added``."""
        return bool(config.loss.added.get(cls.name, 0.0) > 0)

    @property
    def weight(self) -> float:
        """The weight in ``loss.added``."""
        return float(self.setting.config.loss.added[self.name])

    def phases(self) -> Sequence[Phase]:
        """Updates of its own within a step."""
        return ()

    def terms(self, step: GeneratorStep) -> Terms:
        """What it adds to the generator's loss."""
        return {}

    def finish_step(self) -> Values:
        """End a step: share what was observed. Returns more values to log."""
        return {}

    def state(self) -> Any:
        """What a resumed run needs."""
        return None

    def load_state(self, state: Any) -> None:
        """Go on from :meth:`state`."""


_REGISTERED: dict[str, type[Objective]] = {}


def register(kind: type[Objective]) -> type[Objective]:
    """Make an objective known that is not in this folder; usable as a decorator of its class.

    Raises:
        InputError: a name that is taken.
    """
    if kind.name in known_objectives():
        raise InputError(f"there is an objective {kind.name!r} already. Choose another name.")
    _REGISTERED[kind.name] = kind
    return kind


def known_objectives() -> Mapping[str, type[Objective]]:
    """All objectives by name, in the order of their terms."""
    found = dict(_REGISTERED)
    for module in pkgutil.iter_modules(__path__):
        for value in vars(import_module(f"{__name__}.{module.name}")).values():
            if isinstance(value, type) and issubclass(value, Objective) and value is not Objective:
                found[value.name] = value
    places = {name: place for place, name in enumerate(ORDER)}
    return dict(sorted(found.items(), key=lambda item: (places.get(item[0], len(ORDER)), item[0])))
