"""A mask of one part has two values, whatever they are, and the larger is the part."""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable, Mapping

import numpy as np
import pytest
from PIL import Image

from semanticgan.data.masks import read_mask
from semanticgan.errors import InputError

PART = np.zeros((16, 16), bool)
PART[2:9, 3:7] = True
BYTES = PART.astype(np.uint8)
FULL = np.full_like(BYTES, 255)


def encoded(picture: Image.Image, format: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, format, **options)
    return file.getvalue()


def palette(colours: list[tuple[int, int, int]]) -> Image.Image:
    picture = Image.fromarray(BYTES)
    picture.putpalette([value for colour in colours for value in colour])
    return picture


def stacked(*channels: np.ndarray) -> Image.Image:
    return Image.fromarray(np.stack([channel.astype(np.uint8) for channel in channels], -1))


def with_clear_value(content: bytes) -> bytes:
    """A grey PNG in which the value 0 is transparent."""
    chunk = b"tRNS\0\0"
    return content[:33] + b"\0\0\0\2" + chunk + zlib.crc32(chunk).to_bytes(4, "big") + content[33:]


TWO_VALUES: Mapping[str, Callable[[], bytes]] = {
    "0 and 1": lambda: encoded(Image.fromarray(BYTES)),
    "0 and 128": lambda: encoded(Image.fromarray(BYTES * np.uint8(128))),
    "3 and 4": lambda: encoded(Image.fromarray(BYTES + np.uint8(3))),
    "1 bit": lambda: encoded(Image.fromarray(PART)),
    "4 bits": lambda: encoded(Image.fromarray(BYTES), bits=4),
    "16 bits, 0 and 1": lambda: encoded(Image.fromarray(BYTES.astype(np.uint16))),
    "16 bits, 255 and 256": lambda: encoded(Image.fromarray(BYTES.astype(np.uint16) + np.uint16(255))),
    "16 bits, one value clear": lambda: with_clear_value(encoded(Image.fromarray(BYTES.astype(np.uint16)))),
    "32 bits": lambda: encoded(Image.fromarray(BYTES.astype(np.int32) * 70000), "TIFF"),
    "floats": lambda: encoded(Image.fromarray(BYTES.astype(np.float32) / 2), "TIFF"),
    "blue on black": lambda: encoded(stacked(0 * BYTES, 0 * BYTES, BYTES)),
    "red on blue": lambda: encoded(stacked(255 * BYTES, 0 * BYTES, 255 * (1 - BYTES))),
    "two colours, equally bright": lambda: encoded(stacked(15 * BYTES, 9 * (1 - BYTES), 7 * BYTES)),
    "palette, white on black": lambda: encoded(palette([(0, 0, 0), (255, 255, 255)])),
    "palette, its colours lost": lambda: encoded(palette([(0, 0, 0), (0, 0, 0)])),
    "palette, one colour clear": lambda: encoded(palette([(9, 9, 9), (9, 9, 9)]), transparency=0),
    "all white, the part in alpha": lambda: encoded(stacked(FULL, FULL, FULL, 255 * BYTES)),
    "all black, the part in alpha": lambda: encoded(stacked(0 * FULL, 0 * FULL, 0 * FULL, 7 * BYTES)),
    "white and visible on black and clear": lambda: encoded(stacked(*[255 * BYTES] * 4)),
    "alpha of something else": lambda: encoded(stacked(255 * BYTES, 255 * BYTES, 255 * BYTES, 255 * BYTES.T)),
    "clear everywhere": lambda: encoded(stacked(255 * BYTES, 255 * BYTES, 255 * BYTES, 0 * BYTES)),
    "grey with alpha": lambda: encoded(Image.merge("LA", (Image.fromarray(FULL), Image.fromarray(255 * BYTES)))),
    "CMYK": lambda: encoded(Image.fromarray(255 * BYTES).convert("CMYK"), "TIFF"),
    "BMP": lambda: encoded(Image.fromarray(255 * BYTES), "BMP"),
    "GIF": lambda: encoded(Image.fromarray(255 * BYTES), "GIF"),
    "WebP": lambda: encoded(Image.fromarray(255 * BYTES).convert("RGB"), "WEBP", lossless=True),
    "PGM of two": lambda: b"P2\n16 16\n1\n" + b" ".join(str(value).encode() for value in BYTES.ravel()),
}


@pytest.mark.parametrize("kind", TWO_VALUES)
def test_the_larger_of_two_values_is_the_part(kind: str) -> None:
    mask = read_mask(TWO_VALUES[kind](), "mask.png")
    assert mask.num_values == 2
    assert mask.part.dtype == bool and np.array_equal(mask.part, PART)


