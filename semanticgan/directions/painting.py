"""A label map painted by hand, which the picture's segmentation is made to follow.

Structure rows of the painted regions move by Adam, textures and all other rows stay. With labels y, the rendering G,
the rendering before G_0 and the pixels U whose label the painting leaves::

    segmentation   1 - mean over the painted regions of the Dice coefficient of G.segmentation and y
    masks          cross-entropy of the coarse masks and y           (both: inversion/objective.py)
    prior          mean over the free rows of |v|^2 / D, beyond that of the start (inversion/distribution.py)
    kept           mean over U of (G.image - G_0.image)^2            (0 where the base rows are free)

The code is that of the step, or the start, whose segmentation has the largest mean IoU with the painting: the terms are
soft, and a step that lowers them may lose a pixel.

Shape legend: K regions, R rows of a code, D style width, S side of the picture.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from semanticgan.editing.change import measure_change
from semanticgan.editing.compositing import feather, region_mask
from semanticgan.errors import InputError
from semanticgan.inversion.distribution import measure_distribution
from semanticgan.inversion.objective import masks_loss, one_hot, segmentation_loss
from semanticgan.inversion.regularisers import rate_ramp
from semanticgan.latents import LatentCode
from semanticgan.model import Model
from semanticgan.networks.local import LocalOutput
from semanticgan.perception.overlap import overlap
from semanticgan.progress import Progress, to_progress
from semanticgan.rendering import Rendering
from semanticgan.wrong_arguments import require_names, require_type, shown, whole_number


@dataclass(frozen=True)
class PaintingSettings:
    """How a painting is followed.

    Attributes:
        steps: of Adam.
        rate: learning rate before the ramp of :func:`semanticgan.inversion.regularisers.rate_ramp`.
        segmentation: weight of the Dice coefficient.
        masks: weight of the coarse masks.
        prior: weight of the distance of the free rows from where w lies.
        kept: weight of the change where the painting leaves the label.
    """

    steps: int = 80
    rate: float = 0.1
    segmentation: float = 1.0
    masks: float = 0.2
    prior: float = 0.02
    kept: float = 2.0


@dataclass(frozen=True, eq=False)
class Painted:
    """A code whose segmentation follows a painting.

    Attributes:
        code: of one image; the one given where no step comes closer to the painting.
        regions: names of the painted regions, whose structure rows moved.
        iou: of each painted region that is in the painting or the result: IoU of the segmentation and the painting.
        iou_before: the same of the code before.
        change_outside: mean absolute change in levels of 0..255 beyond the painted regions, before and in the painting,
            and a feather of 1/32 of the side.
    """

    code: LatentCode
    regions: tuple[str, ...]
    iou: Mapping[str, float]
    iou_before: Mapping[str, float]
    change_outside: float

    @property
    def mean_iou(self) -> float:
        """Mean of :attr:`iou`."""
        return float(np.mean(list(self.iou.values())))


def paint(
    model: Model,
    code: LatentCode,
    labels: Tensor | np.ndarray,
    regions: str | Iterable[str] | None = None,
    free_base: bool = False,
    *,
    settings: PaintingSettings | None = None,
    progress: Progress | bool = False,
) -> Painted:
    """Move structure rows until the segmentation follows a painting.

    Args:
        model: of regions.
        code: of one image.
        labels: the painting, whole numbers [S, S], as ``model.render(code).labels()[0]``.
        regions: names of the regions whose structure moves; None: those whose mask the painting changes.
        free_base: move the base rows (pose, outline), too: for a painting of another face.
        settings: see there.
        progress: bar, report and cancel.

    Raises:
        InputError: a painting of another size or with other labels, one that changes nothing, several images, an
            unknown region.
        Cancelled: by ``progress``.
    """
    settings = PaintingSettings() if settings is None else settings
    whole_number("steps", settings.steps, 1)
    require_type("a latent code", code, LatentCode, "a LatentCode, such as model.sample(seed=3)")
    if len(code) != 1:
        raise InputError(f"one picture is painted at a time, got a code of {len(code)}. Choose one, such as code[0].")
    painting = _require_painting(model, labels)
    before = model.render(code)
    seen = before.labels()[0].long().cpu()
    chosen = _painted_regions(model, seen, painting, regions)
    rows = model.rows.indices([model.regions.names[label] for label in chosen], "structure", free_base)

    search = _Search(model, code, rows, chosen, free_base)
    settings = replace(settings, kept=0.0) if free_base else settings
    objective = _Objective(model, before, painting, chosen, search.free, settings)
    adam = torch.optim.Adam([search.free], lr=settings.rate)
    with to_progress(progress).steps("paint", settings.steps, unit="step") as step:
        for index in range(settings.steps):
            adam.param_groups[0]["lr"] = settings.rate * rate_ramp((index + 1) / (settings.steps + 1))
            rendering = search.rendering()
            search.note(_ious(rendering, painting, chosen))
            loss = objective.loss(rendering, search.free)
            adam.zero_grad()
            loss.backward()
            adam.step()
            step(note=f"loss {loss.item():.4f}")
        with torch.no_grad():
            search.note(_ious(search.rendering(), painting, chosen))
    return _result(model, search.code(), before, painting, chosen)


class _Search:
    """The rows that move, and renderings of the code with them; only local generators that read them run.

    Attributes:
        free: the rows that move, [1, rows, D], with gradients.
    """

    def __init__(self, model: Model, code: LatentCode, rows: list[int], chosen: tuple[int, ...], free_base: bool):
        self._model, self._rows, self._like = model, rows, code
        generator = model.regional
        self._tensor = code.tensor.detach().to(generator.mean_latent)
        self.free = self._tensor[:, rows].clone().requires_grad_()
        self._best, self._largest = self.free.detach().clone(), -1.0
        self._running = list(range(len(model.regions))) if free_base else sorted(chosen)
        with torch.no_grad():
            self._local = generator.local(generator.region_codes(self._tensor))

    def rendering(self) -> Rendering:
        """Of the current rows, with a graph."""
        generator, running = self._model.regional, self._running
        codes = generator.region_codes(self._whole(self.free))
        run = generator.local(codes[:, running], regions=running)
        place = torch.tensor(running, device=codes.device)
        hidden = self._local.hidden.index_copy(1, place, run.hidden)
        return generator.compose(LocalOutput(hidden, self._local.depth.index_copy(1, place, run.depth)))

    def note(self, ious: Mapping[int, float]) -> None:
        """Keep the current rows where the mean of these IoUs is the largest so far."""
        mean = sum(ious.values()) / max(len(ious), 1)
        if mean > self._largest:
            self._best, self._largest = self.free.detach().clone(), mean

    def code(self) -> LatentCode:
        """The best code so far."""
        return LatentCode(self._whole(self._best).to(self._like.tensor), self._like.rows)

    def _whole(self, free: Tensor) -> Tensor:
        return self._tensor.index_copy(1, torch.tensor(self._rows, device=free.device), free)


class _Objective:
    """The weighted sum of the module's terms."""

    def __init__(
        self,
        model: Model,
        before: Rendering,
        painting: Tensor,
        chosen: tuple[int, ...],
        start: Tensor,
        settings: PaintingSettings,
    ) -> None:
        self._labels = one_hot(painting[None], len(model.regions)).to(model.generator.mean_latent)
        self._unchanged = (before.labels().cpu() == painting).to(self._labels)
        self._image, self._settings, self._chosen = before.image, settings, list(chosen)
        self._distribution = measure_distribution(model)
        self._allowed = self._distribution.distance(start.detach())

    def loss(self, rendering: Rendering, free: Tensor) -> Tensor:
        """A number. Args: a rendering of the free rows; these, [1, rows, D]."""
        settings, unchanged, chosen = self._settings, self._unchanged, self._chosen
        loss = settings.segmentation * segmentation_loss(rendering.segmentation[:, chosen], self._labels[:, chosen])
        loss = loss + settings.masks * masks_loss(rendering.depth, self._labels)
        loss = loss + settings.prior * (self._distribution.distance(free) - self._allowed).clamp(min=0)
        if settings.kept:
            change = (rendering.image - self._image).square().mean(1)  # [1, S, S]
            loss = loss + settings.kept * (change * unchanged).sum((1, 2)) / unchanged.sum().clamp(min=1)
        return loss.sum()


