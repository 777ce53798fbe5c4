"""Bounds of the numbers that describe a network, checked before anything of that size is made.

A configuration may come from a file that anybody wrote. The bounds are far above what is ever trained; they keep a
wrong number from becoming a network of terabytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from semanticgan.errors import InputError

LARGEST_SIDE = 4096
LARGEST_WIDTH = 65_536
LARGEST_COUNT = 255
"""Of layers and regions; a label map has 8 bits."""


def whole(name: str, value: Any, smallest: int, largest: int) -> int:
    """``value`` as an int.

    Raises:
        InputError: it is not a whole number within the bounds.
    """
    if not isinstance(value, int) or isinstance(value, bool) or not smallest <= value <= largest:
        raise InputError(f"{name} is a whole number from {smallest} to {largest}, got {_shown(value)}.")
    return int(value)


def side(name: str, value: Any) -> int:
    """A side in pixels: a power of two from 4 on.

    Raises:
        InputError: something else.
    """
    if not isinstance(value, int) or isinstance(value, bool) or value < 4 or value & (value - 1):
        raise InputError(f"{name} must be a power of two, at least 4, got {_shown(value)}.")
    return whole(name, value, 4, LARGEST_SIDE)


def widths(name: str, value: Any) -> dict[int, int]:
    """Width by side, sorted by side; a side may be given as text, as JSON does.

    Raises:
        InputError: no mapping from sides to widths.
    """
    if not isinstance(value, Mapping):
        raise InputError(f"{name} gives a width for each side, such as {{32: 128, 64: 64}}, got {_shown(value)}.")
    found = {}
    for key, width in value.items():
        number = int(key) if isinstance(key, str) and key.isascii() and key.isdigit() and len(key) < 10 else key
        found[side(f"a side in {name}", number)] = whole(f"{name} at side {_shown(key)}", width, 1, LARGEST_WIDTH)
    return dict(sorted(found.items()))


def fraction(name: str, value: Any) -> float:
    """A number from 0 to 1.

    Raises:
        InputError: something else.
    """
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0.0 <= value <= 1.0:
        raise InputError(f"{name} is a number from 0 to 1, got {_shown(value)}.")
    return float(value)


def switch(name: str, value: Any) -> bool:
    """True or False.

    Raises:
        InputError: something else.
    """
    if not isinstance(value, bool):
        raise InputError(f"{name} is true or false, got {_shown(value)}.")
    return value


def labels(name: str, value: Any, num_regions: int) -> tuple[int, ...]:
    """Different labels of regions, the background's excluded.

    Raises:
        InputError: something else.
    """
    if not isinstance(value, (list, tuple)) or any(isinstance(label, bool) for label in value):
        raise InputError(f"{name} is a list of labels, got {_shown(value)}.")
    if any(not isinstance(label, int) or not 0 < label < num_regions for label in value):
        raise InputError(f"{name} labels must lie in 1..{num_regions - 1}, got {_shown(list(value))}.")
    if len(set(value)) != len(value):
        raise InputError(f"{name} labels must differ, got {_shown(list(value))}.")
    return tuple(int(label) for label in value)


def _shown(value: Any) -> str:
    """Short text of a value; one of a file may be a number of thousands of digits."""
    if isinstance(value, int) and value.bit_length() > 200:
        return "a number of more than 60 digits"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
