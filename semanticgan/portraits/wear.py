"""Glasses, hats and earrings."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from semanticgan.portraits.body import ear_point, near_side
from semanticgan.portraits.canvas import Canvas
from semanticgan.portraits.features import EYE_HEIGHT, SIDES
from semanticgan.portraits.geometry import Array, circle, hull, smooth
from semanticgan.portraits.hair_outline import growth
from semanticgan.portraits.palette import Colour, blend, hsv, luminance, ramp, shade
from semanticgan.portraits.shading import LightField, Sitter, texture

_CIRCLE = circle(40)
_FRAMES: tuple[Colour, ...] = ((38, 34, 40), (96, 58, 40), (160, 42, 48), (46, 70, 120), (190, 150, 80))


def draw_glasses(canvas: Canvas, sitter: Sitter) -> None:
    """Two lenses, bridge and temples. Eye and brow keep their regions where they are seen through a lens."""
    a = sitter.attributes
    frame = _FRAMES[int(a.clothes_hue * 4.999)]
    sun = a.glasses_style == "sun"
    power = {"round": 1.0, "square": 0.55, "cat-eye": 0.75, "sun": 0.70}[a.glasses_style]
    outlines = []
    for side in SIDES:
        cos, sin = _CIRCLE.T
        u = 0.125 + 0.088 * np.sign(cos) * np.abs(cos) ** power
        v = EYE_HEIGHT + 0.012 + 0.070 * np.sign(sin) * np.abs(sin) ** power
        if a.glasses_style == "cat-eye":
            v = v - 0.024 * np.clip((u - 0.16) / 0.05, 0, 1) * (v < EYE_HEIGHT)
        outlines.append(
            sitter.pose.project(np.stack([side * u, v, 0.262 - 0.9 * np.maximum(0, u - 0.06) ** 1.3], axis=-1))
        )
    for outline in outlines:
        canvas.veil(outline, (40, 44, 60) if sun else (214, 232, 244), 0.52 if sun else 0.09)
        lens = canvas.cover(outline) & ~canvas.where(("eye", "eyebrow"))
        canvas.paint(lens, canvas.colour, "glasses")
        toward = float(np.sign(sitter.light[0]))
        middle, reach = outline.mean(axis=0), (outline.max(axis=0) - outline.min(axis=0)) / 2
        glint = middle + reach * np.array(
            [(toward * 0.30, -0.72), (toward * 0.62, -0.52), (toward * 0.30, 0.02), (toward * 0.06, -0.30)]
        )
        canvas.veil(glint, (255, 255, 255), 0.22, 0.004)
    for outline in outlines:
        canvas.stroke(np.concatenate([outline, outline[:1]]), 0.0155, frame, "glasses")
        canvas.stroke(outline[22:30], 0.004, shade(frame, 0.35))
    bridge_v = EYE_HEIGHT - 0.004 + 0.010 * np.cos(np.linspace(-1.2, 1.2, 8)) * -1
    bridge = sitter.pose.project(np.stack([np.linspace(-0.040, 0.040, 8), bridge_v, np.full(8, 0.272)], axis=-1))
    canvas.stroke(bridge, 0.0145, frame, "glasses")
    for side in SIDES:
        hinge = np.array([[side * 0.212, EYE_HEIGHT - 0.014, 0.185], [side * 0.258, EYE_HEIGHT - 0.012, 0.02]])
        if side == near_side(sitter) or abs(a.yaw) < 8:
            canvas.stroke(sitter.pose.project(hinge), 0.0135, frame, "glasses")


def draw_earring(canvas: Canvas, sitter: Sitter, side: int) -> None:
    """One earring below the lobe; it hangs straight down."""
    metal = sitter.palette.metal
    lobe = ear_point(sitter, side, np.array(0.024), np.array(0.084))
    kind = sitter.attributes.earring_style
    if kind == "hoop":
        ring = lobe + np.array([0, 0.044]) + _CIRCLE * np.array([0.036, 0.050])
        canvas.stroke(np.concatenate([ring, ring[:1]]), 0.020, metal, "earring")
        canvas.stroke(ring[18:26], 0.006, shade(metal, 0.7))
        return
    colour = (
        (250, 244, 234) if kind == "pearl" else blend(hsv(sitter.attributes.clothes_hue + 0.45, 0.7, 0.8), metal, 0.15)
    )
    if kind == "pearl":
        drop = lobe + np.array([0, 0.016]) + _CIRCLE * 0.032
    else:
        canvas.stroke(lobe + np.array([(0, -0.006), (0, 0.03)]), 0.014, metal, "earring")
        radii = np.array([0.030, 0.046]) * np.interp(_CIRCLE[:, 1:], [-1, 1], [0.55, 1.1])
        drop = lobe + np.array([0, 0.062]) + _CIRCLE * radii
    canvas.fill(drop, colour, "earring")
    toward = float(np.sign(sitter.light[0]))
    middle = drop.mean(axis=0)
    canvas.veil(
        middle + _CIRCLE * 0.020 + np.array([-toward * 0.014, 0.011]), shade(colour, -0.45), 0.55, 0.008, ("earring",)
    )
    canvas.fill(middle + _CIRCLE * 0.009 + np.array([toward * 0.009, -0.010]), (255, 255, 255))


def _band(sitter: Sitter, v: float, grow: float, tilt: float, reach: float = np.pi / 2) -> Array:
    """The front half [30, 2] of a ring around the skull; ``tilt`` raises its front."""
    angle = np.linspace(-reach, reach, 30)
    width, depth = float(sitter.head.half_width(v)) + grow, 0.245 + 0.8 * grow
    return sitter.pose.project(
        np.stack([width * np.sin(angle), v - tilt * np.cos(angle), depth * np.cos(angle)], axis=-1)
    )


class _Hat(NamedTuple):
    """A hat on a head: where its front edge lies, how thick are the hair's side and the hat, how it is painted."""

    sitter: Sitter
    line: float
    side: float
    grow: float
    front: Array
    dome: Array
    field: LightField
    colour: Colour
    trim: Colour
    paint: np.ndarray


