"""Edits put back into photographs: closed forms, the guided filter beside a loop, the measure of seams."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch

from semanticgan.errors import DataWarning, InputError
from semanticgan.inversion.alignment import Alignment
from semanticgan.inversion.crop_changes import steeper
from semanticgan.inversion.guided_filter import guided_filter
from semanticgan.inversion.pasting import change_of_crop, chosen_way, paste
from semanticgan.inversion.photograph import Photograph
from semanticgan.inversion.seam import edges_of, seam
from semanticgan.rendering import Rendering

SMALL = 16
UPRIGHT = Alignment(np.array([[64.0, 0, 20], [0, 64, 10]]))


def photograph(height: int = 90, width: int = 100, seed: int = 0, dtype: type = np.uint8) -> Photograph:
    """Noise about the middle grey: a shift by a tenth is not cut off."""
    levels = np.random.default_rng(seed).integers(90, 160, (height, width, 3))
    return Photograph((levels * (257 if dtype is np.uint16 else 1)).astype(dtype))


def rendering(grey: float, half: bool = False, region: float = 0.0) -> Rendering:
    """A grey picture of two regions, the second at the right half or everywhere; ``region`` is added in it."""
    seen = torch.zeros(SMALL, SMALL, dtype=torch.bool)
    seen[:, SMALL // 2 if half else 0 :] = True
    image = torch.full((1, 3, SMALL, SMALL), grey)
    image[:, :, seen] += region
    scores = torch.stack([(~seen).float(), seen.float()])[None] * 2 - 1
    return Rendering(image, scores, scores, torch.zeros(1, 2, SMALL, SMALL))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_transfer_of_no_difference_changes_no_bit(dtype: type) -> None:
    given = photograph(dtype=dtype)
    before = given.pixels.copy()
    result = paste(given, UPRIGHT, rendering(0.0), rendering(0.0), how="transfer", regions=[1])
    assert np.array_equal(result.pixels, before) and np.array_equal(given.pixels, before)


@pytest.mark.parametrize("way", ["transfer", "replace"])
def test_outside_the_crop_and_the_mask_every_bit_stays(way: str) -> None:
    given = photograph()
    turned = Alignment(np.array([[50.0, -20, 35], [20, 50, 10]]))
    result = paste(
        given, turned, rendering(0.0, half=True), rendering(0.0, half=True, region=0.5), how=way, regions=[1]
    )
    changed = (result.pixels != given.pixels).any(2)
    assert changed.any() and not changed[~turned.inside(given.shape)].any()
    x, y = np.arange(100) + 0.5, np.arange(90)[:, None] + 0.5
    shares = (np.stack([x + 0 * y, y + 0 * x], -1) - turned.matrix[:, 2]) @ np.linalg.inv(turned.matrix[:, :2]).T
    reach = 2 * 1.5 / SMALL + 1 / SMALL  # of the guided filter, and of the segmentation's own edge
    assert not changed[shares[..., 0] < 0.5 - reach].any()


def test_transfer_adds_a_constant_shift_and_keeps_the_grain() -> None:
    given = photograph()
    result = paste(given, UPRIGHT, rendering(0.0), rendering(0.2), how="transfer", regions=[1])
    inner = (slice(20, 64), slice(30, 74))  # beyond the fade at the crop's border
    difference = result.pixels[inner].astype(int) - given.pixels[inner]
    assert np.abs(difference - 25.5).max() <= 1  # 0.2 of [-1, 1] is a tenth of 255


def test_a_photograph_finer_than_any_crop_keeps_its_detail() -> None:
    """Stripes of one pixel under a turned crop of 1,500 pixels."""
    levels = np.full((1200, 1300, 3), 100, np.uint8)
    levels[:, ::2] = 150
    turned = Alignment(np.array([[1400.0, -538, 150], [538, 1400, -400]]))
    result = paste(Photograph(levels), turned, rendering(0.0), rendering(0.2), how="transfer", regions=[1])
    x, y = turned.shares((0, 0, 1300, 1200))
    inner = (np.minimum(x, y) > 0.1) & (np.maximum(x, y) < 0.9)
    assert inner.sum() > 500_000
    assert np.abs(result.pixels[inner].astype(int) - levels[inner] - 25.5).max() <= 1


@pytest.mark.parametrize("degrees", [0.0, 33.0])
def test_replace_puts_the_rendering_in(degrees: float) -> None:
    """A flat photograph has no detail and no grain: the result is the rendering's grey."""
    cos, sin = 64 * np.cos(np.radians(degrees)), 64 * np.sin(np.radians(degrees))
    alignment = Alignment(np.array([[cos, -sin, 40], [sin, cos, 15]]))
    given = Photograph(np.full((110, 120, 3), 120, np.uint8))
    result = paste(given, alignment, rendering(0.0), rendering(0.3), how="replace", regions=[1], what="both")
    x, y = alignment.shares((0, 0, 120, 110))
    inner = (np.minimum(x, y) > 0.1) & (np.maximum(x, y) < 0.9)
    assert np.abs(result.pixels[inner].astype(int) - 0.65 * 255).max() <= 1


