"""Hair as paint: its light, its strands and the two layers behind and before the head."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from semanticgan.portraits.canvas import Canvas, Mask
from semanticgan.portraits.hair_outline import HairShape
from semanticgan.portraits.palette import blend, ramp
from semanticgan.portraits.shading import LightField, Sitter, texture


def hair_textures(canvas: Canvas, sitter: Sitter, shape: HairShape) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Paint [n, n, 3] for the hair before the head and, darker, for the hair behind it."""
    palette, style = sitter.palette, sitter.style
    field = LightField(sitter)
    extent = shape.rim.max(axis=0) - shape.rim.min(axis=0)
    field.round_form(shape.centre, (0.56 * float(extent[0]), 0.80 * float(extent[1])), contrast=0.42)
    _add_sheen(field, sitter, shape)
    tones = field.tones(canvas.side)
    if style.strands:
        tones = _with_strands(canvas, sitter, shape, tones)
    half_shadow = blend(palette.hair_shadow, palette.hair, 0.45)
    gloss = blend(palette.hair_light, (255, 248, 232), 0.45)
    stops = (palette.hair_shadow, half_shadow, palette.hair, palette.hair_light, gloss)
    colours = ramp(list(zip((0.0, 0.28, 0.58, 0.80, 1.0), stops, strict=True)))
    return texture(tones, colours), texture(np.maximum(tones, 46) - np.uint8(46), colours)


def _add_sheen(field: LightField, sitter: Sitter, shape: HairShape) -> None:
    """The band of gloss that runs around a head of hair where it faces the light."""
    a = sitter.attributes
    strength = 0.05 if a.hair_style in ("buzz", "curly", "afro") else 0.26
    middle = 24 + 11 * a.light_x
    picks = np.clip(np.linspace(middle - 11, middle + 11, 18), 0, 47)
    arc = np.stack([np.interp(picks, np.arange(48), shape.rim[:, k]) for k in (0, 1)], axis=1)
    taper = 0.5 * np.sin(np.linspace(0, np.pi, 18))[:, None]
    outer = shape.centre + (arc - shape.centre) * (0.80 + 0.09 * taper)
    inner = shape.centre + (arc - shape.centre) * (0.80 - 0.16 * taper)
    field.add(np.concatenate([outer, inner[::-1]]), strength, 0.020)


def _with_strands(canvas: Canvas, sitter: Sitter, shape: HairShape, tones: Mask) -> Mask:
    """Lines along the flow of the hair, alternately lighter and darker than what they lie on."""
    strength = sitter.style.strands
    offset = np.full_like(tones, 128)
    for lines in shape.strands:
        canvas.hairlines(offset, lines[0::3], round(128 - 34 * strength), 0.0060)
        canvas.hairlines(offset, lines[1::3], round(128 + 20 * strength), 0.0060)
        canvas.hairlines(offset, lines[2::3], round(128 - 18 * strength), 0.0040)
    for arcs in shape.curls:
        canvas.hairlines(offset, arcs[0::2], round(128 - 36 * strength), 0.0075)
        canvas.hairlines(offset, arcs[1::2], round(128 + 26 * strength), 0.0065)
    return np.asarray(cv2.addWeighted(tones, 1.0, offset, 1.0, -128), dtype=np.uint8)


def paint_back_hair(canvas: Canvas, shape: HairShape, paint: NDArray[np.uint8]) -> None:
    """The hair behind neck and head."""
    canvas.paint(canvas.cover(*shape.back), paint, "hair")


def front_hair_mask(canvas: Canvas, shape: HairShape) -> Mask:
    """The hair before the head: the cap without the opening for the face."""
    mask = canvas.cover(*shape.cap)
    canvas.cover(shape.opening, mask=mask, value=0)
    return canvas.cover(*shape.locks, mask=mask)
