"""Pictures as arrays, and pictures and label maps made square and resized.

Pictures are uint8 [H, W, 3] RGB 0..255, labels uint8 [H, W] ids of a region scheme. How a label map is read is in
:mod:`semanticgan.data.label_maps`, a mask of one part in :mod:`semanticgan.data.masks`, and what all files have in
common in :mod:`semanticgan.data.decoding`.

Every picture becomes square by a centre crop to its shorter side (an odd pixel more is cut at the right or bottom),
then is resized: pictures by Lanczos with antialiasing, labels by the region that covers most of each new pixel.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from semanticgan.data.decoding import MAX_MEGAPIXELS, converted, decode
from semanticgan.data.orientation import same_proportions
from semanticgan.errors import InputError

PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")
LABEL_SUFFIXES = (".png",)

_PIXELS_AT_A_TIME = 2**20  # bounds the memory that a large picture or map takes beside itself


def read_picture(
    source: str | Path | bytes, name: str | None = None, max_megapixels: float = MAX_MEGAPIXELS
) -> np.ndarray:
    """A picture as it is meant to be seen.

    The EXIF orientation is applied, transparency is laid over white; grey, palette, CMYK and 16-bit values become
    8-bit RGB (colour profiles are not applied). Of an animation the first frame is read. Arguments as of
    :func:`~semanticgan.data.decoding.decode`.

    Returns:
        uint8 [H, W, 3], RGB.

    Raises:
        MissingFileError: there is no such file.
        InputError: it is damaged, too large, or no picture.
    """
    decoded = decode(source, name, max_megapixels)
    return np.array(_to_rgb(decoded.image, decoded.name), dtype=np.uint8)


def value_counts(values: np.ndarray) -> np.ndarray:
    """uint8 [H, W] -> int64 [256], how often each value occurs; ``numpy.bincount`` takes eight times the memory."""
    return np.array(Image.fromarray(values).histogram(), dtype=np.int64)


def replaced(values: np.ndarray, table: np.ndarray) -> np.ndarray:
    """uint8 [H, W], each value replaced by its entry in a table uint8 [256]; with as little memory."""
    return np.array(Image.fromarray(values).point(table.tolist()))


def require_same_shape(picture: np.ndarray, labels: np.ndarray, name: str) -> None:
    """Check that a picture [H, W, 3] and a map [h, w] show the same field: equal proportions, to a pixel.

    Raises:
        InputError: they are not.
    """
    (height, width), (label_height, label_width) = picture.shape[:2], labels.shape
    if not same_proportions((width, height), (label_width, label_height)):
        raise InputError(
            f"picture {name!r} is {width}x{height} but its label map is {label_width}x{label_height}. "
            "Both must show the same field: give them the same proportions."
        )


def square(array: np.ndarray) -> np.ndarray:
    """The centre of [H, W, ...], [s, s, ...] with s the shorter side; a view."""
    height, width = array.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return array[top : top + side, left : left + side]


def resize_picture(picture: np.ndarray, size: int) -> np.ndarray:
    """uint8 [H, W, 3] -> uint8 [size, size, 3]: centre crop, then Lanczos with antialiasing."""
    picture = square(picture)
    if len(picture) == size:
        return picture
    return np.array(Image.fromarray(picture).resize((size, size), Image.Resampling.LANCZOS))


def resize_labels(labels: np.ndarray, size: int) -> np.ndarray:
    """uint8 [H, W] -> uint8 [size, size]: centre crop, then no label that was not there.

    Shrinking gives each pixel the region that covers most of it; of regions that cover equally much the rarer one in
    this map wins, so that brows and lips of one or two pixels are not worn away by the large region beside them.
    Enlarging repeats the nearest pixel.
    """
    labels = square(labels)
    side = len(labels)
    if side == size:
        return labels
    if side < size:
        return np.array(Image.fromarray(np.ascontiguousarray(labels)).resize((size, size), Image.Resampling.NEAREST))
    labels = np.ascontiguousarray(labels)
    counts = value_counts(labels)
    by_rarity = np.argsort(np.where(counts, counts, side * side + 1), kind="stable")[: np.count_nonzero(counts)].astype(
        np.uint8
    )
    ranks = np.zeros(256, dtype=np.uint8)
    ranks[by_rarity] = np.arange(len(by_rarity))
    covered = _covered_areas(replaced(labels, ranks), len(by_rarity), size)
    return by_rarity[covered.argmax(axis=-1)]  # argmax takes the first of equals: the rarest


def _covered_areas(ids: np.ndarray, num_ids: int, size: int) -> np.ndarray:
    """uint8 [s, s] below num_ids -> float64 [size, size, num_ids], size < s: what each id covers.

    Measured in 1/s of a larger pixel's side, where a smaller pixel is ``size`` wide: all areas are whole numbers,
    so equals are exactly equal.
    """
    side = len(ids)
    starts = np.arange(side) * size
    cells = starts // side  # the larger pixel in which a smaller one begins, and how much of its width lies there
    within = np.minimum((cells + 1) * side - starts, size)
    parts = (cells, within), (np.minimum(cells + 1, size - 1), size - within)
    covered = np.zeros((size, size * num_ids))
    step = max(1, _PIXELS_AT_A_TIME // side)
    for top in range(0, side, step):
        block = slice(top, top + step)
        for rows, heights in parts:
            first, last = rows[block][0], rows[block][-1] + 1
            for columns, widths in parts:
                if heights[block].any() and widths.any():
                    places = ((rows[block, None] - first) * size + columns) * num_ids + ids[block]
                    areas = (heights[block, None] * widths).ravel()
                    found = np.bincount(places.ravel(), weights=areas, minlength=(last - first) * size * num_ids)
                    covered[first:last] += found.reshape(last - first, -1)
    return covered.reshape(size, size, num_ids)


def _to_rgb(picture: Image.Image, name: str) -> Image.Image:
    """Any mode -> RGB, 8 bits a channel."""
    if picture.mode == "RGB":
        return picture
    if picture.mode.startswith("I") or picture.mode == "F":  # Pillow's own conversion would clip instead of scale
        return Image.fromarray(_to_bytes(np.asarray(picture))).convert("RGB")
    if picture.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in picture.info:
        above = converted(picture, "RGBA", name)
        seen = Image.new("RGBA", above.size, "white")
        seen.alpha_composite(above)
        return seen.convert("RGB")
    return converted(picture, "RGB", name)


def _to_bytes(values: np.ndarray) -> np.ndarray:
    """Whole numbers 0..65535, or floats up to their largest, [H, W] -> uint8 [H, W]."""
    top = max(float(values.max()), 1e-12) if values.dtype.kind == "f" else 65535.0
    found = np.empty(values.shape, dtype=np.uint8)
    step = max(1, _PIXELS_AT_A_TIME // values.shape[1])
    for first in range(0, len(values), step):
        block = slice(first, first + step)
        found[block] = np.clip(np.rint(values[block] * (255.0 / top)), 0, 255)
    return found
