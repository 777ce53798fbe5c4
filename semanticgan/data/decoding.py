"""The one reader of picture files: header, checks, limits, decoding; whatever a file is for, it passes through here.

A file that cannot be used is an :class:`~semanticgan.errors.InputError` that names it. Its size is compared with the
limit before a pixel is decoded.
"""

from __future__ import annotations

import io
import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from semanticgan.choices import MAX_MEGAPIXELS as MAX_MEGAPIXELS
from semanticgan.data.containers import DamagedFileError, Parts, take_apart
from semanticgan.data.orientation import Header, Turning, turned, turning_of_map
from semanticgan.errors import InputError, MissingFileError

# Only decoders that run no other program.
_FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "PPM")
_LOSSLESS_TIFF = ("raw", "packbits", "tiff_lzw", "tiff_adobe_deflate", "tiff_deflate", "lzma", "zstd")
_BILEVEL_TIFF = ("group3", "group4", "tiff_ccitt", "tiff_thunderscan")


@dataclass(frozen=True)
class Decoded:
    """A decoded file.

    Attributes:
        image: upright, in its own mode.
        name: for messages.
        lossy: name of the file's compression, if that changes pixels.
        num_frames: pictures in the file, of which this is the first.
        grey_scale: what the stored values were multiplied by (2 and 4 bits of grey become 8).
        narrowed: whether the image has the upper 8 of 16 bits only.
    """

    image: Image.Image
    name: str
    lossy: str | None
    num_frames: int
    grey_scale: int
    narrowed: bool


def read_header(content: bytes, name: str) -> Header:
    """The header of a picture file; nothing is decoded and no limit applies.

    Raises:
        InputError: it is damaged or no picture.
    """
    with _faults_named(content, name):
        parts = take_apart(content, check=False)
        if parts.size is not None:
            return Header(parts.size, parts.orientation)
        with _without_pillows_limit(), _opened(parts) as image:
            return Header(image.size, parts.orientation)


def turning_beside(picture: Header, content: bytes, name: str) -> Turning | None:
    """How the label map or mask in a file is turned beside its picture; None for what its file says.

    Raises:
        InputError: the map is damaged or no picture.
    """
    return None if picture.upright else turning_of_map(picture, read_header(content, name))


def decode(
    source: str | Path | bytes,
    name: str | None = None,
    max_megapixels: float = MAX_MEGAPIXELS,
    orientation: int | None = None,
) -> Decoded:
    """Decode a picture file; of several frames the first.

    Args:
        source: a path, or the bytes of a file.
        name: what to call it in messages; the path if not given.
        max_megapixels: the limit on its size.
        orientation: 1 to 8, how to turn the stored pixels; what the file says if not given.

    Raises:
        MissingFileError: there is no such file.
        InputError: it is damaged, too large, or no picture.
    """
    content, name = (source, name or "picture") if isinstance(source, bytes) else _content(Path(source), name)
    with _faults_named(content, name):
        parts = take_apart(content, check=True)
        if parts.size is not None:
            _require_within(parts.size, name, max_megapixels)
        with _without_pillows_limit(), _opened(parts) as image:
            _require_within(image.size, name, max_megapixels)
            lossy, frames = parts.lossy or _lossy_tiff(image), getattr(image, "n_frames", 1)
            _require_within(image.size, name, max_megapixels)  # a further frame of a GIF may have enlarged it
            stored_as = _raw_mode(image)
            image.load()
            return Decoded(
                turned(image, parts.orientation if orientation is None else orientation),
                name,
                lossy,
                frames,
                {"L;2": 85, "L;4": 17}.get(stored_as[:3], 1),
                ";16" in stored_as and not image.mode.startswith("I"),
            )


