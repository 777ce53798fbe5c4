"""Records drawn by lot: how often which hair, glasses, smile or turn of the head occurs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from semanticgan.portraits.attributes import (
    BACKGROUNDS,
    BEARD_STYLES,
    CLOTHES,
    EARRING_STYLES,
    EARS_SHOWN,
    GLASSES_STYLES,
    HAIR_COLOURS,
    HAIR_STYLES,
    HAT_STYLES,
    IRIS_COLOURS,
    PATTERNS,
    PortraitAttributes,
)

_HAIR_WEIGHTS = {
    # bald, buzz, short, side part, quiff, fringe, bob, long straight, long wavy, curly, afro, bun, ponytail
    "masculine": (0.06, 0.12, 0.20, 0.21, 0.13, 0.09, 0.00, 0.03, 0.03, 0.07, 0.03, 0.01, 0.00),
    "feminine": (0.004, 0.012, 0.07, 0.04, 0.01, 0.05, 0.15, 0.19, 0.19, 0.09, 0.05, 0.08, 0.064),
}
_LENGTHS = {
    "bald": "none", "bob": "medium", "curly": "medium", "afro": "medium", "long straight": "long", "long wavy": "long",
}  # fmt: skip
_CLOTHES_WEIGHTS = {
    # crew, v-neck, scoop, shirt, turtleneck, suit, hoodie
    "masculine": (0.24, 0.14, 0.02, 0.24, 0.10, 0.10, 0.14),
    "feminine": (0.20, 0.17, 0.20, 0.16, 0.10, 0.03, 0.08),
}


class _Lot:
    """Draws from one generator."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng

    def chance(self, probability: float) -> bool:
        return bool(self.rng.random() < probability)

    def between(self, low: float, high: float) -> float:
        return float(self.rng.uniform(low, high))

    def around(self, mean: float, spread: float, low: float = -1.0, high: float = 1.0) -> float:
        """Normal, cut off at ``low`` and ``high``; a trait of build by default."""
        return float(np.clip(self.rng.normal(mean, spread), low, high))

    def pick(self, names: Sequence[str], weights: Sequence[float] | None = None) -> str:
        total = np.cumsum(np.ones(len(names)) if weights is None else np.asarray(weights))
        return names[int(np.searchsorted(total, self.rng.random() * total[-1], side="right"))]


def sample_attributes(rng: np.random.Generator) -> PortraitAttributes:
    """Draws one record by lot.

    Rates follow CelebA's, but for glasses (one in five), hats (one in six) and earrings (one in four): a region that
    few wear is learned late.
    """
    lot = _Lot(rng)
    feminine = lot.chance(0.52)
    person: dict[str, Any] = {
        "presentation": "feminine" if feminine else "masculine",
        "age": _age(lot),
        "skin_tone": float(rng.beta(1.15, 1.45)),
        "skin_undertone": lot.around(0, 0.5),
    }
    person |= _hair(lot, person)
    person |= _beard(lot, person)
    person |= _expression(lot)
    person |= _worn(lot, person)
    person |= _build(lot, person)
    person |= _scene(lot)
    return PortraitAttributes(**person)


def _age(lot: _Lot) -> float:
    kind = lot.between(0, 1)
    if kind < 0.08:
        age = lot.between(6, 14)
    else:
        age = lot.between(60, 86) if kind > 0.86 else 16 + 46 * float(lot.rng.beta(1.3, 1.5))
    return round(age, 1)


