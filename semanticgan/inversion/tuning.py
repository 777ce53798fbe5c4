"""Pivotal tuning (Roich et al. 2021, arXiv 2106.05744): the generator's weights follow pictures, whose codes stay.

With the pivot w of a picture x, the generator G and the same before tuning G_0::

    loss = pixel mean (G(w) - x)^2 + perceptual distance(G(w), x)
         + locality (mean (G(w_r) - G_0(w_r))^2 + distance(G(w_r), G_0(w_r)))
         + segmentation (mean (S(w) - S_0(w))^2 + mean (S(w_r) - S_0(w_r))^2)

w_r lies 30 from the pivot towards a random code (inversion/regularisers.py); noise is off there. S is the segmentation,
which keeps naming the regions that it named (ours; the paper's generator has none). A random code is w of psi 0.5.
Only the renderer is tuned: what the local generators put out, masks among it, stays, so that an edit changes the pixels
that it changed before.

Shape legend: N pictures, R rows of a code, D style width, S side of the picture.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from semanticgan.checkpoint import LoadedModel
from semanticgan.errors import InputError, unknown_name
from semanticgan.inversion.objective import chosen_distance, require_targets
from semanticgan.inversion.regularisers import LOCALITY_RADIUS, locality_codes
from semanticgan.latent_code import LatentCode
from semanticgan.model import Model
from semanticgan.networks.generator import Generator
from semanticgan.networks.latent_generator import LatentGenerator
from semanticgan.networks.noise import Noise
from semanticgan.perception.perceptual import Distance
from semanticgan.progress import Progress, to_progress
from semanticgan.rendering import Rendering
from semanticgan.seeds import derived
from semanticgan.tuning_files import Tuning
from semanticgan.wrong_arguments import require_type

PARTS = ("local", "fusion", "renderer")
"""What may be tuned."""


@dataclass(frozen=True)
class TuningSettings:
    """How a generator is tuned; weights, radius and psi are PTI's.

    PTI makes 350 steps at a rate of 3e-4. Measured on ``faces-64``: 40 steps at 3e-3 halve the squared error of an
    optimised code, at 3e-4 a quarter of it is gained. Swaps change as much outside their region as before at either.

    Attributes:
        steps: at most.
        rate: learning rate of Adam.
        pixel: weight of the mean squared error.
        perceptual: weight of the perceptual distance, where one is given.
        enough: a perceptual distance; tuning ends when that of every picture is at most this.
        locality: weight of what stays at w_r; 0 leaves it out.
        radius: distance of w_r.
        psi: truncation of the random codes.
        segmentation: weight of the segmentation that stays.
        parts: what is tuned, of :data:`PARTS`.
        seed: of the random codes.
    """

    steps: int = 60
    rate: float = 3e-3
    pixel: float = 1.0
    perceptual: float = 1.0
    enough: float = 0.15
    locality: float = 0.1
    radius: float = LOCALITY_RADIUS
    psi: float = 0.5
    segmentation: float = 1.0
    parts: tuple[str, ...] = ("renderer",)
    seed: int = 0


def tune(
    model: Model,
    code: LatentCode,
    pictures: Tensor,
    *,
    noise: Noise = "fixed",
    distance: Distance | str | None = "auto",
    settings: TuningSettings | None = None,
    progress: Progress | bool = False,
) -> Tuning:
    """Tune a generator to pictures of known codes; :func:`tuned` gives the model with it.

    Args:
        model: is not changed.
        code: of N images, the pivots.
        pictures: [N, 3, S, S] in [-1, 1].
        noise: of the renderings, "fixed" or maps.
        distance: as of :func:`semanticgan.inversion.optimise.optimise`.
        settings: see there.
        progress: bar, report and cancel.

    Raises:
        InputError: codes and pictures that do not fit, or an unknown part.
        Cancelled: by ``progress``.
    """
    settings = TuningSettings() if settings is None else settings
    pictures = require_targets(model, pictures)
    require_type("code", code, LatentCode, "a LatentCode, such as that of optimise")
    if len(code) != len(pictures) or code.rows.names != model.rows.names:
        raise InputError(f"{len(pictures)} pictures need a code of as many images with {model.rows}, got {code!r}.")
    chosen = chosen_distance(model, distance)
    coach = _Coach(model, code.tensor.to(pictures), pictures, noise, chosen, settings)
    steps = 0
    with to_progress(progress).steps("tune", settings.steps, unit="step") as step:
        for steps in range(settings.steps + 1):
            loss, near = coach.loss(steps)
            if near <= settings.enough or steps == settings.steps:
                break
            coach.step(loss)
            step(note=f"distance {near:.4f}")
    return coach.tuning(steps, near)


def tuned(model: Model, tuning: Tuning) -> Model:
    """A copy of a model with a tuning's differences; ``sg.load(model, tuning=FILE)`` does the same from a file.

    Raises:
        InputError: a tuning of another model.
    """
    loaded = tuning.added_to(LoadedModel(model.generator, model.metadata.regions, model.metadata))
    return Model(loaded, model.device, model.rows)


class _Coach:
    """A copy of the generator that is tuned, and what it is held against."""

    def __init__(
        self,
        model: Model,
        codes: Tensor,
        pictures: Tensor,
        noise: Noise,
        distance: Distance | None,
        settings: TuningSettings,
    ) -> None:
        self._model, self._codes, self._pictures, self._noise = model, codes, pictures, noise
        self._distance, self._settings = distance, settings
        self._before = model.generator
        self._tuned = copy.deepcopy(model.generator)
        self._parameters = dict(_parameters_of(self._tuned, settings.parts))
        for parameter in self._parameters.values():
            parameter.requires_grad_()
        self._adam = torch.optim.Adam(self._parameters.values(), lr=settings.rate)
        with torch.no_grad():
            self._segmentation = self._before(codes, noise).segmentation
        self._silence = [pictures.new_zeros(1, 1, side, side) for side in self._before.noise_sides]

    def loss(self, step: int) -> tuple[Tensor, float]:
        """The loss, and the largest perceptual distance of a picture (infinite without a distance)."""
        settings = self._settings
        rendering = self._tuned(self._codes, self._noise)
        total = settings.pixel * (rendering.image - self._pictures).square().mean()
        near = float("inf")
        if self._distance is not None:
            distances = self._distance(rendering.image, self._pictures)
            total, near = total + settings.perceptual * distances.mean(), float(distances.detach().max())
        total = total + settings.segmentation * _difference(rendering.segmentation, self._segmentation)
        if settings.locality:
            total = total + self._locality(step)
        return total, near

    def _locality(self, step: int) -> Tensor:
        """What the tuning changes near the pivots."""
        settings = self._settings
        with torch.no_grad():
            seeds = [derived(settings.seed, step, index) for index in range(len(self._codes))]
            samples = self._model.sample(seeds=seeds, truncation=settings.psi).tensor
            codes = locality_codes(self._codes, samples, settings.radius)
            before: Rendering = self._before(codes, self._silence)
        after: Rendering = self._tuned(codes, self._silence)
        change = _difference(after.image, before.image)
        if self._distance is not None:
            change = change + self._distance(after.image, before.image).mean()
        kept = _difference(after.segmentation, before.segmentation)
        return settings.locality * change + settings.segmentation * kept

    def step(self, loss: Tensor) -> None:
        self._adam.zero_grad()
        loss.backward()
        self._adam.step()

    def tuning(self, steps: int, near: float) -> Tuning:
        before, metadata = dict(self._before.named_parameters()), self._model.metadata
        changes = {name: (parameter - before[name]).detach() for name, parameter in self._parameters.items()}
        changes = {name: change for name, change in changes.items() if change.any()}
        figures: dict[str, float] = {"steps": steps, "pictures": len(self._pictures)}
        if self._distance is not None:
            figures |= {self._distance.name: near}
        return Tuning(changes, metadata.digest, metadata.description, figures)


def _parameters_of(generator: LatentGenerator, parts: Sequence[str]) -> Iterator[tuple[str, torch.nn.Parameter]]:
    """Of a layered model everything but the mapping, which corresponds to the renderer."""
    for part in parts:
        if part not in PARTS:
            raise unknown_name("part", str(part), PARTS)
    for name, parameter in generator.named_parameters():
        part = name.partition(".")[0]
        if part in parts if isinstance(generator, Generator) else part != "mapping":
            yield name, parameter


def _difference(a: Tensor, b: Tensor) -> Tensor:
    """Mean squared difference; 0 of the segmentations of a layered model, which have no regions."""
    return (a - b).square().mean() if a.numel() else a.sum()
