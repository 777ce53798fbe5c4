"""The EXIF orientation of a picture: found in any EXIF block, applied, and shared with a label map that has none.

Only this one tag is read, so nothing else in the block can make a picture unreadable. XMP is not looked at.
Source: EXIF 2.32, tag 0x0112; TIFF 6.0, Section 2.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import NamedTuple

from PIL import Image

UPRIGHT = 1

_TAG = 0x0112
_ORDERS: Mapping[bytes, str] = {b"II*\0": "<", b"MM\0*": ">"}
_WHOLE_NUMBERS: Mapping[int, str] = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i"}  # by type of an entry
_ENTRY = 12  # bytes

_Transpose = Image.Transpose
_TURNS: Mapping[int, Image.Transpose] = {
    2: _Transpose.FLIP_LEFT_RIGHT,
    3: _Transpose.ROTATE_180,
    4: _Transpose.FLIP_TOP_BOTTOM,
    5: _Transpose.TRANSPOSE,
    6: _Transpose.ROTATE_270,
    7: _Transpose.TRANSVERSE,
    8: _Transpose.ROTATE_90,
}
_SWAPS_SIDES = (5, 6, 7, 8)


class Header(NamedTuple):
    """What a file says of its pixels.

    Attributes:
        size: (width, height) as stored.
        orientation: 1 to 8; None where the file says none.
    """

    size: tuple[int, int]
    orientation: int | None

    @property
    def upright(self) -> bool:
        return self.orientation in (None, UPRIGHT)


class Entry(NamedTuple):
    """Where a block says its orientation.

    Attributes:
        value: 1 to 8.
        place: of the value in the block, in bytes.
        form: of the value, for ``struct``.
    """

    value: int
    place: int
    form: str


def find_orientation(block: bytes) -> Entry | None:
    """The orientation in an EXIF block or a TIFF file; None where there is none, or none that can be read."""
    start = 6 if block.startswith(b"Exif\0\0") else 0
    order = _ORDERS.get(block[start : start + 4])
    if order is None:
        return None
    try:
        first = start + struct.unpack_from(f"{order}I", block, start + 4)[0]
        (count,) = struct.unpack_from(f"{order}H", block, first)
        for place in range(first + 2, first + 2 + _ENTRY * count, _ENTRY):
            tag, kind, number = struct.unpack_from(f"{order}HHI", block, place)
            if tag != _TAG:
                continue
            form = order + _WHOLE_NUMBERS.get(kind, "")
            if len(form) == 1 or not 1 <= number * struct.calcsize(form) <= 4:
                return None
            (value,) = struct.unpack_from(form, block, place + 8)
            return Entry(value, place + 8, form) if UPRIGHT <= value <= 8 else None
    except struct.error:  # the block ends before its directory does
        pass
    return None


def turned(image: Image.Image, orientation: int | None) -> Image.Image:
    """Stored pixels as they are meant to be seen; the image itself where nothing is to be turned."""
    turn = _TURNS.get(orientation or UPRIGHT)
    return image if turn is None else image.transpose(turn)


def turned_size(size: tuple[int, int], orientation: int | None) -> tuple[int, int]:
    """(width, height) of an image after :func:`turned`."""
    return (size[1], size[0]) if orientation in _SWAPS_SIDES else size


class Turning(NamedTuple):
    """How a label map is turned.

    Attributes:
        orientation: 1 to 8, to be applied to its stored pixels.
        doubtful: the picture says an orientation, the map says none, and the map fits the picture both ways.
    """

    orientation: int
    doubtful: bool = False


def turning_of_map(picture: Header, labels: Header) -> Turning:
    """How the label map or mask of a picture is turned.

    A map that says its orientation follows it. One that says none was made from the stored pixels of the picture and
    turns as the picture does, unless its proportions fit only the picture as it is seen.
    """
    if labels.orientation is not None or picture.upright:
        return Turning(labels.orientation or UPRIGHT)
    as_stored = same_proportions(picture.size, labels.size)
    as_seen = same_proportions(turned_size(picture.size, picture.orientation), labels.size)
    if as_seen and not as_stored:
        return Turning(UPRIGHT)
    return Turning(picture.orientation or UPRIGHT, doubtful=as_stored and as_seen)


def same_proportions(picture: tuple[int, int], labels: tuple[int, int]) -> bool:
    """Whether two (width, height) have equal proportions, to a pixel."""
    scale = picture[1] / labels[1]
    return abs(labels[0] * scale - picture[0]) <= max(1.0, scale)