def test_a_small_region_gets_the_photograph_s_grain_and_not_its_own_structure() -> None:
    """A region of 4 x 4 pixels of the model has stripes of 60 levels and moves; the photograph's grain has 3 levels."""
    levels = 120 + np.random.default_rng(2).normal(0, 3, (256, 256, 1)) + np.zeros(3)
    levels[96:160, 96:160:4] += 60
    given = Photograph(np.clip(np.round(levels), 0, 255).astype(np.uint8))
    before, after = rendering(0.0), rendering(0.0)
    for moved, at in ((before, 6), (after, 10)):
        moved.segmentation[0, 0], moved.segmentation[0, 1] = 1, -1
        moved.segmentation[0, :, 6:10, at : at + 4] = torch.tensor([-1.0, 1.0])[:, None, None]
    result = paste(given, Alignment(np.array([[256.0, 0, 0], [0, 256, 0]])), before, after, how="replace", regions=[1])
    inside = result.pixels[112:144, 176:208].astype(float)
    assert (result.pixels != given.pixels)[112:144, 176:208].mean() > 0.5
    assert 1 < inside.std((0, 1)).max() < 5


def seen(*boxes: tuple[int, int, int, int]) -> torch.Tensor:
    """Memberships of two regions, the second in boxes x0, y0, x1, y1."""
    second = torch.zeros(SMALL, SMALL)
    for x0, y0, x1, y1 in boxes:
        second[y0:y1, x0:x1] = 1
    return torch.stack([1 - second, second])[None]


def changed_by_transfer(own: torch.Tensor | None) -> np.ndarray:
    """bool [16, 16]: where 4 x 4 pixels change; the inversion's region is the right half."""
    given = Photograph(np.full((64, 64, 3), 120, np.uint8))
    before, after = rendering(0.0, half=True), rendering(0.0, half=True, region=0.2)
    whole = Alignment(np.array([[64.0, 0, 0], [0, 64, 0]]))
    result = paste(given, whole, before, after, seen=own, how="transfer", regions=[1])
    return (result.pixels != 120).any(2).reshape(16, 4, 16, 4).any((1, 3))


def test_a_region_is_where_the_photograph_shows_it() -> None:
    """The change goes on to where the inversion has none; a patch far from the inversion's region is left out."""
    found = changed_by_transfer(seen((4, 4, 16, 12)))
    assert found[6:10, 5:].all() and not found[:, :2].any() and not found[:2].any()
    apart = changed_by_transfer(seen((10, 4, 16, 12), (0, 4, 3, 12)))
    assert apart[6:10, 11:].all() and not apart[:, :6].any()


def test_uncovered_background_goes_on_as_around_it() -> None:
    """A ramp of 128 levels with a dark square, which goes."""
    ramp = np.repeat(np.broadcast_to(80 + np.arange(128.0), (128, 128))[..., None], 3, 2)
    levels = ramp.copy()
    levels[48:80, 48:80] = 10
    square = seen((6, 6, 10, 10))
    before, after = rendering(0.0), rendering(0.0)
    before.segmentation[:], after.segmentation[:] = square * 2 - 1, torch.tensor([1.0, -1.0])[:, None, None]
    whole = Alignment(np.array([[128.0, 0, 0], [0, 128, 0]]))
    given = Photograph(np.round(levels).astype(np.uint8))
    result = paste(given, whole, before, after, seen=square, how="replace", regions=[1]).pixels
    error = np.abs(result - ramp)[48:80, 48:80]
    assert error.max() < 25 and error.mean() < 12  # the flows of Navier and Stokes flatten a ramp
    assert np.array_equal(result[:24], given.pixels[:24])


def test_where_the_photograph_shows_no_such_region_the_inversion_s_is_taken() -> None:
    assert np.array_equal(changed_by_transfer(seen()), changed_by_transfer(None))


def test_regions_seen_of_another_size_are_refused() -> None:
    with pytest.raises(InputError, match="regions seen"):
        paste(photograph(), UPRIGHT, rendering(0.0), rendering(0.2), seen=torch.ones(1, 2, 8, 8), regions=[1])


