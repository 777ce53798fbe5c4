"""Eyes, brows, nose and mouth, drawn on the surface of the face."""

from __future__ import annotations

import numpy as np

from semanticgan.portraits.canvas import Canvas, ribbon
from semanticgan.portraits.geometry import Array, circle, smooth, taper
from semanticgan.portraits.palette import Colour, blend, shade
from semanticgan.portraits.shading import LightField, Sitter

EYE_HEIGHT = -0.02
MOUTH_HEIGHT = 0.198
_CIRCLE = circle(28)
SIDES = (-1, 1)
"""The picture's left and right."""


def eye_outline(sitter: Sitter, side: int) -> tuple[Array, Array]:
    """Upper lid [13, 2] from the nose outward and lower lid [11, 2] back again, in head coordinates (u, v)."""
    a = sitter.attributes
    half, height = 0.0600 * a.eye_size, 0.0395 * a.eye_size * a.eye_open
    squint = 1 - 0.30 * max(0.0, a.smile - 0.4)
    upper = smooth(np.array([(-1, 0.22), (-0.72, -0.42), (-0.25, -0.97), (0.25, -0.98), (0.68, -0.55), (1, 0.0)]), 13)
    lower = smooth(
        np.array([(1, 0.0), (0.66, 0.50 * squint), (0.1, 0.80 * squint), (-0.5, 0.66 * squint), (-1, 0.22)]), 11
    )
    turn = np.deg2rad(-a.eye_tilt)
    centre = (0.122 + 0.008 * a.eye_spacing, EYE_HEIGHT)

    def place(points: Array) -> Array:
        p, q = points[:, 0] * half, points[:, 1] * height
        u = centre[0] + p * np.cos(turn) - q * np.sin(turn)
        return np.stack([side * u, centre[1] + p * np.sin(turn) + q * np.cos(turn)], axis=1)

    return place(upper), place(lower)


def draw_eye(canvas: Canvas, sitter: Sitter, side: int) -> None:
    """The eyeball with iris, pupil and catch-light, then lids and lashes."""
    a, palette, style = sitter.attributes, sitter.palette, sitter.style
    upper, lower = eye_outline(sitter, side)
    outline = sitter.trace(np.concatenate([upper, lower]))
    mask = canvas.cover(outline)
    _paint_eyeball(canvas, sitter, side, upper, mask)

    lid = sitter.trace(upper, 0.002)
    weight = taper(len(lid), 0.25, 2.45)
    lash: Colour = blend((36, 22, 24), palette.brow, 0.25 if a.makeup else 0.5)
    width = (0.0085 + 0.0045 * a.makeup + (0.002 if a.presentation == "feminine" else 0)) * style.line
    canvas.stroke(lid, 0.003 + width * weight, lash)
    if a.presentation == "feminine":
        tip = upper[-1] + np.array([side * (0.016 + 0.010 * a.makeup), -0.012 - 0.006 * a.makeup])
        wing = smooth(np.stack([upper[-3], upper[-1], tip]), 8)
        canvas.stroke(sitter.trace(wing, 0.002), np.linspace(0.008, 0.0015, 8) * (0.8 + 0.5 * a.makeup), lash)
    canvas.stroke(sitter.trace(lower[1:-2]), 0.0028 * style.line, blend(palette.skin_shadow, palette.line, 0.35))
    crease = upper[2:-1] + np.array([side * 0.004, -0.015 - 0.004 * a.makeup])
    tone = blend(palette.skin_shadow, palette.line, 0.45)
    canvas.stroke(sitter.trace(crease), 0.0042 * taper(len(crease), 0.3, 3.0) * style.line, tone)
    if a.wrinkles > 0.25:
        _draw_eye_age(canvas, sitter, side, lower)


