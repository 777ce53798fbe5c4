"""EXIF orientation: read from any block, however odd, and shared by a picture and its label map."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from semanticgan.data.celebamask import CelebAMaskDataset
from semanticgan.data.decoding import read_header
from semanticgan.data.folders import FolderDataset
from semanticgan.data.orientation import find_orientation
from semanticgan.data.pictures import read_picture
from semanticgan.errors import DataWarning, InputError
from semanticgan.regions import RegionScheme

Make = Callable[..., Path]
TWO = RegionScheme(("background", "mark"))
TAG = 0x0112


def block(*entries: tuple[int, int, int, bytes], order: str = "<", start: int = 8) -> bytes:
    head = b"II*\0" if order == "<" else b"MM\0*"
    body = b"".join(struct.pack(f"{order}HHI", *entry[:3]) + entry[3] for entry in entries)
    return (
        b"Exif\0\0" + head + struct.pack(f"{order}I", start) + struct.pack(f"{order}H", len(entries)) + body + bytes(4)
    )


SIX = (TAG, 3, 1, b"\6\0\0\0")


@pytest.mark.parametrize(
    ("content", "value"),
    [
        (block(SIX), 6),
        (block(SIX)[6:], 6),  # without its prefix
        (block((TAG, 3, 1, b"\0\6\0\0"), order=">"), 6),
        (block((TAG, 4, 1, b"\6\0\0\0")), 6),
        (block((TAG, 1, 1, b"\6\0\0\0")), 6),
        (block((TAG, 8, 1, b"\6\0\0\0")), 6),
        (block((0x0100, 2, 4, b"ab\0\0"), SIX), 6),
        (block((TAG, 3, 1, b"\0\0\0\0")), None),
        (block((TAG, 3, 1, b"\x09\0\0\0")), None),
        (block((TAG, 8, 1, b"\xff\xff\0\0")), None),
        (block((TAG, 2, 2, b"6\0\0\0")), None),
        (block((TAG, 5, 1, b"\6\0\0\0")), None),
        (block((TAG, 3, 0, b"\6\0\0\0")), None),
        (block((TAG, 3, 2**31, b"\6\0\0\0")), None),
        (block(SIX, start=2**32 - 1), None),
        (block(SIX)[:20], None),
        (b"", None),
        (b"Exif\0\0", None),
        (b"Exif\0\0" + bytes(range(200)), None),
    ],
)
def test_only_the_orientation_is_read(content: bytes, value: int | None) -> None:
    entry = find_orientation(content)
    assert (None if entry is None else entry.value) == value


ARROW = np.zeros((8, 12, 3), np.uint8)
ARROW[:2, :3] = 255  # bright in the upper left corner, as stored


def encoded(format: str, exif: bytes = b"", **options: object) -> bytes:
    file = io.BytesIO()
    Image.fromarray(ARROW).save(file, format, **({"exif": exif} if exif else {}), **options)
    return file.getvalue()


@pytest.mark.parametrize("options", [{"format": "PNG"}, {"format": "WEBP", "lossless": True}, {"format": "TIFF"}])
def test_each_format_that_says_an_orientation_is_turned(options: dict[str, object]) -> None:
    if options["format"] == "TIFF":
        file = io.BytesIO()
        Image.fromarray(ARROW).save(file, "TIFF", tiffinfo={TAG: 6})
        content = file.getvalue()
    else:
        content = encoded(exif=block(SIX), **options)  # type: ignore[arg-type]
    assert read_header(content, "x") == ((12, 8), 6)
    assert np.array_equal(read_picture(content), np.rot90(ARROW, -1))


def test_jpeg_is_turned_and_its_other_segments_do_no_harm() -> None:
    """Pillow warns of the block, takes the second part for a picture of several, and refuses the profile."""
    odd = block(SIX, (0x0128, 9, 1, b"\xff\xff\xff\xff"), (0x8825, 4, 1, b"\xff\xff\xff\x7f"))
    content = encoded("JPEG", odd, quality=100, subsampling=0)
    end = content.index(b"\xff\xdb")
    for marker, body in (
        (0xE2, b"MPF\0" + bytes(60)),
        (0xE2, b"ICC_PROFILE\0\1\1" + bytes(60000)),
        (0xFE, b"\xff" * 9),
    ):
        content = content[:end] + bytes([255, marker]) + struct.pack(">H", len(body) + 2) + body + content[end:]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read = read_picture(content)
    assert np.abs(read.astype(int) - np.rot90(ARROW, -1)).mean() < 8


def with_chunk(content: bytes, kind: bytes, body: bytes) -> bytes:
    """A PNG with one more chunk after its header."""
    chunk = struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    return content[:33] + chunk + content[33:]


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (b"zTXt", b"Comment\0\0" + zlib.compress(bytes(2**26))),
        (b"iCCP", b"profile\0\0" + zlib.compress(bytes(2**26))),
        (b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + b"x" * 2**21),
        (b"eXIf", b"Exif\0\0" + bytes(range(200))),
        (b"tEXt", b"Raw profile type exif\0\nexif\n3\nzz"),
    ],
)
def test_png_chunks_without_pixels_do_no_harm(kind: bytes, body: bytes) -> None:
    assert np.array_equal(read_picture(with_chunk(encoded("PNG"), kind, body)), ARROW)


def test_the_orientation_of_older_png_files_is_read() -> None:
    text = b"\nexif\n%8d\n" % len(block(SIX)) + block(SIX).hex().encode()
    for kind, body in ((b"tEXt", text), (b"zTXt", b"\0" + zlib.compress(text))):
        content = with_chunk(encoded("PNG"), kind, b"Raw profile type exif\0" + body)
        assert np.array_equal(read_picture(content), np.rot90(ARROW, -1))


def pair(folder: Path, shape: tuple[int, int], image: int | None, label: int | None, turned_label: bool) -> Path:
    """A bright mark in a corner as stored, and its label map; orientations where they are given.

    With ``turned_label`` the map is stored as the picture of orientation 6 is seen.
    """
    for name in ("image", "label"):
        (folder / name).mkdir(parents=True)
    labels = np.zeros(shape, np.uint8)
    labels[: shape[0] // 4, : shape[1] // 4] = 1
    for name, values, orientation in (("image", labels * 255, image), ("label", labels, label)):
        if name == "label" and turned_label:
            values = np.rot90(labels, -1)
        options = {"exif": block((TAG, 3, 1, bytes([orientation, 0, 0, 0])))} if orientation else {}
        Image.fromarray(np.ascontiguousarray(values)).save(folder / name / "0.png", **options)
    return folder


@pytest.mark.parametrize("shape", [(32, 32), (32, 48), (48, 32)])
@pytest.mark.parametrize("image", [None, 1, *range(2, 9)])
@pytest.mark.parametrize("label", [None, "same"])
@pytest.mark.filterwarnings("ignore::semanticgan.errors.DataWarning")
def test_picture_and_label_map_are_turned_alike(
    tmp_path: Path, shape: tuple[int, int], image: int | None, label: str | None
) -> None:
    folder = pair(tmp_path / "data", shape, image, image if label else None, turned_label=False)
    found = FolderDataset(folder, 32, TWO)[0]
    assert 0.03 < (found.labels == 1).float().mean() < 0.1
    assert ((found.image[0] > 127) == (found.labels == 1)).all()


def test_a_map_that_fits_only_the_turned_picture_is_left_as_it_is(tmp_path: Path) -> None:
    found = FolderDataset(pair(tmp_path / "data", (32, 48), 6, None, turned_label=True), 32, TWO)[0]
    assert ((found.image[0] > 127) == (found.labels == 1)).all()


def test_a_map_that_says_it_is_upright_is_left_as_it_is(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = FolderDataset(pair(tmp_path / "data", (32, 32), 6, 1, turned_label=True), 32, TWO)[0]
    assert ((found.image[0] > 127) == (found.labels == 1)).all()


def test_a_map_with_an_orientation_beside_a_picture_without_follows_its_own(tmp_path: Path) -> None:
    folder = pair(tmp_path / "data", (32, 32), None, 8, turned_label=True)  # turned right as stored, 8 turns it back
    found = FolderDataset(folder, 32, TWO)[0]
    assert ((found.image[0] > 127) == (found.labels == 1)).all()
    with pytest.raises(InputError, match="48x32 but its label map is 32x48"):
        FolderDataset(pair(tmp_path / "oblong", (32, 48), None, 6, turned_label=False), 32, TWO)[0]


def test_what_fits_both_ways_is_said_once(tmp_path: Path) -> None:
    dataset = FolderDataset(pair(tmp_path / "data", (32, 32), 6, None, turned_label=False), 32, TWO)
    with pytest.warns(DataWarning, match=r"image/0\.png' has an EXIF orientation and .*label/0\.png' has none") as said:
        dataset[0], dataset[0]
    assert len(said) == 1


def test_masks_of_parts_are_turned_as_their_picture(make_celebamask: Make) -> None:
    mask = np.zeros((32, 32), bool)
    mask[:8, :8] = True
    folder = make_celebamask({0: {"skin": np.ones((32, 32), bool), "hair": mask}})
    Image.fromarray(mask.astype(np.uint8) * 255).save(folder / "CelebA-HQ-img" / "0.jpg", exif=block(SIX), quality=95)
    dataset = CelebAMaskDataset(folder, 32)
    with pytest.warns(DataWarning, match=r"0\.jpg' has an EXIF orientation and .*00000_skin\.png' has none") as said:
        found = dataset[0]
    assert len(said) == 1
    assert ((found.image[0] > 127) == (found.labels == dataset.regions.index("hair"))).all()
