"""The flow of hair: strands, curls, tufts and waves."""

from __future__ import annotations

import cv2
import numpy as np

from semanticgan.portraits.geometry import Array, between, circle, smooth
from semanticgan.portraits.hair_outline import ENDS, HairShape, resampled
from semanticgan.portraits.shading import Sitter


def staggered(lines: Array, rng: np.random.Generator) -> Array:
    """Lines [M, P, 2] that begin one after the other, so that no row of beginnings shows."""
    num_lines, num_points = lines.shape[:2]
    first = rng.uniform(0, 0.30, num_lines) * (num_points - 1)
    at = first[:, None] + (num_points - 1 - first[:, None]) * np.linspace(0, 1, num_points)
    low = np.minimum(at.astype(int), num_points - 2)
    rows = np.arange(num_lines)[:, None]
    return lines[rows, low] + (lines[rows, low + 1] - lines[rows, low]) * (at - low)[..., None]


def comb_hair(shape: HairShape, sitter: Sitter, opening: Array, rng: np.random.Generator) -> None:
    """Strands over the skull: parted and falling, or swept from the hairline to the crown."""
    a = sitter.attributes
    if a.hair_style == "buzz":
        return
    rim = shape.rim
    if a.hair_style in ENDS and not a.bangs:
        part = 48 + int(14 * a.hair_part)
        root_edge, root_rim = opening[part], rim[24 + int(6 * a.hair_part)]
        for half, outer in (
            (opening[: part + 1][::-1], rim[: 24 + int(6 * a.hair_part) + 1][::-1]),
            (opening[part:], rim[24 + int(6 * a.hair_part) :]),
        ):
            inner = np.concatenate([[root_edge], half])
            over = np.concatenate([[root_rim], outer])
            shape.strands.append(
                between(resampled(inner, 16), resampled(over, 16), np.sort(rng.uniform(0.04, 0.96, 16)))
            )
        return
    # From the edge of the face up and back; the middle of each strand bulges with the skull.
    picks = np.sort(rng.uniform(0.06, 0.94, 34))
    low = opening[(picks * 95).astype(int)]
    lean = 0.10 * a.hair_part if a.hair_style in ("side part", "quiff", "fringe", "short") else 0.0
    high = rim[np.clip((picks + lean * np.sin(picks * np.pi)) * 47, 0, 47).astype(int)]
    if a.bangs or a.hair_style == "fringe":
        crown = rim[24] * 0.75 + shape.centre * 0.25
        high = 0.55 * high + 0.45 * crown
    t = np.linspace(0, 1, 10)[None, :, None]
    side = np.sign(low[:, :1] - shape.centre[0]) * 0.018
    bulge = np.concatenate([side, np.zeros_like(side)], axis=1)[:, None] * np.sin(np.pi * t)
    shape.strands.append(low[:, None] * (1 - t) + high[:, None] * t + bulge)