def _paint_eyeball(canvas: Canvas, sitter: Sitter, side: int, upper: Array, mask: np.ndarray) -> None:
    a, palette = sitter.attributes, sitter.palette
    box = canvas.box(mask)
    if box is None:
        return
    before = canvas.colour[box].copy()
    white: Colour = blend((252, 250, 246), palette.skin_shadow, 0.06)
    radius = 0.0355 * a.eye_size
    middle = upper.mean(axis=0)[0]
    centre = np.array([middle + 0.017 * a.gaze_x - side * 0.002, EYE_HEIGHT - 0.003 + 0.010 * a.gaze_y])

    def disc(scale: float, du: float = 0.0, dv: float = 0.0, squeeze: float = 1.0) -> Array:
        points = centre + radius * (np.array([du, dv]) + scale * _CIRCLE * np.array([1, squeeze]))
        return sitter.trace(points)

    iris = palette.iris
    canvas.colour[box] = np.round(white)
    canvas.fill(disc(1.0), shade(iris, -0.55))
    canvas.fill(disc(0.84), iris)
    canvas.fill(disc(0.56, 0.0, 0.30, 0.85), blend(iris, (255, 240, 190), 0.38))
    canvas.fill(disc(0.46), (22, 16, 20))
    # The lid's shadow on the eyeball.
    drop = upper + np.array([0.0, 0.010])
    canvas.veil(sitter.trace(np.concatenate([upper, drop[::-1]])), (70, 50, 70), 0.42, 0.004)
    spark = np.array([0.34 * np.sign(a.light_x), -0.36])
    canvas.fill(disc(0.29, *spark), (255, 255, 255))
    canvas.fill(disc(0.13, *(-0.95 * spark)), blend(iris, (255, 255, 255), 0.75))
    outside = mask[box] == 0
    canvas.colour[box][outside] = before[outside]
    canvas.paint(mask, canvas.colour, "eye")


def _draw_eye_age(canvas: Canvas, sitter: Sitter, side: int, lower: Array) -> None:
    """Bags under the eye and crow's feet."""
    a, palette = sitter.attributes, sitter.palette
    tone = blend(palette.skin, palette.skin_shadow, 0.9)
    bag = lower[2:-1] + np.array([0, 0.021])
    canvas.stroke(sitter.trace(bag), 0.005 * taper(len(bag), 0.2, 3.0) * a.wrinkles, tone)
    corner = lower[0]
    for slope in (-0.5, 0.1, 0.65):
        points = corner + np.array([(0.014, 0.010), (0.028, 0.026), (0.040, 0.040)]) * np.array([side, slope])
        width = np.linspace(0.0045, 0.001, 6) * a.wrinkles * (0.6 + 0.6 * a.smile)
        canvas.stroke(sitter.trace(smooth(points, 6)), width, tone)


def draw_brow(canvas: Canvas, sitter: Sitter, side: int) -> None:
    """A tapered brow above the eye."""
    a = sitter.attributes
    rise = -0.012 * a.brow_raise - 0.004 * (a.eye_open - 1) * 10 * 0.3
    base = EYE_HEIGHT - 0.082 + rise - 0.004 * (a.brow_thickness - 1)
    arch = 0.016 + 0.009 * a.brow_arch
    u = np.array([0.050, 0.085, 0.135, 0.170, 0.198]) + 0.008 * a.eye_spacing
    v = base + np.array([0.003 - 0.006 * a.brow_raise, -0.008, -arch, -0.75 * arch, 0.35 * arch])
    line = smooth(np.stack([side * u, v + np.linspace(0, -0.0010, 5) * a.eye_tilt], axis=1), 16)
    width = np.interp(np.linspace(0, 1, 16), [0, 0.07, 0.2, 0.5, 1], [0.25, 0.75, 0.98, 0.92, 0.10])
    canvas.stroke(sitter.trace(line, 0.004), 0.0245 * a.brow_thickness * width, sitter.palette.brow, "eyebrow")


def nose_lines(sitter: Sitter) -> dict[str, Array]:
    """Head points [P, 3] of the nose: its ridge from brow to base, and the contour of each side."""
    a = sitter.attributes
    drop = 0.012 * a.nose_length
    width = 0.046 * a.nose_width
    ridge_v = np.array([-0.062, -0.02, 0.035, 0.082 + drop, 0.108 + drop, 0.128 + drop])
    ridge = sitter.head.on_face(np.zeros(6), ridge_v, np.array([0.004, 0.010, 0.036, 0.066, 0.062, 0.022]))
    lines = {"ridge": smooth(ridge, 20)}
    for side in SIDES:
        u = side * np.array([0.022, 0.019, 0.023, 0.7 * width, width, 0.80 * width, 0.40 * width, 0.0])
        v = np.array([-0.062, -0.02, 0.035, 0.078 + drop, 0.103 + drop, 0.121 + drop, 0.121 + drop, 0.128 + drop])
        lift = np.array([0.0, 0.002, 0.010, 0.020, 0.016, 0.014, 0.022, 0.022])
        lines["left" if side < 0 else "right"] = smooth(sitter.head.on_face(u, v, lift), 24)
    return lines


