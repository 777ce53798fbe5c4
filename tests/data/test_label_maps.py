"""Label maps by their palettes, depths and compression."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from semanticgan.data.label_maps import read_labels
from semanticgan.errors import InputError
from semanticgan.regions import BISENET_19_ORDER, CELEBAMASK_13, RegionScheme, relabel_table

COLOURS = ((0, 0, 0), (240, 190, 160), (150, 90, 200), (9, 200, 9))
SCHEME = RegionScheme(("background", "face", "hair", "hat"), COLOURS)
IDS = np.repeat(np.arange(4, dtype=np.uint8), 16).reshape(8, 8)


def encoded(picture: Image.Image, format: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, format, **options)
    return file.getvalue()


def indexed(values: np.ndarray, colours: list[tuple[int, int, int]]) -> bytes:
    picture = Image.fromarray(values)
    picture.putpalette([value for colour in colours for value in colour])
    return encoded(picture)


def reordered(order: list[int], ids: np.ndarray = IDS) -> bytes:
    """The ids with a palette in another order; ``order`` are the labels of the palette's entries."""
    place = np.zeros(256, np.uint8)
    place[order] = np.arange(len(order))
    return indexed(place[ids], [COLOURS[label] for label in order])


@pytest.mark.parametrize("order", [[2, 0, 3, 1], [3, 2, 1, 0], [1, 0, 2, 3]])
def test_a_reordered_palette_follows_its_colours(order: list[int]) -> None:
    assert np.array_equal(read_labels(reordered(order), "map.png", SCHEME), IDS)


def test_a_palette_with_fewer_entries_follows_its_colours() -> None:
    ids = np.where(IDS == 1, 3, IDS)  # no face
    assert np.array_equal(read_labels(reordered([3, 2, 0], ids), "map.png", SCHEME), ids)
    only_hair = np.full_like(IDS, 2)
    assert np.array_equal(read_labels(reordered([2], only_hair), "map.png", SCHEME), only_hair)


def test_a_palette_with_more_entries_than_regions_follows_its_colours() -> None:
    moved = IDS + np.uint8(100)
    content = indexed(moved, [(77, 77, 77)] * 100 + list(COLOURS))
    assert np.array_equal(read_labels(content, "map.png", SCHEME), IDS)


@pytest.mark.parametrize("colours", [[(255, 0, 0)] * 4, [(0, 0, 0), (128, 0, 0), (0, 128, 0), (128, 128, 0)]])
def test_the_indices_of_a_foreign_palette_are_the_labels(colours: list[tuple[int, int, int]]) -> None:
    assert np.array_equal(read_labels(indexed(IDS, colours), "map.png", SCHEME), IDS)


def test_a_palette_half_of_the_regions_colours_and_in_another_order_is_refused() -> None:
    content = indexed(IDS, [COLOURS[2], COLOURS[1], COLOURS[0], (1, 2, 3)])
    with pytest.raises(InputError, match=r"'map\.png' has a palette in another order.*label 2 \(hair\).* no regions"):
        read_labels(content, "map.png", SCHEME)


def test_regions_that_share_a_colour_are_told_by_their_indices() -> None:
    twice = RegionScheme(SCHEME.names, ((0, 0, 0), (9, 9, 9), (9, 9, 9), (0, 0, 0)))
    assert np.array_equal(read_labels(indexed(IDS, list(twice.colours)), "map.png", twice), IDS)
    with pytest.raises(InputError, match=r"the colour \(0, 0, 0\), which the regions background, hat share"):
        read_labels(encoded(Image.fromarray(twice.colourise(IDS))), "map.png", twice)


def test_a_label_order_takes_the_indices_whatever_their_colours() -> None:
    table = relabel_table(BISENET_19_ORDER)
    ids = np.arange(19, dtype=np.uint8)[None]
    colours = [CELEBAMASK_13.colours[12 - k % 13] for k in range(19)]
    assert np.array_equal(read_labels(indexed(ids, colours), "map.png", CELEBAMASK_13, table), table[ids])


