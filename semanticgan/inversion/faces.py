"""The faces of a photograph: found, refined, or given by hand.

Faces are looked for in a copy of at most 1,280 pixels. Each is then turned upright and looked at again at 384 pixels,
as it is and mirrored; the mean of the two is its five points. A picture without an upright face is tried on its sides
and upside down.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from semanticgan.errors import DataWarning, InputError
from semanticgan.files import user_path
from semanticgan.inversion.alignment import NUM_POINTS, align
from semanticgan.inversion.photograph import Photograph
from semanticgan.inversion.resampling import resampled
from semanticgan.perception.face_detector import Detection, FaceDetector

LARGEST_COPY = 1280
SMALLEST_SIZE = 24
"""Pixels of a face below which a warning says that it is small."""

_SMALLEST_COPY = 320
_SURE = 0.9
_UPRIGHT_SURE = 0.998  # of an upright face; one on its side passes for upright with less
_SIDE = 384  # of the picture that a face is refined in
_SMALLEST_REFINED = 90
_AGREED = 0.25  # of the distance between the eyes: how far a refined point may lie from the first
_PROFILE = 0.55  # distance between the eyes over that from eyes to mouth; 0.9 to 1.1 from the front
_MIRRORED = [1, 0, 2, 4, 3]
_UPRIGHT = ((0.36, 0.42), (0.64, 0.42), (0.5, 0.56), (0.39, 0.68), (0.61, 0.68))


@dataclass(frozen=True, eq=False)
class Face(Detection):
    """A face of a photograph, in its pixels: a pixel's centre is at i + 0.5, left and right are as seen with the face
    upright, and the score is 1 for points by hand."""

    @property
    def size(self) -> float:
        """Root of the box's area, in pixels."""
        return float(np.sqrt(max(0.0, (self.box[2] - self.box[0]) * (self.box[3] - self.box[1]))))

    @property
    def is_profile(self) -> bool:
        """Whether it is seen from the side."""
        eyes, mouth = self.points[:2].mean(0), self.points[3:].mean(0)
        across, along = self.points[1] - self.points[0], mouth - eyes
        down = np.array([-across[1], across[0]]) / max(float(np.hypot(*across)), 1e-9)
        nose = self.points[2] - eyes
        beside = abs(float(nose @ across)) / max(float(across @ across), 1e-9)
        return bool(np.hypot(*across) < _PROFILE * abs(float(along @ down))) or beside > 0.5


def find_faces(
    photograph: Photograph,
    *,
    face: int | str | None = None,
    landmarks: ArrayLike | str | Path | None = None,
    detector: FaceDetector | None = None,
    device: torch.device | str = "cpu",
) -> list[Face]:
    """The faces of a photograph that are wanted, the largest first.

    Args:
        photograph: where to look.
        face: None for the largest, N for the Nth by size from 1 on, "all" for all.
        landmarks: five points by hand instead, as :func:`read_landmarks` takes them; no detector is needed then.
        detector: one that is open already.
        device: where to compute.

    Raises:
        InputError: no face, fewer than ``face``, or the extra ``[align]`` is not installed.
    """
    if landmarks is not None:
        chosen = [face_of(read_landmarks(landmarks))]
    else:
        wanted = _wanted(face)
        chosen = _chosen(detected(photograph, detector or FaceDetector(device)), wanted)
    for found in chosen:
        _warn_of(found)
    return chosen


def detected(photograph: Photograph, detector: FaceDetector) -> list[Face]:
    """All faces of a photograph, the largest first. Where none is surely upright, it is turned until one is surest."""
    copy, scale = _copy(photograph)
    best: list[Detection] = []
    for quarters in (0, 2, 1, 3):
        turned = np.ascontiguousarray(np.rot90(copy, quarters))
        sure = [face for face in detector.detect(turned) if face.score >= _SURE]
        if sure and (not best or sure[0].score > best[0].score):
            best = [_turned_back(face, quarters, copy.shape[:2]) for face in sure]
        if quarters == 0 and best and best[0].score >= _UPRIGHT_SURE:
            break
    faces = [_refined(photograph, Face(one.points * scale, one.box * scale, one.score), detector) for one in best]
    return sorted(faces, key=lambda one: -one.size)


def read_landmarks(given: ArrayLike | str | Path) -> NDArray[np.float64]:
    """Five points by hand, float64 [5, 2].

    Args:
        given: ten numbers as an array or as text, "x,y x,y x,y x,y x,y"; or the path of a file with such text. Order:
            eye at the left, eye at the right, nose tip, mouth corner at the left, at the right.

    Raises:
        InputError: not ten numbers, or no such file.
    """
    text: str | None = None
    if isinstance(given, Path) or (isinstance(given, str) and not _numbers(given)):
        path = user_path(given, "landmarks")
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(
                f"landmarks {str(given)!r} are neither five points nor a file that can be read. Give "
                '"x,y x,y x,y x,y x,y": both eyes, nose tip, both corners of the mouth.'
            ) from error
    elif isinstance(given, str):
        text = given
    try:
        values = np.array(_numbers(text) if text is not None else given, np.float64).reshape(-1)
    except (ValueError, TypeError):
        values = np.empty(0)
    if values.shape != (2 * NUM_POINTS,) or not np.isfinite(values).all():
        raise InputError(
            f'landmarks are five points, got {len(values)} numbers. Give "x,y x,y x,y x,y x,y" in pixels: eye at the '
            "left, eye at the right, nose tip, mouth corner at the left, at the right."
        )
    return values.reshape(NUM_POINTS, 2)