def _hair(lot: _Lot, person: Mapping[str, Any]) -> dict[str, Any]:
    feminine, age, tone = person["presentation"] == "feminine", person["age"], person["skin_tone"]
    weights = dict(zip(HAIR_STYLES, _HAIR_WEIGHTS[person["presentation"]], strict=True))
    weights["bald"] *= 0.0 if age < 25 else 0.6 + age / 60
    weights["afro"] *= 0.3 + 2.2 * tone
    weights["curly"] *= 0.6 + 1.0 * tone
    style = lot.pick(HAIR_STYLES, list(weights.values()))
    grey = lot.around((age - 48) / 26, 0.25, 0, 1) if age > 38 else 0.0
    if feminine and age < 70 and lot.chance(0.6):
        grey *= 0.3
    tied_or_long = style in ("bob", "long straight", "long wavy", "ponytail", "bun")
    return {
        "hair_style": style,
        "hair_length": _LENGTHS.get(style, "short"),
        "hair_colour": _hair_colour(lot, tone, dyed=style != "bald" and lot.chance(0.035)),
        "hair_volume": lot.around(0, 0.5),
        "hair_part": lot.around(0, 0.5),
        "hair_tucked": style in ("long straight", "long wavy", "bob") and lot.chance(0.42),
        "hair_front": lot.chance(0.55),
        "grey": grey,
        "bald": style == "bald",
        "bangs": style == "fringe" or (tied_or_long and lot.chance(0.33)),
    }


def _hair_colour(lot: _Lot, skin_tone: float, dyed: bool) -> str:
    """Fair hair mostly with fair skin; a few dyed heads everywhere."""
    if dyed:
        return lot.pick(HAIR_COLOURS[-4:])
    fair = max(0.0, 1 - skin_tone / 0.55)
    dark = (0.15 + 0.9 * skin_tone, 0.25, 0.22 - 0.1 * skin_tone, 0.12)
    light = (0.02 + 0.10 * fair, 0.02 + 0.12 * fair, 0.02 + 0.18 * fair, 0.02 + 0.26 * fair, 0.01 + 0.06 * fair)
    return lot.pick(HAIR_COLOURS[:9], dark + light)


def _beard(lot: _Lot, person: Mapping[str, Any]) -> dict[str, Any]:
    style = "none"
    masculine = person["presentation"] == "masculine"
    if masculine and person["age"] > 20 and lot.chance(0.42):
        style = lot.pick(BEARD_STYLES[1:], (0.32, 0.16, 0.30, 0.22))
    alone = masculine and person["age"] > 22 and lot.chance(0.06)
    return {
        "beard": style != "none",
        "beard_style": style,
        "moustache": style in ("goatee", "short", "full") or alone,
    }


def _expression(lot: _Lot) -> dict[str, Any]:
    smile = lot.between(0.5, 1.0) if lot.chance(0.55) else lot.between(0.0, 0.5)
    return {
        "yaw": lot.around(0, 14, -34, 34),
        "pitch": lot.around(0, 5, -13, 13),
        "roll": lot.around(0, 4, -11, 11),
        "smile": smile,
        "mouth_open": lot.between(0.35, 1.0) if lot.chance(0.20 + 0.32 * (smile > 0.5)) else 0.0,
        "gaze_x": lot.around(0, 0.32, -0.9, 0.9),
        "gaze_y": lot.around(0, 0.20, -0.6, 0.6),
        "eye_open": lot.around(1.0, 0.10, 0.72, 1.2),
        "brow_raise": lot.around(0, 0.35),
    }


def _worn(lot: _Lot, person: Mapping[str, Any]) -> dict[str, Any]:
    feminine, age = person["presentation"] == "feminine", person["age"]
    child = age < 14
    hat = lot.chance(0.165)
    hat_style = lot.pick(HAT_STYLES[1:], (0.28, 0.24, 0.2, 0.14, 0.14 if feminine else 0.0)) if hat else "none"
    glasses = lot.chance(0.18 + 0.08 * (age > 50))
    # A ring is worn only where the ear can be seen, so that record and labels agree.
    ears = (person["hair_style"] in EARS_SHOWN or person["hair_tucked"]) and hat_style != "headscarf"
    earring = ears and lot.chance(0.65 * (0.4 if child else 1.0) if feminine else 0.15)
    makeup = lot.between(0.25, 1.0) if feminine and not child and lot.chance(0.75) else 0.0
    frames = (0.4, 0.35, 0.25 if feminine else 0.05, 0.10)
    return {
        "hat": hat,
        "hat_style": hat_style,
        "glasses": glasses,
        "glasses_style": lot.pick(GLASSES_STYLES[1:], frames) if glasses else "none",
        "earring": earring,
        "earring_style": lot.pick(EARRING_STYLES[1:], (0.35, 0.35, 0.3)) if earring else "none",
        "makeup": makeup,
        "lip_colour": lot.pick(("natural", "rose", "red", "berry"), (0.4, 0.3, 0.2, 0.1)) if makeup else "natural",
        "clothes": lot.pick(CLOTHES, _CLOTHES_WEIGHTS[person["presentation"]]),
        "clothes_hue": lot.between(0, 1),
        "clothes_tone": lot.between(0, 1),
        "pattern": lot.pick(PATTERNS, (0.58, 0.18, 0.12, 0.12)),
    }


