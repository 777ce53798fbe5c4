"""An edit of the aligned crop put back into the photograph, at the photograph's own size.

The change is computed at the crop's own size, at most :data:`LARGEST_SIDE` pixels (:mod:`crop_changes`), and laid over
the photograph a strip of rows at a time::

    photograph += undo(change) - undo(renewed) * (photograph - undo(crop))      where undo(opacity) > 0

The last term takes away what a crop larger than that has of finer detail, where the edit put something new. Pixels
without opacity keep the file's own bits.

Shape legend: S side of the aligned crop, H W of the photograph.
"""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from semanticgan.errors import DataWarning, InputError, unknown_name
from semanticgan.inversion.choices import WAYS
from semanticgan.inversion.crop_changes import CropChange, Rendered, replace, transfer
from semanticgan.rows import WHAT

if TYPE_CHECKING:
    from semanticgan.inversion.alignment import Alignment
    from semanticgan.inversion.photograph import Photograph
    from semanticgan.inversion.resampling import Box
    from semanticgan.rendering import Rendering

LARGEST_SIDE = 1024
"""Largest side at which a change is computed; of a larger crop the detail above it stays or goes as a whole."""

_LEAST_OPACITY = 1 / 512  # half a level of a change from black to white
_STRIP = 2_000_000  # pixels of the photograph at a time
_SMALLEST_SIDE = 16
_FINEST = 3.0  # times finer than the model, up to which rendered regions are put in
_MOVED = 0.005  # share of the labels that differ after a change of structure


def paste(
    photograph: Photograph,
    alignment: Alignment,
    before: Rendering,
    after: Rendering,
    *,
    how: str = "auto",
    regions: Sequence[int] | None = None,
    what: str | None = None,
    seed: int = 0,
) -> Photograph:
    """The photograph with an edit of one of its faces. Other faces may be edited in the result.

    Args:
        photograph: what the face was found in; it is not changed.
        alignment: where the face's crop lies in it.
        before: the inversion's rendering, of one image.
        after: the edited code's rendering, of one image.
        how: "transfer" adds the difference of the renderings inside the regions, so that the photograph keeps its
            detail; "replace" puts the rendered regions in; "aligned" is the edited rendering alone, at the model's
            size; "auto" is "transfer" after a change of texture or in a photograph much finer than the model, else
            "replace".
        regions: labels of the edited regions, such as ``model.regions.indices(["hair"])``; None: wherever the
            renderings differ.
        what: what the edit changed, "structure", "texture" or "both"; None: read from the renderings' labels.
        seed: of the grain that "replace" adds.

    Raises:
        InputError: an unknown way or ``what``, renderings of several images or of different sizes, a label that they
            do not have, or a crop outside the photograph.
    """
    way = chosen_way(how, before, after, what, alignment.scale / before.image.shape[-1])
    if way == "aligned":  # a model that has grown renders it at another size
        return _alone(photograph, after)
    labels = _labels(before, after, regions)
    left, top, right, bottom = alignment.box(photograph.shape)
    if left >= right or top >= bottom:
        raise InputError("the crop lies outside the photograph. Give points of a face within it.")
    side = min(max(round(alignment.scale), _SMALLEST_SIDE), LARGEST_SIDE)
    crop = alignment.crop(photograph, side)
    if way == "transfer":
        change = transfer(crop, _arrays(before), _arrays(after), labels)
    else:
        change = replace(crop, _arrays(before), _arrays(after), labels, what == "structure", seed)
    return _laid_over(photograph, alignment, crop, change)


