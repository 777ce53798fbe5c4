"""Masks of one part, one file per part, as bool [H, W].

A mask has at most two values, and the larger is the part, whatever the two are: 0 and 1, 0 and 255, 1 bit, 16 bits,
two colours, of which the brighter is the larger. A mask of one value covers nothing where that is 0 or black, else all.

Transparency is the mask only where the colour is the same everywhere; a transparency that contradicts the colour is
refused. A mask of more values (antialiased, or stored as JPEG) is cut at the middle of its range if few pixels lie
near the middle; any other is refused.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from semanticgan.data.decoding import MAX_MEGAPIXELS, decode
from semanticgan.data.pictures import value_counts
from semanticgan.errors import InputError

_TWO_VALUES = "A mask has two values, of which the larger is the part: save it as PNG with 0 and 255."

# A mask of more than two values is cut at the middle of its range if that range is at least this part of all values,
_LEAST_RANGE = 0.25
# and at most this part of the pixels lies in the middle half of the range.
_MOST_BETWEEN = 0.1
_LUMINANCE = (299, 587, 114)  # of red, green and blue in a thousand; ITU-R BT.601


class Mask(NamedTuple):
    """A mask that was read.

    Attributes:
        part: bool [H, W], where the part is.
        num_values: different values in the file; a mask of more than two was cut at the middle.
    """

    part: np.ndarray
    num_values: int


def read_mask(
    source: str | Path | bytes,
    name: str | None = None,
    *,
    max_megapixels: float = MAX_MEGAPIXELS,
    orientation: int | None = None,
) -> Mask:
    """A mask of one part.

    Args:
        source: a path, or the bytes of a file.
        name: what to call the mask in messages; the path if not given.
        max_megapixels: the limit on its size.
        orientation: 1 to 8, how to turn the stored pixels; what the file says if not given.

    Raises:
        MissingFileError: there is no such file.
        InputError: it is damaged, too large, no picture, or not of two values.
    """
    decoded = decode(source, name, max_megapixels, orientation)
    if decoded.num_frames > 1:
        raise InputError(f"mask {decoded.name!r} holds {decoded.num_frames} pictures. Give one mask per file.")
    colour, alpha = _colour_and_alpha(decoded.image)
    mask = _by_value(colour, decoded.name)
    if alpha is not None and mask.num_values == 1:
        opacity = _by_value(alpha, decoded.name)
        if opacity.num_values > 1 or not opacity.part.any():
            mask = opacity
    elif alpha is not None and np.array_equal(mask.part, np.asarray(alpha) == 0):
        raise InputError(
            f"mask {decoded.name!r} is transparent where it is bright and visible where it is dark, so the part may be "
            "either. Save it without transparency, as PNG with 255 where the part is and 0 elsewhere."
        )
    if decoded.narrowed and mask.num_values == 1:
        raise InputError(
            f"mask {decoded.name!r} has 16 bits per colour, and the upper 8, which are read, are equal everywhere. "
            f"{_TWO_VALUES}"
        )
    return mask


def _colour_and_alpha(image: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """The image in mode 1, L, RGB or one of numbers, and its opacity if it has one."""
    if image.mode == "P" and "transparency" not in image.info and _one_brightness(image):
        # The colours of the palette are lost: the indices are left.
        return Image.fromarray(np.asarray(image)), None
    if image.mode in ("P", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")
    if image.mode in ("La", "RGBa"):
        image = image.convert(f"{image.mode[:-1]}A")
    if image.mode in ("LA", "RGBA"):
        return image.convert(image.mode[:-1]), image.getchannel("A")
    if image.mode in ("1", "L", "RGB", "F") or image.mode.startswith("I"):
        return image, None
    return image.convert("RGB"), None


def _one_brightness(image: Image.Image) -> bool:
    palette = image.getpalette("RGB") or []
    used = [index for index, count in enumerate(image.histogram()[:256]) if count]
    return len(used) > 1 and len({_brightness_of(palette[3 * index : 3 * index + 3]) for index in used}) == 1


def _brightness_of(colour: list[int]) -> int:
    return sum(weight * value for weight, value in zip(_LUMINANCE, colour, strict=False))


def _by_value(image: Image.Image, name: str) -> Mask:
    """The part by the values of an image without transparency."""
    values, full = _brightness(image)
    found = np.unique(values) if values.dtype.itemsize > 1 else np.flatnonzero(value_counts(values))
    if not np.isfinite(found).all():
        raise InputError(f"mask {name!r} holds values that are no finite numbers. {_TWO_VALUES}")
    low, high = found[0], found[-1]
    if len(found) == 1:
        return Mask(np.full(values.shape, bool(high > 0)), 1)
    if len(found) == 2:
        return Mask(values == high, 2)
    spread = float(high) - float(low)
    centre = float(low) + spread / 2
    between = (values > centre - spread / 4) & (values < centre + spread / 4)
    if spread < _LEAST_RANGE * full or between.mean() > _MOST_BETWEEN:
        few = ", ".join(f"{value:g}" for value in found[:5]) + (", ..." if len(found) > 5 else "")
        raise InputError(f"mask {name!r} holds {len(found)} values ({few}). {_TWO_VALUES}")
    return Mask(values > centre, len(found))


def _brightness(image: Image.Image) -> tuple[np.ndarray, float]:
    """Numbers [H, W], the larger the brighter, different for different colours of two; and the largest they can be."""
    values = np.asarray(image)
    if image.mode == "1":
        return values.astype(np.uint8), 1.0
    if image.mode != "RGB":
        full = {"L": 255.0, "F": float(values.max())}.get(image.mode, 65535.0)
        return values, full
    red, green, blue = (values[..., channel] for channel in range(3))
    if np.array_equal(red, green) and np.array_equal(red, blue):
        return np.ascontiguousarray(red), 255.0
    bright = values @ np.array(_LUMINANCE, dtype=np.int32)
    if bright.min() == bright.max():  # different colours, equally bright
        bright = values @ np.array((2**16, 2**8, 1), dtype=np.int32)
    return bright, 255_000.0
