"""Photographs read from files and written to them; :mod:`semanticgan.inversion.photograph` says what is kept."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageOps, JpegImagePlugin, features

from semanticgan import extras
from semanticgan.data.containers import take_apart
from semanticgan.data.decoding import MAX_MEGAPIXELS, converted, decode
from semanticgan.errors import DataWarning, InputError
from semanticgan.files import require_file, user_path, written_aside
from semanticgan.inversion.photograph import Photograph, Pixels
from semanticgan.inversion.photograph_metadata import Kept, written_exif, written_xmp

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".avif")
"""What a photograph is written as."""

_HEIC = (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1")
_AVIF = (b"avif", b"avis")
_QUALITY = 95  # of a JPEG that was none before
_LARGEST_PROFILE = 16_000_000
_WITH_ALPHA = ("LA", "PA", "RGBa", "La", "RGBA")


def read(path: str | Path) -> Photograph:
    """As :func:`semanticgan.inversion.photograph.read_photograph`."""
    path = require_file(path, "photograph")
    content, name = path.read_bytes(), str(path)
    image, narrowed = _decoded(content, name)
    deep = _of_16_bits(content, image, narrowed)
    pixels: Pixels = _of_8_bits(image, name) if deep is None else deep
    profile = image.info.get("icc_profile")
    return Photograph(pixels, _usable(profile, image.mode, name), _kept(content, image))


def _decoded(content: bytes, name: str) -> tuple[Image.Image, bool]:
    """The upright picture, and whether it has the upper 8 of 16 bits only."""
    brand = content[8:12] if content[4:8] == b"ftyp" else b""
    if brand in _HEIC:
        problem = extras.problem("heic")
        if problem is not None:
            raise InputError(f"photograph {name!r} is HEIC, the format of iPhones. {problem}")
        import pillow_heif

        pillow_heif.register_heif_opener()
    elif brand in _AVIF:
        if not features.check("avif"):
            raise InputError(
                f"photograph {name!r} is AVIF, which this Pillow does not read. Update it (pip install -U pillow), or "
                "save the photograph as JPEG or PNG."
            )
    else:
        decoded = decode(content, name)
        return decoded.image, decoded.narrowed
    try:
        with Image.open(io.BytesIO(content), formats=("HEIF", "AVIF")) as image:
            if image.width * image.height > MAX_MEGAPIXELS * 1e6:
                raise InputError(f"photograph {name!r} is larger than {MAX_MEGAPIXELS:g} megapixels. Reduce it.")
            return ImageOps.exif_transpose(image), False
    except InputError:
        raise
    except Exception as error:  # decoders raise a dozen kinds on damaged files
        raise InputError(f"photograph {name!r} cannot be decoded ({error}). Replace it by an intact file.") from error


def _of_8_bits(image: Image.Image, name: str) -> NDArray[np.uint8]:
    """[H, W, C] of grey, RGB or RGB and alpha."""
    if image.mode == "CMYK":
        warnings.warn(
            f"{name!r} is CMYK, a picture for print; it is converted to sRGB, and so is what is written.",
            DataWarning,
            stacklevel=5,
        )
        own = image.info.get("icc_profile")
        if own:
            source = ImageCms.ImageCmsProfile(io.BytesIO(own))
            image = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB") or image
    transparent = image.mode in _WITH_ALPHA or "transparency" in image.info
    mode = "RGBA" if transparent else "L" if image.mode in ("1", "L", "F") else "RGB"
    pixels = np.array(converted(image, mode, name))
    return pixels.reshape(*pixels.shape[:2], -1)


def _of_16_bits(content: bytes, image: Image.Image, narrowed: bool) -> NDArray[np.uint16] | None:
    """[H, W, C] of a picture of 16 bits; None of another."""
    if image.mode.startswith("I;16") or image.mode == "I":
        grey = np.array(image)
        return None if grey.max(initial=0) > 65535 or grey.min(initial=0) < 0 else grey.astype(np.uint16)[:, :, None]
    if not narrowed:
        return None
    stored = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    if stored is None or stored.dtype != np.uint16 or stored.ndim != 3:
        return None
    ordered = np.asarray(stored)[:, :, [2, 1, 0, 3][: stored.shape[2]]]
    return _upright(ordered, take_apart(content, check=False).orientation)


def _upright(pixels: Any, orientation: int | None) -> Any:
    """Pixels [H, W, C] turned as EXIF's orientation says."""
    if orientation in (5, 7):
        pixels = pixels.swapaxes(0, 1)
    turns = {3: 2, 6: 3, 7: 2, 8: 1}.get(orientation or 1, 0)
    pixels = np.rot90(pixels, turns)
    pixels = pixels[:, ::-1] if orientation == 2 else pixels[::-1] if orientation == 4 else pixels
    return np.ascontiguousarray(pixels)


def _usable(profile: bytes | None, mode: str, name: str) -> bytes | None:
    """A profile of RGB that colours can be converted through; None of sRGB and of what cannot."""
    if not profile or mode == "CMYK" or len(profile) > _LARGEST_PROFILE:
        return None
    try:
        opened = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if opened.profile.xcolor_space.strip() != "RGB":
            return None
        if "sRGB" in (opened.profile.profile_description or ""):
            return None
        ImageCms.buildTransform(opened, ImageCms.createProfile("sRGB"), "RGB", "RGB")
    except (ImageCms.PyCMSError, OSError, TypeError, ValueError):
        warnings.warn(
            f"the colour profile of {name!r} cannot be used; its colours are taken as sRGB.", DataWarning, stacklevel=4
        )
        return None
    return profile