def grey_png(values: np.ndarray, bits: int) -> bytes:
    """A grey PNG of 1, 2 or 4 bits a pixel, made by hand: Pillow writes 8."""
    import struct
    import zlib

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    digits = np.unpackbits(values[..., None], axis=-1)[..., 8 - bits :].reshape(len(values), -1)
    rows = b"".join(b"\0" + np.packbits(row).tobytes() for row in digits)
    head = struct.pack(">IIBBBBB", values.shape[1], len(values), bits, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


@pytest.mark.parametrize(("bits", "largest"), [(1, 1), (2, 3), (4, 3)])
def test_grey_values_of_few_bits_are_ids(bits: int, largest: int) -> None:
    ids = np.minimum(IDS, largest).astype(np.uint8)
    assert np.array_equal(read_labels(grey_png(ids, bits), "map.png", SCHEME), ids)


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_indices_of_few_bits_are_ids(bits: int) -> None:
    ids = np.minimum(IDS, 2**bits - 1).astype(np.uint8)
    picture = Image.fromarray(ids)
    picture.putpalette(SCHEME.palette())
    assert np.array_equal(read_labels(encoded(picture, bits=bits), "map.png", SCHEME), ids)


def test_all_values_that_no_region_has_are_named() -> None:
    with pytest.raises(InputError, match=r"'map\.png' holds the values 7, 8, but its labels are 0 to 3 .*25 %"):
        read_labels(encoded(Image.fromarray(np.where(IDS == 3, 7 + np.eye(8, dtype=np.uint8), IDS))), "map.png", SCHEME)
    with pytest.raises(InputError, match=r"holds the values 300, 301, 302, 303, 304 and 59 others"):
        read_labels(encoded(Image.fromarray(np.arange(300, 364, dtype=np.uint16).reshape(8, 8))), "m.png", SCHEME)


LOSSY = {
    "JPEG": {"format": "JPEG", "quality": 100},
    "lossy WebP": {"format": "WEBP", "quality": 100},
    "TIFF with jpeg": {"format": "TIFF", "compression": "jpeg"},
}


@pytest.mark.parametrize("kind", LOSSY)
@pytest.mark.parametrize("colour", [False, True])
def test_lossy_label_maps_are_refused(kind: str, colour: bool) -> None:
    """A map of one label survives these, so that nothing but the compression gives them away."""
    picture = Image.fromarray(SCHEME.colourise(IDS * 0)) if colour else Image.fromarray(IDS * 0)
    with pytest.raises(InputError, match=rf"'map\.png' is stored as {kind}.*PNG"):
        read_labels(encoded(picture, **LOSSY[kind]), "map.png", SCHEME)  # type: ignore[arg-type]


def test_other_lossy_formats_are_refused() -> None:
    with pytest.raises(InputError, match=r"'map\.png' cannot be decoded"):
        read_labels(encoded(Image.fromarray(IDS), "JPEG2000", irreversible=True), "map.png", SCHEME)


def test_animated_lossy_webp_is_refused() -> None:
    frames = [Image.new("RGB", (16, 16), COLOURS[k]) for k in (0, 1)]
    content = encoded(frames[0], "WEBP", save_all=True, append_images=frames[1:], quality=90)
    with pytest.raises(InputError, match="lossy WebP"):
        read_labels(content, "map.png", SCHEME)


@pytest.mark.parametrize(
    "options",
    [
        {"format": "WEBP", "lossless": True},
        {"format": "TIFF"},
        {"format": "TIFF", "compression": "tiff_lzw"},
        {"format": "TIFF", "compression": "tiff_adobe_deflate"},
        {"format": "BMP"},
    ],
)
def test_other_lossless_maps_are_read(options: dict[str, str]) -> None:
    picture = Image.fromarray(SCHEME.colourise(IDS)) if options["format"] == "WEBP" else Image.fromarray(IDS)
    assert np.array_equal(read_labels(encoded(picture, **options), "map.png", SCHEME), IDS)  # type: ignore[arg-type]


def test_several_maps_in_one_file_are_refused() -> None:
    pages = [Image.fromarray(IDS), Image.fromarray(IDS.T.copy())]
    with pytest.raises(InputError, match="holds 2 pictures"):
        read_labels(encoded(pages[0], "TIFF", save_all=True, append_images=pages[1:]), "map.png", SCHEME)
