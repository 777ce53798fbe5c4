"""Each transform is what Appendix B of arXiv 2006.06676 says."""

from __future__ import annotations

import math
from collections.abc import Callable

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from semanticgan.errors import InputError
from semanticgan.regions import CELEBAMASK_19
from semanticgan.training import augmentation
from semanticgan.training.augmentation import COLOUR, GEOMETRIC, AdaptiveProbability, augment

Only = Callable[..., None]
SIDE = 32
# What stands in for the draws of transforms that must not show: values that would be seen.
UNIFORM = dict.fromkeys(augmentation._UNIFORM, 0.9)
NORMAL = dict.fromkeys((f"normal_{name}" for name in augmentation._NORMAL), 1.3)


def streams(num: int, seed: int = 0) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(1000 * seed + index) for index in range(num)]


def noise(channels: int, num: int = 1, side: int = SIDE, dtype: torch.dtype = torch.float32) -> Tensor:
    draws = torch.Generator().manual_seed(channels)
    return torch.rand(num, channels, side, side, generator=draws, dtype=dtype) * 2 - 1


def waves(side: int = SIDE) -> Tensor:
    """Smooth pictures [1, 3, S, S], which any good interpolation gives alike."""
    y, x = torch.meshgrid(*[torch.arange(side, dtype=torch.float64) / side * math.pi] * 2, indexing="ij")
    return torch.stack([(x + 0.5 * y).sin(), (1.5 * y).cos(), (x * y / 3).sin()])[None].float()