def chosen_way(how: str, before: Rendering, after: Rendering, what: str | None = None, finer: float = 1.0) -> str:
    """The way that "auto" stands for: "transfer" where only texture changed, else "replace".

    Where the photograph is much finer than the model, a rendered region would be a blur in it: then "transfer" too.

    Args:
        how, before, after, what: as of :func:`paste`.
        finer: side of the crop in pixels of the photograph over the model's.

    Raises:
        InputError: an unknown way or ``what``.
    """
    if how not in WAYS:
        raise unknown_name("way to paste", str(how), WAYS)
    if what is not None and what not in WHAT:
        raise unknown_name("what was edited", str(what), WHAT)
    if how != "auto":
        return how
    if what is None:
        if not before.segmentation.shape[1]:
            return "replace"
        moved = (before.labels() != after.labels()).float().mean()
        what = "both" if float(moved) > _MOVED else "texture"
    if what != "texture" and finer > _FINEST:
        warnings.warn(
            f"the photograph is {finer:.0f} times finer than the model: colours are transferred, shapes stay. "
            '"replace" (--paste replace) puts the rendered region in.',
            DataWarning,
            stacklevel=4,
        )
        return "transfer"
    return "transfer" if what == "texture" else "replace"


def _labels(before: Rendering, after: Rendering, regions: Sequence[int] | None) -> tuple[int, ...] | None:
    """The edited regions, checked.

    Raises:
        InputError: renderings that do not fit each other, or a label that they do not have.
    """
    if before.image.shape != after.image.shape or before.segmentation.shape != after.segmentation.shape:
        raise InputError(
            f"the renderings before and after an edit have the shapes {list(before.image.shape)} and "
            f"{list(after.image.shape)}. Give two of one model."
        )
    if len(before) != 1:
        raise InputError(f"one edited image is pasted at a time, got {len(before)}. Render one code.")
    if regions is None:
        return None
    labels = tuple(dict.fromkeys(int(label) for label in regions))
    num_regions = before.segmentation.shape[1]
    if not labels or min(labels) < 0 or max(labels) >= num_regions:
        raise InputError(
            f"regions to paste are labels from 0 to {num_regions - 1}, at least one, got {list(labels)}. "
            "Use model.regions.indices(['hair'])."
        )
    return labels


def _arrays(rendering: Rendering) -> Rendered:
    picture = rendering.image[0].detach().float().cpu().permute(1, 2, 0).numpy()
    scores = rendering.segmentation[0].detach().float().cpu().permute(1, 2, 0).numpy()
    return Rendered(np.clip(picture / 2 + 0.5, 0, 1), np.ascontiguousarray(scores))


def _alone(photograph: Photograph, rendering: Rendering) -> Photograph:
    """The rendering as a photograph of the same kind of file."""
    picture = _arrays(rendering).picture
    channels = photograph.pixels.shape[2]
    blank = np.zeros((*picture.shape[:2], channels), photograph.pixels.dtype)
    if channels in (2, 4):
        blank[..., -1] = np.iinfo(blank.dtype).max
    small = dataclasses.replace(photograph, pixels=blank)
    return small.with_rgb(picture, np.ones(picture.shape[:2], bool))


def _strips(box: Box) -> list[Box]:
    """A box in strips of about :data:`_STRIP` pixels."""
    left, top, right, bottom = box
    height = max(_STRIP // max(right - left, 1), 1)
    return [(left, y, right, min(y + height, bottom)) for y in range(top, bottom, height)]


def _laid_over(photograph: Photograph, alignment: Alignment, crop: np.ndarray, change: CropChange) -> Photograph:
    """The photograph with the change of its crop."""
    values = np.dstack([change.change, change.opacity, change.renewed, crop])  # [S, S, 8]
    pixels = photograph.pixels.copy()
    for strip in _strips(alignment.box(photograph.shape)):
        there = alignment.undo(values, photograph.shape, strip)
        where = there[..., 3] > _LEAST_OPACITY
        if where.any():
            left, top, right, bottom = strip
            part = dataclasses.replace(photograph, pixels=photograph.pixels[top:bottom, left:right])
            rgb = part.rgb()
            rgb += there[..., :3] - there[..., 4:5] * (rgb - there[..., 5:])
            pixels[top:bottom, left:right] = part.with_rgb(rgb, where).pixels
    return dataclasses.replace(photograph, pixels=pixels)