def face_of(points: NDArray[np.float64]) -> Face:
    """A face of five points; its box is the middle half of the picture that they would be aligned in."""
    alignment = align(points, _UPRIGHT)
    corners = alignment.matrix @ np.array([[0.22, 0.78, 0.22, 0.78], [0.2, 0.2, 0.84, 0.84], [1, 1, 1, 1]])
    return Face(points, np.concatenate([corners.min(1), corners.max(1)]), 1.0)


def _numbers(text: str) -> list[float]:
    """The numbers of a text, separated by commas, semicolons or blanks; none if it holds anything else."""
    try:
        return [float(part) for part in text.replace(",", " ").replace(";", " ").split()]
    except ValueError:
        return []


def _copy(photograph: Photograph) -> tuple[NDArray[np.uint8], float]:
    """uint8 [h, w, 3], and how many pixels of the photograph one of its pixels is."""
    height, width = photograph.shape
    longest = max(height, width)
    scale = longest / min(max(longest, _SMALLEST_COPY), LARGEST_COPY)
    out = (max(1, round(height / scale)), max(1, round(width / scale)))
    matrix = np.array([[scale, 0, 0], [0, scale, 0]], np.float64)
    small = resampled(photograph.rgb, (height, width), matrix, out)
    return np.round(np.clip(small, 0, 1) * 255).astype(np.uint8), scale


def _turned_back(face: Detection, quarters: int, shape: tuple[int, int]) -> Detection:
    """A face that was found in ``np.rot90(picture, quarters)``, in the picture."""
    height, width = shape

    def back(points: NDArray[np.float64]) -> NDArray[np.float64]:
        x, y = points[:, 0], points[:, 1]
        places = {0: (x, y), 1: (width - y, x), 2: (width - x, height - y), 3: (y, height - x)}[quarters]
        return np.stack(places, -1)

    corners = back(face.box.reshape(2, 2))
    return Detection(back(face.points), np.concatenate([corners.min(0), corners.max(0)]), face.score)


def _refined(photograph: Photograph, face: Face, detector: FaceDetector) -> Face:
    """A face with the points of a closer look, where that finds the same face."""
    alignment = align(face.points, _UPRIGHT)
    crop = np.round(np.clip(alignment.crop(photograph, _SIDE), 0, 1) * 255).astype(np.uint8)
    first = _looked_at(crop, detector)
    second = _looked_at(crop[:, ::-1], detector)
    if second is not None:
        second = np.stack([1 - second[:, 0], second[:, 1]], -1)[_MIRRORED]
    looks = [look for look in (first, second) if look is not None]
    if not looks:
        return face
    shares = np.mean(looks, axis=0)
    points = shares @ alignment.matrix[:, :2].T + alignment.matrix[:, 2]
    eyes = float(np.hypot(*(face.points[1] - face.points[0])))
    if np.hypot(*(points - face.points).T).max() > _AGREED * max(eyes, 0.1 * face.size):
        return face
    return Face(points, face.box, face.score)


def _looked_at(crop: NDArray[np.uint8], detector: FaceDetector) -> NDArray[np.float64] | None:
    """Points of the middle face as shares of the side; None where there is none."""
    found = detector.detect(np.ascontiguousarray(crop), _SMALLEST_REFINED)
    middle = [(np.abs(face.points.mean(0) / _SIDE - np.mean(_UPRIGHT, axis=0)).max(), face) for face in found]
    near = min(middle, key=lambda pair: pair[0], default=None)
    return None if near is None or near[0] > 0.1 else near[1].points / _SIDE


def _wanted(face: int | str | None) -> int | None:
    """The number of a face, from 1 on; None for all."""
    if face is None:
        return 1
    if face == "all":
        return None
    text = str(face)
    if isinstance(face, bool) or not text.isdecimal() or int(text) < 1:
        raise InputError(f"a face is a number from 1 on, by size, or all, got {face!r}. Give --face 1 for the largest.")
    return int(text)


def _chosen(faces: Sequence[Face], wanted: int | None) -> list[Face]:
    if not faces:
        raise InputError(
            'no face is found in the photograph. Give its five points with --landmarks "x,y x,y x,y x,y x,y" (both '
            "eyes, nose tip, both corners of the mouth), or another photograph."
        )
    if wanted is None:
        return list(faces)
    if wanted > len(faces):
        raise InputError(
            f"face {wanted} is asked for, the photograph has {len(faces)}. Give --face 1 to {len(faces)}, by size, or "
            "--face all."
        )
    if len(faces) > 1:
        _warn(f"the photograph has {len(faces)} faces; the one of rank {wanted} by size is used (--face N or all).")
    return [faces[wanted - 1]]


def _warn_of(face: Face) -> None:
    if face.size < SMALLEST_SIZE:
        _warn(f"the face has {face.size:.0f} pixels; below {SMALLEST_SIZE} an inversion shows little of it.")
    if face.is_profile:
        _warn("the face is seen from the side; models of faces from the front invert it badly.")


def _warn(text: str) -> None:
    warnings.warn(DataWarning(text), stacklevel=4)