def converted(image: Image.Image, mode: str, name: str) -> Image.Image:
    """An image in another mode.

    Raises:
        InputError: Pillow cannot convert its mode, such as LAB of a TIFF.
    """
    try:
        return image.convert(mode)
    except ValueError as error:
        raise InputError(
            f"picture {name!r} has pixels of mode {image.mode!r}, which cannot be read here. Save it as RGB or grey."
        ) from error


def _content(path: Path, name: str | None) -> tuple[bytes, str]:
    name = name or str(path)
    try:
        return path.read_bytes(), name
    except FileNotFoundError as error:
        raise MissingFileError(f"picture {name!r} does not exist. Give the path of an existing file.") from error
    except OSError as error:
        raise InputError(f"picture {name!r} cannot be read ({error.strerror}). Give a readable file.") from error


def _opened(parts: Parts) -> Image.Image:
    Image.init()  # or Pillow knows only some of the formats
    return Image.open(io.BytesIO(parts.content), formats=_FORMATS)


def _require_within(size: tuple[int, int], name: str, max_megapixels: float) -> None:
    megapixels = size[0] * size[1] / 1e6
    if megapixels > max_megapixels:
        raise InputError(
            f"picture {name!r} is too large: {size[0]}x{size[1]} are {megapixels:.3g} megapixels, the limit is "
            f"{max_megapixels:g}. Reduce it, or raise the limit where the command has --max-megapixels "
            f"{math.ceil(megapixels)} (in a training data.max_megapixels={math.ceil(megapixels)})."
        )


def _raw_mode(image: Image.Image) -> str:
    """How the file stores its values, in Pillow's words: "L;4", "RGB;16B"."""
    tiles = getattr(image, "tile", ())
    args = tiles[0][3] if tiles else ""
    if isinstance(args, tuple):
        args = args[0] if args else ""
    return args if isinstance(args, str) else ""


def _lossy_tiff(image: Image.Image) -> str | None:
    compression = image.info.get("compression")
    if image.format != "TIFF" or compression in (*_LOSSLESS_TIFF, *_BILEVEL_TIFF):
        return None
    return f"TIFF with {compression} compression"


@contextmanager
def _faults_named(content: bytes, name: str) -> Iterator[None]:
    """What goes wrong with a file within the block, as one clear line."""
    _refuse_substitutes(content, name)
    try:
        yield
    except InputError:
        raise
    except MemoryError as error:
        raise InputError(
            f"picture {name!r} needs more memory than there is. Reduce it, or free memory, then repeat the command."
        ) from error
    except Exception as error:  # Pillow's decoders raise a dozen kinds on damaged files
        reason = (
            "no JPEG, PNG, WebP or similar"
            if isinstance(error, UnidentifiedImageError)
            else str(error) or type(error).__name__
        )
        if isinstance(error, DamagedFileError):
            reason = f"damaged: {reason}"
        raise InputError(f"picture {name!r} cannot be decoded ({reason}). Replace it by an intact file.") from error


def _refuse_substitutes(content: bytes, name: str) -> None:
    """Name what often lies where a picture should: nothing, a git-lfs pointer, a web page."""
    start = content[:256].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if not content:
        raise InputError(f"picture {name!r} is an empty file. Replace it by an intact file.")
    if start.startswith(b"version https://git-lfs"):
        raise InputError(
            f"picture {name!r} is a git-lfs pointer, not the picture itself. Run `git lfs pull` where it came from."
        )
    if start.startswith((b"<!doctype", b"<html", b"<head", b"<?xml", b"<svg")):
        raise InputError(f"picture {name!r} is a web page or other text, not a picture. Download the picture itself.")


_lock = threading.Lock()
_inside = 0
_pillows_limit: int | None = None


@contextmanager
def _without_pillows_limit() -> Iterator[None]:
    """Pillow's own limit is one for the whole process; it is put aside while a file passes ours."""
    global _inside, _pillows_limit
    with _lock:
        if not _inside:
            _pillows_limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if not _inside:
                Image.MAX_IMAGE_PIXELS = _pillows_limit
