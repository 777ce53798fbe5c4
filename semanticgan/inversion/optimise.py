"""Photographs inverted by optimisation: the code whose rendering is nearest to each picture.

One w for all rows, or every row by itself, by Adam on the terms of :mod:`semanticgan.inversion.objective`::

    w <- Adam(grad_w sum of the weighted terms),   rate(t) as in inversion/regularisers.py

A picture that gains next to nothing over :data:`PATIENCE` steps goes on to the end of its ramp, where the rate falls
to 0, and then leaves the batch. :data:`PUBLISHED` has the settings of three published methods.

Shape legend: N pictures, K regions, R rows of a code, D style width, S side of the picture, s side of a noise map.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import torch
from torch import Tensor

from semanticgan.errors import InputError, unknown_name
from semanticgan.inversion.distribution import CodeDistribution, measure_distribution
from semanticgan.inversion.objective import Objective, Weights, objective_of
from semanticgan.inversion.regularisers import (
    FALL_FROM,
    code_noise,
    noise_correlation,
    noise_magnitude,
    normalise_noise,
    rate_ramp,
)
from semanticgan.latent_code import LatentCode
from semanticgan.model import Model
from semanticgan.perception.perceptual import Distance
from semanticgan.progress import Progress, to_progress
from semanticgan.seeds import stream
from semanticgan.wrong_arguments import require_type, whole_number

SPACES = ("w", "rows")
"""What is optimised: one w for all rows, or each row."""

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
        weights: of the terms.
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


def _published(steps: int, rate: float, weights: Weights, noise: str, noise_weight: float, normalised: str) -> Settings:
    """All steps; code noise where the noise maps' correlation is regularised."""
    return Settings(steps, rate, weights, noise == "correlation", noise, noise_weight, normalised, False)


_PERCEPTUAL = Weights(pixel=0.0, segmentation=0.0, masks=0.0, prior=0.0)
PUBLISHED: Mapping[str, Settings] = MappingProxyType(
    {
        "semanticstylegan": _published(
            400, 0.1, Weights(0.1, segmentation=0.0, masks=0.0, prior=0.0, mean_prior=1.0), "magnitude", 10.0, "no"
        ),
        "stylegan2": _published(1000, 0.1, _PERCEPTUAL, "correlation", 1e5, "unbiased"),
        "pti": _published(450, 0.01, _PERCEPTUAL, "correlation", 1e5, "biased"),
    }
)
"""The authors' inversion of SemanticStyleGAN, StyleGAN2's projector in PyTorch, and the pivot of PTI."""


@dataclass(frozen=True, eq=False)
class Optimised:
    """Codes of N pictures.

    Attributes:
        code: of N images.
        noise: "fixed", or the optimised maps [N, 1, s, s], as :meth:`Model.render` takes them.
        figures: of each picture: "mse" and "psnr" of the rendering, the terms of the objective, "steps" made.
        history: term -> [steps, N] at each step; NaN after a picture's last.
    """

    code: LatentCode
    noise: str | list[Tensor]
    figures: tuple[Mapping[str, float], ...]
    history: Mapping[str, Tensor]


def optimise(
    model: Model,
    pictures: Tensor,
    *,
    space: str = "rows",
    start: LatentCode | None = None,
    steps: int | None = None,
    labels: Tensor | str | None = "auto",
    distance: Distance | str | None = "auto",
    noise: bool = False,
    settings: Settings | None = None,
    batch_size: int = 8,
    progress: Progress | bool = False,
) -> Optimised:
    """Find the codes of pictures.

    Args:
        model: what is to render them.
        pictures: [N, 3, S, S] in [-1, 1] at the model's side, aligned as its training pictures.
        space: "w" or "rows".
        start: code of N images or of one, such as an encoder's; None is the mean.
        steps: at most, of each picture; None is that of the settings.
        labels: region of each pixel, whole numbers [N, H, H]; "auto": read by a bundled parser of the model's regions,
            where there is one; None: without.
        distance: the perceptual distance; "auto": ``lite0`` where it is installed; None: without.
        noise: optimise the renderer's noise maps, too.
        settings: see there.
        batch_size: pictures at a time; bounds the memory, not the result.
        progress: bar, report and cancel.

    Raises:
        InputError: pictures, labels or a start that do not fit, an unknown space.
        Cancelled: by ``progress``.
    """
    if space not in SPACES:
        raise unknown_name("space", str(space), SPACES)
    settings = Settings() if settings is None else settings
    settings = settings if steps is None else replace(settings, steps=whole_number("steps", steps, 1))
    batch_size = whole_number("batch_size", batch_size, 1)
    distribution = measure_distribution(model)
    objective = objective_of(model, pictures, labels, distance, distribution, settings.weights)
    codes = _starts(model, start, len(objective), space)
    maps = model.generator.noise_maps("fixed", like=pictures) if noise else []
    searches = [_Search(code, maps, distribution, settings) for code in codes]

    batches = [list(range(len(searches)))[at : at + batch_size] for at in range(0, len(searches), batch_size)]
    with to_progress(progress).steps("optimise", settings.steps * len(batches), unit="step") as step:
        for batch in batches:
            _run(model, {index: searches[index] for index in batch}, objective, step)
    return _result(model, searches, objective)