# Line of the front edge, height above the crown, thickness.
_SHAPES = {"beanie": (-0.160, 0.072, 0.026), "brimmed": (-0.178, 0.082, 0.018), "cap": (-0.178, 0.070, 0.016),
           "beret": (-0.182, 0.040, 0.016), "headscarf": (-0.205, 0.014, 0.014)}  # fmt: skip


def draw_hat(canvas: Canvas, sitter: Sitter) -> None:
    """A hat over the hair: crown, then band or brim."""
    kind, hat = sitter.attributes.hat_style, _hat(canvas, sitter)
    mask = canvas.cover(hat.dome)
    if kind != "beret":
        below = np.concatenate([hat.front, hat.front[::-1] + np.array([0, 0.5])])
        canvas.cover(below, mask=mask, value=0)
    _shadow_below(canvas, sitter, hat.front)
    canvas.paint(mask, hat.paint, "hat")
    if kind == "beanie":
        _draw_cuff(canvas, hat)
    elif kind == "brimmed":
        _draw_brim(canvas, hat)
    elif kind == "cap":
        _draw_visor(canvas, hat)
    elif kind == "headscarf":
        canvas.stroke(hat.front + np.array([0, -0.012]), 0.026, hat.trim, "hat")
    else:
        canvas.stroke(hat.front - np.array([0, 0.008]), 0.030, hat.trim, "hat")


