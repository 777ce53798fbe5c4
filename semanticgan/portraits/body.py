"""Ears, neck and shoulders, and the clothes on them."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from semanticgan.portraits.canvas import Canvas
from semanticgan.portraits.features import SIDES
from semanticgan.portraits.geometry import Array, smooth, taper
from semanticgan.portraits.palette import Colour, blend, luminance, ramp, shade
from semanticgan.portraits.shading import LightField, Sitter, texture


def ear_point(sitter: Sitter, side: int, out: Array, v: Array) -> Array:
    """Picture points of the ear: ``out`` away from the head, at height ``v``."""
    head = sitter.head
    grown = 1 + 0.12 * sitter.attributes.ear_size
    u = side * (head.half_width(v) - 0.012 + np.asarray(out) * grown)
    return sitter.pose.project(np.stack([u, np.asarray(v), -0.01 - 0.7 * np.asarray(out)], axis=-1))


def near_side(sitter: Sitter) -> int:
    """The side of the head that is turned towards the viewer; the left one when it faces straight ahead."""
    return -1 if sitter.attributes.yaw >= 0 else 1


def draw_ear(canvas: Canvas, sitter: Sitter, side: int, paint: NDArray[np.uint8]) -> None:
    """One ear with its inner fold."""
    palette = sitter.palette
    out = np.array([0.0, 0.022, 0.050, 0.056, 0.044, 0.026, 0.008, 0.0])
    v = np.array([-0.048, -0.070, -0.055, -0.012, 0.035, 0.072, 0.074, 0.045]) + 0.008
    outline = smooth(ear_point(sitter, side, out, v), 40, closed=True)
    canvas.paint(canvas.cover(outline), paint, "ear")
    canvas.veil(outline, palette.blush, 0.35 * sitter.style.blush)
    tone = blend(palette.skin_shadow, palette.line, 0.25)
    out, v = np.array([0.014, 0.026, 0.041, 0.042, 0.030]), np.array([-0.030, -0.046, -0.034, -0.004, 0.028])
    rim = smooth(ear_point(sitter, side, out, v), 14)
    canvas.stroke(rim, 0.0055 * taper(14, 0.3, 2.9) * sitter.style.line, tone)
    out, v = np.array([0.010, 0.024, 0.020, 0.008]), np.array([-0.012, 0.000, 0.022, 0.030])
    fold = smooth(ear_point(sitter, side, out, v), 10)
    canvas.stroke(fold, 0.008 * taper(10, 0.2, 2.9) * sitter.style.line, tone)


class Body:
    """Where neck and shoulders stand: they follow the head's place but not its turn."""

    def __init__(self, sitter: Sitter) -> None:
        a = sitter.attributes
        self.scale = sitter.pose.scale
        jaw = sitter.pose.project(np.array([0.0, 0.20, -0.02]))
        self.x = float(0.5 + 0.75 * (jaw[0] - 0.5))
        self.top = jaw
        self.chin = float(sitter.pose.project(np.array([0.0, sitter.head.chin, 0.16]))[1])
        self.half = 0.135 * a.neck_width * self.scale
        child = float(np.clip((15 - a.age) / 6, 0, 1))
        self.collar = float(np.clip(self.chin + 0.055, 0.905, 0.925))
        self.spread = (0.40 if a.presentation == "feminine" else 0.47) - 0.06 * child
        self.turn = 0.10 * float(np.sin(sitter.pose.yaw))

    def neck(self, bare: bool) -> Array:
        """Outline of neck and chest, down past the picture's edge; wider where the shoulders are ``bare``."""
        h = self.half
        shoulder = 1.65 if bare else 1.35
        sides = []
        for s in SIDES:
            across = [self.top[0] + s * h, *(self.x + s * h * np.array([0.97, 1.10, shoulder]))]
            down = [self.top[1], self.collar - 0.05, self.collar, self.collar + 0.026 * shoulder]
            sides.append(smooth(np.stack([across, down], axis=1), 16))
        bottom = np.array([(self.x + shoulder * h, 1.2), (self.x - shoulder * h, 1.2)])
        return np.concatenate([sides[0][::-1], sides[1], bottom])

    def shoulders(self) -> tuple[Array, Array]:
        """The shoulder lines from the neck outward, left and right."""
        lines = []
        for s in SIDES:
            near = self.half * 1.06
            out = np.array([near, near + 0.05, self.spread - 0.10, self.spread, self.spread + 0.06])
            down = np.array([-0.012, 0.022, 0.072, 0.150, 0.300])
            turn = self.turn * np.array([0, 0, 1, 1, 1])
            lines.append(smooth(np.stack([self.x + s * out + turn, self.collar + down], axis=1), 24))
        return lines[0], lines[1]


