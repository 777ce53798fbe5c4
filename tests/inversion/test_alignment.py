"""Alignment against numpy's least squares, Pillow's reduction and closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
from PIL import Image

from semanticgan.errors import InputError
from semanticgan.inversion.alignment import Alignment, align
from semanticgan.inversion.photograph import Photograph


def turned(degrees: float, scale: float, x: float, y: float) -> Alignment:
    cos, sin = scale * math.cos(math.radians(degrees)), scale * math.sin(math.radians(degrees))
    return Alignment(np.array([[cos, -sin, x], [sin, cos, y]]))


def waves(height: int, width: int, shortest: float = 7.0) -> np.ndarray:
    y, x = np.mgrid[:height, :width] + 0.5
    planes = [
        0.5 + 0.2 * np.sin(6.28 * (x + k * y) / 31) + 0.2 * np.cos(6.28 * (y - k * x) / shortest / 2)
        for k in (0, 0.5, 1)
    ]
    return np.stack(planes, -1).astype(np.float32)


def test_align_is_least_squares() -> None:
    draw = np.random.default_rng(3)
    target, points = draw.random((5, 2)), draw.random((5, 2)) * 300
    rows = np.zeros((10, 4))
    rows[0::2] = np.stack([target[:, 0], -target[:, 1], np.ones(5), np.zeros(5)], -1)
    rows[1::2] = np.stack([target[:, 1], target[:, 0], np.zeros(5), np.ones(5)], -1)
    a, b, x, y = np.linalg.lstsq(rows, points.reshape(-1), rcond=None)[0]
    assert np.allclose(align(points, target).matrix, [[a, -b, x], [b, a, y]], atol=1e-9)


def test_align_does_not_mirror() -> None:
    target = np.array([[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.35, 0.75], [0.65, 0.75]])
    found = align(np.stack([-target[:, 0] * 100, target[:, 1] * 200], -1), target).matrix[:, :2]
    assert np.linalg.det(found) > 0


@pytest.mark.parametrize("points", [np.ones((5, 2)), np.full((5, 2), np.nan), np.ones((4, 2))])
def test_align_refuses(points: np.ndarray) -> None:
    with pytest.raises(InputError, match="five"):
        align(points, [[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.35, 0.75], [0.65, 0.75]])


def test_crop_is_sub_pixel() -> None:
    """A cubic of x and y is what a cubic spline gives back, at any place."""
    y, x = np.mgrid[:80, :90] + 0.5
    picture = (1e-5 * (x - 40) ** 3 - 1e-4 * y**2 + 0.01 * x * y / 90)[:, :, None].astype(np.float32)
    alignment = turned(12, 30.3, 30.4, 28.7)
    share = (np.mgrid[:30, :30] + 0.5)[::-1].reshape(2, -1) / 30
    at_x, at_y = alignment.matrix[:, :2] @ share + alignment.matrix[:, 2:]
    wanted = 1e-5 * (at_x - 40) ** 3 - 1e-4 * at_y**2 + 0.01 * at_x * at_y / 90
    assert np.abs(alignment.crop(picture, 30).reshape(-1) - wanted).max() < 1e-4


def test_crop_is_antialiased() -> None:
    """Stripes of two pixels, eight times smaller, are grey; waves are what Pillow's reduction makes of them."""
    stripes = np.zeros((256, 256, 3), np.float32)
    stripes[:, ::2] = 1
    assert np.abs(turned(0, 200, 20, 20).crop(stripes, 25) - 0.5).max() < 0.01
    assert np.abs(turned(20, 150, 80, 20).crop(stripes, 19) - 0.5).max() < 0.02
    picture = waves(256, 256, 40.0)
    for side in (32, 64, 100):
        plane = Image.fromarray(picture[:, :, 1]).resize((side, side), Image.Resampling.BICUBIC)
        assert (
            np.abs(turned(0, 256, 0, 0).crop(picture, side)[:, :, 1] - np.asarray(plane)).max() < 0.04
        )  # another filter


def test_crop_is_reflected_at_the_border() -> None:
    picture = np.random.default_rng(1).random((40, 40, 3)).astype(np.float32)
    crop = turned(0, 60, -10, -10).crop(picture, 60)
    assert np.abs(crop - np.pad(picture, ((10, 10), (10, 10), (0, 0)), mode="symmetric")).max() < 1e-4


def test_crop_of_a_photograph_is_that_of_its_colours() -> None:
    pixels = np.random.default_rng(1).integers(0, 255, (90, 70, 3), dtype=np.uint8)
    photograph, alignment = Photograph(pixels), turned(5, 50.5, 4, 30)
    for side in (20, 50):
        assert np.array_equal(alignment.crop(photograph, side), alignment.crop(photograph.rgb(), side))