def light_nose(field: LightField, sitter: Sitter) -> None:
    """The nose's own light: a lit ridge and tip, a side in shade, a shadow beneath."""
    lines = nose_lines(sitter)
    project = sitter.pose.project
    ridge = project(lines["ridge"])
    toward = float(np.sign(sitter.light[0]))
    shaded = "left" if toward > 0 else "right"
    field.add(np.concatenate([ridge, project(lines[shaded])[::-1]]), -0.17, 0.014)
    base = project(lines["left"])[14:].mean(axis=0) / 2 + project(lines["right"])[14:].mean(axis=0) / 2
    cast = _CIRCLE * np.array([0.046, 0.020]) + base + np.array([-toward * 0.014, 0.016])
    field.add(cast, -0.26, 0.016)
    field.add(ribbon(ridge[4:14] + np.array([toward * 0.005, 0]), 0.012), 0.14, 0.010)
    field.add(_CIRCLE * 0.015 + ridge[14] + np.array([toward * 0.006, -0.004]), 0.30, 0.012)


def draw_nose(canvas: Canvas, sitter: Sitter) -> None:
    """The nose keeps the skin's paint; its wings, nostrils and region are drawn."""
    a, palette, style = sitter.attributes, sitter.palette, sitter.style
    project = sitter.pose.project
    lines = nose_lines(sitter)
    ridge = project(lines["ridge"])
    for name in ("left", "right"):
        mask = canvas.cover(np.concatenate([ridge, project(lines[name])[::-1]]))
        canvas.paint(mask, canvas.colour, "nose")
    tone = blend(palette.skin_shadow, palette.line, 0.30)
    drop, width = 0.012 * a.nose_length, 0.046 * a.nose_width
    canvas.veil(ridge[14] + 0.032 * _CIRCLE, palette.blush, 0.30 * style.blush, 0.014, ("nose",))
    for side in SIDES:
        u, v = side * np.array([0.86, 1.03, 0.98, 0.80]) * width, np.array([0.084, 0.098, 0.113, 0.122]) + drop
        wing = smooth(sitter.head.on_face(u, v, 0.017), 10)
        canvas.stroke(project(wing), 0.0052 * taper(10, 0.3, 2.8) * style.line, tone)
        u = side * width * (0.46 + 0.24 * _CIRCLE[:, 0])
        v = 0.1175 + drop + 0.0065 * _CIRCLE[:, 1] - 0.003 * _CIRCLE[:, 0]
        canvas.fill(sitter.face(u, v, 0.024), shade(palette.skin_shadow, -0.5))
    # The edge of the ridge shows where the nose stands out before the far cheek.
    if abs(a.yaw) > 6:
        strength = min(1.0, (abs(a.yaw) - 6) / 16)
        edge = ridge[6:16] + np.array([0.003 * np.sign(a.yaw), 0])
        canvas.stroke(edge, 0.0045 * strength * np.linspace(0.3, 1, 10), tone)


def mouth_shape(sitter: Sitter) -> dict[str, Array]:
    """Curves (u, v) of the mouth, from the picture's left to right: outer and inner edges of both lips."""
    a = sitter.attributes
    half = 0.084 * (1 + 0.12 * a.mouth_width) * (0.90 + 0.26 * a.smile - 0.06 * a.mouth_open)
    full = a.lip_fullness
    gap = 0.036 * a.mouth_open * (0.75 + 0.45 * a.smile)
    lift = 0.035 * (a.smile - 0.12)
    drop = 0.012 * a.nose_length * 0.6
    corner, middle = MOUTH_HEIGHT - lift + drop, MOUTH_HEIGHT + 0.008 * a.smile + drop

    def curve(offsets: list[float], bend: float) -> Array:
        """Heights from the corner to the middle, the same on both sides; the smile bends the line beneath them."""
        u = np.array([-1, -0.66, -0.34, -0.13, 0, 0.13, 0.34, 0.66, 1.0])
        line = middle + (corner - middle) * np.abs(u) ** 1.8
        sides = np.array(offsets + offsets[-2::-1])
        return smooth(np.stack([half * u, line + sides + bend * (1 - u**2)], axis=1), 25)

    return {
        "upper": curve([0.0, -0.011 * full, -0.0205 * full, -0.0235 * full, -0.019 * full], -0.15 * gap),
        "line": curve([0.0, 0.0, 0.0, 0.0, 0.003], -0.15 * gap),
        "bottom": curve([0.0, 0.0, 0.0, 0.0, 0.003], gap),
        "lower": curve([0.0, 0.0125 * full, 0.022 * full, 0.0255 * full, 0.0265 * full], gap),
    }