def neck_paint(
    canvas: Canvas, sitter: Sitter, body: Body, colours: NDArray[np.uint8], skull: Array
) -> NDArray[np.uint8]:
    """The neck's skin, uint8 [n, n, 3]: a column in the same light, under the shadow that the head casts."""
    field = LightField(sitter)
    field.round_form(np.array([body.x, 0.9]), (1.25 * body.half, 4.0), contrast=0.40)
    field.add(skull + np.array([-0.05 * sitter.light[0], 0.050]), -0.42, 0.022)
    return texture(field.tones(canvas.side), colours)


def cloth_outline(sitter: Sitter, body: Body) -> tuple[Array, Array]:
    """The garment's outline and its neckline (an open curve from the picture's left shoulder to the right)."""
    kind = sitter.attributes.clothes
    x, c, h = body.x, body.collar, body.half
    left, right = body.shoulders()
    if kind == "turtleneck":
        rise = min(0.055, c - body.chin - 0.014)
        edge, side, middle = c - rise, c - rise + 0.012, c - rise + 0.016
        neckline = np.stack([x + h * np.array([-1.04, -0.5, 0, 0.5, 1.04]), [edge, side, middle, side, edge]], axis=1)
    elif kind in ("v-neck", "suit"):
        edge, side, middle = c - 0.016, c + 0.030, min(c + 0.095, 0.985)
        neckline = np.stack([x + h * np.array([-1.12, -0.62, 0, 0.62, 1.12]), [edge, side, middle, side, edge]], axis=1)
    elif kind == "scoop":
        left, right = left[7:], right[7:]
        side, middle = min(c + 0.066, 0.958), min(c + 0.088, 0.975)
        neckline = np.array([left[0], (x - 1.2 * h, side), (x, middle), (x + 1.2 * h, side), right[0]])
    else:
        edge, side, middle = c - 0.018, c + 0.016, c + 0.030
        neckline = np.stack([x + h * np.array([-1.14, -0.68, 0, 0.68, 1.14]), [edge, side, middle, side, edge]], axis=1)
    line = smooth(neckline, 30)
    if kind in ("v-neck", "suit"):
        line = np.concatenate([np.linspace(neckline[0], neckline[2], 15), np.linspace(neckline[2], neckline[4], 15)])
    outline = np.concatenate([line, right, np.array([(1.3, 1.3), (-0.3, 1.3)]), left[::-1]])
    return outline, line


def cloth_texture(canvas: Canvas, sitter: Sitter, body: Body) -> NDArray[np.uint8]:
    """Cloth in the picture's light with its pattern, uint8 [n, n, 3]."""
    a, palette = sitter.attributes, sitter.palette
    field = LightField(sitter)
    field.round_form(np.array([body.x, 1.12]), (0.62, 0.36), contrast=0.36)
    tones = field.tones(canvas.side)

    def dyed(colour: Colour) -> NDArray[np.uint8]:
        return texture(tones, ramp([(0.0, shade(colour, -0.55)), (0.58, colour), (1.0, shade(colour, 0.30))]))

    cloth = dyed(palette.cloth)
    if a.pattern == "plain" or a.clothes == "suit":
        return cloth
    n = canvas.side
    first = int((body.collar - 0.10) * n)
    y, x = np.ogrid[first:n, 0:n]
    period = 0.058
    across, along = (x / n - body.x) / period, (y / n - body.collar) / period
    if a.pattern == "stripes":
        figure = (np.floor(along * 1.8 + 0.35 * ((x / n - body.x) / 0.5) ** 2) % 2 == 0) & np.ones((1, n), dtype=bool)
    elif a.pattern == "dots":
        row = np.floor(along)
        figure = ((across + 0.5 * (row % 2)) % 1 - 0.5) ** 2 + (along % 1 - 0.5) ** 2 < 0.075
    else:
        figure = (np.floor(across) % 2 == 0) ^ (np.floor(along) % 2 == 0)
    soft = blend(palette.cloth, palette.accent, 0.5)
    cv2.copyTo(dyed(soft)[first:], figure.view(np.uint8), cloth[first:])
    return cloth


