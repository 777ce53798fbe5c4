"""Regions of a portrait: their names, order, colours, and the label orders of other datasets mapped into them.

K regions in a fixed order; region 0 is the background. The 13 regions are those of Section 4 of
arXiv 2112.02236, cut from the 18 part files of CelebAMask-HQ.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from semanticgan.errors import InputError, unknown_name

Colour = tuple[int, int, int]

_ALIASES: Mapping[str, str] = {
    "bg": "background", "skin": "face", "eyes": "eye", "eyebrows": "eyebrow", "brow": "eyebrow", "brows": "eyebrow",
    "lips": "mouth", "lip": "mouth", "ears": "ear", "hairs": "hair", "clothes": "cloth", "clothing": "cloth",
    "eyeglasses": "glasses", "earrings": "earring", "necklace": "neck",
}  # fmt: skip

# One palette for everything the project draws: label maps, masks in sheets, the web page.
_COLOURS: Mapping[str, Colour] = {
    "background": (24, 26, 32), "face": (240, 190, 160), "eye": (60, 130, 220), "eyebrow": (120, 80, 50),
    "mouth": (220, 70, 90), "nose": (250, 150, 100), "ear": (200, 140, 180), "hair": (150, 90, 200),
    "neck": (230, 210, 120), "cloth": (70, 170, 120), "glasses": (40, 220, 220), "hat": (230, 120, 30),
    "earring": (250, 240, 60),
}  # fmt: skip


@dataclass(frozen=True)
class RegionScheme:
    """The regions of a model or dataset.

    Attributes:
        names: one lower-case name a region, in label order; ``names[0]`` is the background.
        colours: one RGB colour a region, 0..255.
        transparent: names of regions that are laid over what is behind them (glasses, earring).
        mirrored: pairs of names that a horizontal flip exchanges; empty where regions have no sides.
    """

    names: tuple[str, ...]
    colours: tuple[Colour, ...] = ()
    transparent: tuple[str, ...] = ()
    mirrored: tuple[tuple[str, str], ...] = ()
    _index: dict[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if len(self.names) < 2 or len(set(self.names)) != len(self.names) or len(self.names) > 255:
            raise InputError(f"a region scheme needs 2 to 255 different names, got {list(self.names)}.")
        colours = self.colours or tuple(_COLOURS.get(name, _spread_colour(k)) for k, name in enumerate(self.names))
        if len(colours) != len(self.names):
            raise InputError(f"{len(colours)} colours for {len(self.names)} regions; give one a region, or none.")
        object.__setattr__(self, "colours", tuple((int(r), int(g), int(b)) for r, g, b in colours))
        object.__setattr__(self, "_index", {name: k for k, name in enumerate(self.names)})
        for name in (*self.transparent, *(side for pair in self.mirrored for side in pair)):
            if name not in self._index:
                raise unknown_name("region", name, self.names)

    def __len__(self) -> int:
        return len(self.names)

    def index(self, name: str) -> int:
        """The label of a region by name or alias ("eyes", "lips", "skin").

        Raises:
            InputError: no such region; the message lists the known ones.
        """
        key = name.strip().lower()
        if key not in self._index:
            key = _ALIASES.get(key, key)
        if key not in self._index:
            raise unknown_name("region", name, self.names)
        return self._index[key]

    def indices(self, names: str | Iterable[str]) -> tuple[int, ...]:
        """Labels of several regions, each once, in the order given; commas part names within one string."""
        if isinstance(names, str):
            names = [part for part in names.split(",") if part.strip()]
        labels = tuple(dict.fromkeys(self.index(name) for name in names))
        if not labels:
            raise InputError(f"no region given. Known: {', '.join(self.names)}.")
        return labels

    @property
    def transparent_indices(self) -> tuple[int, ...]:
        return tuple(self._index[name] for name in self.transparent)

    def flip_table(self) -> np.ndarray:
        """uint8 [256]: the label that replaces each label in a horizontally mirrored map."""
        table = np.arange(256, dtype=np.uint8)
        for left, right in self.mirrored:
            table[self._index[left]], table[self._index[right]] = self._index[right], self._index[left]
        return table

    def palette(self) -> list[int]:
        """256 RGB triples, flat, for ``PIL.Image.putpalette``; unused entries are black."""
        flat = [value for colour in self.colours for value in colour]
        return flat + [0] * (768 - len(flat))

    def colourise(self, labels: np.ndarray) -> np.ndarray:
        """Label map, uint8 [..., H, W] -> RGB uint8 [..., H, W, 3]."""
        return np.asarray(self.palette(), dtype=np.uint8).reshape(256, 3)[labels]

    def to_dict(self) -> dict[str, Any]:
        """A JSON-able description, read back by :meth:`from_dict`."""
        return {
            "names": list(self.names),
            "colours": [list(colour) for colour in self.colours],
            "transparent": list(self.transparent),
            "mirrored": [list(pair) for pair in self.mirrored],
        }

    @classmethod
    def from_dict(cls, description: Mapping[str, Any]) -> RegionScheme:
        return cls(
            names=tuple(description["names"]),
            colours=tuple(tuple(colour) for colour in description.get("colours", ())),
            transparent=tuple(description.get("transparent", ())),
            mirrored=tuple((left, right) for left, right in description.get("mirrored", ())),
        )


def _spread_colour(index: int) -> Colour:
    """A distinct colour for the index-th region of a scheme without known names (golden-angle hues)."""
    import colorsys

    red, green, blue = colorsys.hsv_to_rgb((index * 0.618034) % 1.0, 0.65, 0.9)
    return (round(255 * red), round(255 * green), round(255 * blue))


CELEBAMASK_13 = RegionScheme(
    names=(
        "background",
        "face",
        "eye",
        "eyebrow",
        "mouth",
        "nose",
        "ear",
        "hair",
        "neck",
        "cloth",
        "glasses",
        "hat",
        "earring",
    ),
    transparent=("glasses", "earring"),
)
"""The regions of the released models and of the drawn portraits."""

PHOTOGRAPHS_11 = RegionScheme(names=CELEBAMASK_13.names[:11], transparent=("glasses",))
"""The first eleven: datasets without labels for hat and earring."""

SCHEMES: Mapping[str, RegionScheme] = {"celebamask-13": CELEBAMASK_13, "photographs-11": PHOTOGRAPHS_11}
"""Schemes that a configuration or command line may name."""

# CelebAMask-HQ part file -> region, in painting order: where parts overlap, the later wins.
CELEBAMASK_PARTS: Mapping[str, str] = {
    "skin": "face", "eye_g": "glasses", "l_eye": "eye", "r_eye": "eye", "l_brow": "eyebrow", "r_brow": "eyebrow",
    "mouth": "mouth", "l_lip": "mouth", "u_lip": "mouth", "nose": "nose", "hair": "hair",
    "l_ear": "ear", "r_ear": "ear", "neck": "neck", "neck_l": "neck", "cloth": "cloth", "hat": "hat",
    "ear_r": "earring",
}  # fmt: skip

# Label orders in wide use, by part: position is the label found in such a map.
CELEBAMASK_19_ORDER = (
    "background", "skin", "nose", "eye_g", "l_eye", "r_eye", "l_brow", "r_brow", "l_ear", "r_ear",
    "mouth", "u_lip", "l_lip", "hair", "hat", "ear_r", "neck_l", "neck", "cloth",
)  # fmt: skip
BISENET_19_ORDER = (
    "background", "skin", "l_brow", "r_brow", "l_eye", "r_eye", "eye_g", "l_ear", "r_ear", "ear_r",
    "nose", "mouth", "u_lip", "l_lip", "neck", "neck_l", "cloth", "hair", "hat",
)  # fmt: skip

CELEBAMASK_19 = RegionScheme(
    names=CELEBAMASK_19_ORDER,
    transparent=("eye_g", "ear_r"),
    mirrored=(("l_eye", "r_eye"), ("l_brow", "r_brow"), ("l_ear", "r_ear")),
)
"""The parts of CelebAMask-HQ with their sides kept."""


def relabel_table(order: Iterable[str], scheme: RegionScheme = CELEBAMASK_13) -> np.ndarray:
    """uint8 [256]: the scheme's label for each of a part order such as :data:`BISENET_19_ORDER`; 255 if unknown."""
    table = np.full(256, 255, dtype=np.uint8)
    for label, part in enumerate(order):
        table[label] = scheme.index(CELEBAMASK_PARTS.get(part, part))
    return table
