"""Photographs inverted by optimisation: the code whose rendering is nearest to each picture.

One w for all rows, or every row by itself, by Adam on the terms of :mod:`semanticgan.inversion.objective`::

    w <- Adam(grad_w sum of the weighted terms),   rate(t) as in inversion/regularisers.py

:data:`PUBLISHED` has the settings of three published methods; the steps are those of ``search.py``.

Shape legend: N pictures, K regions, R rows of a code, D style width, S side of the picture, s side of a noise map.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import torch
from torch import Tensor

from semanticgan.errors import InputError, unknown_name
from semanticgan.inversion.distribution import measure_distribution
from semanticgan.inversion.objective import Objective, Weights, objective_of
from semanticgan.inversion.search import Search, noise_of, run
from semanticgan.inversion.search import Settings as Settings
from semanticgan.latent_code import LatentCode
from semanticgan.model import Model
from semanticgan.perception.perceptual import Distance
from semanticgan.progress import Progress, to_progress
from semanticgan.wrong_arguments import require_type, whole_number

SPACES = ("w", "rows")
"""What is optimised: one w for all rows, or each row."""


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
    searches = [Search(code, maps, distribution, settings) for code in codes]

    batches = [list(range(len(searches)))[at : at + batch_size] for at in range(0, len(searches), batch_size)]
    with to_progress(progress).steps("optimise", settings.steps * len(batches), unit="step") as step:
        for batch in batches:
            run(model, {index: searches[index] for index in batch}, objective, step)
    return _result(model, searches, objective)


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
def _result(model: Model, searches: Sequence[Search], objective: Objective) -> Optimised:
    noise = noise_of(searches)
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
