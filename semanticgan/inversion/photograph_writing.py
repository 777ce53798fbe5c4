"""A photograph written: pixels with profile, EXIF and XMP, in the format of the path's suffix.

PNG, TIFF and WebP are lossless. A JPEG that comes from a JPEG has that file's quantisation tables and chroma
subsampling. 16 bits are kept in PNG and TIFF.
Sources: PNG specification (third edition), section 11; TIFF 6.0, sections 3 to 8.
"""

from __future__ import annotations

import struct
import warnings
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, TiffImagePlugin

from semanticgan.errors import DataWarning, InputError
from semanticgan.files import user_path, written_aside
from semanticgan.formats.provenance import save_with_xmp
from semanticgan.inversion.photograph_reading import JpegCoding
from semanticgan.inversion.privacy import EXIF_POINTER

SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp")

_QUALITY = 95  # of a JPEG that comes from no JPEG
_STRIP = 2**22  # bytes of a TIFF's strip


@dataclass(frozen=True, eq=False)
class Metadata:
    """What is written beside pixels.

    Attributes:
        profile: ICC profile; None for sRGB.
        exif: a block; empty for none.
        tags: the same as tags, for TIFF.
        xmp: a packet; empty for none.
        jpeg: how a JPEG is coded; None for quality 95 without subsampling.
    """

    profile: bytes | None
    exif: bytes
    tags: Mapping[int, Any]
    xmp: bytes
    jpeg: JpegCoding | None


def require_writable(path: str | Path) -> Path:
    """Return ``path`` if its suffix is one that photographs are written in.

    Raises:
        InputError: another suffix.
    """
    path = user_path(path, "output")
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(
            f"output {str(path)!r} has the suffix {path.suffix!r}. Give a name in {', '.join(SUFFIXES)}; .png loses "
            "nothing."
        )
    return path


def write_pixels(path: str | Path, pixels: NDArray[Any], metadata: Metadata, overwrite: bool = False) -> None:
    """Write pixels, uint8 or uint16 [H, W, 1, 3 or 4].

    Raises:
        InputError: another suffix, an existing file without ``overwrite``, a folder that cannot be written.
    """
    path = require_writable(path)
    suffix = path.suffix.lower()
    if suffix in (".jpg", ".jpeg", ".webp") and pixels.dtype == np.uint16:
        _warn(f"{path.name} has 8 bits per channel, the photograph has 16. Use .png or .tif to keep them.")
        pixels = np.round(pixels / np.float32(257)).astype(np.uint8)
    if suffix in (".jpg", ".jpeg") and pixels.shape[2] == 4:
        if (pixels[:, :, 3] < 255).any():
            _warn(f"{path.name} is a JPEG, which has no transparency: it is left out. Use .png to keep it.")
        pixels = pixels[:, :, :3]
    with written_aside(path, overwrite) as aside:
        if suffix in (".tif", ".tiff"):
            aside.write_bytes(_tiff(pixels, metadata))
        elif pixels.dtype == np.uint16:
            aside.write_bytes(_png(pixels, metadata))
        else:
            _by_pillow(aside, suffix, pixels, metadata)


def _by_pillow(path: Path, suffix: str, pixels: NDArray[Any], metadata: Metadata) -> None:
    image = Image.fromarray(np.ascontiguousarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels))
    options: dict[str, Any] = {"exif": metadata.exif} if metadata.exif else {}
    if metadata.profile:
        options["icc_profile"] = metadata.profile
    if suffix == ".png":
        save_with_xmp(image, path, metadata.xmp, format="PNG", **options)
    elif suffix == ".webp":
        save_with_xmp(image, path, metadata.xmp, format="WEBP", lossless=True, exact=True, **options)
    elif metadata.jpeg is not None:
        subsampling = metadata.jpeg.subsampling if metadata.jpeg.subsampling >= 0 else 0
        options |= {"qtables": _tables(metadata.jpeg, image.mode), "subsampling": subsampling}
        save_with_xmp(image, path, metadata.xmp, format="JPEG", **options)
    else:
        save_with_xmp(image, path, metadata.xmp, format="JPEG", quality=_QUALITY, subsampling=0, **options)


def _tables(coding: JpegCoding, mode: str) -> list[list[int]]:
    """As many of the file's tables as an image of this mode has use for."""
    tables = [list(coding.tables[key]) for key in sorted(coding.tables)]
    return tables[:1] if mode == "L" else tables


def _png(pixels: NDArray[Any], metadata: Metadata) -> bytes:
    """A PNG of 16 bits: OpenCV's, with the chunks of the metadata after the first."""
    order = {1: [0], 3: [2, 1, 0], 4: [2, 1, 0, 3]}[pixels.shape[2]]
    done, content = cv2.imencode(".png", np.ascontiguousarray(pixels[:, :, order]))
    if not done:
        raise InputError("the picture cannot be written as PNG of 16 bits. Choose a name in .tif.")
    coded = content.tobytes()
    chunks = b""
    if metadata.profile:
        chunks += _chunk(b"iCCP", b"ICC profile\0\0" + zlib.compress(metadata.profile))
    if metadata.xmp:
        chunks += _chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + metadata.xmp)
    if metadata.exif:
        chunks += _chunk(b"eXIf", metadata.exif.removeprefix(b"Exif\0\0"))
    head = 8 + 25  # signature and IHDR
    return coded[:head] + chunks + coded[head:]


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _tiff(pixels: NDArray[Any], metadata: Metadata) -> bytes:
    """A TIFF of deflated strips; Pillow has no RGB of 16 bits."""
    height, width, channels = pixels.shape
    stored = np.ascontiguousarray(pixels.astype(pixels.dtype.newbyteorder("<"), copy=False))
    rows = max(1, _STRIP // (width * channels * stored.itemsize))
    strips = [zlib.compress(stored[row : row + rows].tobytes()) for row in range(0, height, rows)]
    counts = [len(strip) for strip in strips]
    offsets = [sum(counts[:index]) for index in range(len(counts))]  # Pillow adds where the directory ends
    directory = TiffImagePlugin.ImageFileDirectory_v2(b"II*\0\0\0\0\0")
    for tag, value in metadata.tags.items():
        directory[tag] = dict(value) if tag == EXIF_POINTER else value
    fields: dict[int, Any] = {
        256: width,
        257: height,
        258: (8 * stored.itemsize,) * channels,
        259: 8,  # deflate
        262: 1 if channels == 1 else 2,
        273: tuple(offsets),
        274: 1,
        277: channels,
        278: rows,
        279: tuple(counts),
        284: 1,
    }
    if channels == 4:
        fields[338] = (2,)  # alpha that colours are not multiplied by
    if metadata.profile:
        directory.tagtype[34675] = 7
        fields[34675] = metadata.profile
    if metadata.xmp:
        directory.tagtype[700] = 1
        fields[700] = metadata.xmp
    for tag, value in fields.items():
        directory[tag] = value
    return struct.pack("<4sI", b"II*\0", 8) + directory.tobytes(8) + b"".join(strips)


def _warn(text: str) -> None:
    warnings.warn(DataWarning(text), stacklevel=3)
