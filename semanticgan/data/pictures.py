"""Pictures and label maps as arrays: read safely, made square, resized.

Whatever is read, the result is uint8: pictures [H, W, 3] RGB 0..255, labels [H, W] ids of a region scheme.
A file that cannot be used is an :class:`~semanticgan.errors.InputError` that names it.

Every picture becomes square by a centre crop to its shorter side (an odd pixel more is cut at the right or bottom),
then is resized: pictures by Lanczos with antialiasing, labels by the region that covers most of each new pixel.
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from semanticgan.errors import InputError, MissingFileError
from semanticgan.regions import RegionScheme

PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")
LABEL_SUFFIXES = (".png",)

# Only decoders that run no other program.
_FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "PPM")


def read_picture(source: str | Path | bytes, name: str | None = None) -> np.ndarray:
    """A picture as it is meant to be seen.

    The EXIF orientation is applied, transparency is laid over white; grey, palette, CMYK and 16-bit values become
    8-bit RGB (colour profiles are not applied).

    Args:
        source: a path, or the bytes of a file.
        name: what to call the picture in messages; the path if not given.

    Returns:
        uint8 [H, W, 3], RGB.

    Raises:
        MissingFileError: there is no such file.
        InputError: it is damaged or no picture.
    """
    picture, _ = _decode(source, name)
    return np.array(_to_rgb(picture), dtype=np.uint8)


def read_labels(
    source: str | Path | bytes, name: str | None, scheme: RegionScheme, table: np.ndarray | None = None
) -> np.ndarray:
    """A label map: a palette, grey or 16-bit file whose values are ids, or an RGB file in the scheme's colours.

    Args:
        source: a path, or the bytes of a file.
        name: what to call the map in messages; the path if not given.
        scheme: what the ids mean.
        table: uint8 [256] from the file's ids to the scheme's, 255 where there is none (``regions.relabel_table``).

    Returns:
        uint8 [H, W], ids below ``len(scheme)``.

    Raises:
        MissingFileError: there is no such file.
        InputError: it is damaged, no label map, or holds a value outside the scheme.
    """
    picture, name = _decode(source, name)
    if picture.mode in ("RGB", "RGBA"):
        if table is not None:
            raise InputError(
                f"label map {name!r} is a colour picture, but labels to be reordered must be ids. {_ONE_CHANNEL}"
            )
        return _ids_of_colours(np.asarray(picture.convert("RGB")), name, scheme)
    if picture.mode == "LA":
        picture = picture.getchannel(0)
    if picture.mode not in ("P", "L", "1") and not picture.mode.startswith("I"):
        raise InputError(f"label map {name!r} has pixels of mode {picture.mode!r}. {_ONE_CHANNEL}")
    values = np.asarray(picture).astype(np.int64)
    known = np.flatnonzero(table != 255) if table is not None else np.arange(len(scheme))
    wrong = values[~np.isin(values, known)]
    if wrong.size:
        raise InputError(
            f"label map {name!r} holds the value {wrong[0]}, but its labels are {_span(known)} "
            f"({len(scheme)} regions: {', '.join(scheme.names)}). "
            "Choose the scheme or label order of this data, or correct the map."
        )
    labels = values.astype(np.uint8)
    return labels if table is None else table[labels]


def read_mask(source: str | Path | bytes, name: str | None = None) -> np.ndarray:
    """A mask of one part, bool [H, W]: true where the file, grey or RGB, is brighter than half.

    Raises:
        MissingFileError, InputError: as :func:`read_picture`.
    """
    picture, _ = _decode(source, name)
    if picture.mode != "L" or "transparency" in picture.info:
        picture = _to_rgb(picture)
    return np.asarray(picture.getchannel(0)) > 127


def require_same_shape(picture: np.ndarray, labels: np.ndarray, name: str) -> None:
    """Check that a picture [H, W, 3] and a map [h, w] show the same field: equal proportions, to a pixel.

    Raises:
        InputError: they are not.
    """
    (height, width), (label_height, label_width) = picture.shape[:2], labels.shape
    scale = height / label_height
    if abs(label_width * scale - width) > max(1.0, scale):
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
    counts = np.bincount(labels.ravel(), minlength=256)
    by_rarity = np.argsort(np.where(counts, counts, side * side + 1), kind="stable")[: np.count_nonzero(counts)].astype(
        np.uint8
    )
    ranks = np.zeros(256, dtype=np.int64)
    ranks[by_rarity] = np.arange(len(by_rarity))
    covered = _covered_areas(ranks[labels], len(by_rarity), size)
    return by_rarity[covered.argmax(axis=-1)]  # argmax takes the first of equals: the rarest


def _covered_areas(ids: np.ndarray, num_ids: int, size: int) -> np.ndarray:
    """int64 [s, s] below num_ids -> float64 [size, size, num_ids], size < s: what each id covers.

    Measured in 1/s of a larger pixel's side, where a smaller pixel is ``size`` wide: all areas are whole numbers,
    so equals are exactly equal.
    """
    side = len(ids)
    starts = np.arange(side) * size
    cells = starts // side  # the larger pixel in which a smaller one begins, and how much of its width lies there
    within = np.minimum((cells + 1) * side - starts, size)
    beyond = np.minimum(cells + 1, size - 1), size - within
    covered = np.zeros(size * size * num_ids)
    for rows, heights in ((cells, within), beyond):
        for columns, widths in ((cells, within), beyond):
            if heights.any() and widths.any():
                places = (rows[:, None] * size + columns) * num_ids + ids
                areas = (heights[:, None] * widths).ravel()
                covered += np.bincount(places.ravel(), weights=areas, minlength=len(covered))
    return covered.reshape(size, size, num_ids)


_ONE_CHANNEL = "Save label maps as palette or grey PNG whose values are the region ids."


def _decode(source: str | Path | bytes, name: str | None) -> tuple[Image.Image, str]:
    """The decoded, upright picture in its own mode, and its name for messages."""
    if isinstance(source, bytes):
        content, name = source, name or "picture"
    else:
        name = name or str(source)
        try:
            content = Path(source).read_bytes()
        except FileNotFoundError as error:
            raise MissingFileError(f"picture {name!r} does not exist. Give the path of an existing file.") from error
        except OSError as error:
            raise InputError(f"picture {name!r} cannot be read ({error.strerror}). Give a readable file.") from error
    _refuse_substitutes(content, name)
    Image.init()  # or Pillow knows only some of the formats
    try:
        with Image.open(io.BytesIO(content), formats=_FORMATS) as opened:
            opened.load()
            ImageOps.exif_transpose(opened, in_place=True)
            return opened, name
    except MemoryError:
        raise
    except Exception as error:  # Pillow's decoders raise a dozen kinds on damaged files
        reason = (
            "no JPEG, PNG, WebP or similar"
            if isinstance(error, Image.UnidentifiedImageError)
            else str(error) or type(error).__name__
        )
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


def _to_rgb(picture: Image.Image) -> Image.Image:
    """Any mode -> RGB, 8 bits a channel."""
    if picture.mode == "RGB":
        return picture
    if picture.mode.startswith("I") or picture.mode == "F":  # Pillow's own conversion would clip instead of scale
        values = np.asarray(picture).astype(np.float64)
        top = 65535.0 if picture.mode != "F" else max(float(values.max()), 1e-12)
        return Image.fromarray(np.clip(np.rint(values * (255.0 / top)), 0, 255).astype(np.uint8)).convert("RGB")
    if picture.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in picture.info:
        above = picture.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", above.size, "white"), above).convert("RGB")
    return picture.convert("RGB")


def _ids_of_colours(colours: np.ndarray, name: str, scheme: RegionScheme) -> np.ndarray:
    """uint8 [H, W, 3] in the scheme's colours -> uint8 [H, W] ids."""
    packed = colours.astype(np.int64) @ np.array([65536, 256, 1])
    palette = np.array(scheme.colours, dtype=np.int64) @ np.array([65536, 256, 1])
    order = np.argsort(palette, kind="stable")  # of regions that share a colour the first is meant
    found = order[np.minimum(np.searchsorted(palette[order], packed), len(order) - 1)]
    foreign = colours[palette[found] != packed]
    if len(foreign):
        raise InputError(
            f"label map {name!r} is a colour picture with the colour {tuple(int(value) for value in foreign[0])}, "
            f"which is none of the scheme's {len(scheme)} colours. {_ONE_CHANNEL}"
        )
    return found.astype(np.uint8)


def _span(labels: np.ndarray) -> str:
    """Sorted ids in words: "0 to 12", or all of them where there are gaps."""
    if len(labels) == labels[-1] - labels[0] + 1:
        return f"{labels[0]} to {labels[-1]}"
    return ", ".join(str(label) for label in labels)