def _build(lot: _Lot, person: Mapping[str, Any]) -> dict[str, Any]:
    """The shape of the face and its parts; children have rounder heads and larger eyes."""
    feminine, tone = person["presentation"] == "feminine", person["skin_tone"]
    child = float(person["age"] < 14)
    fair = max(0.0, 1 - tone / 0.5)
    irises = (0.2 + 0.6 * tone, 0.3, 0.14, 0.03 + 0.17 * fair, 0.02 + 0.4 * fair, 0.01 + 0.12 * fair)
    return {
        "iris_colour": lot.pick(IRIS_COLOURS, irises),
        "freckles": lot.between(0.4, 1.0) if tone < 0.42 and lot.chance(0.18) else 0.0,
        "face_width": lot.around(1.0 + 0.04 * child, 0.035, 0.92, 1.10),
        "jaw": lot.around((-0.25 if feminine else 0.45) - 0.3 * child, 0.4),
        "cheeks": lot.around(0.15 + 0.5 * child, 0.4),
        "chin": lot.around((-0.15 if feminine else 0.25) - 0.7 * child, 0.4, -1.3, 1),
        "forehead": lot.around(0, 0.4),
        "eye_size": lot.around((1.04 if feminine else 0.98) + 0.12 * child, 0.06, 0.86, 1.22),
        "eye_spacing": lot.around(0, 0.4),
        "eye_tilt": lot.around(3.0, 3.5, -5, 11),
        "brow_thickness": lot.around((0.82 if feminine else 1.2) - 0.15 * child, 0.18, 0.68, 1.7),
        "brow_arch": lot.around(0, 0.4),
        "nose_width": lot.around((0.93 if feminine else 1.04) + 0.12 * (tone - 0.4), 0.11, 0.72, 1.35),
        "nose_length": lot.around(-0.6 * child, 0.4),
        "lip_fullness": lot.around((1.08 if feminine else 0.88) + 0.25 * (tone - 0.4), 0.15, 0.6, 1.5),
        "mouth_width": lot.around(0, 0.4),
        "ear_size": lot.around(0, 0.4),
        "neck_width": lot.around((0.92 if feminine else 1.12) - 0.1 * child, 0.06, 0.78, 1.28),
    }


def _scene(lot: _Lot) -> dict[str, Any]:
    """Light, background and framing. The light comes from above and clearly from one side."""
    side = lot.between(-1, 1)
    light = np.array([0.35 * np.sign(side) + 0.40 * side, -lot.between(0.45, 0.85), 0.75])
    light_x, light_y, light_z = (float(value) for value in light / np.linalg.norm(light))
    return {
        "light_x": light_x,
        "light_y": light_y,
        "light_z": light_z,
        "background": lot.pick(BACKGROUNDS),
        "background_hue": lot.between(0, 1),
        "background_tone": lot.between(0, 1),
        "scale": lot.around(1.04, 0.02, 0.99, 1.09),
        "shift_x": lot.around(0, 0.006, -0.015, 0.015),
        "shift_y": lot.around(0, 0.006, -0.015, 0.015),
    }
