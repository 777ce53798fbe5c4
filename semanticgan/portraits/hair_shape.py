"""A hairstyle put together: the cap, what hangs or is tied, and the way its strands run."""

from __future__ import annotations

import numpy as np

from semanticgan.portraits.features import SIDES
from semanticgan.portraits.geometry import Array, between, circle, hull, smooth
from semanticgan.portraits.hair_outline import (
    ENDS,
    HairShape,
    closed_below,
    growth,
    hairline,
    over_the_top,
    resampled,
)
from semanticgan.portraits.hair_strands import comb_hair, curl_hair, quiff_hair, staggered, tousle_hair
from semanticgan.portraits.shading import Sitter


def shape_hair(sitter: Sitter, rng: np.random.Generator) -> HairShape | None:
    """The hair of a sitter; None for a bald head.

    ``rng`` places curls and strands; the number of draws does not depend on the picture's size.
    """
    a = sitter.attributes
    if a.bald:
        return None
    side, crown = growth(sitter)
    project = sitter.pose.project
    style = a.hair_style
    lowest = 0.03 if a.ears_shown and style not in ENDS else 0.10
    cap = hull(project(sitter.head.cloud(side, crown, 0.0, lowest)))
    centre = project(np.array([0.0, -0.06, 0.0]))
    opening = hairline(sitter, side, rng)
    shape = HairShape(rim=over_the_top(cap, centre), centre=centre, opening=closed_below(opening), cap=[cap])
    shape.back.append(hull(project(sitter.head.cloud(0.8 * side, crown, 0.0, 0.05 if lowest < 0.1 else 0.17))))
    if style == "quiff" and not a.hat:
        shape.cap.append(quiff_hair(sitter, side, crown))
    if style in ENDS:
        _hang(shape, sitter, side, opening, rng)
    elif style in ("bun", "ponytail"):
        _tie(shape, sitter)
    if style in ("curly", "afro"):
        curl_hair(shape, sitter, opening, rng)
    elif style in ("short", "fringe", "side part"):
        comb_hair(shape, sitter, opening, rng)
        tousle_hair(shape, sitter, opening, rng)
    else:
        comb_hair(shape, sitter, opening, rng)
    return shape