def curl_hair(shape: HairShape, sitter: Sitter, opening: Array, rng: np.random.Generator) -> None:
    """Bumps around the outline and along the face, and arcs all over."""
    a = sitter.attributes
    big = 0.034 if a.hair_style == "curly" else 0.024
    ring = circle(12)
    outline = shape.cap[0]
    if a.hair_style == "afro":
        # One round cloud, a little below the ears.
        low, high = outline.min(axis=0), outline.max(axis=0)
        middle, reach = (low + high) / 2 + np.array([0, 0.012]), (high - low) / 2 + np.array([0, 0.020])
        around = circle(60)
        outline = middle + reach * (np.sign(around) * np.abs(around) ** 0.86)
        shape.cap, shape.back = [outline], [outline]
        edges = [resampled(outline, 46)]
    else:
        edges = [resampled(shape.rim, 28)]
        for curtain in shape.cap[1:]:
            edges.append(resampled(curtain[:38], 12))
    bumps = np.concatenate(edges)
    sizes = big * rng.uniform(0.75, 1.25, 120)
    for at, size in zip(bumps, sizes, strict=False):
        if a.hat and at[1] < shape.centre[1] - 0.06:
            continue
        shape.cap.append(at + size * ring)
        shape.back.append(at + size * ring)
    inner = resampled(opening, 26)
    cloud = shape.cap[0].astype(np.float32)
    for at, size in zip(inner, 0.62 * sizes[60:], strict=False):
        if cv2.pointPolygonTest(cloud, (float(at[0]), float(at[1])), True) < 0.6 * size:
            continue
        # A curl leaves the hairline where the face is, never the eye.
        shape.locks.append(at + np.array([0.004 * np.sign(at[0] - shape.centre[0]), -0.3 * size]) + size * ring)
    num_arcs = 130
    turns, starts = rng.uniform(2.6, 4.4, num_arcs)[:, None], rng.uniform(0, 6.3, num_arcs)[:, None]
    bend = np.linspace(0, 1, 8)[None, :] * turns + starts
    low_corner = np.min([outline.min(axis=0) for outline in shape.cap], axis=0)
    high_corner = np.max([outline.max(axis=0) for outline in shape.cap], axis=0)
    at = low_corner + (high_corner - low_corner) * rng.random((num_arcs, 2))
    radii = 0.75 * big * rng.uniform(0.6, 1.2, num_arcs)
    shape.curls.append(at[:, None] + radii[:, None, None] * np.stack([np.cos(bend), np.sin(bend)], -1))


def tousle_hair(shape: HairShape, sitter: Sitter, opening: Array, rng: np.random.Generator) -> None:
    """Tufts that break the outline of short hair, and a few on the forehead."""
    a = sitter.attributes
    lean = 1.0 if a.hair_part >= 0 else -1.0
    wild = {"short": 0.9, "fringe": 0.35, "side part": 0.3}[a.hair_style]
    draws = rng.uniform(0.7, 1.3, (2, 9))
    if not a.hat:
        for k, size in zip(np.linspace(10, 37, 9), draws[0], strict=True):
            root = np.array([np.interp(k, np.arange(48), shape.rim[:, axis]) for axis in (0, 1)])
            out = (root - shape.centre) / np.linalg.norm(root - shape.centre)
            shape.cap.append(_tuft(root - 0.05 * out, out, lean, wild * size, 0.052))
    if a.hair_style == "short":
        for k, size in zip(np.linspace(32, 63, 6), draws[1], strict=False):
            root = opening[int(k)] - np.array([0, 0.022])
            shape.locks.append(_tuft(root, np.array([0.25 * lean, 1.0]), -lean, 0.72 * size, 0.030))


def _tuft(root: Array, direction: Array, lean: float, size: float, width: float) -> Array:
    """A pointed lock that bends to one side."""
    across = np.array([-direction[1], direction[0]])
    tip = root + direction * (0.05 + 0.032 * size) + across * (0.035 * lean * size)
    left, right = root - across * width, root + across * width
    middle = root + direction * 0.040
    return np.concatenate([
        smooth(np.stack([left, middle - across * (0.75 * width - 0.008 * lean), tip]), 8),
        smooth(np.stack([tip, middle + across * (0.75 * width + 0.008 * lean), right]), 8),
    ])  # fmt: skip


def quiff_hair(sitter: Sitter, side: float, crown: float) -> Array:
    """A wave of hair that rises over the forehead, leaning to one side."""
    a, head = sitter.attributes, sitter.head
    lean = 0.05 * (1 if a.hair_part > 0 else -1)
    top = head.top
    u = np.array([-0.175, -0.195, -0.12 + lean, lean, 0.13 + lean, 0.20, 0.17])
    v = top + np.array([0.12, 0.02, -0.065, -0.095, -0.055, 0.02, 0.12]) - 0.4 * (crown - 0.06)
    depth = np.array([0.16, 0.14, 0.12, 0.13, 0.12, 0.14, 0.16])
    return smooth(sitter.pose.project(np.stack([u, v, depth], axis=1)), 60, closed=True)
