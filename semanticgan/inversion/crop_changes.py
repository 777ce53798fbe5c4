"""What an edit changes in a photograph, as maps of the aligned picture: the ways ``transfer`` and ``replace``.

P is the photograph, B and A the renderings before and after the edit, of s pixels, p_k^P, p_k^B and p_k^A the
memberships of region k in them, R the edited regions, p_R their sum. ``up`` enlarges, ``down`` reduces. Both ways lay
this over the photograph, at its own size (:mod:`semanticgan.inversion.pasting`)::

    P + opacity * (d - (1 - keep) D + sqrt(1 - keep^2) D'),    D = P - up(down(P))

with the photograph's detail D, more of the same D' (:mod:`semanticgan.inversion.detail`) and ``keep``, how much of the
detail stays. D' is the texture of large regions, and in small ones the photograph's grain.

``transfer`` adds what the edit changed, so that the photograph keeps its grain and detail::

    d = up(A - B, continued from where p_R^B p_R^A is large)   # edges of rendering and photograph differ by a pixel
    keep = 1,    opacity = edges(p_R^P, P)

``replace`` puts the rendering in::

    error = down(P) - B, of each region continued from where it is seen and stays      # the inversion's error
    T = up(A + error), where background is uncovered: filled from the photograph's background around it
    d = T - up(down(P)),    opacity = max(edges(p_R^P, P), edges(p_R^A, up(A)))

where ``keep`` is how far a pixel shows the same region and the same structure before and after. ``error`` makes what
is drawn of other regions meet the photograph's around it, without a seam (membrane interpolation, as in Perez et al.
2003). p^P is what a parser sees in the photograph, so that a mask does not end within its hair where the
inversion's does. ``edges(p, I)`` is p with the edges of I by the guided filter, then made steeper (:func:`steeper`).

Shape legend: K regions, s side of the renderings, S side of the maps.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np

from semanticgan.inversion.detail import likeness
from semanticgan.inversion.guided_filter import along, guided_coefficients
from semanticgan.inversion.region_layers import continued, enlarged, smooth_step

BACKGROUND = 0
"""Label of what lies behind the head."""

_EDGE_RADIUS = 1.5  # of the guided filter, in pixels of the rendering
_EDGE_EPSILON = 1e-3
_LEAST_CHANGE, _FULL_CHANGE = 2 / 255, 10 / 255  # of a rendering, where no regions are given
_TEXTURED = 1 / 40  # of the crop: a region as large has a texture, and loose ends
_AROUND = np.ones((3, 3), np.uint8)
_SURELY = 0.95
_LEAST_BACKGROUND = 0.02  # of the crop
_FILLED_SIDE, _FILL_RADIUS = 128, 5  # pixels
_RIM = 0.1  # weight of a region's outermost pixel where the change is read
_NEAR = 1 / 32  # of the crop: how far a region of the photograph may lie from that of the inversion
_SHOWN = 1 / 8  # of what an inversion draws of a region: less is seen of it where something else is in its place
_LEAST_DRAWN = 0.001  # of the crop
_CERTAIN = 0.05  # membership from which on a region counts as seen somewhere


@dataclass(frozen=True, eq=False)
class Rendered:
    """One rendering as arrays.

    Attributes:
        picture: float32 [s, s, 3], about [0, 1].
        regions: float32 [s, s, K] in [0, 1], how far a pixel belongs to each region.
    """

    picture: np.ndarray
    regions: np.ndarray


@dataclass(frozen=True, eq=False)
class RegionDetail:
    """New detail of one region.

    Attributes:
        share: float32 [S, S], how much of it a pixel shows.
        source: float32 [s, s] in [0, 1], where the photograph shows such detail.
        grain: only the photograph's grain is meant. The detail of a small region, such as lashes, is no texture.
    """

    share: np.ndarray
    source: np.ndarray
    grain: bool = False


@dataclass(frozen=True, eq=False)
class Renewal:
    """What ``replace`` does to the photograph's detail.

    Attributes:
        base: up(down(P)), float32 [S, S, 3].
        keep: float32 [S, S] in [0, 1].
        textures: D'.
    """

    base: np.ndarray
    keep: np.ndarray
    textures: Sequence[RegionDetail] = field(default_factory=tuple)


@dataclass(frozen=True, eq=False)
class CropChange:
    """What is laid over a photograph.

    Attributes:
        difference: d, float32 [S, S, 3].
        slope, offset: float32 [S, S, 3] and [S, S]: the edges of the old regions, as :func:`guided_coefficients`.
        shown: float32 [S, S] in [0, 1], opacity of the new regions.
        wide: whether the edges of the old regions are wide, as :func:`steeper` says.
        renewal: of the detail; None: all of it stays.
    """

    difference: np.ndarray
    slope: np.ndarray
    offset: np.ndarray
    shown: np.ndarray
    wide: bool = False
    renewal: Renewal | None = None


def transfer(
    photograph: np.ndarray, seen: np.ndarray, before: Rendered, after: Rendered, regions: Sequence[int] | None
) -> CropChange:
    """Add the difference of two renderings inside the edited regions.

    Args:
        photograph: the aligned photograph, float32 [S, S, 3] in [0, 1].
        seen: its regions, float32 [s, s, K] in [0, 1].
        before, after: B and A.
        regions: labels of the edited regions; None: wherever the renderings differ.
    """
    difference = after.picture - before.picture
    mask = _changed(difference) if regions is None else _of_face(seen, before.regions, regions)
    if regions is not None:
        weight = (_within(before.regions, regions) * _within(after.regions, regions)) ** 2
        inner = cv2.erode(weight, _AROUND)  # renderings have a bright or dark rim around hair
        difference = continued(difference, weight * (_RIM + (1 - _RIM) * inner), 1.0)
    slope, offset = _edges(mask, photograph)
    wide = regions is not None and float(mask.mean()) >= _TEXTURED
    return CropChange(enlarged(difference, len(photograph)), slope, offset, np.zeros_like(offset), wide)


def replace(
    photograph: np.ndarray,
    seen: np.ndarray,
    before: Rendered,
    after: Rendered,
    regions: Sequence[int] | None,
    same_texture: bool = False,
) -> CropChange:
    """Put the rendering of the edited regions in, and the rendered background where they went.

    Args:
        photograph, seen, before, after, regions: as of :func:`transfer`.
        same_texture: the edit left the colours of the regions as they are: what the inversion got wrong of them is
            corrected, too.
    """
    side, small = len(photograph), len(before.picture)
    shown = after.regions
    rendered = enlarged(after.picture, side)
    if regions is None:
        slope, offset = _edges(_changed(after.picture - before.picture), photograph)
        new = np.zeros_like(offset)
    else:
        old = _of_face(seen, before.regions, regions)
        if old.mean() >= _TEXTURED:
            old = cv2.dilate(old, _AROUND)  # hairs beside the hair go, too; lashes beside an eye stay
        slope, offset = _edges(old, photograph)
        drawn = _within(shown, regions)
        new = steeper(along(rendered, *_edges(drawn, rendered)), float(drawn.mean()) >= _TEXTURED)
    outside = 1 - enlarged(np.maximum(steeper(along(photograph, slope, offset)), new), small)
    reduced = enlarged(photograph, small)
    error = reduced - before.picture
    corrected = np.zeros_like(error)
    for label in _visible(shown):
        weight = (seen[..., label] * before.regions[..., label]) ** 2
        if regions is None or label not in regions:
            weight = weight * outside
        elif not same_texture:
            continue
        corrected += shown[..., label : label + 1] * continued(error, weight, 1.5, 0.02)
    stays = seen.copy()
    stays[..., BACKGROUND] = cv2.erode(seen[..., BACKGROUND], _AROUND)
    keep = (stays * shown).sum(2) * likeness(before.picture, after.picture)
    base, target = enlarged(reduced, side), rendered + enlarged(corrected, side)
    renewal = Renewal(
        base, np.clip(enlarged(keep, side), 0, 1), _textures(seen, shown, (1 - outside) * (1 - keep), side)
    )
    if regions is None or BACKGROUND not in regions:
        filled = _filled(photograph, (seen[..., BACKGROUND] > _SURELY) & (outside > _SURELY))
        uncovered = np.clip(enlarged(shown[..., BACKGROUND], side), 0, 1) * (1 - renewal.keep)
        if filled is not None:
            target += uncovered[..., None] * (filled - target)
    return CropChange(target - base, slope, offset, new, renewal=renewal)


def _filled(photograph: np.ndarray, background: np.ndarray) -> np.ndarray | None:
    """The photograph with all but its background filled from there; None where it shows too little of it.

    By the Navier-Stokes equations (Bertalmio, Bertozzi and Sapiro 2001): on holes of known background around heads it
    errs less than Telea's method and than what a generator draws there.

    Args:
        photograph: float32 [S, S, 3] in [0, 1].
        background: bool [s, s], where it is seen for sure.
    """
    side = len(photograph)
    if background.mean() < _LEAST_BACKGROUND:
        return None
    reduced = enlarged(photograph, min(side, _FILLED_SIDE))
    levels = np.round(np.clip(reduced, 0, 1) * 255).astype(np.uint8)
    unknown = enlarged(background.astype(np.float32), len(levels)) < 0.5
    filled = cv2.inpaint(levels, unknown.astype(np.uint8), _FILL_RADIUS, cv2.INPAINT_NS)
    return enlarged(filled.astype(np.float32) / 255, side)


def steeper(followed: np.ndarray, wide: bool = False) -> np.ndarray:
    """The opacity of a mask that was filtered: a smooth step from 0.1 to 0.9, or wide, a ramp from 0.06 to 0.96.

    The outlines of pasted hair are narrower by the step than those of the photographs' own hair. Small regions have it
    all the same, since a ramp takes a tenth of the change of an eye; so have regions that go, of which a ramp would
    leave a rim.
    """
    if not wide:
        return smooth_step((followed - 0.1) / 0.8)
    return np.clip((followed - 0.06) / 0.9, 0, 1)


def _textures(seen: np.ndarray, shown: np.ndarray, need: np.ndarray, side: int) -> list[RegionDetail]:
    """D' of each large region that is shown where ``need`` [s, s] is large, and the grain of the rest."""
    textures = []
    rest = np.ones((side, side), np.float32)
    for label in _visible(shown):
        source = cv2.erode(seen[..., label], _AROUND) ** 2
        if float(source.mean()) >= _TEXTURED and float((need * shown[..., label]).mean()) >= _TEXTURED / 10:
            share = np.clip(enlarged(shown[..., label], side), 0, 1)
            textures.append(RegionDetail(share, source))
            rest -= share
    return [*textures, RegionDetail(np.maximum(rest, 0), np.ones_like(need), grain=True)]