@pytest.mark.parametrize(
    ("picture", "everywhere"),
    [
        (Image.new("L", (4, 4), 0), False),
        (Image.new("L", (4, 4), 1), True),
        (Image.new("L", (4, 4), 255), True),
        (Image.new("1", (4, 4), 1), True),
        (Image.new("I;16", (4, 4), 300), True),
        (Image.new("RGB", (4, 4), (0, 0, 0)), False),
        (Image.new("RGB", (4, 4), (0, 0, 9)), True),
        (Image.new("RGBA", (4, 4), (0, 0, 0, 255)), False),
        (Image.new("RGBA", (4, 4), (255, 255, 255, 255)), True),
        (Image.new("RGBA", (4, 4), (255, 255, 255, 0)), False),
    ],
)
def test_one_value_is_nothing_if_it_is_black_and_else_everything(picture: Image.Image, everywhere: bool) -> None:
    mask = read_mask(encoded(picture, "TIFF" if picture.mode == "I;16" else "PNG"), "mask.png")
    assert mask.num_values == 1 and (mask.part == everywhere).all()


def large() -> np.ndarray:
    rows, columns = np.mgrid[:128, :128]
    return (rows - 60) ** 2 + (columns - 64) ** 2 < 40**2


def test_soft_masks_are_cut_at_the_middle() -> None:
    sharp = Image.fromarray(large().astype(np.uint8) * 255)
    soft = sharp.resize((64, 64), Image.Resampling.BILINEAR)
    for content in (encoded(soft), encoded(sharp, "JPEG", quality=60), encoded(soft.convert("RGB"))):
        mask = read_mask(content, "mask.png")
        truth = large() if len(mask.part) == 128 else large()[::2, ::2]
        assert mask.num_values > 2
        assert (mask.part != truth).mean() < 0.02


@pytest.mark.parametrize(
    "values",
    [
        np.arange(256, dtype=np.uint8).reshape(16, 16),  # a gradient
        np.arange(256, dtype=np.uint8).reshape(16, 16) % 3,  # a label map
        np.arange(256, dtype=np.uint8).reshape(16, 16) % 3 * 127,  # three flat values
    ],
)
def test_what_has_no_two_values_is_refused(values: np.ndarray) -> None:
    with pytest.raises(InputError, match=r"'mask\.png' holds \d+ values \(0, .*two values.*0 and 255"):
        read_mask(encoded(Image.fromarray(values)), "mask.png")


def test_a_transparency_that_contradicts_the_colour_is_refused() -> None:
    visible = 255 * (1 - BYTES)
    with pytest.raises(InputError, match="transparent where it is bright"):
        read_mask(encoded(stacked(255 * BYTES, 255 * BYTES, 255 * BYTES, visible)), "mask.png")


def test_sixteen_bits_of_colour_are_refused_where_they_are_lost() -> None:
    """Pillow reads the upper 8 of 16 bits of a colour: a mask of 0 and 1 is black to it."""
    with pytest.raises(InputError, match="16 bits per colour"):
        read_mask(rgb_of_sixteen_bits(1), "mask.png")
    assert np.array_equal(read_mask(rgb_of_sixteen_bits(65535), "mask.png").part, PART)


def rgb_of_sixteen_bits(value: int) -> bytes:
    """A TIFF, uncompressed, of 16 bits a channel."""
    import struct

    pixels = np.repeat((PART * value).astype("<u2")[..., None], 3, -1).tobytes()
    entries = [(256, 3, 1, 16), (257, 3, 1, 16), (258, 3, 3, 122), (259, 3, 1, 1), (262, 3, 1, 2), (273, 4, 1, 128)]
    entries += [(277, 3, 1, 3), (278, 3, 1, 16), (279, 4, 1, len(pixels))]
    head = b"II*\0" + struct.pack("<IH", 8, len(entries))
    head += b"".join(struct.pack("<HHII", *entry) for entry in entries) + bytes(4)
    return head.ljust(122, b"\0") + struct.pack("<3H", 16, 16, 16) + pixels


def test_floats_that_are_no_numbers_are_refused() -> None:
    values = PART.astype(np.float32)
    values[0, 0] = np.nan
    with pytest.raises(InputError, match="not finite numbers"):
        read_mask(encoded(Image.fromarray(values), "TIFF"), "mask.tif")


def test_several_masks_in_one_file_are_refused() -> None:
    pages = [Image.fromarray(255 * BYTES), Image.fromarray(255 * BYTES.T.copy())]
    with pytest.raises(InputError, match="holds 2 pictures"):
        read_mask(encoded(pages[0], "TIFF", save_all=True, append_images=pages[1:]), "mask.tif")


def test_values_that_a_lossy_file_cannot_keep_apart_are_refused() -> None:
    """At the values 0 and 1 the compression decides where the part ends, with two values or one left."""
    for values in (BYTES, np.ones_like(BYTES)):
        with pytest.raises(InputError, match="stored as JPEG, which changes values as close"):
            read_mask(encoded(Image.fromarray(values), "JPEG", quality=95), "mask")
    for value in (0, 255):
        assert read_mask(encoded(Image.new("L", (16, 16), value), "JPEG")).part.all() == (value == 255)