def _require_painting(model: Model, labels: Any) -> Tensor:
    """int64 [S, S] on the CPU."""
    side, names = model.size, model.regions.names
    if not isinstance(labels, (Tensor, np.ndarray)):
        raise InputError(f"a painting is whole numbers [{side}, {side}], one label a pixel, got {shown(labels)}.")
    painting = torch.as_tensor(labels)
    if painting.is_floating_point() or painting.is_complex() or painting.dtype == torch.bool:
        raise InputError(f"a painting is whole numbers [{side}, {side}], got {painting.dtype}. Use .to(torch.uint8).")
    if tuple(painting.shape) != (side, side):
        raise InputError(
            f"a painting of this model is [{side}, {side}], got {list(painting.shape)}. Paint on the label map that "
            "labels() gives."
        )
    painting = painting.detach().cpu().long()
    if wrong := [value for value in painting.unique().tolist() if not 0 <= value < len(names)]:
        raise InputError(
            f"the painting has the labels {', '.join(map(str, wrong[:5]))}; this model's regions are 0 to "
            f"{len(names) - 1}: {', '.join(names)}."
        )
    return painting


def _painted_regions(
    model: Model, seen: Tensor, painting: Tensor, regions: str | Iterable[str] | None
) -> tuple[int, ...]:
    """Labels of the regions whose structure moves."""
    changed = seen != painting
    if not changed.any():
        raise InputError("the painting is the picture's own segmentation: nothing changes. Paint a region first.")
    if regions is not None:
        return model.regions.indices(require_names(regions))
    return tuple(torch.cat([seen[changed], painting[changed]]).unique().tolist())


def _ious(rendering: Rendering, painting: Tensor, chosen: tuple[int, ...]) -> dict[int, float]:
    """Label -> IoU with the painting, of the chosen regions that are in it or in the rendering."""
    iou = overlap(rendering.labels().cpu(), painting[None], rendering.segmentation.shape[1]).iou[0]
    return {label: float(iou[label]) for label in chosen if not np.isnan(iou[label])}


def _result(model: Model, code: LatentCode, before: Rendering, painting: Tensor, chosen: tuple[int, ...]) -> Painted:
    after = model.render(code)
    names = model.regions.names
    first, last = (
        {names[label]: iou for label, iou in _ious(one, painting, chosen).items()} for one in (before, after)
    )
    mask = region_mask(before.labels().cpu(), chosen) | region_mask(painting[None].to(torch.uint8), chosen)
    change = measure_change(before.to_uint8(), after.to_uint8(), feather(mask))
    return Painted(code, tuple(names[label] for label in chosen), last, first, float(change.outside[0]))