def test_a_change_fades_at_a_border_of_the_crop_but_not_of_the_photograph() -> None:
    given = Photograph(np.full((64, 100, 3), 120, np.uint8))
    left = Alignment(np.array([[64.0, 0, 0], [0, 64, 0]]))
    result = paste(given, left, rendering(0.0), rendering(0.2), how="transfer", regions=[1]).pixels[..., 0].astype(int)
    assert np.abs(result[:, :50] - 145.5).max() <= 1
    assert (np.diff(result[:, 50:], axis=1) <= 0).all() and (result[:, 63:] <= 121).all()
    assert left.open_sides((64, 100)) == (True, False, True, True)


def test_a_model_without_regions_changes_the_whole_crop() -> None:
    """By the difference of the renderings, however small, and faded out at the crop's border."""
    given = photograph()
    none = torch.zeros(1, 0, SMALL, SMALL)
    before, after = (Rendering(torch.full((1, 3, SMALL, SMALL), grey), none, none, none) for grey in (0.0, 0.02))
    assert chosen_way("auto", before, after) == "transfer"
    moved = paste(given, UPRIGHT, before, after).pixels.astype(int) - given.pixels
    assert (moved[20:64, 30:74] >= 2).all() and moved.max() <= 3  # 2.55 levels
    assert not moved[~UPRIGHT.inside(given.shape)].any()
    much = Rendering(before.image + 0.4, none, none, none)
    steep = paste(given, UPRIGHT, before, much).pixels.astype(int) - given.pixels
    assert steep[20:64, 30:74].min() >= 50 and (steep[10:74, 20] <= 2).all()


def test_two_faces_are_pasted_one_after_another() -> None:
    given = photograph(80, 160)
    first, second = (Alignment(np.array([[60.0, 0, x], [0, 60, 10]])) for x in (10, 90))
    once = paste(given, first, rendering(0.0), rendering(0.2), how="transfer", regions=[1])
    twice = paste(once, second, rendering(0.0), rendering(-0.2), how="transfer", regions=[1])
    assert np.array_equal(twice.pixels[:, :80], once.pixels[:, :80])
    other = paste(given, second, rendering(0.0), rendering(-0.2), how="transfer", regions=[1])
    assert np.array_equal(twice.pixels[:, 80:], other.pixels[:, 80:])


def test_aligned_is_the_rendering_alone() -> None:
    result = paste(photograph(), UPRIGHT, rendering(0.0), rendering(0.2), how="aligned")
    assert result.pixels.shape == (SMALL, SMALL, 3) and np.abs(result.pixels.astype(int) - 153).max() <= 1


def test_a_cap_is_not_replaced_by_hair_unasked() -> None:
    """The inversion draws the second region over half of the crop, where the photograph shows a corner of it."""
    given = Photograph(np.full((40, 40, 3), 120, np.uint8))
    whole = Alignment(np.array([[40.0, 0, 0], [0, 40, 0]]))
    before, after = rendering(0.0, half=True), rendering(0.0, region=0.4)
    of = {"regions": [1], "what": "both"}
    little, much = seen((12, 0, 16, 3)), seen((8, 0, 16, 8))
    with pytest.warns(DataWarning, match="something else"):
        kept = paste(given, whole, before, after, seen=little, **of)
    assert np.array_equal(kept.pixels, paste(given, whole, before, after, seen=little, how="transfer", **of).pixels)
    assert (kept.pixels[20:] == 120).all()
    asked = paste(given, whole, before, after, seen=little, how="replace", **of)
    assert (asked.pixels[20:, 5:35] != 120).all()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        replaced = paste(given, whole, before, after, seen=much, **of)
    assert (replaced.pixels[20:, 5:35] != 120).all()


@pytest.mark.parametrize(("box", "wide"), [((0, 0, 8, 16), True), ((6, 7, 8, 9), False)])
def test_edges_of_large_regions_are_wide(box: tuple[int, int, int, int], wide: bool) -> None:
    before = rendering(0.0)
    before.segmentation[:] = seen(box) * 2 - 1
    after = Rendering(before.image + 0.4, *[before.segmentation] * 3)
    of = {"how": "transfer", "regions": [1]}
    assert change_of_crop(photograph(), UPRIGHT, before, after, **of).wide == wide
    followed = np.linspace(0, 1, 1001)
    opacity = steeper(followed, wide)
    assert opacity[0] == 0 and opacity[-1] == 1 and (np.diff(opacity) >= 0).all()
    assert np.diff(opacity).max() * 1000 == pytest.approx(1 / 0.9 if wide else 1.5 / 0.8, rel=0.01)


