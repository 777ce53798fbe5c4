"""The skin of the face: its light and shadows, warmth, freckles and beard."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from semanticgan.portraits.canvas import Canvas, Mask, ribbon
from semanticgan.portraits.features import EYE_HEIGHT, SIDES, light_nose, mouth_shape
from semanticgan.portraits.geometry import Array, circle, smooth, taper
from semanticgan.portraits.palette import Colour, blend, ramp, shade
from semanticgan.portraits.shading import LightField, Sitter, texture

_CIRCLE = circle(24)


def skin_ramp(sitter: Sitter) -> NDArray[np.uint8]:
    """Skin from deep shadow to highlight, uint8 [256, 3]."""
    p = sitter.palette
    deep, middle = shade(p.skin_shadow, -0.22), blend(p.skin_shadow, p.skin, 0.88)
    return ramp([(0.0, deep), (0.26, p.skin_shadow), (0.52, middle), (0.62, p.skin), (1.0, p.skin_light)])


def face_paint(canvas: Canvas, sitter: Sitter, colours: NDArray[np.uint8], hair_mask: Mask) -> NDArray[np.uint8]:
    """The skin of head and ears in the picture's light, uint8 [n, n, 3], with the shadow of the hair upon it."""
    scale = sitter.pose.scale
    field = LightField(sitter)
    field.round_form(sitter.pose.project(np.array([0.0, 0.0, 0.06])), (0.31 * scale, 0.43 * scale), sitter.pose.roll)
    for side in SIDES:
        socket = np.array([side * 0.112, EYE_HEIGHT - 0.030]) + np.array([0.066, 0.040]) * _CIRCLE
        field.add(sitter.trace(socket), -0.10, 0.018)
        cheek = np.array([side * 0.150, 0.085]) + np.array([0.058, 0.045]) * _CIRCLE
        field.add(sitter.trace(cheek), 0.07 + 0.05 * sitter.attributes.smile, 0.026)
    light_nose(field, sitter)
    lip = mouth_shape(sitter)["lower"][12]
    field.add(sitter.face(0.040 * _CIRCLE[:, 0], lip[1] + 0.016 + 0.009 * _CIRCLE[:, 1]), -0.14, 0.010)
    field.add(sitter.face(0.036 * _CIRCLE[:, 0], lip[1] + 0.052 + 0.020 * _CIRCLE[:, 1]), 0.06, 0.016)
    light = sitter.light
    if sitter.attributes.bald:
        crown = np.array([0.085 * np.sign(light[0]), -0.235]) + np.array([0.062, 0.040]) * _CIRCLE
        field.add(sitter.trace(crown), 0.22, 0.022)
    if hair_mask.any():
        field.add_mask(hair_mask, -0.30, 0.016, (-0.030 * float(light[0]), 0.026))
    return texture(field.tones(canvas.side), colours)


def warm_face(canvas: Canvas, sitter: Sitter) -> None:
    """Blush on the cheeks, eye shadow, freckles."""
    a, palette, style = sitter.attributes, sitter.palette, sitter.style
    for side in SIDES:
        cheek = np.array([side * 0.152, 0.098]) + np.array([0.056, 0.040]) * _CIRCLE
        strength = (0.34 + 0.24 * a.makeup) * (1 - 0.4 * a.skin_tone) * style.blush
        canvas.veil(sitter.trace(cheek), palette.blush, strength, 0.026, ("face",))
        if a.makeup > 0.3:
            lid = np.array([side * 0.126, EYE_HEIGHT - 0.036]) + np.array([0.054, 0.020]) * _CIRCLE
            tone = blend(palette.skin_shadow, palette.lip, 0.5)
            canvas.veil(sitter.trace(lid), tone, 0.55 * a.makeup, 0.012, ("face",))
    if a.freckles:
        across = np.array([0.09, 0.115, 0.14, 0.165, 0.13, 0.10, 0.16, 0.075])
        down = np.array([0.070, 0.088, 0.068, 0.090, 0.110, 0.105, 0.115, 0.085])
        for side in SIDES:
            for u, v in zip(across, down, strict=True):
                spot = sitter.face(side * u + 0.0043 * _CIRCLE[:, 0], v + 0.0043 * _CIRCLE[:, 1])
                canvas.veil(spot, shade(palette.skin_shadow, -0.15), 0.75 * a.freckles)


