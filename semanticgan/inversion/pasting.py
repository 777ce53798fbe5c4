"""An edit of the aligned crop put back into the photograph, at the photograph's own size.

What changes is found in a crop of two to four times the model's side, as smooth maps (:mod:`crop_changes`). These are
laid over the photograph a strip of rows at a time; its own pixels are the guide of the edges, and its own detail is
what is kept or renewed. So a photograph of any size keeps what no crop holds, and pixels without opacity keep the
file's own bits.

Shape legend: S side of the maps, s side of the renderings, H W of the photograph.
"""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

import cv2
import numpy as np

from semanticgan.errors import DataWarning, InputError, unknown_name
from semanticgan.inversion.choices import WAYS
from semanticgan.inversion.crop_changes import (
    CropChange,
    RegionDetail,
    Rendered,
    Renewal,
    replace,
    shows_others,
    steeper,
    transfer,
)
from semanticgan.inversion.detail import more_detail, random_phase, repeated
from semanticgan.inversion.guided_filter import along
from semanticgan.inversion.region_layers import memberships, smooth_step
from semanticgan.rows import WHAT

if TYPE_CHECKING:
    from torch import Tensor

    from semanticgan.inversion.alignment import Alignment
    from semanticgan.inversion.photograph import Photograph
    from semanticgan.inversion.resampling import Box
    from semanticgan.rendering import Rendering

LARGEST_SIDE = 1024
"""Largest side of a crop that is looked at as a whole."""

BORDER = 1 / 10
"""Width of the edge of the crop over which a change fades to nothing, in sides of the crop.

Half of it shows as a ring in long hair, twice as much leaves the top of short hair as it was.
"""

_LEAST_OPACITY = 1 / 512  # half a level of a change from black to white
_TEXTURE = 512  # pixels of the photograph that new detail repeats after
_GRAIN = 1.0  # pixels of the photograph: standard deviation of the Gaussian above which detail is no grain
_SMALLEST_SIDE = 16
_FINEST = 3.0  # times finer than the model, up to which rendered regions are put in
_MOVED = 0.005  # share of the labels that differ after a change of structure