def test_auto_chooses_by_what_changed() -> None:
    before = rendering(0.0)
    assert chosen_way("auto", before, rendering(0.2)) == "transfer"
    assert chosen_way("auto", before, rendering(0.0, half=True)) == "replace"
    assert chosen_way("auto", before, before, "texture") == "transfer"
    assert chosen_way("auto", before, before, "structure") == chosen_way("auto", before, before, "both") == "replace"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"how": "glue"}, "unknown way to paste 'glue'"),
        ({"what": "colour"}, "unknown what was edited"),
        ({"regions": [2]}, "labels from 0 to 1"),
        ({"regions": []}, "at least one"),
    ],
)
def test_wrong_arguments(options: dict, words: str) -> None:
    with pytest.raises(InputError, match=words):
        paste(photograph(), UPRIGHT, rendering(0.0), rendering(0.2), **options)


def test_a_crop_outside_the_photograph() -> None:
    away = Alignment(np.array([[64.0, 0, 500], [0, 64, 10]]))
    with pytest.raises(InputError, match="outside the photograph"):
        paste(photograph(), away, rendering(0.0), rendering(0.2), how="transfer", regions=[1])


def test_guided_filter_is_its_formula() -> None:
    """In float64, window by window, over a picture that is mirrored at its border."""
    random = np.random.default_rng(1)
    guide = (random.random((12, 10, 3)) * 0.2 + np.arange(10)[:, None] / 12).astype(np.float32)
    values = (random.random((12, 10)) > 0.5).astype(np.float32)
    radius, epsilon = 2, 1e-3
    wide = np.pad(guide.astype(np.float64), ((radius, radius), (radius, radius), (0, 0)), "symmetric")
    targets = np.pad(values.astype(np.float64), radius, "symmetric")
    slopes, offsets = np.zeros((12, 10, 3)), np.zeros((12, 10))
    for y in range(12):
        for x in range(10):
            window = wide[y : y + 5, x : x + 5].reshape(-1, 3)
            target = targets[y : y + 5, x : x + 5].ravel()
            centred = window - window.mean(0)
            matrix = centred.T @ centred / len(window) + epsilon * np.eye(3)
            slopes[y, x] = np.linalg.solve(matrix, centred.T @ (target - target.mean()) / len(window))
            offsets[y, x] = target.mean() - slopes[y, x] @ window.mean(0)
    slopes = np.pad(slopes, ((radius, radius), (radius, radius), (0, 0)), "symmetric")
    offsets = np.pad(offsets, radius, "symmetric")
    expected = np.array(
        [
            [
                slopes[y : y + 5, x : x + 5].mean((0, 1)) @ guide[y, x] + offsets[y : y + 5, x : x + 5].mean()
                for x in range(10)
            ]
            for y in range(12)
        ]
    )
    assert np.abs(guided_filter(guide, values, radius, epsilon) - expected).max() < 1e-4


def test_seam_of_a_known_step() -> None:
    """A ramp of 0.01 a pixel, and a soft step of 0.02 a pixel laid over it: three times as steep, 1 without it."""
    x = np.broadcast_to(np.arange(64, dtype=np.float32), (64, 64))
    ramp = np.repeat(0.01 * x[..., None], 3, 2)
    opacity = np.clip((x - 22) / 20, 0, 1)
    assert seam(ramp, ramp, opacity) == pytest.approx(1)
    step = seam(ramp, ramp + 0.4 * opacity[..., None], opacity)
    assert step == pytest.approx(3, rel=0.05)
    assert seam(ramp, ramp + 0.5, np.zeros_like(x)) == 1


def test_seams_alone_leave_out_edges_that_are_no_seams() -> None:
    """Two steps of the same opacity: one where the regions change, one within a region."""
    x = np.broadcast_to(np.arange(96, dtype=np.float32), (64, 96))
    ramp = np.repeat(0.004 * x[..., None], 3, 2)
    opacity = np.clip((x - 14) / 6, 0, 1) * np.clip((76 - x) / 6, 0, 1)
    labels = (x[:, :] > 73).astype(np.uint8)
    edited = ramp + np.where(x < 48, 0.0, 0.3 * opacity)[..., None]
    assert seam(ramp, edited, opacity) > 3
    assert seam(ramp, edited, opacity, own_edges=edges_of(labels, 8)) == pytest.approx(1, abs=0.01)
    assert edges_of(labels, 2)[0].nonzero()[0].tolist() == [72, 73, 74, 75]
