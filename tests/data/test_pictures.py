"""Pictures of every kind become RGB, label maps keep their ids, and what is neither is named."""

from __future__ import annotations

import io
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from semanticgan.data.label_maps import read_labels
from semanticgan.data.pictures import (
    read_picture,
    require_same_shape,
    resize_labels,
    resize_picture,
)
from semanticgan.errors import InputError, MissingFileError
from semanticgan.regions import BISENET_19_ORDER, CELEBAMASK_13, PHOTOGRAPHS_11, relabel_table


def encoded(picture: Image.Image, format: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, format, **options)
    return file.getvalue()


def ramp() -> np.ndarray:
    """uint8 [16, 8]: 0, 2, 4, ... 254."""
    return np.arange(0, 256, 2, dtype=np.uint8).reshape(16, 8)


def test_grey_picture_has_three_equal_channels() -> None:
    assert np.array_equal(read_picture(encoded(Image.fromarray(ramp()))), np.repeat(ramp()[..., None], 3, 2))


def test_sixteen_bits_are_scaled_not_clipped() -> None:
    deep = ramp().astype(np.uint16) * 257
    assert np.array_equal(read_picture(encoded(Image.fromarray(deep)))[..., 0], ramp())


def test_palette_picture_takes_its_colours() -> None:
    picture = Image.fromarray(np.array([[0, 1], [1, 0]], np.uint8))
    picture.putpalette([10, 20, 30, 200, 100, 0])
    assert read_picture(encoded(picture)).tolist() == [[[10, 20, 30], [200, 100, 0]], [[200, 100, 0], [10, 20, 30]]]


@pytest.mark.parametrize(("alpha", "expected"), [(0, (255, 255, 255)), (255, (200, 0, 100)), (51, (244, 204, 224))])
def test_transparency_lies_over_white(alpha: int, expected: tuple[int, int, int]) -> None:
    assert tuple(read_picture(encoded(Image.new("RGBA", (2, 2), (200, 0, 100, alpha))))[0, 0]) == expected


def test_transparent_palette_entry_lies_over_white() -> None:
    picture = Image.fromarray(np.array([[0, 1]], np.uint8))
    picture.putpalette([10, 20, 30, 200, 100, 0])
    assert read_picture(encoded(picture, transparency=0)).tolist() == [[[255, 255, 255], [200, 100, 0]]]


def test_cmyk_jpeg() -> None:
    read = read_picture(encoded(Image.new("CMYK", (16, 16), (0, 255, 255, 0)), "JPEG", quality=100))
    assert np.abs(read.astype(int) - (255, 0, 0)).max() <= 3


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation(orientation: int) -> None:
    """Whatever the tag, what is read shows a bright left half when the viewer is meant to see one."""
    upright = Image.fromarray(np.repeat(np.array([[255] * 16 + [0] * 16], np.uint8), 24, 0))
    turned = {
        1: None,
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = upright if turned is None else upright.transpose(turned)
    read = read_picture(encoded(stored, "JPEG", exif=exif.tobytes(), quality=95))
    assert read.shape == (24, 32, 3)
    assert read[:, :14].min() > 200 and read[:, 18:].max() < 60


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty file"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", "git lfs pull"),
        (b"\n<!DOCTYPE html><html><body>404</body></html>", "web page"),
        (b"no picture at all, but some text", "no JPEG, PNG"),
        (encoded(Image.fromarray(ramp()))[:-40], "cannot be decoded"),
        (encoded(Image.new("RGB", (64, 64), "red"), "JPEG")[:-200], "cannot be decoded"),
    ],
)
def test_what_is_no_picture_is_named(content: bytes, words: str, tmp_path: Path) -> None:
    path = tmp_path / "face.jpg"
    path.write_bytes(content)
    for source, name in ((path, str(path)), (content, "face.jpg")):
        with pytest.raises(InputError, match=words) as caught:
            read_picture(source, name)
        assert name in str(caught.value) and "\n" not in str(caught.value)


def test_missing_picture() -> None:
    with pytest.raises(MissingFileError, match=r"'nowhere\.jpg' does not exist"):
        read_picture("nowhere.jpg")


def test_no_other_program_is_run_for_postscript() -> None:
    with pytest.raises(InputError, match="cannot be decoded"):
        read_picture(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "face.jpg")