def paste(
    photograph: Photograph,
    alignment: Alignment,
    before: Rendering,
    after: Rendering,
    *,
    seen: Tensor | None = None,
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
        seen: how far each pixel of the aligned photograph belongs to each region, [1, K, s, s] in [0, 1], as a parser
            reads it; None: as the inversion's rendering says.
        how: "transfer" adds the difference of the renderings inside the regions, so that the photograph keeps its
            detail; "replace" puts the rendered regions in; "aligned" is the edited rendering alone, at the model's
            size; "auto" is "transfer" after a change of texture, by a model without regions, in a photograph much
            finer than the model, or where it shows something else in place of the regions, else "replace".
        regions: labels of the edited regions, such as ``model.regions.indices(["hair"])``; None: wherever the
            renderings differ, and of a model without regions the whole crop.
        what: what the edit changed, "structure", "texture" or "both"; None: read from the renderings' labels.
        seed: of the grain that "replace" adds.

    Raises:
        InputError: an unknown way or ``what``, renderings of several images or of different sizes, a label that they
            do not have, or a crop outside the photograph.
    """
    if how == "aligned":  # a model that has grown renders it at another size
        return _alone(photograph, after)
    change = change_of_crop(photograph, alignment, before, after, seen=seen, how=how, regions=regions, what=what)
    return laid_over(photograph, alignment, change, seed)


def change_of_crop(
    photograph: Photograph,
    alignment: Alignment,
    before: Rendering,
    after: Rendering,
    *,
    seen: Tensor | None = None,
    how: str = "auto",
    regions: Sequence[int] | None = None,
    what: str | None = None,
) -> CropChange:
    """What :func:`paste` lays over the photograph; arguments, all but "aligned", and errors are those of it."""
    way = chosen_way(how, before, after, what, alignment.scale / before.image.shape[-1])
    if regions is None and not before.segmentation.shape[1]:
        regions = (0,)  # a layered model's picture is one region that is everywhere
    labels = _labels(before, after, regions)
    left, top, right, bottom = alignment.box(photograph.shape)
    if left >= right or top >= bottom:
        raise InputError("the crop lies outside the photograph. Give points of a face within it.")
    crop = alignment.crop(photograph, _working_side(alignment, before.image.shape[-1]))
    old, new = _arrays(before), _arrays(after)
    own = old.regions if seen is None else _hwc(seen)
    if own.shape != old.regions.shape:
        raise InputError(
            f"the regions seen have the shape {list(own.shape)}, the rendering's {list(old.regions.shape)}."
        )
    if way == "replace" and how == "auto" and labels is not None and shows_others(own, old.regions, labels):
        way = "transfer"
        warnings.warn(
            "the photograph shows something else where the inversion draws the edited regions, such as a cap for hair: "
            'colours are transferred, shapes stay. "replace" (--paste replace) puts the rendered region in.',
            DataWarning,
            stacklevel=3,
        )
    if way == "transfer":
        return transfer(crop, own, old, new, labels)
    return replace(crop, own, old, new, labels, what == "structure")


def chosen_way(how: str, before: Rendering, after: Rendering, what: str | None = None, finer: float = 1.0) -> str:
    """The way that "auto" stands for: "transfer" after a change of texture or of layers, else "replace".

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
            return "transfer"
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
    """The edited regions, checked."""
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
    num_regions = max(1, before.segmentation.shape[1])
    if not labels or min(labels) < 0 or max(labels) >= num_regions:
        raise InputError(
            f"regions to paste are labels from 0 to {num_regions - 1}, at least one, got {list(labels)}. "
            "Use model.regions.indices(['hair'])."
        )
    return labels


def _arrays(rendering: Rendering) -> Rendered:
    picture = np.clip(_hwc(rendering.image) / 2 + 0.5, 0, 1)
    return Rendered(picture, memberships(_hwc(rendering.segmentation)))


def _hwc(values: Tensor) -> np.ndarray:
    """[1, c, h, w] -> float32 [h, w, c]."""
    return np.ascontiguousarray(values[0].detach().float().cpu().permute(1, 2, 0).numpy())


def _alone(photograph: Photograph, rendering: Rendering) -> Photograph:
    """The rendering as a photograph of the same kind of file."""
    picture = _arrays(rendering).picture
    channels = photograph.pixels.shape[2]
    blank = np.zeros((*picture.shape[:2], channels), photograph.pixels.dtype)
    if channels in (2, 4):
        blank[..., -1] = np.iinfo(blank.dtype).max
    small = dataclasses.replace(photograph, pixels=blank)
    return small.with_rgb(picture, np.ones(picture.shape[:2], bool))


def _working_side(alignment: Alignment, small: int) -> int:
    """Side of the maps: 2 to 4 times that of the rendering, at most :data:`LARGEST_SIDE` or twice the photograph's."""
    side = min(max(round(alignment.scale), 2 * small), 4 * small, LARGEST_SIDE, round(2 * alignment.scale))
    return max(side, _SMALLEST_SIDE)


def laid_over(photograph: Photograph, alignment: Alignment, change: CropChange, seed: int = 0) -> Photograph:
    """The photograph with the change of its crop; ``seed`` is of the grain."""
    textures = _textures(photograph, alignment, change.renewal, seed)

    def changed(rgb: np.ndarray, box: Box) -> tuple[np.ndarray, np.ndarray]:
        opacity = opacity_in(alignment, change, rgb, box, photograph.shape)
        where = opacity > _LEAST_OPACITY
        if not where.any():
            return rgb, where
        added = alignment.spread(change.difference, box)
        if change.renewal is not None:
            renewal = change.renewal
            there = alignment.spread(np.dstack([renewal.base, renewal.keep]), box)
            keep = np.clip(there[..., 3:], 0, 1)
            added -= (1 - keep) * (rgb - there[..., :3])
            for region, texture in textures:
                share = alignment.spread(region.share[..., None], box) * np.sqrt(1 - keep**2)
                added += share * repeated(texture, box)
        return rgb + opacity[..., None] * added, where

    return photograph.with_strips(changed, _reach(photograph, alignment, change))


def opacity_in(
    alignment: Alignment, change: CropChange, rgb: np.ndarray, box: Box, shape: tuple[int, int]
) -> np.ndarray:
    """The feathered mask of a change in a box of the photograph, float32 [h, w] in [0, 1].

    Args:
        alignment: of the crop.
        change: of the crop.
        rgb: the photograph's colours there, float32 [h, w, 3].
        box: x0, y0, x1, y1.
        shape: (H, W) of the photograph. At a side where it ends before the crop does, a change need not fade.
    """
    there = alignment.spread(np.dstack([change.slope, change.offset, change.shown]), box)
    opacity = np.maximum(steeper(along(rgb, there[..., :3], there[..., 3]), change.wide), there[..., 4])
    x, y = alignment.shares(box)
    for share, is_open in zip((x, 1 - x, y, 1 - y), alignment.open_sides(shape), strict=True):
        opacity *= (share >= 0) if is_open else smooth_step((share / BORDER).astype(np.float32))
    return opacity


def _reach(photograph: Photograph, alignment: Alignment, change: CropChange) -> Box:
    """The box of the photograph where the change has any opacity."""
    most = change.offset + np.maximum(change.slope, 0).sum(2)  # of any colour
    some = (np.maximum(most, change.shown) > 0.05).astype(np.uint8)
    x, y, width, height = cv2.boundingRect(cv2.dilate(some, np.ones((5, 5), np.uint8)))
    corners = np.array([[x, x + width], [y, y + height]]) / len(some)
    moved = alignment.matrix[:, :2] * (corners[:, 1] - corners[:, 0])
    part = np.concatenate([moved, alignment.matrix @ [[corners[0, 0]], [corners[1, 0]], [1]]], 1)
    return dataclasses.replace(alignment, matrix=part).box(photograph.shape)


def _textures(
    photograph: Photograph, alignment: Alignment, renewal: Renewal | None, seed: int
) -> list[tuple[RegionDetail, np.ndarray]]:
    """The regions that get new detail, and a periodic piece of it, float32 [h, w, 3]."""
    textures: list[tuple[RegionDetail, np.ndarray]] = []
    if renewal is None:
        return textures
    size = [min(length, _TEXTURE) for length in photograph.shape]
    phase = random_phase((size[0], size[1]), seed)
    for region in renewal.textures:
        box = _richest(photograph, alignment, region.source, size)
        own = photograph.rgb(box) - alignment.spread(renewal.base, box)
        if region.grain:
            own -= cv2.GaussianBlur(own, (0, 0), _GRAIN)
        weight = np.clip(alignment.spread(region.source[..., None], box)[..., 0], 0, 1)
        x, y = alignment.shares(box)
        weight[(np.minimum(x, y) < 0) | (np.maximum(x, y) >= 1)] = 0
        textures.append((region, more_detail(own, weight, phase)))
    return textures


def _richest(photograph: Photograph, alignment: Alignment, source: np.ndarray, size: Sequence[int]) -> Box:
    """The box of a size within the photograph that holds most of the places that a texture is taken from."""
    small = len(source)
    window = max(1, min(small, round(min(size) / alignment.scale * small)))
    mass = cv2.blur(source, (window, window), borderType=cv2.BORDER_CONSTANT)
    y, x = np.unravel_index(int(mass.argmax()), mass.shape)
    middle = alignment.matrix @ [(x + 0.5) / small, (y + 0.5) / small, 1]
    top, left = (
        int(min(max(round(at - length / 2), 0), whole - length))
        for at, length, whole in zip(middle[::-1], size, photograph.shape, strict=True)
    )
    return left, top, left + size[1], top + size[0]