def _kept(content: bytes, image: Image.Image) -> Kept:
    tables, subsampling = None, None
    exif, xmp, dpi = image.info.get("exif", b""), image.info.get("xmp", b""), image.info.get("dpi")
    if content.startswith(b"\xff\xd8"):
        with Image.open(io.BytesIO(content), formats=("JPEG",)) as stored:
            tables = dict(getattr(stored, "quantization", {}))
            subsampling = JpegImagePlugin.get_sampling(stored)
            exif, xmp = stored.info.get("exif", exif), stored.info.get("xmp", xmp)
    text = image.info.get("XML:com.adobe.xmp", "")
    xmp = xmp or (text.encode() if isinstance(text, str) else text)
    return Kept(exif, xmp, tables, subsampling, dpi if isinstance(dpi, tuple) else None)


def require_suffix(path: str | Path) -> Path:
    """A name that a photograph can be written as.

    Raises:
        InputError: another suffix.
    """
    path = user_path(path, "output")
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(f"output {str(path)!r} has the suffix {path.suffix!r}. Give a name in {', '.join(SUFFIXES)}.")
    return path


def write_photograph(
    photograph: Photograph, path: str | Path, overwrite: bool, keep_metadata: bool, xmp: bytes | None
) -> None:
    """As :meth:`Photograph.save`."""
    path = require_suffix(path)
    kept = photograph.kept or Kept()
    suffix, pixels = path.suffix.lower(), _fitting(photograph.pixels, path)
    options: dict[str, Any] = {"exif": written_exif(kept.exif, keep_metadata)}
    options["xmp"] = written_xmp(kept.xmp, keep_metadata) if xmp is None else xmp
    options["icc_profile"] = photograph.profile
    if kept.dpi is not None and suffix in (".png", ".jpg", ".jpeg", ".tif", ".tiff"):
        options["dpi"] = kept.dpi
    options = {name: value for name, value in options.items() if value}
    with written_aside(path, overwrite) as aside:
        if pixels.dtype == np.uint16:
            aside.write_bytes(_encoded_16_bits(pixels, suffix, options))
            return
        image = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
        if suffix in (".jpg", ".jpeg"):
            options |= _as_before(kept)
        elif suffix == ".webp":
            options |= {"quality": _QUALITY, "method": 4}
        elif suffix == ".avif":
            options |= {"quality": _QUALITY}
        elif suffix == ".png" and (packet := options.pop("xmp", b"")):
            options["pnginfo"] = _png_text(packet)
        image.save(aside, **options)


def _as_before(kept: Kept) -> dict[str, Any]:
    """How a JPEG is compressed: as it was, or well."""
    if not kept.tables:
        return {"quality": _QUALITY, "subsampling": 0}
    sampling = kept.subsampling if kept.subsampling in (0, 1, 2) else 0
    return {"qtables": kept.tables, "subsampling": sampling}


def _fitting(pixels: Pixels, path: Path) -> Pixels:
    """The pixels as the format can keep them.

    Raises:
        InputError: it cannot keep their transparency.
    """
    suffix = path.suffix.lower()
    if pixels.dtype == np.uint16 and suffix not in (".png", ".tif", ".tiff"):
        pixels = np.round(pixels / 257).astype(np.uint8)
    if suffix in (".jpg", ".jpeg") and pixels.shape[2] == 4:
        if int(pixels[:, :, 3].min()) < np.iinfo(pixels.dtype).max:
            raise InputError(
                f"the photograph is transparent in places, which {suffix} cannot keep. Write it as "
                f"{path.with_suffix('.png').name!r}."
            )
        pixels = pixels[:, :, :3]
    return pixels


def _png_text(packet: bytes) -> Any:
    from PIL.PngImagePlugin import PngInfo

    text = PngInfo()
    text.add_itxt("XML:com.adobe.xmp", packet.decode("utf-8", "replace"))
    return text


def _encoded_16_bits(pixels: NDArray[Any], suffix: str, options: dict[str, Any]) -> bytes:
    """A PNG with profile, EXIF and XMP, or a TIFF without them: OpenCV writes 16 bits, and nothing beside them."""
    ordered = np.ascontiguousarray(pixels[:, :, [2, 1, 0, 3][: pixels.shape[2]]] if pixels.shape[2] > 1 else pixels)
    done, encoded = cv2.imencode(".png" if suffix == ".png" else ".tiff", ordered)
    assert done, "OpenCV writes these formats"
    content = encoded.tobytes()
    if suffix != ".png":
        if options.keys() & {"icc_profile", "exif"}:
            warnings.warn(
                "a TIFF of 16 bits is written without colour profile and metadata; write .png to keep them.",
                DataWarning,
                stacklevel=6,
            )
        return content
    chunks = b""
    if profile := options.get("icc_profile"):
        chunks += _chunk(b"iCCP", b"ICC Profile\0\0" + zlib.compress(profile))
    if exif := options.get("exif"):
        chunks += _chunk(b"eXIf", exif.removeprefix(b"Exif\0\0"))
    if packet := options.get("xmp"):
        chunks += _chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + packet)
    return content[:33] + chunks + content[33:]  # after the signature and IHDR


def _chunk(kind: bytes, data: bytes) -> bytes:
    """A chunk of a PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