class _Search:
    """One picture's variables, its Adam, and how far it is.

    Attributes:
        position: steps done or left out.
        taken: steps done.
        losses: the total at each step.
        terms: each term at each step.
    """

    def __init__(self, code: Tensor, noise: Sequence[Tensor], distribution: CodeDistribution, settings: Settings):
        self._settings, self._distribution = settings, distribution
        self._code = code.detach().clone().requires_grad_()  # [1 or R, D]
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
        return self._code[None]

    def perturbed(self, code: Tensor) -> Tensor:
        """The code with the noise of this step."""
        strength = code_noise(self.position / self._settings.steps) * self._distribution.deviation
        if not self._settings.code_noise or not strength:
            return code
        return code + strength * torch.randn(code.shape, generator=self._draws).to(code)

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


def _run(model: Model, searches: Mapping[int, _Search], objective: Objective, step: Callable[..., None]) -> None:
    """Step all searches until each has ended. Args: searches by the picture's number; step as of Progress.steps."""
    done = 0
    while active := [index for index, search in searches.items() if not search.ended]:
        chosen = [searches[index] for index in active]
        codes = torch.cat([search.code() for search in chosen])
        moved = torch.cat([search.perturbed(search.code()) for search in chosen])
        rendering = model.generator(moved.expand(-1, len(model.rows), -1), _noise(chosen))
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


def _noise(searches: Sequence[_Search]) -> str | list[Tensor]:
    """The maps of all pictures, [N, 1, s, s] each; "fixed" where they are not optimised."""
    maps = list(zip(*(search.noise for search in searches), strict=True))
    return [torch.cat(levels) for levels in maps] if maps else "fixed"


def _starts(model: Model, start: LatentCode | None, num_pictures: int, space: str) -> list[Tensor]:
    """Where each picture begins, [R, D], or [1, D] for one w: the mean of its rows."""
    code = model.mean if start is None else start
    require_type("start", code, LatentCode, "a LatentCode, such as model.mean")
    if code.rows.names != model.rows.names or len(code) not in (1, num_pictures):
        raise InputError(
            f"the start is {code!r}; {num_pictures} pictures of this model need a code of 1 or {num_pictures} images "
            f"with {model.rows}."
        )
    tensor = code.tensor.to(model.generator.mean_latent).expand(num_pictures, -1, -1)
    return list(tensor.mean(1, keepdim=True) if space == "w" else tensor)


@torch.no_grad()
def _result(model: Model, searches: Sequence[_Search], objective: Objective) -> Optimised:
    noise = _noise(searches)
    noise = noise if isinstance(noise, str) else [level.detach() for level in noise]
    tensor = torch.cat([search.code() for search in searches]).detach().expand(-1, len(model.rows), -1).contiguous()
    code = LatentCode(tensor, model.rows)
    rendering = model.render(code, noise)
    figures = objective.figures(rendering, tensor)
    steps = max(search.taken for search in searches)
    history = {
        name: torch.tensor([search.terms[name] + [math.nan] * (steps - search.taken) for search in searches]).T
        for name in searches[0].terms
    }
    return Optimised(
        code,
        noise,
        tuple({**figure, "steps": float(search.taken)} for figure, search in zip(figures, searches, strict=True)),
        history,
    )