@pytest.fixture
def only(monkeypatch: pytest.MonkeyPatch) -> Only:
    """``only("scale", normal_scale=0.5)``: from now on these transforms fall on every picture, with these draws."""

    def set_draws(*names: str, **number: float) -> None:
        def drawn(draws: list[torch.Generator], side: int, like: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            values = {**UNIFORM, **NORMAL, **number}
            assert values.keys() == UNIFORM.keys() | NORMAL.keys()
            columns = {name: torch.full((len(draws),), value).double() for name, value in values.items()}
            chances = torch.tensor([0.0 if name in names else 0.999 for name in (*GEOMETRIC, *COLOUR)])
            moves, recolourings = augmentation._inverse_moves(columns, side), augmentation._recolourings(columns)
            return chances.expand(len(draws), -1), moves.to(like), recolourings.to(like)

        monkeypatch.setattr(augmentation, "_drawn", drawn)

    return set_draws


def augmented(image: Tensor, segmentation: Tensor | None = None, **options: Tensor) -> tuple[Tensor, Tensor | None]:
    return augment(image, segmentation, 0.5, streams(len(image)), **options)


def assert_near(given: Tensor | None, expected: Tensor, tolerance: float = 2e-5) -> None:
    assert given is not None
    torch.testing.assert_close(given, expected, rtol=0, atol=tolerance)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("probability", [0.0, torch.zeros(())])
def test_probability_zero_changes_no_bit(dtype: torch.dtype, probability: Tensor | float) -> None:
    image, segmentation = noise(3, 16).to(dtype), noise(5, 16).to(dtype)
    image[:, :, 3], segmentation[:, :, 3] = -0.0, -0.0  # a sum with 0 would lose the sign
    table = torch.tensor([0, 2, 1, 3, 4])
    moved, moved_segmentation = augment(image, segmentation, probability, streams(16), flip_table=table)
    for given, expected in ((moved, image), (moved_segmentation, segmentation)):
        assert torch.equal(given, expected) and given.dtype == dtype
        assert torch.equal(given.signbit(), expected.signbit())


def test_pictures_on_which_nothing_falls_stay_bit_for_bit() -> None:
    image, segmentation = noise(3, 64), noise(5, 64)
    moved, moved_segmentation = augment(image, segmentation, 0.1, streams(64))
    geometric = (moved_segmentation != segmentation).flatten(1).any(1)
    same = [torch.equal(a, b) for a, b in zip(moved, image, strict=True)]
    assert 5 < sum(same) < 59
    assert not any(alike and changed for alike, changed in zip(same, geometric.tolist(), strict=True))
    assert 5 < int(geometric.sum()) < 59


def test_flip(only: Only) -> None:
    only("flip", flip=0.7)
    image, segmentation = noise(3), noise(19)
    moved, plain = augmented(image, segmentation)
    assert_near(moved, image.flip(3))
    assert_near(plain, segmentation.flip(3))
    table = torch.from_numpy(CELEBAMASK_19.flip_table()[:19]).long()
    _, exchanged = augmented(image, segmentation, flip_table=table)
    left, right = CELEBAMASK_19.mirrored[0]
    assert_near(exchanged[:, CELEBAMASK_19.index(left)], segmentation[:, CELEBAMASK_19.index(right)].flip(2))
    assert_near(exchanged, segmentation.flip(3)[:, table])


def test_half_of_the_flips_are_none(only: Only) -> None:
    only("flip", flip=0.3)
    image, segmentation = noise(3), noise(2)
    moved, exchanged = augmented(image, segmentation, flip_table=torch.tensor([1, 0]))
    assert torch.equal(moved, image) and torch.equal(exchanged, segmentation)


@pytest.mark.parametrize("quarters", [0, 1, 2, 3])
def test_quarter_turns(only: Only, quarters: int) -> None:
    only("quarter_turn", quarter_turn=quarters / 4 + 0.1)
    image, segmentation = noise(3), noise(4)
    moved, moved_segmentation = augmented(image, segmentation, flip_table=torch.tensor([1, 0, 2, 3]))
    assert_near(moved, image.rot90(quarters, (2, 3)))
    assert_near(moved_segmentation, segmentation.rot90(quarters, (2, 3)))


def test_translation_by_whole_pixels(only: Only) -> None:
    only("whole_translation", whole_x=0.88, whole_y=0.26)  # 0.125 * 32 * 0.76 = 3.04, -1.92 pixels
    image, segmentation = noise(3), noise(4)
    moved, moved_segmentation = augmented(image, segmentation)
    for given, picture in ((moved, image), (moved_segmentation, segmentation)):
        padded = np.pad(picture.numpy(), ((0, 0), (0, 0), (4, 4), (4, 4)), mode="reflect")
        assert_near(given, torch.from_numpy(padded[:, :, 4 + 2 : 4 + 2 + SIDE, 4 - 3 : 4 - 3 + SIDE]))


def centred(matrix: np.ndarray) -> np.ndarray:
    """A 2 x 2 transform about the centre of the picture, 3 x 3 in pixels."""
    whole, centre = np.eye(3), (SIDE - 1) / 2
    whole[:2, :2], whole[:2, 2] = matrix, centre - matrix @ [centre, centre]
    return whole


def turned(angle: float) -> np.ndarray:
    """cv2's counter-clockwise turn about the centre, 3 x 3 in pixels."""
    centre = (SIDE - 1) / 2
    return np.vstack([cv2.getRotationMatrix2D((centre, centre), math.degrees(angle), 1.0), [0, 0, 1]])


def shifted(x: float, y: float) -> np.ndarray:
    return np.array([[1, 0, x], [0, 1, y], [0, 0, 1]])


DRAWS = {"normal_scale": 0.8, "turn_before": 0.6, "normal_stretch": -1.1, "turn_after": 0.2}
DRAWS |= {"normal_x": 0.53, "normal_y": -0.31, "flip": 0.8, "quarter_turn": 0.3, "whole_x": 0.88, "whole_y": 0.26}
FORWARD = {
    "flip": centred(np.diag([-1.0, 1.0])),
    "quarter_turn": turned(math.pi / 2),
    "whole_translation": shifted(3, -2),
    "scale": centred(np.diag([2**0.16, 2**0.16])),
    "turn_before": turned(0.2 * math.pi),
    "stretch": centred(np.diag([2**-0.22, 2**0.22])),
    "turn_after": turned(-0.6 * math.pi),
    "translation": shifted(0.53 * 0.125 * SIDE, -0.31 * 0.125 * SIDE),
}
COMBINATIONS = [*((name,) for name in GEOMETRIC), ("turn_before", "stretch", "turn_after"), GEOMETRIC]


@pytest.mark.parametrize("names", COMBINATIONS, ids="+".join)
def test_moves_are_those_of_opencv(only: Only, names: tuple[str, ...]) -> None:
    """Also the order of Figure 2: cv2 is given the product of the forward transforms, the last leftmost."""
    only(*names, **DRAWS)
    forward = np.eye(3)
    for name in names:
        forward = FORWARD[name] @ forward
    image = waves()
    moved, segmentation = augmented(image, image)
    cubic, linear = (
        cv2.warpAffine(image[0].permute(1, 2, 0).numpy(), forward[:2], (SIDE, SIDE), None, flag, cv2.BORDER_REFLECT_101)
        for flag in (cv2.INTER_CUBIC, cv2.INTER_LINEAR)
    )
    # cv2 rounds places to 1/32 of a pixel, which is worth up to 0.01 on these pictures.
    assert_near(moved[0].permute(1, 2, 0), torch.from_numpy(cubic), 0.02)
    assert_near(segmentation[0].permute(1, 2, 0), torch.from_numpy(linear), 0.02)


def test_fractional_translation_of_a_ramp_is_exact(only: Only) -> None:
    only("translation", normal_x=0.1, normal_y=0.0)  # 0.4 pixels to the right
    ramp = torch.linspace(-1, 1, SIDE).expand(1, 3, SIDE, SIDE)
    moved, segmentation = augmented(ramp, ramp)
    expected = ramp - 0.4 * 2 / (SIDE - 1)
    inner = slice(4, -4)
    assert_near(moved[..., inner], expected[..., inner], 1e-5)
    assert_near(segmentation[..., inner], expected[..., inner], 1e-5)


@pytest.mark.parametrize("pixels", [-0.5, 0.5])
def test_a_dense_source_keeps_more_detail_than_bilinear_sampling(only: Only, pixels: float) -> None:
    """A wave of 8 pixels moved by half a pixel: the filter loses 0.13 per cent, bilinear loses 8 per cent.

    Its crests lie on the outermost pixels, so that it goes on unchanged where it is mirrored there.
    """
    only("translation", normal_x=pixels / (0.125 * SIDE), normal_y=0.0)
    x = torch.arange(SIDE, dtype=torch.float64)
    wave, expected = (((x - shift) * 8 * math.pi / (SIDE - 1)).cos().expand(1, 3, SIDE, SIDE) for shift in (0, pixels))
    moved, bilinear = augmented(wave, wave)
    assert (moved - expected).abs().max() < 1.5e-3
    assert 0.05 < (bilinear - expected).abs().max() < 0.09


@pytest.mark.parametrize("turn", [0.1, 2 / 3 + 0.01, 0.5 + 1 / 3])
def test_hue_turns_about_grey(only: Only, turn: float) -> None:
    only("hue", hue=turn)
    image = noise(3)
    moved, _ = augmented(image)
    rotation, _ = cv2.Rodrigues(np.full(3, (2 * turn - 1) * math.pi / math.sqrt(3)))
    assert_near(moved, torch.einsum("ij,njhw->nihw", torch.from_numpy(rotation).float(), image))
    if turn == 0.5 + 1 / 3:  # 120 degrees: red becomes green
        assert_near(moved, image.roll(1, dims=1))


@pytest.mark.parametrize(
    ("name", "number", "expected"),
    [
        ("brightness", {"normal_brightness": -0.7}, lambda x, mean: x - 0.14),
        ("contrast", {"normal_contrast": 1.4}, lambda x, mean: x * 2**0.7),
        ("luma_flip", {"luma_flip": 0.6}, lambda x, mean: x - 2 * mean),
        ("luma_flip", {"luma_flip": 0.4}, lambda x, mean: x),
        ("saturation", {"normal_saturation": -0.5}, lambda x, mean: mean + 2**-0.5 * (x - mean)),
    ],
)
def test_colours_in_closed_form(
    only: Only, name: str, number: dict[str, float], expected: Callable[[Tensor, Tensor], Tensor]
) -> None:
    only(name, **number)
    image, segmentation = noise(3), noise(4)
    moved, moved_segmentation = augmented(image, segmentation)
    assert_near(moved, expected(image, image.mean(1, keepdim=True)), 1e-6)
    assert torch.equal(moved_segmentation, segmentation)


def test_order_of_the_colours(only: Only) -> None:
    only("brightness", "contrast", "luma_flip", luma_flip=0.6, normal_brightness=1.0, normal_contrast=2.0)
    image = noise(3)
    lighter = 2 * (image + 0.2)
    assert_near(augmented(image)[0], lighter - 2 * lighter.mean(1, keepdim=True), 1e-5)


def test_draws_have_the_spreads_of_the_paper() -> None:
    _, moves, recolourings = augmentation._drawn(streams(4000), 64, torch.zeros((), dtype=torch.float64))
    move, colour = (
        dict(zip(GEOMETRIC, moves.unbind(1), strict=True)),
        dict(zip(COLOUR, recolourings.unbind(1), strict=True)),
    )

    def assert_normal(values: Tensor, spread: float) -> None:
        assert abs(values.mean()) < 0.06 * spread
        assert abs(values.std() / spread - 1) < 0.05
        assert abs((values.abs() < spread).double().mean() - 0.683) < 0.03

    assert_normal(-move["scale"][:, 0, 0].log2(), 0.2)
    assert_normal(-move["stretch"][:, 0, 0].log2(), 0.2)
    assert_near(move["stretch"].det(), torch.ones(4000).double())
    for axis in (0, 1):
        assert_normal(move["translation"][:, axis, 2] * 63 / 2, 8.0)
        whole = move["whole_translation"][:, axis, 2] * 63 / 2
        assert_near(whole, whole.round(), 1e-9)
        assert whole.abs().max() == pytest.approx(8)
        assert abs(whole.std() - 16 / math.sqrt(12)) < 0.2
    assert_normal(colour["brightness"][:, 0, 3], 0.2)
    assert_normal(colour["contrast"][:, 1, 1].log2(), 0.5)
    assert_normal((colour["saturation"][:, 0, 0] - colour["saturation"][:, 0, 1]).log2(), 1.0)
    for turn in ("turn_before", "turn_after"):
        angle = torch.atan2(move[turn][:, 1, 0], move[turn][:, 0, 0])
        assert abs(angle.std() / (math.pi / math.sqrt(3)) - 1) < 0.05
    correlation = torch.corrcoef(torch.stack([move["scale"][:, 0, 0], move["stretch"][:, 0, 0]]))
    assert abs(correlation[0, 1]) < 0.06


@pytest.mark.parametrize("probability", [0.3, torch.tensor(0.8)])
def test_how_often_each_falls(probability: Tensor | float) -> None:
    like = torch.zeros(())
    chances, _, _ = augmentation._drawn(streams(4000), SIDE, like)
    often = (chances < augmentation._thresholds(probability, like)).float().mean(0)
    p = float(probability)
    for name, share in zip((*GEOMETRIC, *COLOUR), often.tolist(), strict=True):
        assert share == pytest.approx(1 - math.sqrt(1 - p) if name.startswith("turn") else p, abs=0.03), name


def test_how_often_pictures_change() -> None:
    p, num, side = 0.3, 2000, 16
    image = noise(3, num, side)
    moved, _ = augment(image, None, p, streams(num), colour=False)
    recoloured, _ = augment(image, None, p, streams(num), geometric=False)
    # A sixteenth of the translations by whole pixels are by none: both of two draws in [-2, 2] below 0.5.
    kept = (1 - p / 2) * (1 - p * 3 / 4) * (1 - p * 15 / 16) * (1 - p) ** 4
    kept_colour = (1 - p / 2) * (1 - p) ** 4
    for given, expected in ((moved, kept), (recoloured, kept_colour)):
        assert (given == image).flatten(1).all(1).float().mean().item() == pytest.approx(expected, abs=0.03)


def test_regions_stay_on_what_they_name() -> None:
    """A red blob off the centre and its region: after any moves the one still covers the other."""
    y, x = torch.meshgrid(*[torch.arange(64)] * 2, indexing="ij")
    blob = ((x - 22) ** 2 / 2 + (y - 36) ** 2 < 150).float() * 2 - 1
    image = torch.stack([blob, -blob, torch.zeros_like(blob)]).expand(32, -1, -1, -1)
    segmentation = torch.stack([-blob, blob]).expand(32, -1, -1, -1)
    moved, moved_segmentation = augment(image, segmentation, 0.9, streams(32), colour=False)
    red, region = moved[:, 0] > 0, moved_segmentation[:, 1] > 0
    shares = (red & region).sum((1, 2)) / (red | region).sum((1, 2)).clamp(min=1)
    assert shares.min() > 0.95
    assert (moved != image).flatten(1).any(1).sum() > 28
    assert_near(moved_segmentation.sum(1), torch.zeros(32, 64, 64), 1e-5)
    assert moved_segmentation.abs().max() <= 1 + 1e-6


def test_a_picture_follows_from_its_own_stream_alone() -> None:
    image, segmentation = noise(3, 9), noise(5, 9)
    together = augment(image, segmentation, 0.7, streams(9))
    again = augment(image, segmentation, torch.tensor(0.7), streams(9))
    for index in range(9):
        alone = augment(image[index : index + 1], segmentation[index : index + 1], 0.7, streams(9)[index : index + 1])
        for one, all_of_them, repeated in zip(alone, together, again, strict=True):
            assert torch.equal(all_of_them[index], repeated[index])
            assert_near(one[0], all_of_them[index], 1e-5)  # a batch of another size rounds differently


def test_as_many_numbers_are_drawn_whatever_is_asked() -> None:
    image = noise(3, 2)
    states = []
    for probability, options in ((0.0, {}), (0.9, {}), (0.9, {"geometric": False}), (0.5, {"colour": False})):
        draws = streams(2)
        augment(image, None, probability, draws, **options)
        states.append(torch.stack([stream.get_state() for stream in draws]))
    assert all(torch.equal(state, states[0]) for state in states)
    assert not torch.equal(states[0], torch.stack([stream.get_state() for stream in streams(2)]))


def test_flags_leave_the_rest_as_it_was() -> None:
    image, segmentation = noise(3, 8), noise(4, 8)
    both, moved_segmentation = augment(image, segmentation, 0.9, streams(8))
    moved, same_segmentation = augment(image, segmentation, 0.9, streams(8), colour=False)
    assert torch.equal(moved_segmentation, same_segmentation) and not torch.equal(moved, both)
    recoloured, untouched = augment(moved, segmentation, 0.9, streams(8), geometric=False)
    assert torch.equal(recoloured, both) and torch.equal(untouched, segmentation)
    neither, _ = augment(image, None, 0.9, streams(8), geometric=False, colour=False)
    assert torch.equal(neither, image)


def test_gradients_against_finite_differences() -> None:
    image, segmentation = noise(3, 3, 6, torch.float64), noise(2, 3, 6, torch.float64)
    table = torch.tensor([1, 0])

    def run(image: Tensor, segmentation: Tensor) -> tuple[Tensor, Tensor | None]:
        return augment(image, segmentation, 0.8, streams(3), flip_table=table)

    moved, _ = run(image, segmentation)
    assert not torch.equal(moved, image)
    assert torch.autograd.gradcheck(run, (image.requires_grad_(), segmentation.requires_grad_()))


def test_autocast_and_short_types_do_not_blur_the_places() -> None:
    image, segmentation = noise(3, 6), noise(4, 6)
    expected = augment(image, segmentation, 0.8, streams(6))
    with torch.autocast("cpu", torch.bfloat16):
        inside = augment(image, segmentation, 0.8, streams(6))
    short = augment(image.bfloat16(), segmentation.bfloat16(), 0.8, streams(6))
    for full, cast, given in zip(expected, inside, short, strict=True):
        assert torch.equal(full, cast)
        assert given.dtype == torch.bfloat16
        assert_near(given.float(), full, 0.1)  # the rounding of the inputs, times contrast and saturation


def test_nothing_is_read_back_from_the_device() -> None:
    """The meta device holds no values: whatever asks for one fails there."""
    image, segmentation = torch.empty(2, 3, 16, 16, device="meta"), torch.empty(2, 5, 16, 16, device="meta")
    steered = AdaptiveProbability(0.2, 0.6, 1000, 2, 8, "meta")
    steered.observe(torch.empty(2, 1, device="meta"))
    steered.update(2)
    table = torch.empty(5, dtype=torch.int64, device="meta")
    moved, moved_segmentation = augment(image, segmentation, steered.value, streams(2), flip_table=table)
    assert moved.shape == image.shape and moved_segmentation.shape == segmentation.shape


def test_what_cannot_be_augmented_is_said() -> None:
    with pytest.raises(InputError, match="2 pictures came with 3 random streams"):
        augment(noise(3, 2), None, 0.5, streams(3))
    with pytest.raises(InputError, match="2 x 2 pixels"):
        augment(noise(3, 1, 2), None, 0.5, streams(1))
    with pytest.raises(InputError, match="16 x 8 pixels"):
        augment(torch.zeros(1, 3, 16, 8), None, 0.5, streams(1))
