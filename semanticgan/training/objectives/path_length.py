"""Path length regularisation (Karras et al. 2019, arXiv 1912.04958, Eq. 4) over the expanded latents.

E (|J^T y| - a)^2, where y is a random picture, J the Jacobian of the picture by the latents, and a the running mean of
the lengths |J^T y|; every ``loss.path_length_every`` steps, times that number.

Shape legend: N images, S side of the picture, R rows of an expanded latent code, D style width.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from semanticgan.formats.fields import key
from semanticgan.networks.kernels.weight_gradients import without_weight_gradients
from semanticgan.training.draws import Draws
from semanticgan.training.method import Batch, Phase, Values
from semanticgan.training.objectives import Objective, Setting
from semanticgan.training.sections import LARGEST_BATCH


@dataclass
class PathLengthKeys:
    """Keys of path length regularisation."""

    path_length: float = key(0.5, "weight of path length regularisation.", ge=0)
    path_length_every: int = key(4, "steps between two path length steps; 0 switches it off.", ge=0)
    path_length_batch_shrink: int = key(2, "a path length step uses batch divided by this.", ge=1, le=LARGEST_BATCH)
    path_length_decay: float = key(0.01, "weight of a batch in the running mean of the path lengths.", ge=0, le=1)


class PathLength(NamedTuple):
    penalty: Tensor  # mean squared distance of the lengths from their running mean
    mean: Tensor  # the running mean after this batch, detached
    lengths: Tensor  # [N]


def path_length_penalty(
    image: Tensor,
    latents: Tensor,
    mean: Tensor,
    direction: Tensor,
    decay: float = 0.01,
    over_processes: Callable[[Tensor], Tensor] | None = None,
) -> PathLength:
    """The penalty of a batch, and the running mean with it.

    Args:
        image: [N, 3, S, S] rendered from ``latents``.
        latents: [N, R, D], requires gradients.
        mean: running mean of the lengths, scalar.
        direction: [N, 3, S, S] standard normal.
        decay: weight of this batch in the running mean.
        over_processes: the mean of a scalar over the processes that share the batch; None where there is one.
    """
    projected = (image * direction).sum() / math.sqrt(image.shape[2] * image.shape[3])
    with without_weight_gradients():
        (gradient,) = torch.autograd.grad(projected, latents, create_graph=True)
    lengths = gradient.square().sum(2).mean(1).sqrt()
    batch_mean = lengths.mean() if over_processes is None else over_processes(lengths.mean())
    new_mean = mean + decay * (batch_mean - mean)
    return PathLength((lengths - new_mean).square().mean(), new_mean.detach(), lengths.detach())


class PathLengthPenalty(Objective):
    """A phase of its own on a smaller batch; its state is the running mean."""

    name = "path_length"

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting)
        self.mean = torch.zeros((), device=setting.device)
        self._means: list[Tensor] = []  # of the parts of a batch

    @classmethod
    def wanted(cls, config: Any) -> bool:
        return True

    def phases(self) -> Sequence[Phase]:
        loss = self.setting.config.loss
        return [
            Phase(
                "path_length",
                ("generator",),
                self._loss,
                every=loss.path_length_every,
                shrink=loss.path_length_batch_shrink,
                after=self._after,
            )
        ]

    def _loss(self, batch: Batch, draws: Draws) -> tuple[Tensor, Values]:
        setting, loss = self.setting, self.setting.config.loss
        with setting.autocast():
            latents = setting.generator.expand(draws.latents(setting.generator, loss.style_mixing))
            latents = latents if latents.requires_grad else latents.requires_grad_()  # a mapping that is frozen
            fake = setting.render(latents, noise=draws.noise(setting.generator.noise_sides))
        path = path_length_penalty(
            fake.image.float(),
            latents,
            self.mean,
            draws.direction(fake.image),
            loss.path_length_decay,
            setting.processes.shared_mean,
        )
        self._means.append(path.mean)
        return path.penalty * (loss.path_length * loss.path_length_every), {"path_length/penalty": path.penalty}

    def _after(self) -> Values:
        self.mean = torch.stack(self._means).mean()
        self._means.clear()
        return {"path_length/mean": self.mean}

    def state(self) -> Tensor:
        return self.mean

    def load_state(self, state: Tensor) -> None:
        self.mean = state.to(self.setting.device)