@pytest.mark.parametrize("degrees", [0.0, 7.3, 30.0, -100.0])
def test_undo_gives_the_photograph_back(degrees: float) -> None:
    picture = waves(220, 240)
    alignment = turned(degrees, 80.37, 120.21, 110.77)
    back = alignment.undo(alignment.crop(picture, alignment.own_side), (220, 240), antialias=False)
    inside = alignment.inside((220, 240))
    assert inside.sum() > 4000
    assert np.abs(back - picture)[inside].max() < 1 / 255
    assert not back[~inside].any()


def sharp(height: int, width: int) -> Photograph:
    """Noise of 16 bits, which no rotated crop of its density holds."""
    return Photograph(np.random.default_rng(4).integers(10_000, 50_000, (height, width, 3), dtype=np.uint16))


@pytest.mark.parametrize("side", [40, 80, 160])
@pytest.mark.parametrize("degrees", [0.0, 7.3, -100.0])
def test_a_crop_that_was_not_changed_gives_every_bit_back(degrees: float, side: int) -> None:
    photograph, alignment = sharp(120, 140), turned(degrees, 80.37, 60.21, 50.77)
    crop = alignment.crop(photograph, side)
    assert np.array_equal(alignment.put_back(photograph, crop, crop.copy()).pixels, photograph.pixels)


@pytest.mark.parametrize("degrees", [7.3, 30.0])
def test_a_shift_of_the_crop_is_that_shift_inside_and_nothing_outside(degrees: float) -> None:
    photograph, alignment = sharp(220, 240), turned(degrees, 80.37, 120.21, 110.77)
    before = photograph.pixels.copy()
    crop = alignment.crop(photograph, 80)
    result = alignment.put_back(photograph, crop, crop + np.float32([0.1, -0.05, 0]))
    inside = alignment.inside((220, 240))
    change = (result.pixels.astype(int) - before)[inside]
    assert np.abs(change - np.array([6553.5, -3276.75, 0])).max() <= 2
    assert np.array_equal(result.pixels[~inside], before[~inside]) and np.array_equal(photograph.pixels, before)


@pytest.mark.parametrize("side", [40, 160])
def test_a_change_stays_where_it_is(side: int) -> None:
    photograph, alignment = sharp(160, 180), turned(12, 100.3, 70, 10)
    crop = alignment.crop(photograph, side)
    edited = crop.copy()
    edited[side // 2, side // 2] += 0.3
    changed = (alignment.put_back(photograph, crop, edited).pixels != photograph.pixels).any(2)
    x, y = alignment.matrix @ [0.5 + 0.5 / side, 0.5 + 0.5 / side, 1]
    far = np.abs(np.mgrid[:160, :180] + 0.5 - np.array([y, x])[:, None, None]).max(0) > 17 * max(1, 100.3 / side)
    assert changed.any() and not changed[far].any()


@pytest.mark.parametrize("shapes", [((8, 8, 3), (9, 9, 3)), ((8, 8), (8, 8)), ((8, 8, 1), (8, 8, 1))])
def test_put_back_refuses(shapes: tuple[tuple[int, ...], ...]) -> None:
    with pytest.raises(InputError, match="before and after"):
        turned(0, 20, 0, 0).put_back(sharp(30, 30), *(np.zeros(shape, np.float32) for shape in shapes))


@pytest.mark.parametrize("degrees", [0.0, 25.0])
def test_spread_of_a_smooth_map_is_the_map(degrees: float) -> None:
    """A plane comes back, to the error of OpenCV's cubic; beyond the crop it is the crop's edge."""
    alignment, place = turned(degrees, 90.0, 40, 10), (np.arange(32) + 0.5) / 32
    plane = (0.3 * place + 0.5 * place[:, None]).astype(np.float32)
    values = np.repeat(plane[..., None], 5, 2) * [1, 2, 3, 4, 5]
    box = alignment.box((150, 160))
    found = alignment.spread(values.astype(np.float32), box)
    x, y = alignment.shares(box)
    inner = (np.abs(x - 0.5) < 0.44) & (np.abs(y - 0.5) < 0.44)
    assert np.abs(found[..., 4] / 5 - (0.3 * x + 0.5 * y))[inner].max() < 2e-3
    assert found.shape == (box[3] - box[1], box[2] - box[0], 5)
    assert found[..., 0].min() >= plane.min() - 0.005 and found[..., 0].max() <= plane.max() + 0.005


def test_undo_of_a_box_is_that_part() -> None:
    values = waves(64, 64)
    alignment = turned(10, 90, 40, 10)
    whole = alignment.undo(values, (150, 160))
    box = alignment.box((150, 160))
    assert np.abs(alignment.undo(values, (150, 160), box) - whole[box[1] : box[3], box[0] : box[2]]).max() < 1e-4
    rest = whole.copy()
    rest[box[1] : box[3], box[0] : box[2]] = 0
    assert not rest.any()
    assert not turned(0, 20, 500, 500).undo(values, (150, 160)).any()


def test_undo_does_not_alias() -> None:
    values = np.zeros((256, 256, 1), np.float32)
    values[::2] = 1
    alignment = turned(0, 40, 10, 10)
    assert np.abs(alignment.undo(values, (60, 60))[12:48, 12:48] - 0.5).max() < 0.02
