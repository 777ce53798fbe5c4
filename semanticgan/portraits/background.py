"""What is behind the sitter: quiet storybook grounds that leave the head in front."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from semanticgan.portraits.geometry import Array, circle, smooth
from semanticgan.portraits.palette import Colour, blend, hsv
from semanticgan.portraits.shading import Sitter

_SIDE = 96
_CIRCLE = circle(24)


def draw_background(sitter: Sitter, side: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """The ground, uint8 [side, side, 3]. ``rng`` places its shapes, the same at every side."""
    a = sitter.attributes
    value = 0.62 + 0.36 * a.background_tone
    first = hsv(a.background_hue, 0.12 + 0.26 * ((a.background_tone * 3.7) % 1.0), value)
    second = hsv(a.background_hue + 0.09, 0.24 + 0.22 * a.background_tone, value * 0.76)
    ground = _gradient(first, second, a.light_x)
    # Shapes are drawn on a coarse ground first, so that they stay behind the sitter in sharpness too.
    shapes = rng.random((14, 4))
    kind = a.background
    if kind == "glow":
        distance = np.hypot(*np.meshgrid(np.linspace(-0.5, 0.5, _SIDE), np.linspace(-0.42, 0.58, _SIDE)))
        glow = np.clip(1 - distance / 0.62, 0, 1)[..., None] ** 1.2
        ground += (np.array(blend(first, (255, 250, 228), 0.75)) - ground) * glow
    elif kind == "bokeh":
        for x, y, radius, tone in shapes:
            spot = np.array([x, 0.9 * y]) + (0.035 + 0.075 * radius) * _CIRCLE
            _lay(ground, spot, blend(first, (255, 246, 214), 0.3 + 0.6 * tone), 0.42)
    elif kind in ("hills", "dusk"):
        _lay_hills(ground, first, second, shapes, kind == "dusk")
    elif kind == "leaves":
        for x, y, turn, tone in shapes:
            place = np.array([(-0.02 if turn < 0.5 else 0.74) + 0.28 * x, y])
            green = blend(second, hsv(0.36, 0.45, 0.55), 0.35 + 0.4 * tone)
            _lay(ground, _leaf(place, 0.11 + 0.06 * tone, 6.28 * tone), green, 0.75)
    elif kind == "arch":
        top = np.linspace(np.pi, 2 * np.pi, 30)
        arch = np.stack([0.5 + 0.44 * np.cos(top), 0.46 + 0.40 * np.sin(top)], axis=1)
        _lay(ground, np.concatenate([arch, [(0.94, 1.2), (0.06, 1.2)]]), blend(first, (255, 252, 240), 0.45), 0.85)
    elif kind == "rays":
        for k in range(0, 24, 2):
            ends = np.array([[np.cos(t), np.sin(t)] for t in (k * np.pi / 12, (k + 1) * np.pi / 12)])
            ray = np.concatenate([[(0.5, 0.48)], np.array([0.5, 0.48]) + ends])
            _lay(ground, ray, blend(first, (255, 250, 230), 0.5), 0.34)
    soft = cv2.GaussianBlur(ground, (0, 0), 0.8)
    return np.asarray(cv2.resize(np.clip(soft, 0, 255).astype(np.uint8), (side, side)), dtype=np.uint8)


def _gradient(first: Colour, second: Colour, light_x: float) -> NDArray[np.float32]:
    """From the light's upper corner to the opposite one."""
    x = np.linspace(-0.5, 0.5, _SIDE, dtype=np.float32)[None, :]
    y = np.linspace(0, 1, _SIDE, dtype=np.float32)[:, None]
    weight = np.clip(0.75 * y + 0.25 - np.float32(0.5 * np.sign(light_x)) * x, 0, 1)[..., None]
    start, end = np.array(first, dtype=np.float32), np.array(second, dtype=np.float32)
    return start + (end - start) * weight


def _lay(ground: NDArray[np.float32], outline: Array, colour: Colour, strength: float) -> None:
    low = np.clip(np.floor(outline.min(axis=0) * _SIDE).astype(int) - 1, 0, _SIDE)
    high = np.clip(np.ceil(outline.max(axis=0) * _SIDE).astype(int) + 2, 0, _SIDE)
    if (high <= low).any():
        return
    mask = np.zeros((high[1] - low[1], high[0] - low[0]), dtype=np.uint8)
    cv2.fillPoly(mask, [np.round((outline * _SIDE - low - 0.5) * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    patch = ground[low[1] : high[1], low[0] : high[0]]
    patch += (np.array(colour, dtype=np.float32) - patch) * (mask * np.float32(strength / 255))[..., None]


def _lay_hills(ground: NDArray[np.float32], first: Colour, second: Colour, shapes: Array, dusk: bool) -> None:
    if dusk:
        sun = np.array([0.16 + 0.68 * float(shapes[0, 0] > 0.5), 0.30])
        _lay(ground, sun + 0.10 * _CIRCLE, (255, 236, 190), 0.85)
    for k in range(3):
        x = np.linspace(-0.1, 1.1, 9)
        y = 0.52 + 0.14 * k + 0.055 * np.sin(x * (4 + 3 * shapes[k, 0]) + 6.28 * shapes[k, 1])
        ridge = smooth(np.stack([x, y], axis=1), 40)
        tone = blend(blend(first, second, 0.5 + 0.25 * k), hsv(0.30 if not dusk else 0.72, 0.35, 0.55), 0.20 + 0.15 * k)
        _lay(ground, np.concatenate([ridge, [(1.2, 1.2), (-0.2, 1.2)]]), tone, 0.9)


def _leaf(at: Array, length: float, turn: float) -> Array:
    t = np.linspace(0, 1, 14)
    width = 0.32 * np.sin(np.pi * t) ** 0.8
    shape = length * np.concatenate(
        [np.stack([t - 0.5, width / 2], axis=1), np.stack([t - 0.5, -width / 2], axis=1)[::-1]]
    )
    cos, sin = np.cos(turn), np.sin(turn)
    return at + shape @ np.array([[cos, sin], [-sin, cos]])
