"""How a code is searched for: Adam steps along a ramp of rates, many pictures side by side.

::

    w <- Adam(grad_w sum of the weighted terms),   rate(t) as in inversion/regularisers.py

Each picture has its own Adam and its own place on the ramp, so that none depends on the others. A picture that gains
next to nothing over :data:`PATIENCE` steps goes on to the end of its ramp, where the rate falls to 0, and then leaves
the batch.

Shape legend: N pictures, R rows of a code, D style width, s side of a noise map.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol

import torch
from torch import Tensor

from semanticgan.inversion.distribution import CodeDistribution
from semanticgan.inversion.objective import Weights
from semanticgan.inversion.regularisers import (
    FALL_FROM,
    code_noise,
    noise_correlation,
    noise_magnitude,
    normalise_noise,
    rate_ramp,
)
from semanticgan.model import Model
from semanticgan.rendering import Rendering
from semanticgan.seeds import stream

PATIENCE, LEAST_GAIN = 25, 0.005
"""A picture has stopped gaining when so many steps lower its loss by less than this share."""

NOISE_REGULARISERS = MappingProxyType({"correlation": noise_correlation, "magnitude": noise_magnitude})
"""What keeps optimised noise maps like noise."""


@dataclass(frozen=True)
class Settings:
    """How a code is optimised.

    Attributes:
        steps: at most, of each picture.
        rate: the learning rate before the ramp.
        weights: of the terms of an inversion.
        code_noise: add noise to w that falls to 0, as StyleGAN2's projector.
        noise: regulariser of noise maps, one of :data:`NOISE_REGULARISERS`; used where these are optimised.
        noise_weight: its weight.
        normalised: after each step, give noise maps mean 0 and deviation 1, "unbiased" or "biased"; "no" leaves them.
        stops: end where nothing is gained any more.
    """

    steps: int = 100
    rate: float = 0.3
    weights: Weights = field(default_factory=Weights)
    code_noise: bool = False
    noise: str = "correlation"
    noise_weight: float = 10.0
    normalised: str = "biased"
    stops: bool = True


class Terms(Protocol):
    """What is made small: the terms of some pictures, each picture by itself."""

    def __getitem__(self, chosen: list[int]) -> Terms:
        """Those of some of the pictures."""

    def terms(self, rendering: Rendering, codes: Tensor) -> dict[str, Tensor]:
        """Each term before its weight, [N], of the renderings of codes [N, R, D]."""

    def total(self, terms: dict[str, Tensor]) -> Tensor:
        """Their weighted sum, [N]."""


class Search:
    """One picture's variables, its Adam, and how far it is.

    Args:
        code: where it begins, [R, D], or [1, D] for one w in all rows.
        noise: maps [1, 1, s, s] that are optimised too.
        distribution: its deviation is that of the code's noise.
        settings: see there.
        rows: numbers of the rows that are optimised; the others stay as they are. None is all.

    Attributes:
        position: steps done or left out.
        taken: steps done.
        losses: the total at each step.
        terms: each term at each step.
    """

    def __init__(
        self,
        code: Tensor,
        noise: Sequence[Tensor],
        distribution: CodeDistribution,
        settings: Settings,
        rows: Sequence[int] | None = None,
    ) -> None:
        self._settings, self._distribution = settings, distribution
        self._start, self._rows = code.detach(), None if rows is None else list(rows)
        self._code = (self._start if self._rows is None else self._start[self._rows]).clone().requires_grad_()
        self.noise = [level.detach().clone().requires_grad_() for level in noise]
        self._adam = torch.optim.Adam([self._code, *self.noise], lr=settings.rate)
        self._draws = stream(0)
        self.position = self.taken = 0
        self.losses: list[float] = []
        self.terms: dict[str, list[float]] = defaultdict(list)

    @property
    def ended(self) -> bool:
        return self.position >= self._settings.steps

    def code(self) -> Tensor:
        """w, [1, 1 or R, D]."""
        return self._placed(self._code)

    def perturbed(self) -> Tensor:
        """The code with the noise of this step."""
        strength = code_noise(self.position / self._settings.steps) * self._distribution.deviation
        if not self._settings.code_noise or not strength:
            return self.code()
        return self._placed(self._code + strength * torch.randn(self._code.shape, generator=self._draws).to(self._code))

    def _placed(self, code: Tensor) -> Tensor:
        """The optimised rows among the others."""
        if self._rows is None:
            return code[None]
        return self._start.index_copy(0, torch.tensor(self._rows, device=code.device), code)[None]

    def noise_loss(self) -> Tensor:
        """The regulariser of the noise maps, a number."""
        if not self.noise:
            return self._code.new_zeros(())
        return self._settings.noise_weight * NOISE_REGULARISERS[self._settings.noise](self.noise)[0]

    def zero_grad(self) -> None:
        self._adam.zero_grad()

    def step(self, loss: float, terms: Mapping[str, float]) -> None:
        """One step along the gradients; afterwards the position is where the ramp goes on."""
        settings = self._settings
        self._adam.param_groups[0]["lr"] = settings.rate * rate_ramp(self.position / settings.steps)
        self._adam.step()
        if self.noise and settings.normalised != "no":
            normalise_noise([level.data for level in self.noise], settings.normalised == "unbiased")
        self.losses.append(loss)
        for name, value in terms.items():
            self.terms[name].append(value)
        self.taken += 1
        self.position += 1
        fall = math.ceil(FALL_FROM * settings.steps)
        if settings.stops and self.position < fall and self._gains_nothing():
            self.position = fall

    def _gains_nothing(self) -> bool:
        before, recent = self.losses[:-PATIENCE], self.losses[-PATIENCE:]
        return bool(before) and min(recent) >= (1.0 - LEAST_GAIN) * min(before)


def run(model: Model, searches: Mapping[int, Search], objective: Terms, step: Callable[..., None]) -> None:
    """Step all searches until each has ended. Args: searches by the picture's number; step as of Progress.steps."""
    done = 0
    while active := [index for index, search in searches.items() if not search.ended]:
        chosen = [searches[index] for index in active]
        codes = torch.cat([search.code() for search in chosen])
        moved = torch.cat([search.perturbed() for search in chosen])
        rendering = model.generator(moved.expand(-1, len(model.rows), -1), noise_of(chosen))
        part = objective[active]
        terms = part.terms(rendering, codes)
        losses = part.total(terms) + torch.stack([search.noise_loss() for search in chosen])
        for search in chosen:
            search.zero_grad()
        losses.sum().backward()
        values = {name: value.tolist() for name, value in terms.items()}
        for place, (search, loss) in enumerate(zip(chosen, losses.tolist(), strict=True)):
            search.step(loss, {name: value[place] for name, value in values.items()})
        now = min(search.position for search in searches.values())
        step(now - done, note=f"loss {losses.mean().item():.4f}")
        done = now


def noise_of(searches: Sequence[Search]) -> str | list[Tensor]:
    """The maps of all pictures, [N, 1, s, s] each; "fixed" where they are not optimised."""
    maps = list(zip(*(search.noise for search in searches), strict=True))
    return [torch.cat(levels) for levels in maps] if maps else "fixed"
