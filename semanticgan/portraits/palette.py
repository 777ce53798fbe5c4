"""Colours: skin of the whole world, hair, irises, lips, and ramps from shadow to light."""

from __future__ import annotations

import colorsys
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from semanticgan.portraits.attributes import PortraitAttributes

Colour = tuple[float, float, float]
"""Red, green, blue, 0..255."""

_SKIN_TONES = np.linspace(0, 1, 9)
_SKIN = np.array(
    [(255, 228, 210), (250, 214, 188), (242, 197, 162), (229, 176, 136), (208, 149, 106), (178, 120, 80), (144, 92, 61),
     (110, 68, 47), (82, 50, 38)], dtype=np.float64,
)  # fmt: skip

_HAIR: Mapping[str, Colour] = {
    "black": (42, 36, 40), "dark brown": (72, 48, 38), "brown": (112, 73, 48), "chestnut": (138, 78, 46),
    "auburn": (156, 66, 42), "ginger": (208, 104, 50), "dark blond": (178, 136, 84), "blond": (230, 190, 116),
    "platinum": (243, 228, 190), "grey": (160, 158, 160), "white": (235, 233, 228), "pink": (236, 128, 166),
    "blue": (78, 118, 206), "teal": (48, 160, 158), "violet": (134, 90, 186),
}  # fmt: skip

_IRIS: Mapping[str, Colour] = {
    "dark brown": (78, 48, 34), "brown": (128, 78, 44), "hazel": (148, 112, 54), "green": (88, 146, 92),
    "blue": (72, 140, 206), "grey": (122, 144, 158),
}  # fmt: skip

_LIPSTICK: Mapping[str, Colour] = {"rose": (212, 92, 110), "red": (200, 42, 56), "berry": (142, 40, 80)}


def blend(first: Colour, second: Colour, weight: float) -> Colour:
    """``first`` at weight 0, ``second`` at weight 1."""
    r, g, b = (x + (y - x) * weight for x, y in zip(first, second, strict=True))
    return (r, g, b)


def shade(colour: Colour, amount: float) -> Colour:
    """Darker and a little warmer for a negative amount, lighter for a positive one; -1..1."""
    if amount >= 0:
        return blend(colour, (255, 250, 240), amount)
    r, g, b = colour
    return (r * (1 + 0.80 * amount), g * (1 + 0.95 * amount), b * (1 + 0.88 * amount))


def hsv(hue: float, saturation: float, value: float) -> Colour:
    """Hue, saturation and value in 0..1 as RGB 0..255."""
    r, g, b = colorsys.hsv_to_rgb(hue % 1.0, float(np.clip(saturation, 0, 1)), float(np.clip(value, 0, 1)))
    return (255 * r, 255 * g, 255 * b)


def luminance(colour: Colour) -> float:
    """Perceived lightness of a colour, 0..1."""
    return (0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2]) / 255


def ramp(stops: list[tuple[float, Colour]]) -> NDArray[np.uint8]:
    """A material from full shadow to highlight: colours [256, 3] through stops of (position in 0..1, colour)."""
    position = np.array([stop[0] for stop in stops]) * 255
    colours = np.array([stop[1] for stop in stops])
    grey = np.arange(256)
    return np.stack([np.interp(grey, position, colours[:, k]) for k in range(3)], axis=1).round().astype(np.uint8)


@dataclass(frozen=True)
class Palette:
    """The colours of one sitter."""

    skin: Colour
    skin_shadow: Colour
    skin_light: Colour
    blush: Colour
    line: Colour
    hair: Colour
    hair_shadow: Colour
    hair_light: Colour
    brow: Colour
    iris: Colour
    lip: Colour
    lip_dark: Colour
    cloth: Colour
    accent: Colour
    metal: Colour


def palette_of(a: PortraitAttributes) -> Palette:
    """The colours that a record's tones and names stand for."""
    red, green, blue = (float(np.interp(a.skin_tone, _SKIN_TONES, _SKIN[:, k])) for k in range(3))
    skin = (red, green - 3 * a.skin_undertone, blue - 8 * a.skin_undertone + 2)
    depth = a.skin_tone
    shadow = (skin[0] * (0.80 - 0.16 * depth), skin[1] * (0.66 - 0.10 * depth), skin[2] * (0.66 - 0.04 * depth))
    light = blend(skin, (255, 240, 214), 0.42 - 0.12 * depth)
    blush = (min(255.0, skin[0] * 1.0 + 4), skin[1] * (0.74 - 0.06 * depth), skin[2] * (0.74 + 0.02 * depth))
    hair = blend(_HAIR[a.hair_colour], (196, 194, 196) if a.grey < 0.8 else _HAIR["white"], 0.9 * a.grey)
    lightness = luminance(hair)
    brow = blend(shade(hair, -0.36), shade(skin, -0.55), 0.15 + 0.35 * lightness)
    natural = (skin[0] * 0.88 + 6, skin[1] * (0.60 - 0.02 * depth), skin[2] * (0.66 + 0.02 * depth))
    lip = natural if a.lip_colour == "natural" else blend(natural, _LIPSTICK[a.lip_colour], 0.45 + 0.45 * a.makeup)
    value = (0.92, 0.80, 0.58, 0.36)[int(a.clothes_tone * 3.999)]
    saturation = 0.20 + 0.42 * ((a.clothes_tone * 7.31) % 1.0)
    cloth = hsv(a.clothes_hue, saturation, value)
    accent = hsv(a.clothes_hue + 0.08 + 0.5 * ((a.clothes_tone * 5.17) % 1.0), 0.30, 0.95 if value < 0.7 else 0.55)
    return Palette(
        skin=skin,
        skin_shadow=shadow,
        skin_light=light,
        blush=blush,
        line=blend(shade(skin, -0.72), (60, 24, 24), 0.35),
        hair=hair,
        hair_shadow=blend(shade(hair, -0.50), (30, 18, 38), 0.18),
        hair_light=blend(hair, (255, 232, 200), 0.12 + 0.34 * lightness),
        brow=brow,
        iris=_IRIS[a.iris_colour],
        lip=lip,
        lip_dark=shade(lip, -0.42),
        cloth=cloth,
        accent=accent,
        metal=(232, 190, 92) if (a.clothes_hue * 9.7) % 1.0 < 0.6 else (214, 218, 226),
    )