def draw_clothes(canvas: Canvas, sitter: Sitter, body: Body) -> None:
    """The garment, with collar, lapels or hood, and its shadow on the skin."""
    a, palette = sitter.attributes, sitter.palette
    outline, line = cloth_outline(sitter, body)
    canvas.veil(np.concatenate([line, line[::-1] - np.array([0, 0.016])]), palette.skin_shadow, 0.5, 0.008, ("neck",))
    if a.clothes == "suit":
        _draw_shirt_front(canvas, sitter, body, line)
    canvas.paint(canvas.cover(outline), cloth_texture(canvas, sitter, body), "cloth")
    trim = shade(palette.cloth, -0.22 if luminance(palette.cloth) > 0.35 else 0.16)
    if a.clothes in ("crew", "scoop", "v-neck"):
        canvas.stroke(line + np.array([0, 0.006]), 0.013, trim, "cloth")
    elif a.clothes == "turtleneck":
        x, h = body.x, body.half
        fold = np.array(
            [(x - 1.16 * h, body.collar + 0.004), (x, body.collar + 0.030), (x + 1.16 * h, body.collar + 0.004)]
        )
        canvas.stroke(smooth(fold, 20), 0.006, trim, "cloth")
    elif a.clothes == "hoodie":
        for s in SIDES:
            cord = np.array([(body.x + s * 0.045, body.collar + 0.028), (body.x + s * 0.052, body.collar + 0.20)])
            canvas.stroke(cord, 0.009, shade(palette.accent, 0.3), "cloth")
        canvas.stroke(line + np.array([0, 0.012]), 0.030, trim, "cloth")
    elif a.clothes in ("shirt", "suit"):
        _draw_collar(canvas, sitter, body)


def _draw_shirt_front(canvas: Canvas, sitter: Sitter, body: Body, line: Array) -> None:
    """White shirt and tie under a jacket."""
    x, c, h = body.x, body.collar, body.half
    white = (244, 244, 248)
    front = [(x - 1.14 * h, c - 0.016), (x, c + 0.028), (x + 1.14 * h, c - 0.016), (x + h, 1.2), (x - h, 1.2)]
    canvas.fill(np.array(front), white, "cloth")
    tie = [(x - 0.020, c + 0.026), (x + 0.020, c + 0.026), (x + 0.034, 1.2), (x - 0.034, 1.2)]
    canvas.fill(np.array(tie), sitter.palette.accent, "cloth")


def _draw_collar(canvas: Canvas, sitter: Sitter, body: Body) -> None:
    """Two pointed wings."""
    x, c, h = body.x, body.collar, body.half
    suit = sitter.attributes.clothes == "suit"
    colour = (250, 250, 252) if suit else shade(sitter.palette.cloth, 0.22)
    toward = float(np.sign(sitter.light[0]))
    for s in SIDES:
        across = s * np.array([1.10 * h, 1.24 * h, 0.52 * h, 0.03, 0.55 * h])
        wing = np.stack([x + across, c + np.array([-0.034, 0.004, 0.078, 0.024, 0.010])], axis=1)
        canvas.fill(wing, shade(colour, 0.0 if s == toward else -0.10), "cloth")
        canvas.stroke(wing[[1, 2, 3]], 0.004, shade(colour, -0.35))
    if not suit:
        canvas.stroke(np.array([(x, c + 0.03), (x, 1.2)]), 0.004, shade(sitter.palette.cloth, -0.35))
