"""Who is in the picture: the record of one drawn portrait, and how records are drawn by lot."""

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

_HAIR_WEIGHTS = {
    # bald, buzz, short, side part, quiff, fringe, bob, long straight, long wavy, curly, afro, bun, ponytail
    "masculine": (0.06, 0.12, 0.20, 0.21, 0.13, 0.09, 0.00, 0.03, 0.03, 0.07, 0.03, 0.01, 0.00),
    "feminine": (0.004, 0.012, 0.07, 0.04, 0.01, 0.05, 0.15, 0.19, 0.19, 0.09, 0.05, 0.08, 0.064),
}
_CLOTHES_WEIGHTS = {
    # crew, v-neck, scoop, shirt, turtleneck, suit, hoodie
    "masculine": (0.24, 0.14, 0.02, 0.24, 0.10, 0.10, 0.14),
    "feminine": (0.20, 0.17, 0.20, 0.16, 0.10, 0.03, 0.08),
}
_EARS_SHOWN = ("bald", "buzz", "short", "side part", "quiff", "fringe", "bun", "ponytail")
_LENGTHS = {
    "bald": "none",
    "bob": "medium",
    "curly": "medium",
    "afro": "medium",
    "long straight": "long",
    "long wavy": "long",
}


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
        return self.hair_style in _EARS_SHOWN or self.hair_tucked

    def to_dict(self) -> dict[str, Any]:
        """The record as a JSON-able dictionary, in the order of the fields."""
        return asdict(self)


