"""Label maps as arrays of ids: uint8 [H, W].

A label map is lossless. Its values are ids: grey values of any depth, or indices of a palette. Where the colours of
the palette are those of the regions the colours count, because tools sort and shorten palettes; a palette of other
colours means nothing. A map in colour must be in the regions' colours.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from semanticgan.data.decoding import MAX_MEGAPIXELS, Decoded, decode
from semanticgan.data.pictures import replaced, value_counts
from semanticgan.errors import InputError
from semanticgan.regions import RegionScheme

_UNKNOWN = 255  # the largest scheme has 255 regions, so this is no label
_NAMED_VALUES = 5
_MOST_COLOURS = 256
_PIXELS_AT_A_TIME = 2**20  # bounds the memory that a large map in colour takes beside itself
_SAVE_AS = "Save label maps as palette or grey PNG whose values are the region ids."


def read_labels(
    source: str | Path | bytes,
    name: str | None,
    scheme: RegionScheme,
    table: np.ndarray | None = None,
    *,
    max_megapixels: float = MAX_MEGAPIXELS,
    orientation: int | None = None,
) -> np.ndarray:
    """A label map: a palette, grey or 16-bit file whose values are ids, or a file in the scheme's colours.

    Args:
        source, name, max_megapixels, orientation: as of :func:`~semanticgan.data.decoding.decode`.
        scheme: what the ids mean.
        table: uint8 [256] from the file's ids to the scheme's, 255 where there is none (``regions.relabel_table``).
            The values are ids then, whatever their colours.

    Returns:
        uint8 [H, W], ids below ``len(scheme)``.

    Raises:
        MissingFileError: there is no such file.
        InputError: it is damaged, lossy, too large, no label map, or holds a value outside the scheme.
    """
    decoded = decode(source, name, max_megapixels, orientation)
    image, name = decoded.image, decoded.name
    _require_exact(decoded)
    if image.mode in ("RGB", "RGBA"):
        if table is not None:
            raise InputError(
                f"label map {name!r} is a colour picture, but labels to be reordered must be ids. {_SAVE_AS}"
            )
        return _ids_of_colours(image.convert("RGB"), name, scheme)
    if image.mode == "P" and table is None:
        table = _table_of_palette(image, name, scheme)
    if image.mode == "LA":
        image = image.getchannel(0)
    if image.mode not in ("P", "L", "1") and not image.mode.startswith("I"):
        raise InputError(f"label map {name!r} has pixels of mode {image.mode!r}. {_SAVE_AS}")
    values = np.asarray(image)
    if decoded.grey_scale > 1:
        values = values // decoded.grey_scale
    return _relabelled(values, table, name, scheme)


def _require_exact(decoded: Decoded) -> None:
    """Raises: InputError: the file may hold other values than its labels had, or more than one map."""
    if decoded.lossy:
        raise InputError(
            f"label map {decoded.name!r} is stored as {decoded.lossy}, which changes labels, whatever its name ends "
            f"in. Make it anew from its source, as PNG. {_SAVE_AS}"
        )
    if decoded.num_frames > 1:
        raise InputError(f"label map {decoded.name!r} holds {decoded.num_frames} pictures. Give one map per file.")
    if decoded.narrowed:
        raise InputError(f"label map {decoded.name!r} has 16 bits per colour, of which 8 would be lost. {_SAVE_AS}")


def _table_of_palette(image: Image.Image, name: str, scheme: RegionScheme) -> np.ndarray | None:
    """uint8 [256], index -> label, 255 where unused; None where the indices are the labels."""
    palette = image.getpalette("RGB") or []
    own = [value for colour in scheme.colours for value in colour]
    if palette[: len(own)] == own[: len(palette)]:
        return None
    colours = list(zip(palette[::3], palette[1::3], palette[2::3], strict=True))
    owners: dict[tuple[int, int, int], list[int]] = {}
    for label, colour in enumerate(scheme.colours):
        owners.setdefault(colour, []).append(label)
    used = [index for index, count in enumerate(image.histogram()[:256]) if count]
    meant = {index: owners.get(colours[index], []) if index < len(colours) else [] for index in used}
    moved = [index for index in used if meant[index] and index not in meant[index]]
    if not moved:
        return None
    unclear = [index for index in used if len(meant[index]) != 1]
    if unclear:
        index, label, other = moved[0], meant[moved[0]][0], unclear[0]
        raise InputError(
            f"label map {name!r} has a palette in another order than its regions: index {index} has the colour of "
            f"label {label} ({scheme.names[label]}), but index {other} that of {len(meant[other]) or 'no'} regions. "
            f"{_SAVE_AS}"
        )
    table = np.full(256, _UNKNOWN, dtype=np.uint8)
    for index in used:
        table[index] = meant[index][0]
    return table


def _relabelled(values: np.ndarray, table: np.ndarray | None, name: str, scheme: RegionScheme) -> np.ndarray:
    """Whole numbers or booleans [H, W] -> uint8 [H, W] by a table of 256, or as they are."""
    known = np.arange(len(scheme)) if table is None else np.flatnonzero(table != _UNKNOWN)
    small = values.dtype in (np.uint8, np.bool_)
    if small and table is None and values.max() < len(scheme):
        return np.array(values, dtype=np.uint8)
    labels = np.array(values, dtype=np.uint8) if small else np.empty(0, dtype=np.uint8)
    found = np.flatnonzero(value_counts(labels)) if small else np.unique(values)
    wrong = found[~np.isin(found, known)]
    if wrong.size:
        share = float(np.isin(values, wrong).mean())
        raise InputError(
            f"label map {name!r} holds the value{_listed(wrong)}, but its labels are {_span(known)} "
            f"({len(scheme)} regions: {', '.join(scheme.names)}); {100 * share:.3g} % of its pixels are concerned. "
            "Choose the scheme or label order of this data, or correct the map."
        )
    labels = labels if small else values.astype(np.uint8)
    return labels if table is None else replaced(labels, table)


def _ids_of_colours(image: Image.Image, name: str, scheme: RegionScheme) -> np.ndarray:
    """An RGB image in the scheme's colours -> uint8 [H, W] ids."""
    palette = _packed(np.array(scheme.colours, dtype=np.uint8))
    order = np.argsort(palette, kind="stable")
    labels = np.empty((image.height, image.width), dtype=np.uint8)
    step = max(1, _PIXELS_AT_A_TIME // image.width)
    for top in range(0, image.height, step):
        colours = np.asarray(image.crop((0, top, image.width, min(top + step, image.height))))
        packed = _packed(colours)
        found = order[np.minimum(np.searchsorted(palette[order], packed), len(order) - 1)]
        foreign = colours[palette[found] != packed]
        if len(foreign):
            values = sorted({tuple(int(value) for value in colour) for colour in foreign[:_MOST_COLOURS]})
            raise InputError(
                f"label map {name!r} is a colour picture with the colour{_listed(values)}, "
                f"which is none of the scheme's {len(scheme)} colours. {_SAVE_AS}"
            )
        labels[top : top + step] = found
    for label in np.flatnonzero(value_counts(labels)):
        sharing = [scheme.names[k] for k, colour in enumerate(scheme.colours) if colour == scheme.colours[label]]
        if len(sharing) > 1:
            raise InputError(
                f"label map {name!r} is a colour picture with the colour {scheme.colours[label]}, which the regions "
                f"{', '.join(sharing)} share. {_SAVE_AS}"
            )
    return labels


def _packed(colours: np.ndarray) -> np.ndarray:
    """uint8 [..., 3] -> int32 [...], one number per colour."""
    red, green, blue = (colours[..., channel].astype(np.int32) for channel in range(3))
    return (red << 16) | (green << 8) | blue


def _listed(values: Sequence[object] | np.ndarray) -> str:
    """ " 3", or "s 3, 4, 5 and 9 others"."""
    named = [str(value) for value in values[:_NAMED_VALUES]]
    others = len(values) - len(named)
    return f"{'s' * (len(values) > 1)} {', '.join(named)}" + (f" and {others} others" if others else "")


def _span(labels: np.ndarray) -> str:
    """Sorted ids in words: "0 to 12", or all of them where there are gaps."""
    if len(labels) == labels[-1] - labels[0] + 1:
        return f"{labels[0]} to {labels[-1]}"
    return ", ".join(str(label) for label in labels)
