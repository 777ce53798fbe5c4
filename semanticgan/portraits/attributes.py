"""Who is in the picture: the record of one drawn portrait, and the words it is written in."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

HAIR_STYLES = (
    "bald", "buzz", "short", "side part", "quiff", "fringe", "bob", "long straight", "long wavy", "curly", "afro",
    "bun", "ponytail",
)  # fmt: skip
HAIR_COLOURS = (
    "black", "dark brown", "brown", "chestnut", "auburn", "ginger", "dark blond", "blond", "platinum", "grey", "white",
    "pink", "blue", "teal", "violet",
)  # fmt: skip
IRIS_COLOURS = ("dark brown", "brown", "hazel", "green", "blue", "grey")
GLASSES_STYLES = ("none", "round", "square", "cat-eye", "sun")
HAT_STYLES = ("none", "beanie", "brimmed", "cap", "beret", "headscarf")
EARRING_STYLES = ("none", "pearl", "hoop", "drop")
BEARD_STYLES = ("none", "stubble", "goatee", "short", "full")
CLOTHES = ("crew", "v-neck", "scoop", "shirt", "turtleneck", "suit", "hoodie")
PATTERNS = ("plain", "stripes", "dots", "checks")
BACKGROUNDS = ("gradient", "glow", "bokeh", "hills", "dusk", "leaves", "arch", "rays")

EARS_SHOWN = ("bald", "buzz", "short", "side part", "quiff", "fringe", "bun", "ponytail")


@dataclass(frozen=True)
class PortraitAttributes:
    """Everything that decides how a portrait looks, the same at every picture size.

    Angles are degrees: positive ``yaw`` turns the face to the picture's right, positive ``pitch`` lifts the chin,
    positive ``roll`` tilts clockwise. ``light_x``, ``light_y``, ``light_z`` are the unit direction towards the light:
    x right, y down, z to the viewer. ``age`` is in years. Other numbers are fractions in 0..1, or traits of build in
    -1..1 around the average; ``eye_open``, ``eye_size``, ``brow_thickness``, ``nose_width``, ``lip_fullness``,
    ``neck_width``, ``face_width`` and ``scale`` are factors, ``gaze_*`` -1..1 and ``shift_*`` fractions of the side.
    """

    presentation: str
    age: float
    yaw: float
    pitch: float
    roll: float
    smile: float
    mouth_open: float
    gaze_x: float
    gaze_y: float
    eye_open: float
    brow_raise: float
    skin_tone: float
    skin_undertone: float
    freckles: float
    hair_style: str
    hair_length: str
    hair_colour: str
    hair_volume: float
    hair_part: float
    hair_tucked: bool
    hair_front: bool
    grey: float
    bald: bool
    bangs: bool
    beard: bool
    beard_style: str
    moustache: bool
    iris_colour: str
    makeup: float
    lip_colour: str
    glasses: bool
    glasses_style: str
    hat: bool
    hat_style: str
    earring: bool
    earring_style: str
    clothes: str
    clothes_hue: float
    clothes_tone: float
    pattern: str
    background: str
    background_hue: float
    background_tone: float
    light_x: float
    light_y: float
    light_z: float
    face_width: float
    jaw: float
    cheeks: float
    chin: float
    forehead: float
    eye_size: float
    eye_spacing: float
    eye_tilt: float
    brow_thickness: float
    brow_arch: float
    nose_width: float
    nose_length: float
    lip_fullness: float
    mouth_width: float
    ear_size: float
    neck_width: float
    scale: float
    shift_x: float
    shift_y: float

    @property
    def wrinkles(self) -> float:
        """How strongly age is drawn in the skin, 0 (up to 35 years) to 1 (80)."""
        return float(np.clip((self.age - 35) / 45, 0, 1))

    @property
    def ears_shown(self) -> bool:
        """Whether the hair leaves the ears free."""
        return self.hair_style in EARS_SHOWN or self.hair_tucked

    def to_dict(self) -> dict[str, Any]:
        """The record as a JSON-able dictionary, in the order of the fields."""
        return asdict(self)
