"""A label map in which a region's outline is pulled from one point to another.

With the pull u = to - from and the radius r, the point q of the result shows the label at::

    p = q - u exp(-|p - from|^2 / (2 r^2)),    one to one where |u| < r sqrt(e); a longer pull is several warps

Only where p or q shows the region does the result differ: elsewhere every label stays. A pixel that the region leaves
takes the label of the nearest pixel that was not the region's.

Points are shares of the side, x to the right and y down. Shape legend: S side of the label map.
"""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor

from semanticgan.directions.nearest import pixel_points, without_region
from semanticgan.errors import InputError
from semanticgan.wrong_arguments import finite_number, require_type, shown, whole_number

_PART_OF_FOLD = 0.9  # of the longest pull r sqrt(e) that one warp makes without folding the map
_REPETITIONS = 30


def drag(
    labels: Tensor,
    region: int,
    from_point: tuple[float, float],
    to_point: tuple[float, float],
    radius: float = 0.1,
) -> Tensor:
    """Pull the outline of a region.

    Args:
        labels: whole numbers [S, S].
        region: label of the region, such as ``model.regions.index("hair")``.
        from_point: (x, y) in shares of the side, 0 to 1.
        to_point: where that point goes.
        radius: standard deviation of the pull in shares of the side, above 0 to 1.

    Returns:
        A label map like ``labels``.

    Raises:
        InputError: no label map, a region that is not in it, points beyond the picture, a radius out of range, or a
            drag that moves no pixel.
    """
    require_type("labels", labels, Tensor, "a torch.Tensor of whole numbers [S, S]")
    if labels.ndim != 2 or labels.shape[0] != labels.shape[1] or labels.is_floating_point():
        raise InputError(f"labels are whole numbers [S, S], got {labels.dtype} {list(labels.shape)}. Give one map.")
    region = whole_number("region", region, 0)
    before = labels.detach().cpu().numpy()
    if not (before == region).any():
        raise InputError(
            f"the label map shows no region {region}, so there is nothing to drag. Give a label that it has."
        )
    start, end = _point("from_point", from_point), _point("to_point", to_point)
    radius = finite_number("radius", radius)
    if not 0 < radius <= 1:
        raise InputError(
            f"a radius is above 0 and at most 1, in sides of the picture, got {radius:g}. Give such as 0.1."
        )
    mask = warped(before == region, start, end, radius)
    after = before.copy()
    left = (before == region) & ~mask
    if left.any():
        after[left] = without_region(before, before == region)[left]
    after[mask] = region
    if (after == before).all():
        raise InputError(
            f"the drag from {tuple(start)} to {tuple(end)} moves no pixel of region {region}. Start at its outline, or "
            "drag farther."
        )
    return torch.from_numpy(after).to(labels.device)


def warped(mask: np.ndarray, start: np.ndarray, end: np.ndarray, radius: float) -> np.ndarray:
    """A mask [S, S] pulled from a point to another one, by as many warps as none folds the map."""
    pull = end - start
    num_warps = max(1, math.ceil(float(np.hypot(*pull)) / (_PART_OF_FOLD * radius * math.sqrt(math.e))))
    points = pixel_points(len(mask))
    sources = points
    for index in reversed(range(num_warps)):  # the last warp is undone first
        centre = start + pull * index / num_warps
        sources = _before_warp(sources, centre, pull / num_warps, radius)
    places = (sources * len(mask) - 0.5).astype(np.float32)
    soft = cv2.remap(
        mask.astype(np.float32), places[..., 0], places[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    unmoved = np.hypot(*np.moveaxis(sources - points, -1, 0)) * len(mask) < 0.5  # by less than half a pixel
    return np.where(unmoved, mask, soft > 0.5)


def _before_warp(points: np.ndarray, centre: np.ndarray, pull: np.ndarray, radius: float) -> np.ndarray:
    """p of q [..., 2] under one warp, by halving.

    Points move along the pull alone. With p = q - h pull / |pull|, h is the root of
    f(h) = h - |pull| exp(-|p - centre|^2 / (2 r^2)); f rises from f(0) <= 0 to f(|pull|) >= 0 where the map is one to
    one.
    """
    length = float(np.hypot(*pull))
    if not length:
        return points
    along = pull / length
    low, high = np.zeros(points.shape[:-1]), np.full(points.shape[:-1], length)
    for _ in range(_REPETITIONS):
        middle = (low + high) / 2
        offset = points - middle[..., None] * along - centre
        below = middle < length * np.exp(-(offset**2).sum(-1) / (2 * radius**2))
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return points - ((low + high) / 2)[..., None] * along


def _point(name: str, value: Any) -> np.ndarray:
    """Raises: InputError: no point of the picture."""
    if isinstance(value, (str, bytes)) or not hasattr(value, "__len__") or len(value) != 2:
        raise InputError(f"{name} is (x, y) in shares of the side, such as (0.5, 0.3), got {shown(value)}.")
    point = np.array([finite_number(name, part) for part in value])
    if point.min() < 0 or point.max() > 1:
        raise InputError(f"{name} lies in the picture, 0 to 1 each way, got {tuple(point.tolist())}.")
    return point