def draw_beard(canvas: Canvas, sitter: Sitter) -> None:
    """Stubble, beard and moustache. They belong to the region "face", as in CelebAMask-HQ."""
    a, palette = sitter.attributes, sitter.palette
    colour = blend(shade(palette.hair, -0.22), palette.skin_shadow, 0.14)
    if a.beard_style == "stubble":
        canvas.veil(_beard_outline(sitter), blend(palette.skin_shadow, colour, 0.65), 0.36, 0.022, ("face",))
    elif a.beard:
        depth = 0.038 if a.beard_style == "full" else 0.010
        _hang_beard(canvas, sitter, depth, colour)
        outline = _beard_outline(sitter)
        canvas.veil(outline, colour, 0.95, 0.007, ("face",))
        _draw_whiskers(canvas, sitter, colour)
    if a.moustache:
        mouth = mouth_shape(sitter)["upper"]
        u = np.array([-0.092, -0.050, 0.0, 0.050, 0.092])
        v = np.interp(u, mouth[:, 0], mouth[:, 1]) - np.array([0.004, 0.012, 0.010, 0.012, 0.004])
        width = smooth(np.array([0.006, 0.029, 0.027, 0.029, 0.006])[:, None], 24)[:, 0]
        line = smooth(np.stack([u, v], axis=1), 24)
        canvas.stroke(sitter.trace(line, 0.010), width, colour)
        canvas.stroke(sitter.face(line[3:-3, 0], line[3:-3, 1] - 0.004, 0.010), 0.004, shade(colour, 0.14))


def _beard_outline(sitter: Sitter) -> Array:
    """From ear to ear along the jaw, and back over cheeks and upper lip; a goatee keeps to the chin."""
    a, chin = sitter.attributes, sitter.head.chin
    if a.beard_style == "goatee":
        across = [-0.092, -0.098, -0.085, 0, 0.085, 0.098, 0.092, 0.0]
        down = [0.165, 0.225, chin - 0.03, chin, chin - 0.03, 0.225, 0.165, 0.150]
        return sitter.trace(smooth(np.stack([across, down], axis=1), 50, closed=True))
    v = np.array([-0.02, 0.08, 0.18, 0.25, chin - 0.03, chin])
    wide = sitter.head.half_width(v)
    jaw = smooth(np.stack([wide, v, np.array([-0.04, -0.03, -0.01, 0.03, 0.09, 0.16])], axis=1), 24)
    across = [0.955 * wide[0], 0.92 * wide[1], 0.205, 0.150, 0.085, 0.0]
    cheek = np.stack([across, [-0.02, 0.045, 0.108, 0.152, 0.160, 0.146]], axis=1)
    top = smooth(np.concatenate([cheek, cheek[:-1][::-1] * np.array([-1, 1])]), 50)
    right = sitter.pose.project(jaw)
    left = sitter.pose.project(jaw[::-1] * np.array([-1, 1, 1]))
    return np.concatenate([right, left, sitter.trace(top[::-1])])


def _hang_beard(canvas: Canvas, sitter: Sitter, depth: float, colour: Colour) -> None:
    """What of a beard stands below the chin."""
    chin = sitter.head.chin
    width = 0.085 if sitter.attributes.beard_style == "goatee" else 0.150
    u = width * np.array([-1, -0.85, -0.45, 0, 0.45, 0.85, 1])
    v = chin + np.array([-0.10, -0.03, 0.75 * depth, 1.1 * depth, 0.75 * depth, -0.03, -0.10])
    outline = smooth(sitter.pose.project(np.column_stack([u, v, np.full(7, 0.16)])), 40, closed=True)
    canvas.fill(outline, shade(colour, -0.10), "face")


def _draw_whiskers(canvas: Canvas, sitter: Sitter, colour: Colour) -> None:
    """A few strokes that follow the growth from the mouth outward."""
    chin = sitter.head.chin
    for k, angle in enumerate(np.linspace(-1.15, 1.15, 13)):
        if sitter.attributes.beard_style == "goatee" and abs(angle) > 0.7:
            continue
        t = np.linspace(0.62, 0.96, 6)
        u, v = 0.235 * np.sin(angle) * t, 0.135 + (chin - 0.135) * np.cos(angle) * t
        tone = shade(colour, 0.13 if k % 2 else -0.20)
        canvas.veil(ribbon(sitter.face(u, v), 0.007 * taper(6, 0.3, 2.9)), tone, 0.6, 0.0, ("face",))
