"""Picture files taken apart before they are decoded: checksums, and what of a file matters for its pixels.

The decoder sees nothing but what decides the pixels: no EXIF, colour profile, text or further frame of a PNG or JPEG
can make it fail, warn or take memory. A file of an unexpected structure is handed to the decoder as it is.

Sources: PNG specification (third edition), sections 5 and 11; ITU-T T.81, Annex B; WebP container specification.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

from semanticgan.data.orientation import UPRIGHT, find_orientation

_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_PIXELS = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")
_PNG_PROFILES = (b"tEXt", b"zTXt")
_LARGEST_PROFILE = 2**20  # bytes of text
_JPEG_STANDALONE = (0x01, *range(0xD0, 0xD8))
_JPEG_SCAN = (0xD9, 0xDA)
# APP1 to APP13, APP15 and comments; APP0 and APP14 say how colours are stored.
_JPEG_ASIDE = (*range(0xE1, 0xEE), 0xEF, 0xFE)


class DamagedFileError(Exception):
    """A file is cut short or one of its checksums is wrong; the message says which."""


class Parts(NamedTuple):
    """A picture file, taken apart.

    Attributes:
        content: a file of the same pixels and nothing else, as stored: no orientation applies to it.
        orientation: 1 to 8; None where the file says none.
        lossy: name of the compression, if it is known to change pixels.
        size: (width, height) as stored, for a format whose decoder takes memory for all pixels when it opens a file.
    """

    content: bytes
    orientation: int | None
    lossy: str | None = None
    size: tuple[int, int] | None = None


def take_apart(content: bytes, check: bool) -> Parts:
    """A file's pixels and its orientation.

    Args:
        content: of a file of any format.
        check: whether to verify the checksums of all chunks of a PNG, and that it is complete.

    Raises:
        DamagedFileError: a checksum is wrong, or the file is cut short.
    """
    if content.startswith(_PNG):
        return _png(content, check)
    if content.startswith(b"\xff\xd8"):
        return _jpeg(content)
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return _webp(content)
    entry = find_orientation(content)  # a TIFF file is itself a block of tags
    if entry is None:
        return Parts(content, None)
    upright = bytearray(content)
    struct.pack_into(entry.form, upright, entry.place, UPRIGHT)
    return Parts(bytes(upright), entry.value)


class _Chunk(NamedTuple):
    kind: bytes
    start: int
    body: int
    end: int


def _png(content: bytes, check: bool) -> Parts:
    kept, orientation, profile = [_PNG], None, None
    for chunk in _png_chunks(content):
        if check:
            stored = int.from_bytes(content[chunk.end - 4 : chunk.end], "big")
            if zlib.crc32(memoryview(content)[chunk.start + 4 : chunk.end - 4]) != stored:
                raise DamagedFileError(f"the checksum of its {_shown(chunk.kind)} chunk is wrong")
        if chunk.kind in _PNG_PIXELS:
            kept.append(content[chunk.start : chunk.end])
        elif chunk.kind == b"eXIf":
            entry = find_orientation(content[chunk.body : chunk.end - 4])
            orientation = None if entry is None else entry.value
        elif chunk.kind in _PNG_PROFILES and profile is None:
            profile = _orientation_of_text(chunk.kind, content[chunk.body : chunk.end - 4])
    return Parts(b"".join(kept), profile if orientation is None else orientation)


def _png_chunks(content: bytes) -> Iterator[_Chunk]:
    """The chunks up to the last; a file that ends before is damaged."""
    start, kind = len(_PNG), b""
    while kind != b"IEND":
        head = content[start : start + 8]
        end = start + 12 + int.from_bytes(head[:4], "big")
        if len(head) < 8 or end > len(content):
            raise DamagedFileError("the file is cut short")
        kind = head[4:]
        yield _Chunk(kind, start, start + 8, end)
        start = end


def _orientation_of_text(kind: bytes, body: bytes) -> int | None:
    """What ImageMagick wrote before PNG had a chunk for EXIF: the block in hexadecimal digits, after three lines."""
    keyword, _, text = body.partition(b"\0")
    if keyword != b"Raw profile type exif":
        return None
    try:
        if kind == b"zTXt":
            text = zlib.decompressobj().decompress(text[1:], _LARGEST_PROFILE)
        block = bytes.fromhex(b"".join(text.split(b"\n")[3:]).decode("ascii"))
    except (ValueError, zlib.error):
        return None
    entry = find_orientation(block)
    return None if entry is None else entry.value


def _jpeg(content: bytes) -> Parts:
    kept, orientation, start = [content[:2]], None, 2
    while content[start : start + 1] == b"\xff" and start + 4 <= len(content):
        marker = content[start + 1]
        if marker in _JPEG_SCAN:
            break
        if marker == 0xFF:  # filling
            start += 1
            continue
        end = start + 2 + (0 if marker in _JPEG_STANDALONE else int.from_bytes(content[start + 2 : start + 4], "big"))
        segment = content[start + 4 : end]
        if marker == 0xE1 and orientation is None and segment.startswith(b"Exif\0\0"):
            entry = find_orientation(segment)
            orientation = None if entry is None else entry.value
        if marker not in _JPEG_ASIDE:
            kept.append(content[start:end])
        start = end
    return Parts(b"".join([*kept, content[start:]]), orientation, "JPEG")


def _webp(content: bytes) -> Parts:
    if len(content) < 8 + int.from_bytes(content[4:8], "little"):
        raise DamagedFileError("the file is cut short")
    orientation, lossy, size, start = None, None, None, 12
    while start + 8 <= len(content):
        kind, length = content[start : start + 4], int.from_bytes(content[start + 4 : start + 8], "little")
        body = content[start + 8 : start + 8 + length]
        size = size or _webp_size(kind, body)
        if kind == b"EXIF" and orientation is None:
            entry = find_orientation(body)
            orientation = None if entry is None else entry.value
        # A frame of an animation has a header of 16 bytes, then chunks of its own.
        if kind == b"VP8 " or (kind == b"ANMF" and b"VP8 " in body[16:]):
            lossy = "lossy WebP"
        start += 8 + length + length % 2
    return Parts(content, orientation, lossy, size)


def _webp_size(kind: bytes, body: bytes) -> tuple[int, int] | None:
    """(width, height) by the first chunk of a file."""
    if kind == b"VP8X":
        return int.from_bytes(body[4:7], "little") + 1, int.from_bytes(body[7:10], "little") + 1
    if kind == b"VP8L":
        bits = int.from_bytes(body[1:5], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 ":
        return int.from_bytes(body[6:8], "little") & 0x3FFF, int.from_bytes(body[8:10], "little") & 0x3FFF
    return None


def _shown(kind: bytes) -> str:
    return kind.decode("ascii", "replace") if kind.isalpha() else repr(kind)
