"""What a photograph's file says beside its pixels, without where it was taken and with which device.

Left out: location (GPS), serial numbers of body and lens, the owner's name, the maker's own notes, identifiers of the
picture, and thumbnails, which show the picture before the edit.
Sources: EXIF 2.32, section 4.6; XMP specification, part 2.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any

from PIL import Image

from semanticgan.data.orientation import UPRIGHT, find_orientation
from semanticgan.formats.provenance import merged

EXIF_POINTER = 0x8769

# ImageDescription, Make, Model, XResolution, YResolution, ResolutionUnit, Software, DateTime, Artist, Copyright.
_KEPT = (0x010E, 0x010F, 0x0110, 0x011A, 0x011B, 0x0128, 0x0131, 0x0132, 0x013B, 0x8298)
# MakerNote, UserComment, related sound, interoperability, ImageUniqueID, CameraOwnerName, BodySerialNumber,
# LensSerialNumber; width and height, which turning exchanges.
_PRIVATE = (0x927C, 0x9286, 0xA004, 0xA005, 0xA420, 0xA430, 0xA431, 0xA435, 0xA002, 0xA003)


def clean_exif(block: bytes | None) -> dict[int, Any]:
    """The tags of an EXIF block that are kept; those of the camera's settings are a dictionary under 0x8769."""
    if not block:
        return {}
    try:
        exif = Image.Exif()
        exif.load(block)
        kept: dict[int, Any] = {tag: exif[tag] for tag in _KEPT if tag in exif}
        settings = {tag: value for tag, value in exif.get_ifd(EXIF_POINTER).items() if tag not in _PRIVATE}
    except Exception:  # a damaged block fails in any way; the pixels do not depend on it
        return {}
    return kept | ({EXIF_POINTER: settings} if settings else {})


def exif_block(tags: Mapping[int, Any]) -> bytes:
    """An EXIF block of tags, upright; empty without tags or where a value cannot be written."""
    if not tags:
        return b""
    exif = Image.Exif()
    for tag, value in tags.items():
        if tag == EXIF_POINTER:
            exif.get_ifd(EXIF_POINTER).update(value)
        else:
            exif[tag] = value
    exif[0x0112] = UPRIGHT
    try:
        return exif.tobytes()
    except Exception:  # as above
        return b""


def upright_exif(block: bytes | None) -> bytes:
    """An EXIF block as it is, but for its orientation, which becomes 1."""
    entry = find_orientation(block or b"")
    if entry is None:
        return block or b""
    turned = bytearray(block or b"")
    struct.pack_into(entry.form, turned, entry.place, UPRIGHT)
    return bytes(turned)


def clean_xmp(packet: bytes | None, keep_all: bool = False) -> bytes:
    """An XMP packet, upright, without what is private; empty where it cannot be read.

    Args:
        packet: as it was read.
        keep_all: only the orientation is changed.
    """
    return merged(None, packet or None, keep_all) or b""
