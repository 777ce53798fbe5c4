"""Regions of a portrait: their names, order, colours, and the label orders of other datasets mapped into them.

K regions in a fixed order; region 0 is the background. The 13 regions are those of Section 4 of
arXiv 2112.02236, cut from the 18 part files of CelebAMask-HQ.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from numbers import Integral
from typing import Any

import numpy as np

from semanticgan.errors import InputError, unknown_name

Colour = tuple[int, int, int]

_ALIASES: Mapping[str, str] = {
    "bg": "background", "skin": "face", "eyes": "eye", "eyebrows": "eyebrow", "brow": "eyebrow", "brows": "eyebrow",
    "lips": "mouth", "lip": "mouth", "ears": "ear", "hairs": "hair", "clothes": "cloth", "clothing": "cloth",
    "eyeglasses": "glasses", "earrings": "earring", "necklace": "neck",
}  # fmt: skip

# The 13 regions in label order, in the one palette of everything the project draws.
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
        names: one name per region, in label order; ``names[0]`` is the background. 2 to 255 of them, unique without
            regard to case, without commas, invisible characters and blanks around them: each can be chosen by its name.
        colours: one RGB colour per region, 0..255.
        transparent: names of regions that are laid over what is behind them (glasses, earring).
        mirrored: pairs of names that a horizontal flip exchanges; empty where regions have no sides.
    """

    names: tuple[str, ...]
    colours: tuple[Colour, ...] = ()
    transparent: tuple[str, ...] = ()
    mirrored: tuple[tuple[str, str], ...] = ()
    _index: dict[str, int] = field(init=False, repr=False, compare=False)  # by _key of the name

    def __post_init__(self) -> None:
        names = tuple(_list("names", self.names))
        object.__setattr__(self, "names", names)
        object.__setattr__(self, "_index", _index_of(names))
        colours = tuple(_colour(given) for given in _list("colours", self.colours))
        if colours and len(colours) != len(names):
            raise InputError(f"{len(colours)} colours for {len(names)} regions; give one per region, or none.")
        drawn = colours or tuple(_COLOURS.get(name, _spread_colour(k)) for k, name in enumerate(names))
        object.__setattr__(self, "colours", drawn)
        object.__setattr__(self, "transparent", self._own_names("transparent", self.transparent))
        pairs = tuple(self._own_names("mirrored", pair) for pair in _list("mirrored", self.mirrored))
        if any(len(pair) != 2 for pair in pairs):
            raise InputError("'mirrored' of a region scheme is a list of pairs of names, such as [['l_eye', 'r_eye']].")
        self._own_names("mirrored", [name for pair in pairs for name in pair])
        object.__setattr__(self, "mirrored", pairs)

    def _own_names(self, what: str, given: Any) -> tuple[str, ...]:
        """Names of regions as the scheme writes them, each at most once.

        Raises:
            InputError: no list, a name that is no region's, or one that comes twice.
        """
        names = _list(what, given)
        for name in names:
            if not isinstance(name, str) or _key(name) not in self._index:
                raise unknown_name("region", name if isinstance(name, str) else repr(name), self.names)
        labels = [self._index[_key(name)] for name in names]
        if len(set(labels)) < len(labels):
            raise InputError(f"{what!r} of a region scheme names a region twice: {_shown(names)}.")
        return tuple(self.names[label] for label in labels)

    def __len__(self) -> int:
        return len(self.names)

    def index(self, name: str) -> int:
        """The label of a region by name or alias ("eyes", "lips", "skin"), without regard to case.

        A region's own name comes before an alias.

        Raises:
            InputError: no such region; the message lists the known ones.
        """
        if not isinstance(name, str):
            raise InputError(f"a region is chosen by its name, got {_shown(name)}. Known: {', '.join(self.names)}.")
        key = _key(name.strip())
        if key not in self._index:
            key = _ALIASES.get(key, key)
        if key not in self._index:
            raise unknown_name("region", name, self.names)
        return self._index[key]

    def indices(self, names: str | Iterable[str]) -> tuple[int, ...]:
        """Labels of several regions, each once, in the order given; one string may hold several, comma-separated.

        Raises:
            InputError: no region, or an unknown one.
        """
        if isinstance(names, str):
            names = [part for part in names.split(",") if part.strip()]
        if not isinstance(names, Iterable):
            raise InputError(f"regions are chosen by their names, got {_shown(names)}. Known: {', '.join(self.names)}.")
        labels = tuple(dict.fromkeys(self.index(name) for name in names))
        if not labels:
            raise InputError(f"no region given. Known: {', '.join(self.names)}.")
        return labels

    @property
    def transparent_indices(self) -> tuple[int, ...]:
        return tuple(self.names.index(name) for name in self.transparent)

    def flip_table(self) -> np.ndarray:
        """uint8 [256]: the label that replaces each label in a horizontally mirrored map."""
        table = np.arange(256, dtype=np.uint8)
        for pair in self.mirrored:
            left, right = map(self.names.index, pair)
            table[left], table[right] = right, left
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
        """The scheme of :meth:`to_dict`; the description may be of anybody.

        Raises:
            InputError: it is no such description.
        """
        if not isinstance(description, Mapping) or "names" not in description:
            raise InputError(f"a region scheme is {{'names': ['background', ...]}}, got {_shown(description)}.")
        for key in description:
            if key not in _KEYS:
                raise unknown_name("key of a region scheme", str(key), _KEYS)
        return cls(**description)


