"""Masks of one part, one file per part, as bool [H, W].

A mask has at most two values, and the larger is the part, whatever the two are: 0 and 1, 0 and 255, 1 bit, 16 bits,
two colours, of which the brighter is the larger. A mask of one value covers nothing where that is 0 or black, else all.

Transparency is the mask only where the colour is the same everywhere; a transparency that contradicts the colour is
refused. A mask of more values (antialiased, or stored as JPEG) is cut at the middle of its range if few pixels lie
near the middle; any other is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, cast

import numpy as np
from PIL import Image

from semanticgan.data.decoding import MAX_MEGAPIXELS, Decoded, converted, decode
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
    colour, alpha = _colour_and_alpha(decoded.image, decoded.name)
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
    if decoded.lossy and mask.num_values <= 2:
        _require_range(colour, decoded)
    if decoded.narrowed and mask.num_values == 1:
        raise InputError(
            f"mask {decoded.name!r} has 16 bits per colour, and the upper 8, which are read, are equal everywhere. "
            f"{_TWO_VALUES}"
        )
    return mask


def _require_range(colour: Image.Image, decoded: Decoded) -> None:
    """Raises: InputError: values of a lossy file lie so close together that its compression decides where they are."""
    grey = np.asarray(colour.convert("L"))
    low, high = int(grey.min()), int(grey.max())
    if high > 0 and (high - low if low != high else high) < _LEAST_RANGE * 255:
        raise InputError(
            f"mask {decoded.name!r} is stored as {decoded.lossy}, which changes values as close as its own "
            f"({low} to {high}). {_TWO_VALUES}"
        )


def _colour_and_alpha(image: Image.Image, name: str) -> tuple[Image.Image, Image.Image | None]:
    """The image in mode 1, L, RGB or one of numbers, and its opacity if it has one."""
    if image.mode == "P" and "transparency" not in image.info and _one_brightness(image):
        # The colours of the palette are lost: the indices are left.
        return Image.fromarray(np.asarray(image)), None
    if image.mode == "F" or image.mode.startswith("I"):
        return image, None
    if image.mode in ("La", "RGBa"):
        image = converted(image, f"{image.mode[:-1]}A", name)
    elif image.mode in ("P", "PA") or "transparency" in image.info:
        image = converted(image, "RGBA", name)
    if image.mode in ("LA", "RGBA"):
        return image.convert(image.mode[:-1]), image.getchannel("A")
    return image if image.mode in ("1", "L", "RGB") else converted(image, "RGB", name), None


def _one_brightness(image: Image.Image) -> bool:
    palette = image.getpalette("RGB") or []
    used = [index for index, count in enumerate(image.histogram()[:256]) if count]
    return len(used) > 1 and len({_brightness_of(palette[3 * index : 3 * index + 3]) for index in used}) == 1


def _brightness_of(colour: Sequence[int]) -> int:
    return sum(weight * value for weight, value in zip(_LUMINANCE, colour, strict=False))


def _by_value(image: Image.Image, name: str) -> Mask:
    """The part by the values of an image without transparency."""
    if image.mode == "RGB":
        image = _one_channel(image)
    values = np.asarray(image)
    if image.mode == "1":
        values = values.view(np.uint8)
    low, high = values.min(), values.max()
    if not np.isfinite(float(low) + float(high)):  # a value that is no number makes both no number
        raise InputError(f"mask {name!r} holds values that are not finite numbers. {_TWO_VALUES}")
    if low == high:
        return Mask(np.full(values.shape, bool(high > 0)), 1)
    part = values == high
    if (part | (values == low)).all():
        return Mask(part, 2)
    found = np.unique(values)
    spread = float(high) - float(low)
    centre = float(low) + spread / 2
    between = (values > centre - spread / 4) & (values < centre + spread / 4)
    if spread < _LEAST_RANGE * _largest(image.mode, high) or between.mean() > _MOST_BETWEEN:
        few = ", ".join(f"{value:g}" for value in found[:5]) + (", ..." if len(found) > 5 else "")
        raise InputError(f"mask {name!r} holds {len(found)} values ({few}). {_TWO_VALUES}")
    return Mask(values > centre, len(found))


def _largest(mode: str, high: float) -> float:
    """The largest value of a mode; that which occurs for numbers without a range."""
    return {"L": 255.0, "F": float(high)}.get(mode, 65535.0)


def _one_channel(image: Image.Image) -> Image.Image:
    """RGB -> L, the larger the brighter; of two colours, two values."""
    colours = cast("list[tuple[int, tuple[int, int, int]]] | None", image.getcolors(2))
    if colours is None:
        return image.convert("L")
    if len(colours) == 1:
        return Image.new("L", image.size, max(colours[0][1]))
    dark, bright = sorted((colour for _, colour in colours), key=lambda colour: (_brightness_of(colour), colour))
    channel = next(k for k in range(3) if dark[k] != bright[k])
    return image.getchannel(channel).point([255 if value == bright[channel] else 0 for value in range(256)])