def sample_attributes(rng: np.random.Generator) -> PortraitAttributes:
    """Draws one record by lot.

    Rates follow CelebA's, with glasses and hats a little more frequent so that each can be learned.
    """

    def chance(probability: float) -> bool:
        return bool(rng.random() < probability)

    def pick(names: tuple[str, ...], weights: tuple[float, ...] | list[float] | None = None) -> str:
        if weights is None:
            return names[int(rng.integers(len(names)))]
        total = np.cumsum(weights)
        return names[int(np.searchsorted(total, rng.random() * total[-1], side="right"))]

    def trait(spread: float = 0.5) -> float:
        return float(np.clip(rng.normal(0, spread), -1, 1))

    presentation = pick(("feminine", "masculine"), (0.52, 0.48))
    feminine = presentation == "feminine"
    age = _age(rng)
    child = age < 14
    skin_tone = float(np.clip(rng.beta(1.15, 1.45), 0, 1))
    weights = list(_HAIR_WEIGHTS[presentation])
    weights[0] *= 0.0 if age < 25 else 0.6 + age / 60
    weights[10] *= 0.3 + 2.2 * skin_tone
    weights[9] *= 0.6 + 1.0 * skin_tone
    hair_style = pick(HAIR_STYLES, weights)
    bald = hair_style == "bald"
    tucked = hair_style in ("long straight", "long wavy", "bob") and chance(0.42)
    bangs = hair_style == "fringe" or (
        hair_style in ("bob", "long straight", "long wavy", "ponytail", "bun") and chance(0.33)
    )
    grey = float(np.clip(rng.normal((age - 48) / 26, 0.25), 0, 1)) if age > 38 else 0.0
    hair_colour = _hair_colour(rng, pick, skin_tone, dyed=not bald)
    if feminine and age < 70 and chance(0.6):
        grey *= 0.3

    beard_style = "none"
    if not feminine and age > 20 and chance(0.42):
        beard_style = pick(BEARD_STYLES[1:], (0.32, 0.16, 0.30, 0.22))
    moustache = beard_style in ("goatee", "short", "full") or (not feminine and age > 22 and chance(0.06))

    smile = float(rng.uniform(0.5, 1.0) if chance(0.55) else rng.uniform(0.0, 0.5))
    mouth_open = float(rng.uniform(0.35, 1.0)) if chance(0.20 + 0.32 * (smile > 0.5)) else 0.0
    hat = chance(0.085)
    hat_style = pick(HAT_STYLES[1:], (0.28, 0.24, 0.2, 0.14, 0.14 if feminine else 0.0)) if hat else "none"
    glasses = chance(0.09 + 0.05 * (age > 50))
    ears = (hair_style in _EARS_SHOWN or tucked) and hat_style != "headscarf"
    earring = ears and chance(0.50 * (0.3 if child else 1.0) if feminine else 0.05)
    light_side, light_height = rng.uniform(-1, 1), rng.uniform(0.45, 0.85)
    light = np.array([0.35 * np.sign(light_side) + 0.40 * light_side, -light_height, 0.75])
    light /= np.linalg.norm(light)
    makeup = float(rng.uniform(0.25, 1.0)) if feminine and not child and chance(0.75) else 0.0

    return PortraitAttributes(
        presentation=presentation,
        age=round(age, 1),
        yaw=float(np.clip(rng.normal(0, 14), -34, 34)),
        pitch=float(np.clip(rng.normal(0, 5), -13, 13)),
        roll=float(np.clip(rng.normal(0, 4), -11, 11)),
        smile=smile,
        mouth_open=mouth_open,
        gaze_x=float(np.clip(rng.normal(0, 0.32), -0.9, 0.9)),
        gaze_y=float(np.clip(rng.normal(0, 0.20), -0.6, 0.6)),
        eye_open=float(np.clip(rng.normal(1.0, 0.10), 0.72, 1.2)),
        brow_raise=trait(0.35),
        skin_tone=skin_tone,
        skin_undertone=trait(),
        freckles=float(rng.uniform(0.4, 1.0)) if skin_tone < 0.42 and chance(0.18) else 0.0,
        hair_style=hair_style,
        hair_length=_LENGTHS.get(hair_style, "short"),
        hair_colour=hair_colour,
        hair_volume=trait(),
        hair_part=float(np.clip(rng.normal(0, 0.5), -1, 1)),
        hair_tucked=tucked,
        hair_front=chance(0.55),
        grey=grey,
        bald=bald,
        bangs=bangs,
        beard=beard_style != "none",
        beard_style=beard_style,
        moustache=moustache,
        iris_colour=_iris_colour(pick, skin_tone),
        makeup=makeup,
        lip_colour=pick(("natural", "rose", "red", "berry"), (0.4, 0.3, 0.2, 0.1)) if makeup else "natural",
        glasses=glasses,
        glasses_style=pick(GLASSES_STYLES[1:], (0.4, 0.35, 0.25 if feminine else 0.05, 0.10)) if glasses else "none",
        hat=hat,
        hat_style=hat_style,
        earring=earring,
        earring_style=pick(EARRING_STYLES[1:], (0.35, 0.35, 0.3)) if earring else "none",
        clothes=pick(CLOTHES, _CLOTHES_WEIGHTS[presentation]),
        clothes_hue=float(rng.random()),
        clothes_tone=float(rng.random()),
        pattern=pick(PATTERNS, (0.58, 0.18, 0.12, 0.12)),
        background=pick(BACKGROUNDS),
        background_hue=float(rng.random()),
        background_tone=float(rng.random()),
        light_x=float(light[0]),
        light_y=float(light[1]),
        light_z=float(light[2]),
        face_width=float(np.clip(rng.normal(1.0, 0.035) + 0.04 * child, 0.92, 1.10)),
        jaw=float(np.clip(rng.normal(-0.25 if feminine else 0.45, 0.4) - 0.3 * child, -1, 1)),
        cheeks=float(np.clip(rng.normal(0.15, 0.4) + 0.5 * child, -1, 1)),
        chin=float(np.clip(rng.normal(-0.15 if feminine else 0.25, 0.4) - 0.7 * child, -1.3, 1)),
        forehead=trait(0.4),
        eye_size=float(np.clip(rng.normal(1.04 if feminine else 0.98, 0.06) + 0.12 * child, 0.86, 1.22)),
        eye_spacing=trait(0.4),
        eye_tilt=float(np.clip(rng.normal(3.0, 3.5), -5, 11)),
        brow_thickness=float(np.clip(rng.normal(0.82 if feminine else 1.2, 0.18) - 0.15 * child, 0.55, 1.7)),
        brow_arch=trait(0.4),
        nose_width=float(np.clip(rng.normal(0.93 if feminine else 1.04, 0.11) + 0.12 * (skin_tone - 0.4), 0.72, 1.35)),
        nose_length=float(np.clip(rng.normal(0, 0.4) - 0.6 * child, -1, 1)),
        lip_fullness=float(np.clip(rng.normal(1.08 if feminine else 0.88, 0.15) + 0.25 * (skin_tone - 0.4), 0.6, 1.5)),
        mouth_width=trait(0.4),
        ear_size=trait(0.4),
        neck_width=float(np.clip(rng.normal(0.92 if feminine else 1.12, 0.06) - 0.1 * child, 0.78, 1.28)),
        scale=float(np.clip(rng.normal(1.04, 0.02), 0.99, 1.09)),
        shift_x=float(np.clip(rng.normal(0, 0.006), -0.015, 0.015)),
        shift_y=float(np.clip(rng.normal(0, 0.006), -0.015, 0.015)),
    )  # fmt: skip


def _age(rng: np.random.Generator) -> float:
    kind = rng.random()
    if kind < 0.08:
        return float(rng.uniform(6, 14))
    return float(rng.uniform(60, 86) if kind > 0.86 else 16 + 46 * rng.beta(1.3, 1.5))


def _hair_colour(rng: np.random.Generator, pick: Any, skin_tone: float, dyed: bool) -> str:
    """Fair hair mostly with fair skin; a few dyed heads everywhere."""
    if rng.random() < 0.035 and dyed:
        return str(pick(HAIR_COLOURS[-4:]))
    light = max(0.0, 1 - skin_tone / 0.55)
    weights = (0.15 + 0.9 * skin_tone, 0.25, 0.22 - 0.1 * skin_tone, 0.12, 0.02 + 0.10 * light, 0.02 + 0.12 * light,
               0.02 + 0.18 * light, 0.02 + 0.26 * light, 0.01 + 0.06 * light)  # fmt: skip
    return str(pick(HAIR_COLOURS[:9], weights))


def _iris_colour(pick: Any, skin_tone: float) -> str:
    light = max(0.0, 1 - skin_tone / 0.5)
    return str(
        pick(
            IRIS_COLOURS,
            (0.2 + 0.6 * skin_tone, 0.3, 0.14, 0.03 + 0.17 * light, 0.02 + 0.4 * light, 0.01 + 0.12 * light),
        )
    )