_KEYS = ("names", "colours", "transparent", "mirrored")
_INVISIBLE = ("Cc", "Cf", "Cs", "Zl", "Zp")  # controls, bidirectional marks, halves of pairs, separators of lines
_LONGEST_NAME = 100  # characters


def _key(name: str) -> str:
    """What two names that count as the same have in common: case and the composition of accents do not matter."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def _index_of(names: tuple[Any, ...]) -> dict[str, int]:
    """The label of each name, by its :func:`_key`.

    Raises:
        InputError: too few or too many names, or one that could not be chosen later.
    """
    if not 2 <= len(names) <= 255:
        raise InputError(f"a region scheme needs 2 to 255 different names, got {len(names)}: {_shown(list(names))}.")
    index: dict[str, int] = {}
    for label, name in enumerate(names):
        if not isinstance(name, str) or not name.strip():
            raise InputError(f"the name of region {label} is {_shown(name)}. Give a text that is not empty.")
        if name != name.strip() or "," in name or len(name) > _LONGEST_NAME:
            raise InputError(
                f"the name of region {label} is {_shown(name)}. Give at most {_LONGEST_NAME} characters, no commas, "
                "and no blanks around it."
            )
        if any(unicodedata.category(character) in _INVISIBLE for character in name):
            raise InputError(f"the name of region {label} is {_shown(name)}. Give one without invisible characters.")
        if _key(name) in index:
            raise InputError(
                f"a region scheme needs different names, also without regard to case: regions {index[_key(name)]} and "
                f"{label} are {_shown(names[index[_key(name)]])} and {_shown(name)}."
            )
        index[_key(name)] = label
    return index


def _list(what: str, given: Any) -> list[Any]:
    if not isinstance(given, (list, tuple)):
        raise InputError(f"{what!r} of a region scheme is a list, got {_shown(given)}.")
    return list(given)


def _colour(given: Any) -> Colour:
    values = list(given) if isinstance(given, (list, tuple)) else []
    whole = all(
        isinstance(value, Integral) and not isinstance(value, bool) and 0 <= int(value) <= 255 for value in values
    )
    if len(values) != 3 or not whole:
        raise InputError(
            f"a colour is three whole numbers from 0 to 255, such as [240, 190, 160], got {_shown(given)}."
        )
    red, green, blue = map(int, values)
    return red, green, blue


def _shown(given: Any) -> str:
    """A value for an error message: one line, no character that a terminal would obey, not long."""
    text = ascii(given)
    return text if len(text) <= 120 else f"{text[:117]}..."


def _spread_colour(index: int) -> Colour:
    """A distinct colour for the index-th region of a scheme without known names (golden-angle hues)."""
    import colorsys

    red, green, blue = colorsys.hsv_to_rgb((index * 0.618034) % 1.0, 0.65, 0.9)
    return (round(255 * red), round(255 * green), round(255 * blue))


CELEBAMASK_13 = RegionScheme(names=tuple(_COLOURS), transparent=("glasses", "earring"))
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