def _hang(shape: HairShape, sitter: Sitter, side: float, opening: Array, rng: np.random.Generator) -> None:
    """Hair that falls past the jaw: behind the neck, and in two curtains unless it is tucked behind the ears."""
    a = sitter.attributes
    end = ENDS[a.hair_style] + 0.02 * a.hair_volume
    phase = rng.uniform(0, 2 * np.pi, 2)
    outer = {s: _outer_fall(sitter, s, side, end, float(phase[(s + 1) // 2])) for s in SIDES}
    bottom = between(outer[-1][-1:], outer[1][-1:], np.linspace(0, 1, 10))[1:-1, 0]
    bottom[:, 1] += rng.normal(0, 0.010, 8) + 0.012
    hem = smooth(np.concatenate([outer[-1][-1:], bottom, outer[1][-1:]]), 40)
    shape.back.append(np.concatenate([outer[-1], hem, outer[1][::-1]]))
    if a.hair_tucked:
        for s in SIDES:
            inner = outer[s] - np.array([s * 0.13, 0.0])
            strands = between(resampled(outer[s], 16), resampled(inner, 16), np.linspace(0.08, 1, 11))
            shape.strands.append(staggered(strands, rng))
        return
    inner = {s: _inner_fall(sitter, s, opening, float(outer[s][-1, 1]), end, phase) for s in SIDES}
    for s in SIDES:
        # The hairline's low part closes the curtain above, a soft tip below.
        cheek = opening[:26] if s < 0 else opening[-26:][::-1]
        tip = (inner[s][-1] + outer[s][-1]) / 2 + np.array([0, 0.016])
        hem = smooth(np.stack([outer[s][-1], tip, inner[s][-1]]), 8)
        shape.cap.append(np.concatenate([outer[s], hem, inner[s][::-1], cheek]))
        if a.hair_style != "curly":
            weights = np.sort(rng.uniform(0.03, 0.97, 12))
            strands = between(resampled(inner[s], 16), resampled(outer[s], 16), weights)
            shape.strands.append(staggered(strands, rng))
    # The opening narrows to what the curtains leave free.
    foot = np.array([(inner[-1][-1, 0], 1.4), (inner[1][-1, 0], 1.4)])
    shape.opening = np.concatenate([foot[:1], inner[-1][::-1], opening, inner[1], foot[1:]])


def _outer_fall(sitter: Sitter, s: int, side: float, end: float, phase: float) -> Array:
    """The outer edge [30, 2] of falling hair on one side, straight down whatever the head's tilt."""
    style = sitter.attributes.hair_style
    heights = np.linspace(0.02, end, 14)
    fall = (heights - heights[0]) / (end - heights[0])
    widest = float(sitter.head.half_width(0.0)) + side
    if style == "bob":
        spread = 0.018 * np.sin(np.pi * fall**1.3) - 0.035 * fall**3
    elif style == "long straight":
        spread = 0.006 * fall
    else:
        spread = 0.025 * fall
    if style == "long wavy":
        spread = spread + 0.016 * np.sin(heights * 44 + phase) * np.minimum(1, 3 * fall)
    start = sitter.pose.project(np.array([s * widest, heights[0], -0.02]))
    down = (heights - heights[0]) * sitter.pose.scale
    return smooth(np.stack([start[0] + s * spread, start[1] + down], axis=1), 30)


def _inner_fall(sitter: Sitter, s: int, opening: Array, bottom: float, end: float, phase: Array) -> Array:
    """The edge [24, 2] of falling hair towards face and neck, from the hairline's low end down."""
    style = sitter.attributes.hair_style
    start = opening[0] if s < 0 else opening[-1]
    fall = np.linspace(0, 1, 14)
    x = start[0] - s * (0.03 if style == "bob" else 0.012) * np.sin(np.pi * fall)
    if style == "long wavy":
        x = x + 0.010 * np.sin(fall * end * 44 + phase[0]) * fall
    elif style == "curly":
        x = x + 0.012 * np.sin(fall * 9 + phase[1])
    return smooth(np.stack([x, start[1] + (bottom - start[1]) * fall], axis=1), 24)


def _tie(shape: HairShape, sitter: Sitter) -> None:
    """A bun on the crown, or a ponytail that swings out at one side."""
    a, head = sitter.attributes, sitter.head
    if a.hair_style == "bun":
        if a.hat:
            return
        at = sitter.pose.project(np.array([0.0, head.top - 0.035, -0.06]))
        radius = 0.088 + 0.015 * a.hair_volume
        shape.back.append(at + radius * (np.array([1.12, 0.92]) * circle(40)))
        turns = np.linspace(0.35, 0.85, 5)
        swirl = np.linspace(-2.8, 0.4, 16)
        shape.strands.append(
            np.stack([at + radius * t * np.stack([1.1 * np.cos(swirl), 0.9 * np.sin(swirl)], axis=1) for t in turns])
        )
        return
    s = 1 if a.hair_part >= 0 else -1
    root = sitter.pose.project(np.array([s * 0.10, head.top + 0.10, -0.22]))
    path = smooth(
        root + np.array([(0, 0), (s * 0.13, -0.03), (s * 0.215, 0.10), (s * 0.225, 0.30), (s * 0.19, 0.52)]), 30
    )
    width = np.interp(np.linspace(0, 1, 30), [0, 0.25, 0.6, 0.9, 1], [0.07, 0.13, 0.12, 0.05, 0.004])
    across = np.stack([-np.gradient(path[:, 1]), np.gradient(path[:, 0])], axis=1)
    across *= (width / 2 / np.maximum(np.linalg.norm(across, axis=1), 1e-9))[:, None]
    shape.back.append(np.concatenate([path + across, (path - across)[::-1]]))
    shape.strands.append(between(path + across, path - across, np.linspace(0.12, 0.88, 7)))
