"""Every file passes the same checks before it is decoded: checksums, completeness, size."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import threading
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from semanticgan.commands import main
from semanticgan.data import CachedPairs, open_dataset
from semanticgan.data.decoding import converted, decode, read_header
from semanticgan.data.label_maps import read_labels
from semanticgan.data.masks import read_mask
from semanticgan.data.pictures import read_picture, resize_labels
from semanticgan.errors import InputError
from semanticgan.regions import CELEBAMASK_13, PHOTOGRAPHS_11

Make = Callable[..., Path]
Read = Callable[[bytes], object]

READERS: dict[str, Read] = {
    "picture": lambda content: read_picture(content, "x.png"),
    "label map": lambda content: read_labels(content, "x.png", CELEBAMASK_13),
    "mask": lambda content: read_mask(content, "x.png"),
}


def encoded(picture: Image.Image, format: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, format, **options)
    return file.getvalue()


def stripes() -> bytes:
    """A palette PNG of 0 and 1 with a text."""
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    info.add_text("Comment", "some words")
    picture = Image.fromarray(np.repeat(np.array([0, 1], np.uint8), 128).reshape(16, 16))
    picture.putpalette(CELEBAMASK_13.palette())
    return encoded(picture, pnginfo=info)


@pytest.mark.parametrize("kind", READERS)
def test_every_flipped_bit_of_a_png_is_found(kind: str) -> None:
    content = stripes()
    READERS[kind](content)
    for place in range(8 * len(content)):
        damaged = bytearray(content)
        damaged[place // 8] ^= 1 << place % 8
        with pytest.raises(InputError, match=r"'x\.png'"):
            READERS[kind](bytes(damaged))


@pytest.mark.parametrize("kind", READERS)
def test_every_shortened_png_is_found(kind: str) -> None:
    content = stripes()
    for length in range(len(content)):
        with pytest.raises(InputError, match=r"'x\.png'"):
            READERS[kind](content[:length])
    READERS[kind](content + b"what follows the last chunk is no part of the file")


def test_the_damaged_chunk_is_named() -> None:
    content = bytearray(stripes())
    content[content.index(b"IDAT") + 6] ^= 1
    with pytest.raises(InputError, match=r"'x\.png' cannot be decoded \(damaged: the checksum of its IDAT chunk is wr"):
        read_picture(bytes(content), "x.png")


@pytest.mark.parametrize("format", ["WEBP", "TIFF", "BMP", "GIF"])
def test_shortened_files_of_other_formats_are_found(format: str) -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (32, 32), np.uint8))
    content = encoded(noise.convert("RGB") if format == "WEBP" else noise, format, **_lossless(format))
    with pytest.raises(InputError, match=r"'x\.png' cannot be decoded"):
        read_picture(content[: len(content) * 2 // 3], "x.png")


def _lossless(format: str) -> dict[str, object]:
    return {"lossless": True} if format == "WEBP" else {}


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims a size and has next to no pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def claims(format: str) -> bytes:
    """A small file of a format whose header claims 16000 x 16000 pixels, 256 megapixels."""
    if format == "PNG":
        return png_header(16000, 16000)
    content = bytearray(encoded(Image.new("RGB", (16, 16)), format))
    if format == "BMP":
        content[18:26] = struct.pack("<II", 16000, 16000)
    elif format == "GIF":
        content[6:10] = struct.pack("<HH", 16000, 16000)
    elif format == "WEBP":
        place = content.index(b"\x9d\x01\x2a") + 3
        content[place : place + 4] = struct.pack("<HH", 16000, 16000)
    elif format == "JPEG":
        place = content.index(b"\xff\xc0") + 5
        content[place : place + 4] = struct.pack(">HH", 16000, 16000)
    else:
        return b"P6 16000 16000 255\n" + bytes(100)
    return bytes(content)


@pytest.mark.parametrize("kind", READERS)
@pytest.mark.parametrize("format", ["PNG", "BMP", "GIF", "WEBP", "JPEG", "PPM"])
def test_what_is_too_large_is_refused_by_its_header(kind: str, format: str) -> None:
    with pytest.raises(
        InputError,
        match=r"'x\.png' is too large: 16000x16000 are 256 megapixels, the limit is 64\..*--max-megapixels 256",
    ) as caught:
        READERS[kind](claims(format))
    assert "bomb" not in str(caught.value) and "decod" not in str(caught.value)


def test_the_limit_can_be_raised_above_that_of_pillow() -> None:
    """Pillow refuses from 179 megapixels on, and warns from 89 on."""
    content = encoded(Image.new("1", (15000, 12400)))
    limit = Image.MAX_IMAGE_PIXELS
    with pytest.raises(InputError, match="limit is 185"):
        decode(content, "x.png", max_megapixels=185)
    assert decode(content, "x.png", max_megapixels=186).image.size == (15000, 12400)
    assert read_header(content, "x.png").size == (15000, 12400)
    assert limit == Image.MAX_IMAGE_PIXELS


def test_pillows_limit_is_restored_whichever_thread_ends_last() -> None:
    limit, content = Image.MAX_IMAGE_PIXELS, encoded(Image.new("RGB", (64, 64)))
    threads = [threading.Thread(target=lambda: [read_picture(content) for _ in range(50)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert limit == Image.MAX_IMAGE_PIXELS


@pytest.mark.parametrize("workers", [0, 2])
def test_the_limit_of_a_dataset_holds_in_its_workers(make_folder: Make, workers: int) -> None:
    folder = make_folder(3)
    Image.new("RGB", (1000, 1000)).save(folder / "image" / "0001.png")
    with pytest.raises(InputError, match=r"0001\.png' is too large: 1000x1000 are 1 megapixels, the limit is 0\.9"):
        CachedPairs(open_dataset("folder", folder, 16, PHOTOGRAPHS_11, max_megapixels=0.9), workers)
    assert len(CachedPairs(open_dataset("folder", folder, 16, PHOTOGRAPHS_11, max_megapixels=1), workers)) == 3


def test_a_mode_that_cannot_be_converted_is_named() -> None:
    with pytest.raises(InputError, match=r"'x\.tif' has pixels of mode 'La', which cannot be read"):
        converted(Image.new("La", (4, 4)), "RGB", "x.tif")


@pytest.mark.parametrize("limit", [0, -1, float("inf"), float("nan")])
def test_limits_that_are_none(make_folder: Make, limit: float) -> None:
    with pytest.raises(InputError, match="megapixels was asked for"):
        open_dataset("folder", make_folder(1), 16, PHOTOGRAPHS_11, max_megapixels=limit)


def test_prepare_data_has_the_option(make_folder: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, out = make_folder(2), tmp_path / "out"
    words = ["prepare-data", "folder", str(folder), "--scheme", "photographs-11", "--size", "16", "--out", str(out)]
    assert main([*words, "--max-megapixels", "0.0005"]) == 2
    assert "0000.png' is too large: 24x24 are 0.000576 megapixels" in capsys.readouterr().err
    assert main([*words, "--max-megapixels", "0"]) == 2
    assert "'0' is not above 0" in capsys.readouterr().err
    assert main([*words, "--max-megapixels", "0.001"]) == 0


def test_memory_that_cannot_be_had_is_one_line(tmp_path: Path) -> None:
    """Within the limit, but more than the process may have."""
    path = tmp_path / "large.png"
    Image.new("1", (7900, 7900)).save(path)
    program = (
        "import resource, sys\n"
        "from semanticgan.data.pictures import read_picture\n"
        "from semanticgan.errors import InputError\n"
        "from PIL import Image; Image.init()\n"
        "used = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()\n"
        "resource.setrlimit(resource.RLIMIT_AS, (used + 40_000_000,) * 2)\n"
        "try:\n    read_picture(sys.argv[1])\nexcept InputError as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True, timeout=120)
    assert "needs more memory than there is" in done.stdout, done.stderr


def test_a_large_label_map_is_resized_in_parts() -> None:
    """The result does not depend on how many rows are counted at a time."""
    import semanticgan.data.pictures as pictures

    labels = np.random.default_rng(1).integers(0, 5, (97, 97)).astype(np.uint8)
    whole = resize_labels(labels, 40)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pictures, "_PIXELS_AT_A_TIME", 300)
        assert np.array_equal(resize_labels(labels, 40), whole)
