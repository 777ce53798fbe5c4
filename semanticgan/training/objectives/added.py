"""Losses of the generator from outside the package: registered by name, weighted by ``loss.added.NAME=WEIGHT``.

Shape legend: N images.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from semanticgan.errors import InputError
from semanticgan.formats.fields import key
from semanticgan.rendering import Rendering
from semanticgan.training.objectives import GeneratorStep, Objective, Setting, Terms, known_objectives


@dataclass
class AddedKeys:
    """Key of losses from outside the package."""

    added: dict[str, float] = key(
        {},
        "weights of losses of the generator that are registered from outside the package (docs/extending.md).",
        ge=0,
    )


GeneratorLoss = Callable[[Rendering], Tensor]
"""Output of the generator for N images -> a scalar, a mean over the images, so that parts of a batch average to it."""

_LOSSES: dict[str, GeneratorLoss] = {}


def register(name: str, loss: GeneratorLoss) -> None:
    """Make a loss known. The trainer logs it as ``loss/NAME``, without its weight.

    Args:
        name: a Python identifier, which no other loss has.
        loss: of the generator, called in every step in which its weight is not 0.

    Raises:
        InputError: a name that is taken, or no identifier.
    """
    from semanticgan.training.methods.semanticstylegan_config import LossSection

    if not isinstance(name, str) or not name.isidentifier():
        raise InputError(f"the name of a loss must be an identifier such as total_variation, got {name!r}.")
    if name in _LOSSES or name in LossSection.__dataclass_fields__ or name in ("discriminator", "generator"):
        raise InputError(f"there is a loss {name!r} already. Choose another name.")
    _LOSSES[name] = loss


def loss(name: str) -> Callable[[GeneratorLoss], GeneratorLoss]:
    """Register the function below as a loss. Args and errors as of :func:`register`."""

    def registered(function: GeneratorLoss) -> GeneratorLoss:
        register(name, function)
        return function

    return registered


def require_registered(names: Iterable[str]) -> None:
    """Raises: InputError: ``loss.added`` names a loss that is not registered."""
    for name in names:
        if name not in _LOSSES and name not in known_objectives():
            known = ", ".join(sorted(_LOSSES)) or "none"
            raise InputError(
                f"loss.added names {name!r}, which is not registered (registered: {known}). Register it with "
                "semanticgan.training.objectives.added.register before the training starts."
            )


class Added(Objective):
    """The registered losses; ``loss.added.NAME`` is the weight of NAME."""

    name = "added"

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting)
        require_registered(setting.config.loss.added)

    @classmethod
    def wanted(cls, config: Any) -> bool:
        return bool(config.loss.added)

    def terms(self, step: GeneratorStep) -> Terms:
        weights = self.setting.config.loss.added
        return {
            name: (weight, _LOSSES[name](step.fake)) for name, weight in weights.items() if weight and name in _LOSSES
        }