def _hat(canvas: Canvas, sitter: Sitter) -> _Hat:
    a = sitter.attributes
    side, crown = growth(sitter) if not a.bald else (0.004, 0.004)
    value = 0.82 if a.clothes_tone < 0.5 else 0.52
    colour = hsv(a.clothes_hue + 0.33 + 0.4 * a.background_tone, 0.28 + 0.32 * a.hair_part**2, value)
    line, raised, grow = _SHAPES[a.hat_style]
    field = LightField(sitter)
    centre = sitter.pose.project(np.array([0.0, -0.12, 0.0]))
    field.round_form(centre, (0.38, 0.34), contrast=0.46)
    colours = ramp([(0.0, shade(colour, -0.55)), (0.58, colour), (1.0, shade(colour, 0.38))])
    paint = texture(field.tones(canvas.side), colours)
    trim = shade(colour, -0.30 if luminance(colour) > 0.4 else 0.30)
    front = _band(sitter, line, side + grow + 0.004, 0.03)
    if a.hat_style == "beret":
        lean = 0.07 * (1 if a.hair_part > 0 else -1)
        top = np.array([(-0.30, -0.205), (-0.32 + lean, -0.30), (-0.16 + lean, -0.395), (0.04 + lean, -0.415),
                        (0.24 + lean, -0.375), (0.32 + lean, -0.29), (0.29, -0.205)])  # fmt: skip
        dome = np.concatenate([smooth(sitter.pose.project(np.column_stack([top, np.full(7, 0.05)])), 40), front[::-1]])
    else:
        dome = hull(sitter.pose.project(sitter.head.cloud(side + grow, crown + raised, 0.01, line + 0.02)))
    return _Hat(sitter, line, side, grow, front, dome, field, colour, trim, paint)


def _draw_cuff(canvas: Canvas, hat: _Hat) -> None:
    front, trim = hat.front, hat.trim
    top = _band(hat.sitter, hat.line - 0.072, hat.side + hat.grow + 0.010, 0.03)
    cuff = np.concatenate([front + np.array([0, 0.004]), top[::-1]])
    colours = ramp([(0.0, shade(trim, -0.5)), (0.58, trim), (1.0, shade(trim, 0.35))])
    canvas.paint(canvas.cover(cuff), texture(hat.field.tones(canvas.side), colours), "hat")
    for k in range(2, 29, 3):
        canvas.stroke(np.stack([front[k], top[k]]), 0.004, shade(trim, -0.25))


def _draw_brim(canvas: Canvas, hat: _Hat) -> None:
    front = hat.front
    canvas.stroke(front - np.array([0, 0.026]), 0.050, hat.trim, "hat")
    outer = _band(hat.sitter, hat.line + 0.015, 0.165, -0.005)
    left, right = (outer[0] + front[4]) / 2 + [0, 0.030], (outer[-1] + front[-5]) / 2 + [0, 0.030]
    lower = smooth(np.stack([outer[0], left, front[15] + [0, 0.034], right, outer[-1]]), 40)
    left, middle, right = front[4] - [0, 0.012], front[15] - [0, 0.006], front[-5] - [0, 0.012]
    upper = smooth(np.stack([outer[0], left, middle, right, outer[-1]]), 40)
    canvas.paint(canvas.cover(np.concatenate([upper, lower[::-1]])), hat.paint, "hat")
    canvas.stroke(lower, 0.006, shade(hat.colour, -0.3), "hat")


def _draw_visor(canvas: Canvas, hat: _Hat) -> None:
    pose, angle = hat.sitter.pose, np.linspace(-0.95, 0.95, 30)
    width, depth = float(hat.sitter.head.half_width(hat.line)) + hat.side + hat.grow, 0.25 + hat.side + hat.grow
    cos = np.cos(angle)
    rim = np.stack([width * np.sin(angle), np.full(30, hat.line) - 0.03 * cos, depth * cos], axis=-1)
    reach = np.cos(angle * 1.6)
    edge = rim + np.stack([np.zeros(30), 0.070 * reach, 0.15 * reach], axis=-1)
    visor = np.concatenate([pose.project(rim) - np.array([0, 0.006]), pose.project(edge)[::-1]])
    canvas.fill(visor, hat.trim, "hat")
    canvas.stroke(pose.project(edge), 0.006, shade(hat.trim, -0.4), "hat")
    front, top = hat.front[15], hat.dome[hat.dome[:, 1].argmin()]
    canvas.stroke(smooth(np.stack([front, (front + top) / 2, top]), 12), 0.004, shade(hat.colour, -0.3))


def _shadow_below(canvas: Canvas, sitter: Sitter, front: Array) -> None:
    """The shadow that a hat's edge casts on forehead and hair."""
    shift = np.array([-0.02 * float(np.sign(sitter.light[0])), 0.050])
    shadow = np.concatenate([front, (front + shift)[::-1]])
    canvas.veil(shadow, sitter.palette.skin_shadow, 0.60, 0.014, ("face", "hair", "eyebrow", "nose"))