def draw_mouth(canvas: Canvas, sitter: Sitter) -> None:
    """Both lips, and what shows between them."""
    a, palette, style = sitter.attributes, sitter.palette, sitter.style
    shape = {name: sitter.trace(curve, 0.006) for name, curve in mouth_shape(sitter).items()}
    canvas.fill(np.concatenate([shape["upper"], shape["lower"][::-1]]), palette.lip, "mouth")
    canvas.fill(np.concatenate([shape["upper"], shape["line"][::-1]]), blend(palette.lip, palette.lip_dark, 0.42))
    shine = between_edges(shape["bottom"], shape["lower"], 0.42)[9:16]
    canvas.stroke(shine, 0.0075 * taper(7, 0.2, 2.9) * a.lip_fullness, shade(palette.lip, 0.32 if a.makeup else 0.2))
    if a.mouth_open:
        inside = np.concatenate([shape["line"], shape["bottom"][::-1]])
        canvas.fill(inside, (96, 30, 38))
        opening = shape["bottom"][12] - shape["line"][12]
        reach = 0.55 if a.mouth_open > 0.6 else 0.85
        drop = (shape["bottom"] - shape["line"]) * reach * taper(25, 0.35, np.pi - 0.35)[:, None] ** 0.6
        edge = shape["line"] + drop
        canvas.fill(np.concatenate([shape["line"][2:-2], edge[2:-2][::-1]]), (253, 250, 244))
        if a.mouth_open > 0.6:
            radii = np.array([0.030, 0.45 * np.linalg.norm(opening)])
            tongue = _CIRCLE * radii + shape["bottom"][12] + np.array([0, 0.002])
            teeth = np.concatenate([shape["line"], edge[::-1]])
            canvas.paint(canvas.cover(inside) & canvas.cover(tongue) & ~canvas.cover(teeth), (206, 98, 100))
    line = shape["line"]
    width = np.interp(np.abs(np.linspace(-1, 1, 25)), [0, 0.8, 1], [0.8, 1, 1.1])
    canvas.stroke(line, (0.0055 + 0.001 * a.smile) * width * style.line, shade(palette.lip_dark, -0.45))
    if a.smile > 0.35:
        for side in SIDES:
            at = mouth_shape(sitter)["line"][0 if side < 0 else -1]
            dimple = smooth(at + np.array([[side * 0.006, -0.010], [side * 0.011, 0.0], [side * 0.007, 0.010]]), 7)
            tone = blend(palette.skin_shadow, palette.line, 0.3)
            canvas.stroke(sitter.trace(dimple), 0.0045 * taper(7, 0.3, 2.8) * a.smile, tone)


def between_edges(first: Array, second: Array, weight: float) -> Array:
    """The curve [P, 2] that runs between two others."""
    return first + (second - first) * weight


def draw_age(canvas: Canvas, sitter: Sitter) -> None:
    """Folds from nose to mouth and lines on the forehead."""
    a, palette = sitter.attributes, sitter.palette
    tone = blend(palette.skin, palette.skin_shadow, 0.95)
    fold = a.wrinkles + 0.35 * max(0.0, a.smile - 0.45) * (a.age > 16)
    if fold > 0.1:
        drop = 0.012 * a.nose_length
        for side in SIDES:
            across = side * np.array([0.058, 0.082, 0.098, 0.104])
            points = np.stack([across, [0.106 + drop, 0.138, 0.172, 0.200 - 0.01 * a.smile]], axis=1)
            canvas.stroke(sitter.trace(smooth(points, 12)), 0.0085 * fold * taper(12, 0.3, 2.9), tone)
    if a.wrinkles > 0.3:
        for height in (-0.175, -0.205, -0.235)[: 1 + int(2.2 * a.wrinkles)]:
            u = np.linspace(-0.10, 0.10, 9)
            v = height - 0.012 * np.cos(u * 22) - 0.006 * a.brow_raise
            canvas.stroke(sitter.face(u, v), 0.0048 * a.wrinkles * taper(9, 0.1, 3.04), tone)
