"""Faces found in drawn portraits, whatever their number, size and turn; points by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from semanticgan import extras
from semanticgan.checkpoint import load_model, save_model
from semanticgan.data.portraits import PortraitDataset
from semanticgan.errors import DataWarning, InputError, WeightsError
from semanticgan.face_points import FFHQ as FFHQ_POINTS
from semanticgan.inversion.faces import Face, detected, face_of, find_faces, read_landmarks
from semanticgan.inversion.measuring import measured_alignment
from semanticgan.inversion.photograph import Photograph
from semanticgan.perception.face_detector import FaceDetector, batched_suppression
from tests.conftest import TINY_REGIONS

BY_HAND = "30,40 70,40 50,60 35,75 65,75"


@pytest.fixture(scope="module")
def detector() -> FaceDetector:
    if complaint := extras.problem("faces"):
        pytest.skip(complaint)
    return FaceDetector()


@pytest.fixture(scope="module")
def portraits() -> list[np.ndarray]:
    drawn = PortraitDataset(160, length=3, seed=5)
    return [np.ascontiguousarray(np.asarray(drawn[index].image).transpose(1, 2, 0)) for index in range(3)]


def photograph(*pictures: np.ndarray, sides: tuple[int, ...]) -> Photograph:
    """Pictures beside each other on grey, each of a side."""
    canvas = np.full((max(sides) + 20, sum(sides) + 20 * len(sides) + 20, 3), 128, np.uint8)
    left = 20
    for picture, side in zip(pictures, sides, strict=True):
        canvas[10 : 10 + side, left : left + side] = np.asarray(Image.fromarray(picture).resize((side, side)))
        left += side + 20
    return Photograph(canvas)


@pytest.fixture(scope="module")
def upright(portraits: list[np.ndarray], detector: FaceDetector) -> Face:
    return detected(Photograph(portraits[0]), detector)[0]


def test_points_of_a_portrait(upright: Face) -> None:
    left, right, nose, mouth_left, mouth_right = upright.points
    assert left[0] < nose[0] < right[0] and mouth_left[0] < mouth_right[0]
    assert max(left[1], right[1]) < nose[1] < min(mouth_left[1], mouth_right[1])
    assert not upright.is_profile


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_a_turned_face_has_the_same_points(
    portraits: list[np.ndarray], upright: Face, detector: FaceDetector, quarters: int
) -> None:
    turned = Photograph(np.ascontiguousarray(np.rot90(portraits[0], quarters)))
    x, y = upright.points.T
    wanted = {1: (y, 160 - x), 2: (160 - x, 160 - y), 3: (160 - y, x)}[quarters]
    assert np.abs(detected(turned, detector)[0].points - np.stack(wanted, -1)).max() < 3


def test_points_do_not_depend_on_the_size(portraits: list[np.ndarray], upright: Face, detector: FaceDetector) -> None:
    large = Photograph(np.asarray(Image.fromarray(portraits[0]).resize((1600, 1600), Image.Resampling.BICUBIC)))
    assert np.abs(detected(large, detector)[0].points / 10 - upright.points).max() < 2


def test_three_faces_are_sorted_by_size(portraits: list[np.ndarray], detector: FaceDetector) -> None:
    group = photograph(*portraits, sides=(120, 200, 160))
    faces = find_faces(group, face="all", detector=detector)
    assert len(faces) == 3
    assert [face.size for face in faces] == sorted((face.size for face in faces), reverse=True)
    assert [int(face.points[2, 0] // 100) for face in faces] == [2, 4, 0]
    with pytest.warns(DataWarning, match="3 faces"):
        assert np.array_equal(find_faces(group, detector=detector)[0].points, faces[0].points)
    with pytest.warns(DataWarning, match="3 faces"):
        assert np.array_equal(find_faces(group, face=3, detector=detector)[0].points, faces[2].points)
    with pytest.raises(InputError, match="--face 1 to 3"):
        find_faces(group, face=4, detector=detector)


def test_no_face(detector: FaceDetector) -> None:
    for pixels in (np.full((200, 300, 3), 90, np.uint8), np.zeros((8, 8, 3), np.uint8)):
        with pytest.raises(InputError, match="--landmarks"):
            find_faces(Photograph(pixels), detector=detector)


def test_cut_by_the_border(portraits: list[np.ndarray], upright: Face, detector: FaceDetector) -> None:
    """Points hold while the face itself is whole; of a face that is cut the detector guesses."""
    cut = Photograph(portraits[0][:, 30:])
    assert np.abs(detected(cut, detector)[0].points + np.array([30, 0]) - upright.points).max() < 5
    assert len(detected(Photograph(portraits[0][:, 40:]), detector)) == 1


def test_a_small_face_is_used_with_a_warning(portraits: list[np.ndarray], detector: FaceDetector) -> None:
    with pytest.warns(DataWarning, match="pixels"):
        find_faces(photograph(portraits[0], sides=(40,)), detector=detector)


def test_a_profile_is_used_with_a_warning() -> None:
    with pytest.warns(DataWarning, match="side"):
        found = find_faces(Photograph(np.zeros((100, 100, 3), np.uint8)), landmarks="45,40 55,40 62,55 45,75 55,75")
    assert found[0].is_profile


def test_landmarks_by_hand_need_no_detector(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "require", lambda *features: pytest.fail("the detector is opened"))
    (tmp_path / "points.txt").write_text(BY_HAND.replace(" ", "\n"))
    picture = Photograph(np.zeros((100, 100, 3), np.uint8))
    for given in (BY_HAND, tmp_path / "points.txt", str(tmp_path / "points.txt"), read_landmarks(BY_HAND)):
        assert np.array_equal(find_faces(picture, landmarks=given)[0].points, read_landmarks(BY_HAND))


@pytest.mark.parametrize("given", ["1,2 3,4", "a,b", "", [1, 2, 3], [[1, float("nan")]] * 5])
def test_wrong_landmarks(given: object) -> None:
    with pytest.raises(InputError, match="landmarks"):
        read_landmarks(given)  # type: ignore[arg-type]


@pytest.mark.parametrize("face", [0, -1, "two", True, 1.5])
def test_wrong_face(face: object, detector: FaceDetector) -> None:
    with pytest.raises(InputError, match="--face 1"):
        find_faces(Photograph(np.zeros((50, 50, 3), np.uint8)), face=face, detector=detector)  # type: ignore[arg-type]


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "_why_not", lambda module: "is not installed")
    with pytest.raises(InputError, match=r"semanticgan\[align\].*--landmarks"):
        find_faces(Photograph(np.zeros((50, 50, 3), np.uint8)))


def test_suppression_against_every_pair() -> None:
    draw = torch.Generator().manual_seed(0)
    corners = torch.rand(60, 2, generator=draw) * 50
    boxes = torch.cat([corners, corners + 5 + torch.rand(60, 2, generator=draw) * 30], 1)
    scores, groups = torch.rand(60, generator=draw), torch.randint(0, 2, (60,), generator=draw)
    kept: list[int] = []
    for index in scores.argsort(descending=True).tolist():
        x0, y0, x1, y1 = boxes[index].tolist()

        def overlap(other: int, a: float = x0, b: float = y0, c: float = x1, d: float = y1) -> float:
            e, f, g, h = boxes[other].tolist()
            shared = max(0.0, min(c, g) - max(a, e)) * max(0.0, min(d, h) - max(b, f))
            return shared / ((c - a) * (d - b) + (g - e) * (h - f) - shared)

        if all(groups[other] != groups[index] or overlap(other) <= 0.4 for other in kept):
            kept.append(index)
    assert batched_suppression(boxes, scores, groups, 0.4).tolist() == kept
    assert len(kept) < 60


def test_measured_alignment(portraits: list[np.ndarray], detector: FaceDetector) -> None:
    measured = measured_alignment(iter(portraits), detector)
    points = np.array([detected(Photograph(picture), detector)[0].points / 160 for picture in portraits])
    assert np.abs(np.array(measured) - np.median(points, 0)).max() < 1e-4
    with pytest.raises(InputError, match="0 of 2"):
        measured_alignment([np.zeros((64, 64, 3), np.uint8)] * 2, detector)


def test_ffhq_points_obey_the_rule() -> None:
    eyes, mouth = np.array(FFHQ_POINTS[:2]), np.array(FFHQ_POINTS[3:]).mean(0)
    across, along = eyes[1] - eyes[0], mouth - eyes.mean(0)
    half = max(2 * np.hypot(*across), 1.8 * np.hypot(*along))
    assert np.allclose(half, 0.5)
    assert np.allclose(eyes.mean(0) + 0.1 * along, 0.5)


def test_alignment_is_written_and_read(tmp_path: Path, tiny_generator: torch.nn.Module) -> None:
    facts = {"training": {}, "licence": "", "data_licence": ""}
    save_model(tmp_path / "a.safetensors", tiny_generator, TINY_REGIONS, alignment=FFHQ_POINTS, **facts)  # type: ignore[arg-type]
    assert load_model(tmp_path / "a.safetensors").metadata.alignment == FFHQ_POINTS
    save_model(tmp_path / "b.safetensors", tiny_generator, TINY_REGIONS, **facts)  # type: ignore[arg-type]
    assert load_model(tmp_path / "b.safetensors").metadata.alignment is None
    save_model(
        tmp_path / "c.safetensors",
        tiny_generator,  # type: ignore[arg-type]
        TINY_REGIONS,
        alignment=((0.5, float("nan")),) * 5,
        **facts,  # type: ignore[arg-type]
    )
    with pytest.raises(WeightsError, match="metadata"):
        load_model(tmp_path / "c.safetensors")


def test_box_by_hand_is_around_the_points() -> None:
    face = face_of(read_landmarks(BY_HAND))
    assert (face.box[:2] < face.points.min(0)).all() and (face.box[2:] > face.points.max(0)).all()
