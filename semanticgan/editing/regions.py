"""Regions of generated pictures swapped, varied and interpolated, with the masks of where that may show.

N images, K regions, S side of the picture.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from semanticgan.editing.change import Change, measure_change
from semanticgan.editing.compositing import composite, feather, region_mask
from semanticgan.errors import InputError
from semanticgan.latents import LatentCode, interpolate, require_codes, swap
from semanticgan.wrong_arguments import require_names, shown, whole_number

if TYPE_CHECKING:
    from semanticgan.model import Model
    from semanticgan.networks.noise import Noise
    from semanticgan.rendering import Rendering


@dataclass(frozen=True, eq=False)
class EditResult:
    """An edit of N images: before, after, and where.

    Attributes:
        source: the pictures before; one image may stand for all N.
        result: the pictures after.
        reference: the pictures that the codes came from, if any.
        code: the edited code.
        regions: names of the edited regions.
        mask: bool [N, S, S], where a region is seen before or after.
        opacity: float32 [N, S, S] in [0, 1], the mask with a soft edge of 1/32 of the side.
    """

    source: Rendering
    result: Rendering
    reference: Rendering | None
    code: LatentCode
    regions: tuple[str, ...]
    mask: Tensor
    opacity: Tensor

    def __len__(self) -> int:
        return len(self.mask)

    def source_pictures(self) -> Tensor:
        """The pictures before, uint8 [N, 3, S, S] on the CPU."""
        return self.source.to_uint8().cpu().expand(len(self), -1, -1, -1)

    def pictures(self, composited: bool = False) -> Tensor:
        """The pictures after, uint8 [N, 3, S, S] on the CPU.

        Args:
            composited: keep every pixel outside the feathered mask exactly as it was.
        """
        pictures = self.result.to_uint8().cpu()
        return composite(self.source_pictures(), pictures, self.opacity) if composited else pictures

    def change(self, composited: bool = False) -> Change:
        """How much changed outside the feathered mask, and inside."""
        return measure_change(self.source_pictures(), self.pictures(composited), self.opacity)


def edit(
    model: Model,
    source: LatentCode,
    edited: LatentCode,
    regions: str | Iterable[str],
    reference: LatentCode | None = None,
    noise: Noise = "fixed",
    before: Rendering | None = None,
) -> EditResult:
    """Render a code before and after an edit of some regions.

    Args:
        source: the code before, of one image or as many as ``edited``.
        edited: the code after.
        regions: names or aliases of the edited regions.
        reference: rendered too, for sheets.
        noise: as of :meth:`semanticgan.model.Model.render`, for each rendering. "random" and a torch.Generator draw
            other maps for each, so that before and after differ by the noise, too; "fixed" or a list of maps [1, 1, h,
            w] does not.
        before: the source, where it is rendered already.

    Raises:
        InputError: an unknown region, a model without regions, or numbers of images or noise that do not fit.
    """
    _require_model(model)
    require_codes([source, edited])
    if len(source) not in (1, len(edited)):
        raise InputError(f"{len(source)} source images for {len(edited)} edited ones. Give the same number, or one.")
    labels = model.regions.indices(require_names(regions))
    before = model.render(source, noise=noise) if before is None else before
    after = model.render(edited, noise=noise)
    mask = region_mask(before.labels().cpu(), labels) | region_mask(after.labels().cpu(), labels)
    return EditResult(
        source=before,
        result=after,
        reference=None if reference is None else model.render(reference, noise=noise),
        code=edited,
        regions=tuple(model.regions.names[label] for label in labels),
        mask=mask,
        opacity=feather(mask),
    )


def swap_regions(
    model: Model,
    source: LatentCode,
    reference: LatentCode,
    regions: str | Iterable[str],
    what: str = "both",
    include_base: bool = False,
    noise: Noise = "fixed",
) -> EditResult:
    """Give the source the reference's regions; either code may have one image.

    Raises:
        InputError: as :func:`semanticgan.latents.swap` and :func:`edit`.
    """
    regions = _names(model, regions)
    return edit(model, source, swap(source, reference, regions, what, include_base), regions, reference, noise)


def vary_regions(
    model: Model,
    source: LatentCode,
    regions: str | Iterable[str],
    seeds: Sequence[int],
    what: str = "both",
    truncation: float = 1.0,
    include_base: bool = False,
    noise: Noise = "fixed",
) -> EditResult:
    """Give the source, one image, the regions of one sampled code per seed: as many results as seeds.

    Raises:
        InputError: as :func:`semanticgan.latents.swap` and :func:`edit`.
    """
    regions = _names(model, regions)
    sampled = model.sample(seeds=seeds, truncation=truncation)
    return edit(model, source, swap(source, sampled, regions, what, include_base), regions, noise=noise)


def interpolate_regions(
    model: Model,
    codes: Sequence[LatentCode],
    num_steps: int,
    regions: str | Iterable[str],
    what: str = "both",
    method: str = "linear",
    include_base: bool = False,
    noise: Noise = "fixed",
) -> EditResult:
    """Move regions of the first code through the others in ``num_steps`` >= 2 even steps, both ends included.

    Raises:
        InputError: fewer than two steps, or as :func:`semanticgan.latents.interpolate` and :func:`edit`.
    """
    if isinstance(num_steps, int) and num_steps < 2:
        raise InputError(f"an interpolation has at least 2 steps, got {num_steps}.")
    num_steps = whole_number("the number of steps", num_steps, 2)
    codes = require_codes(codes)
    regions = _names(model, regions)
    positions = torch.linspace(0, len(codes) - 1, num_steps, dtype=torch.float64)
    moved = interpolate(codes, positions, regions=regions, what=what, method=method, include_base=include_base)
    return edit(model, codes[0], moved, regions, codes[-1], noise)


def _names(model: Model, regions: str | Iterable[str]) -> list[str]:
    """The model's own names, which may be read more than once, unlike an iterator."""
    _require_model(model)
    return [model.regions.names[label] for label in model.regions.indices(require_names(regions))]


def _require_model(model: Model) -> None:
    if not hasattr(model, "render") or not hasattr(model, "regions"):
        raise InputError(f"model must be a Model, such as sg.load(), got {shown(model)}.")
