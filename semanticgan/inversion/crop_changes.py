"""What an edit changes in the aligned photograph, as arrays: the ways ``transfer`` and ``replace`` of pasting.

P is the aligned photograph of S pixels, B and A the renderings before and after the edit, of s pixels, p_k^B and p_k^A
the memberships of region k in them, R the edited regions, p_R their sum. ``up`` enlarges, ``down`` reduces.

``transfer`` adds what the edit changed, so that the photograph keeps its grain and detail::

    d = A - B, continued from where p_R^B p_R^A is large       # edges of rendering and photograph differ by a pixel
    change = opacity * up(d),    opacity = edges(p_R^B, P)

``replace`` puts the rendering in::

    error = down(P) - B, of each region continued from where it is seen and stays      # the inversion's error
    T = up(A) + up(error) + keep * D + sqrt(1 - keep^2) * D'
    change = opacity * (T - P),  opacity = max(edges(p_R^B, P), edges(p_R^A, up(A)))

with the photograph's detail D, more of the same for each region D' (:mod:`semanticgan.inversion.detail`), and ``keep``
how far a pixel shows the same region and the same structure before and after. ``error`` makes the background that an
edit uncovers meet the photograph's around it, without a seam (membrane interpolation, as in Perez et al. 2003).
``edges(p, I)`` is p with the edges of I by the guided filter, then made steeper.

Shape legend: K regions, s side of the renderings, S side of the aligned photograph.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from semanticgan.inversion.detail import detail, likeness, more_detail, random_phase
from semanticgan.inversion.guided_filter import guided_filter
from semanticgan.inversion.region_layers import continued, enlarged, memberships, smooth_step

BORDER = 1 / 16
"""Width of the edge of the crop over which a change fades to nothing, in sides of the crop."""

_EDGE_RADIUS = 1.5  # of the guided filter, in pixels of the rendering
_EDGE_EPSILON = 1e-3
_LEAST_CHANGE, _FULL_CHANGE = 2 / 255, 10 / 255  # of a rendering, where no regions are given
_CERTAIN = 0.05  # membership from which on a region counts as seen somewhere


@dataclass(frozen=True, eq=False)
class Rendered:
    """One rendering as arrays.

    Attributes:
        picture: float32 [s, s, 3], about [0, 1].
        scores: float32 [s, s, K], about [-1, 1].
    """

    picture: np.ndarray
    scores: np.ndarray


@dataclass(frozen=True, eq=False)
class CropChange:
    """What is added to an aligned photograph.

    Attributes:
        change: float32 [S, S, 3], 0 where ``opacity`` is 0.
        opacity: float32 [S, S] in [0, 1], the feathered mask.
        renewed: float32 [S, S] in [0, 1], at most ``opacity``: share of the photograph's own detail that goes.
    """

    change: np.ndarray
    opacity: np.ndarray
    renewed: np.ndarray


def transfer(photograph: np.ndarray, before: Rendered, after: Rendered, regions: Sequence[int] | None) -> CropChange:
    """Add the difference of two renderings inside the edited regions.

    Args:
        photograph: P, float32 [S, S, 3] in [0, 1].
        before, after: B and A.
        regions: labels of the edited regions; None: wherever the renderings differ.
    """
    difference = after.picture - before.picture
    mask = _changed(difference) if regions is None else _within(before, regions)
    if regions is not None:
        difference = continued(difference, (mask * _within(after, regions)) ** 2, 1.0)
    opacity = _edges(mask, photograph)
    change = opacity[..., None] * enlarged(difference, len(photograph))
    return CropChange(change, opacity, np.zeros_like(opacity))


def replace(
    photograph: np.ndarray,
    before: Rendered,
    after: Rendered,
    regions: Sequence[int] | None,
    same_texture: bool = False,
    seed: int = 0,
) -> CropChange:
    """Put the rendering of the edited regions in, and the rendered background where they went.

    Args:
        photograph, before, after, regions: as of :func:`transfer`.
        same_texture: the edit left the colours of the regions as they are: what the inversion got wrong of them is
            corrected, too.
        seed: of the grain.
    """
    side, small = len(photograph), len(before.picture)
    seen, shown = memberships(before.scores), memberships(after.scores)
    rendered = enlarged(after.picture, side)
    if regions is None:
        opacity = _edges(_changed(after.picture - before.picture), photograph)
    else:
        opacity = _edges(_within(before, regions), photograph)
        opacity = np.maximum(opacity, _edges(_within(after, regions), rendered))
    error = enlarged(photograph, small) - before.picture
    outside = 1 - enlarged(opacity, small)
    corrected = np.zeros_like(error)
    for label in _visible(shown):
        weight = seen[..., label] ** 2
        if regions is None or label not in regions:
            weight = weight * outside
        elif not same_texture:
            continue
        corrected += shown[..., label : label + 1] * continued(error, weight, 1.5, 0.02)
    keep = (seen * shown).sum(2) * likeness(before.picture, after.picture)
    grain = _grain(photograph, seen, shown, (1 - outside) * (1 - keep), seed)
    keep = np.clip(enlarged(keep, side), 0, 1)[..., None]
    target = rendered + enlarged(corrected, side) + keep * detail(photograph, small) + np.sqrt(1 - keep**2) * grain
    return CropChange(opacity[..., None] * (target - photograph), opacity, opacity * (1 - keep[..., 0]))


def _grain(photograph: np.ndarray, seen: np.ndarray, shown: np.ndarray, need: np.ndarray, seed: int) -> np.ndarray:
    """D': more of the detail of each region that is shown where ``need`` [s, s] is large, float32 [S, S, 3]."""
    side, small = len(photograph), len(seen)
    grain = np.zeros_like(photograph)
    own, phase = detail(photograph, small), random_phase(side, seed)
    for label in _visible(shown):
        if float((need * shown[..., label]).sum()) < 1:  # less than a pixel of the rendering
            continue
        weight = cv2.erode(seen[..., label], np.ones((3, 3), np.uint8)) ** 2
        share = np.clip(enlarged(shown[..., label], side), 0, 1)[..., None]
        grain += share * more_detail(own, np.clip(enlarged(weight, side), 0, 1), phase)
    return grain


def _within(rendered: Rendered, regions: Sequence[int]) -> np.ndarray:
    """p_R, float32 [s, s]."""
    return memberships(rendered.scores)[..., list(regions)].sum(2)


def _visible(shown: np.ndarray) -> list[int]:
    return [label for label in range(shown.shape[2]) if float(shown[..., label].max()) > _CERTAIN]


def _changed(difference: np.ndarray) -> np.ndarray:
    """Where a rendering changed, float32 [s, s] in [0, 1]."""
    size = cv2.GaussianBlur(np.abs(difference).max(2), (0, 0), 1.0)
    return smooth_step((size - _LEAST_CHANGE) / (_FULL_CHANGE - _LEAST_CHANGE))


def _edges(mask: np.ndarray, guide: np.ndarray) -> np.ndarray:
    """A mask [s, s] enlarged to [S, S], with the edges of a picture, 0 at the crop's border."""
    side, small = len(guide), len(mask)
    radius = max(1, round(_EDGE_RADIUS * side / small))
    followed = guided_filter(guide, np.clip(enlarged(mask, side), 0, 1), radius, _EDGE_EPSILON)
    places = (np.arange(side, dtype=np.float32) + 0.5) / side
    fade = smooth_step(np.minimum(places, 1 - places) / BORDER)
    return smooth_step((followed - 0.1) / 0.8) * fade[:, None] * fade
