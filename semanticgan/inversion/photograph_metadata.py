"""What of a photograph's file is kept beside its pixels, and what of it is left out.

Left out unless asked for: the place (GPS), serial numbers and owners of camera and lens, the maker's notes, which hold
both. Always left out: the small picture in the EXIF block, which shows the photograph before the edit.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from PIL import Image
from PIL.ExifTags import IFD, Base

_ORIENTATION = int(Base.Orientation)
_MAKER_NOTE = 0x927C
_PRIVATE: Mapping[str, tuple[int, ...]] = MappingProxyType(
    {
        "base": (int(IFD.GPSInfo), 0xC62F, 0xC65D, 0x9C9D),  # place, camera serial number, raw data's name, XP author
        "exif": (_MAKER_NOTE, 0xA430, 0xA431, 0xA435, 0xA420),  # maker, owner, body, lens, the picture's own number
    }
)
_PRIVATE_XMP = re.compile(
    rb"""\s(?:exif|exifEX|aux|crs|tiff|Iptc4xmpExt|photoshop):
        (?:GPS\w*|SerialNumber|BodySerialNumber|LensSerialNumber|CameraOwnerName|OwnerName|ImageUniqueID|LensID)
        \s*=\s*(?:"[^"]*"|'[^']*')""",
    re.VERBOSE,
)
_PRIVATE_XMP_ELEMENT = re.compile(
    rb"""<(\w+:(?:GPS\w*|SerialNumber|BodySerialNumber|LensSerialNumber|CameraOwnerName|OwnerName|ImageUniqueID))\b
        [^>]*?(?:/>|>.*?</\1\s*>)""",
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True)
class Kept:
    """What is written back.

    Attributes:
        exif: the EXIF block as it was; b"" without one.
        xmp: the XMP packet as it was; b"" without one.
        tables: quantisation tables of a JPEG.
        subsampling: of a JPEG's colours, as Pillow counts; None of another format.
        dpi: pixels an inch, None where the file says none.
    """

    exif: bytes = b""
    xmp: bytes = b""
    tables: Mapping[int, Any] | None = None
    subsampling: int | None = None
    dpi: tuple[float, float] | None = None


def written_exif(exif: bytes, keep_private: bool) -> bytes:
    """The EXIF block of an upright picture; b"" where nothing is left or it cannot be read."""
    if not exif:
        return b""
    block = Image.Exif()
    try:
        block.load(exif)
        inner = block.get_ifd(IFD.Exif)
        if not keep_private:
            for tag in _PRIVATE["base"]:
                block.pop(tag, None)
            for tag in _PRIVATE["exif"]:
                inner.pop(tag, None)
        if _ORIENTATION in block:
            block[_ORIENTATION] = 1
        return block.tobytes()
    except Exception:  # a broken block has a dozen ways to fail, and is not worth the photograph
        return b""


def written_xmp(xmp: bytes, keep_private: bool) -> bytes:
    """The XMP packet without what is private."""
    if keep_private:
        return xmp
    return _PRIVATE_XMP.sub(b"", _PRIVATE_XMP_ELEMENT.sub(b"", xmp))