@pytest.mark.parametrize("kind", ["grey", "palette", "16-bit", "colours"])
def test_label_maps_keep_their_ids(kind: str) -> None:
    ids = (ramp() // 2 % 13).astype(np.uint8)
    picture = {
        "grey": Image.fromarray(ids),
        "palette": Image.fromarray(ids),
        "16-bit": Image.fromarray(ids.astype(np.uint16)),
        "colours": Image.fromarray(CELEBAMASK_13.colourise(ids)),
    }[kind]
    if kind == "palette":
        picture.putpalette([255, 0, 0] * 13)  # the indices count, whatever their colours
    read = read_labels(encoded(picture), "map.png", CELEBAMASK_13)
    assert read.dtype == np.uint8 and np.array_equal(read, ids)


@pytest.mark.parametrize("deep", [False, True])
def test_label_outside_the_scheme(deep: bool) -> None:
    ids = np.array([[0, 11]], np.uint16 if deep else np.uint8)
    with pytest.raises(InputError, match=r"'map\.png' holds the value 11, but its labels are 0 to 10 .*glasses\)"):
        read_labels(encoded(Image.fromarray(ids)), "map.png", PHOTOGRAPHS_11)


def test_sixteen_bit_label_does_not_wrap() -> None:
    with pytest.raises(InputError, match="holds the value 256"):
        read_labels(encoded(Image.fromarray(np.array([[256]], np.uint16))), "map.png", CELEBAMASK_13)


def test_colour_outside_the_palette() -> None:
    with pytest.raises(InputError, match=r"'map\.png' .* colour \(1, 2, 3\).*ids"):
        read_labels(encoded(Image.new("RGB", (3, 3), (1, 2, 3))), "map.png", CELEBAMASK_13)


def test_labels_in_another_order() -> None:
    table = relabel_table(BISENET_19_ORDER)
    ids = np.arange(19, dtype=np.uint8)[None]
    read = read_labels(encoded(Image.fromarray(ids)), "map.png", CELEBAMASK_13, table)
    assert [CELEBAMASK_13.names[label] for label in read[0, [4, 5, 13, 17]]] == ["eye", "eye", "mouth", "hair"]
    with pytest.raises(InputError, match="holds the value 19, but its labels are 0 to 18"):
        read_labels(encoded(Image.fromarray(ids + 1)), "map.png", CELEBAMASK_13, table)


def test_pictures_are_cropped_to_the_centre_and_antialiased() -> None:
    picture = np.zeros((40, 100, 3), np.uint8)
    picture[:, 30:70] = 80
    picture[::2, 30:70] = 160  # stripes finer than the new pixels: their mean, not one of them
    small = resize_picture(picture, 10)
    assert small.shape == (10, 10, 3) and np.abs(small[1:-1].astype(int) - 120).max() <= 6
    assert resize_picture(picture, 80).shape == (80, 80, 3)


def majority(labels: np.ndarray, size: int) -> np.ndarray:
    """The definition, pixel by pixel in exact fractions: largest cover, then the rarer, then the smaller label."""
    side = len(labels)
    count = np.bincount(labels.ravel())
    result = np.zeros((size, size), np.uint8)

    def overlap(pixel: int, cell: int) -> Fraction:
        return min(Fraction(pixel + 1), Fraction((cell + 1) * side, size)) - max(
            Fraction(pixel), Fraction(cell * side, size)
        )

    for row, column in np.ndindex(size, size):
        covers: dict[int, Fraction] = {}
        for y, x in np.ndindex(side, side):
            if overlap(y, row) > 0 and overlap(x, column) > 0:
                label = int(labels[y, x])
                covers[label] = covers.get(label, Fraction(0)) + overlap(y, row) * overlap(x, column)
        result[row, column] = min(covers, key=lambda label: (-covers[label], count[label], label))
    return result


@pytest.mark.parametrize(("side", "size"), [(12, 6), (12, 4), (13, 5), (10, 9), (7, 1)])
def test_labels_shrink_by_majority(side: int, size: int) -> None:
    labels = np.random.default_rng(side).integers(0, 4, (side, side)).astype(np.uint8)
    assert np.array_equal(resize_labels(labels, size), majority(labels, size))


def test_labels_grow_by_repetition() -> None:
    labels = np.array([[3, 7], [250, 0]], np.uint8)
    assert np.array_equal(resize_labels(labels, 6), labels.repeat(3, 0).repeat(3, 1))


def test_thin_regions_survive_shrinking() -> None:
    """A brow of odd thickness at any height keeps about its area at half the side; nearest would halve or double it."""
    for top in range(20, 24):
        labels = np.full((64, 64), 1, np.uint8)
        labels[top : top + 3, 16:48] = 3
        area = (resize_labels(labels, 32) == 3).mean() / (labels == 3).mean()
        assert 0.6 < area < 1.4


def test_picture_and_map_must_have_one_proportion() -> None:
    require_same_shape(np.zeros((1024, 1024, 3)), np.zeros((512, 512)), "face.jpg")
    require_same_shape(np.zeros((101, 50, 3)), np.zeros((50, 25)), "face.jpg")
    with pytest.raises(InputError, match=r"'face\.jpg' is 20x10 but its label map is 10x10"):
        require_same_shape(np.zeros((10, 20, 3)), np.zeros((10, 10)), "face.jpg")
