"""Hair as outlines: how far it stands off the skull, the hairline, and what the parts of a hairstyle add to."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from semanticgan.portraits.geometry import Array, smooth
from semanticgan.portraits.shading import Sitter

_SIDE_GROWTH = {
    "buzz": 0.004, "short": 0.017, "side part": 0.017, "quiff": 0.012, "fringe": 0.026, "bob": 0.050,
    "long straight": 0.040, "long wavy": 0.052, "curly": 0.066, "afro": 0.105, "bun": 0.010, "ponytail": 0.010,
}  # fmt: skip
_CROWN_GROWTH = {
    "buzz": 0.008, "short": 0.045, "side part": 0.058, "quiff": 0.062, "fringe": 0.045, "bob": 0.048,
    "long straight": 0.042, "long wavy": 0.055, "curly": 0.068, "afro": 0.105, "bun": 0.024, "ponytail": 0.026,
}  # fmt: skip
ENDS = {"bob": 0.235, "long straight": 0.52, "long wavy": 0.50, "curly": 0.25}
"""Heights at which hanging hair ends."""


@dataclass
class HairShape:
    """Hair as picture outlines.

    Attributes:
        back: outlines painted behind neck and head.
        cap: outlines whose union covers the skull; without the opening it is the hair before the head.
        locks: outlines laid over the edge of the opening: curls, tufts on the forehead.
        opening: the outline through which the face is seen; it reaches below the picture.
        strands: lines [M, P, 2] in the direction of growth.
        curls: small arcs [M, P, 2] of curly hair.
        rim: the skull's hair outline over the top, from the picture's left to its right.
        centre: middle of the skull in the picture.
    """

    rim: Array
    centre: Array
    opening: Array
    back: list[Array] = field(default_factory=list)
    cap: list[Array] = field(default_factory=list)
    locks: list[Array] = field(default_factory=list)
    strands: list[Array] = field(default_factory=list)
    curls: list[Array] = field(default_factory=list)


def growth(sitter: Sitter) -> tuple[float, float]:
    """How far hair stands off the skull at the sides and above; a hat presses it down."""
    a = sitter.attributes
    fuller = 1 + 0.25 * a.hair_volume
    side, crown = _SIDE_GROWTH[a.hair_style] * fuller, _CROWN_GROWTH[a.hair_style] * fuller
    return (min(side, 0.048), 0.010) if a.hat else (side, crown)


def over_the_top(outline: Array, centre: Array, num_points: int = 48) -> Array:
    """An outline as seen from its middle, from 205 degrees over the top to -25 degrees: [num_points, 2]."""
    offset = outline - centre
    angle = np.arctan2(-offset[:, 1], offset[:, 0]) % (2 * np.pi)
    order = np.argsort(angle)
    wanted = np.deg2rad(np.linspace(205, -25, num_points))
    reach = np.interp(wanted % (2 * np.pi), angle[order], np.hypot(*offset[order].T), period=2 * np.pi)
    return centre + reach[:, None] * np.stack([np.cos(wanted), -np.sin(wanted)], axis=1)


def hairline(sitter: Sitter, side: float, rng: np.random.Generator) -> Array:
    """The hairline [P, 2] in the picture, from low on the left over the forehead to low on the right."""
    a, head = sitter.attributes, sitter.head
    line = head.top + 0.098 + 0.006 * a.forehead
    if a.presentation == "masculine":
        line -= 0.018 * float(np.clip((a.age - 35) / 40, 0, 1))
    degrees = np.array([0.0, 14.0, 28.0, 42.0, 54.0, 61.0])
    lifted = np.array([0.0, 0.0, 0.006, 0.026, 0.066, 0.120])
    heights = {-1: line + lifted, 1: line + lifted}
    if a.bangs:
        edge = -0.136 + 0.008 * a.hair_part
        sweep = 0.024 * a.hair_part
        for s in (-1, 1):
            heights[s] = edge - s * sweep * np.linspace(0, 1, 6) + np.array([0.0, 0.004, 0.010, 0.020, 0.036, 0.060])
    elif a.hair_style == "side part" or a.hair_style in ENDS:
        heavy = 1 if a.hair_part < 0 else -1
        low = 0.060 if a.hair_style == "side part" else 0.042
        heights[heavy] = heights[heavy] + low * np.array([0.0, 0.30, 0.75, 1.0, 0.85, 0.35])
        heights[-heavy] = heights[-heavy] + 0.4 * low * np.array([-0.4, 0.1, 0.5, 0.8, 0.6, 0.2])
    if a.ears_shown:
        lower_degrees = np.array([64.0, 71.0, 79.0, 92.0, 106.0])
        lower = np.array([-0.090, -0.060, -0.025, 0.005, 0.030])
    else:
        lower_degrees, lower = np.array([62.0, 61.0, 61.0, 63.0, 66.0]), np.array([-0.090, -0.030, 0.040, 0.110, 0.170])
    halves = []
    for s in (-1, 1):
        v = np.concatenate([heights[s], np.maximum(lower, heights[s][-1] + 0.02 * np.arange(1, 6))])
        angle = s * np.deg2rad(np.concatenate([degrees, lower_degrees]))
        fronts = np.interp(v, head.heights, head.fronts) + 0.8 * side
        limbed = sitter.pose.limb(angle, head.half_width(v) + side, fronts)
        halves.append(sitter.pose.project(head.shell(limbed, v, 0.35 * side)))
    line_2d = smooth(np.concatenate([halves[0][:0:-1], halves[1]]), 96)
    locks = rng.normal(0, 1, 9)
    if a.bangs:
        # Locks: the fringe's edge falls in soft points.
        x = np.linspace(-1, 1, 96)
        fringe = np.clip(1.6 - 2.6 * np.abs(x), 0, 1)
        phase = x * 15 + 0.35 * np.interp(x, np.linspace(-1, 1, 9), locks)
        line_2d[:, 1] -= 0.017 * fringe * np.abs(np.sin(phase))
    return line_2d


def closed_below(line: Array) -> Array:
    """The opening as an outline that leaves the picture at the bottom."""
    return np.concatenate([[(line[0, 0], 1.4)], line, [(line[-1, 0], 1.4)]])


def resampled(line: Array, num_points: int) -> Array:
    """The same line with points at equal distances."""
    length = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
    wanted = np.linspace(0, length[-1], num_points)
    return np.stack([np.interp(wanted, length, line[:, k]) for k in (0, 1)], axis=1)
