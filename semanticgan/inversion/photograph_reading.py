"""Photographs as people have them, read: every format of Pillow, HEIC by pillow-heif, 16 bits by OpenCV.

====================  ===============================================================
file                  pixels
====================  ===============================================================
grey, RGB, RGBA       kept, 8 or 16 bits
1 bit                 grey of 8 bits
palette, grey+alpha   RGB, or RGBA where something is transparent
CMYK                  sRGB, by the file's profile; a warning
several frames        the first; a warning
====================  ===============================================================
"""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, JpegImagePlugin, features

from semanticgan import extras
from semanticgan.data.containers import take_apart
from semanticgan.data.decoding import MAX_MEGAPIXELS, converted, decode
from semanticgan.data.orientation import turned
from semanticgan.errors import DataWarning, InputError
from semanticgan.files import require_file, user_path
from semanticgan.inversion.colour import cmyk_to_srgb

_HEIC = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
_AVIF = (b"avif", b"avis")
_SIXTEEN = ("I", "I;16", "I;16B", "I;16L", "I;16N")


@dataclass(frozen=True, eq=False)
class JpegCoding:
    """How a JPEG was written.

    Attributes:
        tables: its quantisation tables, in Pillow's order.
        subsampling: 0 for 4:4:4, 1 for 4:2:2, 2 for 4:2:0; -1 for another.
    """

    tables: dict[int, list[int]]
    subsampling: int


@dataclass(frozen=True, eq=False)
class Beside:
    """What a file says beside its pixels.

    Attributes:
        format: Pillow's name, such as "JPEG".
        profile: the ICC profile of the pixels; None for sRGB.
        exif: the block as stored, with its orientation.
        xmp: the packet as stored.
        jpeg: None for other formats.
    """

    format: str
    profile: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    jpeg: JpegCoding | None = None


def read_pixels(path: str | Path, max_megapixels: float = MAX_MEGAPIXELS) -> tuple[NDArray[Any], Beside]:
    """Upright pixels, uint8 or uint16 [H, W, C], and what the file says beside them.

    Raises:
        MissingFileError: no such file.
        InputError: it is damaged, too large, no picture, or its format needs a package that is missing.
    """
    path = require_file(user_path(path, "photograph"), "photograph")
    name, content = str(path), path.read_bytes()
    brands = content[8:64] if content[4:8] == b"ftyp" else b""
    if any(brand in brands for brand in _AVIF):
        return _by_reader("AVIF", content, name, max_megapixels)
    if any(brand in brands for brand in _HEIC):
        return _by_reader("HEIC", content, name, max_megapixels)
    found = decode(content, name, max_megapixels)
    if found.num_frames > 1:
        _warn(f"photograph {name!r} has {found.num_frames} frames; only the first is used.")
    beside = _beside(content)
    if found.narrowed or found.image.mode in _SIXTEEN:
        return _sixteen_bits(content, name), beside
    return _pixels(found.image, name, beside)


def _pixels(image: Image.Image, name: str, beside: Beside) -> tuple[NDArray[Any], Beside]:
    """Pixels of 8 bits in a mode that is kept or converted."""
    if image.mode == "CMYK":
        _warn(f"photograph {name!r} has CMYK colours; it is converted to sRGB.")
        image = cmyk_to_srgb(image, beside.profile)
        beside = Beside(beside.format, None, beside.exif, beside.xmp, None)
    mode = image.mode
    if mode == "F":
        raise InputError(f"photograph {name!r} has pixels of floating point. Save it with 8 or 16 bits per channel.")
    if mode not in ("L", "RGB", "RGBA"):
        mode = "L" if mode == "1" else "RGBA" if image.has_transparency_data else "RGB"
    elif mode in ("L", "RGB") and "transparency" in image.info:
        mode = "RGBA"
    array = np.asarray(converted(image, mode, name))
    return array.reshape(*array.shape[:2], -1), beside


def _beside(content: bytes) -> Beside:
    """Of a file that was decoded already; whatever cannot be read is left out."""
    try:
        with warnings.catch_warnings(), Image.open(io.BytesIO(content)) as image:
            warnings.simplefilter("ignore")
            return beside_of(image)
    except Exception:  # the pixels were read; a damaged profile or block fails in any way
        return Beside("")


def beside_of(image: Image.Image) -> Beside:
    """What an opened image says beside its pixels."""
    info, form = image.info, image.format or ""
    exif = info.get("exif")
    if exif is None and form == "TIFF":
        exif = image.getexif().tobytes()
    xmp = info.get("xmp") or info.get("XML:com.adobe.xmp")
    jpeg = None
    if isinstance(image, JpegImagePlugin.JpegImageFile):
        jpeg = JpegCoding(dict(image.quantization), JpegImagePlugin.get_sampling(image))
        form = "JPEG"
    return Beside(form, info.get("icc_profile"), exif, xmp.encode() if isinstance(xmp, str) else xmp, jpeg)


def _sixteen_bits(content: bytes, name: str) -> NDArray[Any]:
    """uint16 [H, W, C], upright; Pillow has no such RGB."""
    parts = take_apart(content, check=False)
    array = cv2.imdecode(np.frombuffer(parts.content, np.uint8), cv2.IMREAD_UNCHANGED)
    if array is None or array.dtype != np.uint16:
        raise InputError(f"photograph {name!r} has more than 16 bits per channel. Save it with 8 or 16 bits.")
    array = array.reshape(*array.shape[:2], -1)
    order = {1: [0], 2: [0, 0, 0, 1], 3: [2, 1, 0], 4: [2, 1, 0, 3]}[array.shape[2]]
    planes = [np.asarray(turned(Image.fromarray(array[:, :, index]), parts.orientation)) for index in order]
    return np.stack(planes, -1)


def _by_reader(kind: str, content: bytes, name: str, max_megapixels: float) -> tuple[NDArray[Any], Beside]:
    """HEIC by pillow-heif, AVIF by Pillow."""
    if kind == "HEIC":
        extras.require("heic")
    elif not features.check("avif"):
        raise InputError(
            f"photograph {name!r} is AVIF, which this Pillow cannot read. Run `pip install -U pillow`, or save it as "
            "JPEG or PNG."
        )
    try:
        if kind == "HEIC":
            import pillow_heif

            image = pillow_heif.open_heif(io.BytesIO(content)).to_pillow()  # turned already
        else:
            image = Image.open(io.BytesIO(content), formats=("AVIF",))
        if image.width * image.height > max_megapixels * 1e6:
            raise InputError(
                f"photograph {name!r} has {image.width}x{image.height} pixels, the limit is {max_megapixels:g} "
                "megapixels. Reduce it."
            )
        beside = beside_of(image)
        beside = Beside(kind, beside.profile, beside.exif, beside.xmp)
        image.load()
        if kind == "AVIF":
            image = turned(image, image.getexif().get(0x0112))
    except InputError:
        raise
    except Exception as error:  # the decoders raise many kinds on damaged files
        raise InputError(
            f"photograph {name!r} is {kind} but cannot be decoded ({error}). Give an intact file."
        ) from error
    return _pixels(image, name, beside)


def _warn(text: str) -> None:
    warnings.warn(DataWarning(text), stacklevel=3)