def _within(memberships: np.ndarray, regions: Sequence[int]) -> np.ndarray:
    """p_R, float32 [s, s]."""
    return memberships[..., list(regions)].sum(2)


def _of_face(seen: np.ndarray, before: np.ndarray, regions: Sequence[int]) -> np.ndarray:
    """p_R^P without patches that are not near any of p_R^B, such as what a parser mistakes for hair in the background.

    p_R^B itself where the photograph shows nothing of the regions.
    """
    mask, drawn = _within(seen, regions), _within(before, regions)
    reach = 2 * math.ceil(_NEAR * len(mask)) + 1
    near = cv2.dilate(drawn, np.ones((reach, reach), np.uint8)) > 0.5
    _, patches = cv2.connectedComponents((mask > _CERTAIN).astype(np.uint8))
    kept = np.unique(patches[near & (mask > 0.5)])
    return mask * np.isin(patches, kept[kept > 0]) if len(kept) else drawn


def shows_others(seen: np.ndarray, before: np.ndarray, regions: Sequence[int]) -> bool:
    """Whether the photograph shows other things where the inversion draws the regions, such as a cap for hair::

        sum of min(p_R^P, p_R^B) < 1/8 of the sum of p_R^B

    Never where the inversion draws next to nothing of them. ``seen`` and ``before`` are float32 [s, s, K] in [0, 1].
    """
    shown, drawn = _within(seen, regions), _within(before, regions)
    return float(drawn.mean()) > _LEAST_DRAWN and float(np.minimum(shown, drawn).sum()) < _SHOWN * float(drawn.sum())


def _visible(shown: np.ndarray) -> list[int]:
    return [label for label in range(shown.shape[2]) if float(shown[..., label].max()) > _CERTAIN]


def _changed(difference: np.ndarray) -> np.ndarray:
    """Where a rendering changed, float32 [s, s] in [0, 1]."""
    size = cv2.GaussianBlur(np.abs(difference).max(2), (0, 0), 1.0)
    return smooth_step((size - _LEAST_CHANGE) / (_FULL_CHANGE - _LEAST_CHANGE))


def _edges(mask: np.ndarray, guide: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A mask [s, s] enlarged to [S, S], with the edges of a picture, as coefficients."""
    side, small = len(guide), len(mask)
    radius = max(1, round(_EDGE_RADIUS * side / small))
    return guided_coefficients(guide, np.clip(enlarged(mask, side), 0, 1), radius, _EDGE_EPSILON)
