"""The faces of a photograph: found on a copy of at most 1,280 pixels, then looked at again from near.

Points given by hand take the detector's place.
"""

from __future__ import annotations

import functools
import math
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semanticgan.errors import DataWarning, InputError
from semanticgan.face_points import NUM_POINTS
from semanticgan.inversion.photograph import Photograph
from semanticgan.perception.face_detector import Detections, FaceDetector
from semanticgan.wrong_arguments import shown, whole_number

LARGEST_COPY = 1280
"""Longer side of the copy in which faces are looked for."""

_SMALLEST_COPY = 320  # a smaller photograph is enlarged, for its face may have 20 pixels
_NEAR = 320  # side of the copy around one face
_AROUND = 2.2  # of the box, around one face
_LEAST_OVERLAP = 0.3
_COARSE = 64  # pixels of a face's box below which a result is coarse
_PROFILE = 0.4  # of the distance between eyes and mouth


@dataclass(frozen=True, eq=False)
class Face:
    """A face in a photograph.

    Attributes:
        points: float64 [5, 2], (x, y) in pixels: the eye at the face's left in an upright picture, the other eye, the
            tip of the nose, the corners of the mouth.
        box: x0, y0, x1, y1 in pixels.
        score: how sure the detector is, 0 to 1; 1 for points by hand.
    """

    points: NDArray[np.float64]
    box: tuple[float, float, float, float]
    score: float = 1.0

    @property
    def area(self) -> float:
        """Of the box in pixels."""
        return (self.box[2] - self.box[0]) * (self.box[3] - self.box[1])


def find_faces(photograph: Photograph, face: int | str = 0, landmarks: Any = None) -> list[Face]:
    """Faces of a photograph, the largest first.

    Args:
        photograph: where to look.
        face: which of them, counted from 0; "all".
        landmarks: five points (x, y) in pixels by hand; nothing is looked for then.

    Returns:
        One face, or all.

    Raises:
        InputError: no face, fewer faces than that, points that are none, or facenet-pytorch is not installed.
    """
    if landmarks is not None:
        return [_by_hand(landmarks)]
    if face != "all":
        face = whole_number("face", face, 0)
    found = _found(photograph)
    if not found:
        raise InputError(
            "no face is found in the photograph. Give five points by hand (--landmarks, landmarks=), or a photograph "
            "that is aligned already (--aligned)."
        )
    if face == "all":
        return found
    if isinstance(face, int) and face >= len(found):
        raise InputError(f"there is no face {face}: the photograph has {len(found)}. Give a number below {len(found)}.")
    chosen = found[int(face)]
    _warn(chosen, photograph)
    return [chosen]


def _by_hand(landmarks: Any) -> Face:
    points = np.asarray(landmarks, np.float64) if landmarks is not None else np.zeros(0)
    if points.shape != (NUM_POINTS, 2) or not np.isfinite(points).all():
        raise InputError(
            f"landmarks are five points (x, y): eyes, tip of the nose, corners of the mouth, got {shown(landmarks)}."
        )
    (x0, y0), (x1, y1) = points.min(0), points.max(0)
    return Face(points, (float(x0), float(y0), float(x1), float(y1)))


def _warn(face: Face, photograph: Photograph) -> None:
    """Say what makes a result poor."""
    side = math.sqrt(face.area)
    if side < _COARSE:
        warnings.warn(f"the face is about {side:.0f} pixels wide; an edit of it is coarse.", DataWarning, stacklevel=3)
    eyes, mouth = face.points[:2].mean(0), face.points[3:].mean(0)
    if np.linalg.norm(face.points[1] - face.points[0]) < _PROFILE * np.linalg.norm(mouth - eyes):
        warnings.warn(
            "the face is seen from the side; models of faces seen from the front invert it poorly.",
            DataWarning,
            stacklevel=3,
        )
    height, width = photograph.shape
    outside = [x < 0 or y < 0 or x > width or y > height for x, y in face.points]
    if any(outside) or face.box[0] < 0 or face.box[1] < 0 or face.box[2] > width or face.box[3] > height:
        warnings.warn(
            "the face is cut by the border of the photograph; what is beyond it is guessed.", DataWarning, stacklevel=3
        )


@functools.cache
def _detector() -> FaceDetector:
    return FaceDetector()


def _found(photograph: Photograph) -> list[Face]:
    """All faces, the largest first; where none is upright, the photograph is turned."""
    height, width = photograph.shape
    scale = LARGEST_COPY / max(height, width)
    if scale > 1:
        scale = max(1.0, _SMALLEST_COPY / max(height, width))
    copy = photograph.reduced(scale)
    for turns in range(4):
        detections = _detector()(np.rot90(copy, turns))
        if len(detections):
            break
    faces = [_face(detections, index, turns, copy.shape[:2], scale) for index in range(len(detections))]
    faces = [_from_near(photograph, face, turns) for face in faces]
    return sorted(faces, key=lambda one: -one.area)


def _face(detections: Detections, index: int, turns: int, shape: tuple[int, int], scale: float) -> Face:
    """A face of the turned copy in pixels of the photograph."""
    points = _turned_back(detections.points[index], turns, shape) / scale
    corners = _turned_back(detections.boxes[index].reshape(2, 2), turns, shape) / scale
    (x0, y0), (x1, y1) = corners.min(0), corners.max(0)
    return Face(points, (float(x0), float(y0), float(x1), float(y1)), float(detections.scores[index]))


def _turned_back(points: NDArray[np.float64], turns: int, shape: tuple[int, int]) -> NDArray[np.float64]:
    """Where points of ``np.rot90(picture, turns)`` lie in the picture of ``shape`` (height, width)."""
    height, width = shape
    x, y = points[:, 0], points[:, 1]
    turned = {0: (x, y), 1: (width - y, x), 2: (width - x, height - y), 3: (y, height - x)}[turns]
    return np.stack(turned, 1)


def _from_near(photograph: Photograph, face: Face, turns: int) -> Face:
    """The face looked for once more in a copy of its surroundings, where its points are found more exactly."""
    height, width = photograph.shape
    centre = np.array([face.box[0] + face.box[2], face.box[1] + face.box[3]]) / 2
    half = _AROUND * max(face.box[2] - face.box[0], face.box[3] - face.box[1]) / 2
    (x0, y0), (x1, y1) = np.floor(centre - half), np.ceil(centre + half)
    box = (max(int(x0), 0), max(int(y0), 0), min(int(x1), width), min(int(y1), height))
    if box[2] - box[0] < 2 or box[3] - box[1] < 2:
        return face
    scale = _NEAR / max(box[2] - box[0], box[3] - box[1])
    copy = photograph.reduced(scale, box)
    detections = _detector()(np.rot90(copy, turns))
    near = [_face(detections, index, turns, copy.shape[:2], scale) for index in range(len(detections))]
    near = [_moved(one, box[0], box[1]) for one in near]
    same = [one for one in near if _overlap(one.box, face.box) > _LEAST_OVERLAP]
    return max(same, key=lambda one: _overlap(one.box, face.box)) if same else face


def _moved(face: Face, x: int, y: int) -> Face:
    x0, y0, x1, y1 = face.box
    return Face(face.points + np.array([x, y]), (x0 + x, y0 + y, x1 + x, y1 + y), face.score)


def _overlap(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> float:
    """Intersection over union."""
    both = max(min(a[2], b[2]) - max(a[0], b[0]), 0.0) * max(min(a[3], b[3]) - max(a[1], b[1]), 0.0)
    areas = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1])
    return both / (areas - both)
