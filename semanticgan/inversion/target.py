"""What is inverted: a picture at the model's side, and where it lies in a photograph."""

from __future__ import annotations

import functools
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from semanticgan.errors import InputError
from semanticgan.inversion.alignment import Alignment, align
from semanticgan.inversion.faces import Face, find_faces
from semanticgan.inversion.photograph import Photograph, read_photograph
from semanticgan.model import Model
from semanticgan.perception.face_detector import FaceDetector
from semanticgan.wrong_arguments import shown

if TYPE_CHECKING:
    from PIL import Image

    Source = str | Path | Photograph | Image.Image | np.ndarray | Tensor
else:
    Source = Any


@dataclass(frozen=True, eq=False)
class Target:
    """One picture to invert.

    Attributes:
        picture: [1, 3, S, S] in [-1, 1].
        photograph: what it was cut from; None of a picture that was given aligned as a tensor.
        alignment: where it lies in the photograph.
        face: the face in the photograph.
        labels: region of each pixel, whole numbers [1, H, H]; None where they are not known.
    """

    picture: Tensor
    photograph: Photograph | None = None
    alignment: Alignment | None = None
    face: Face | None = None
    labels: Tensor | None = None


def targets_of(
    model: Model, source: Source, face: int | str | None = None, landmarks: Any = None, aligned: bool = False
) -> list[Target]:
    """The faces of a source, cut out as the model's training pictures lie.

    Args:
        model: whose alignment and side are wanted.
        source: the path of a photograph, a Photograph, a PIL image, uint8 [H, W, 3], or a tensor [N, 3, S, S] in
            [-1, 1] of pictures that are aligned already.
        face: None for the largest, N for the Nth by size from 1 on, "all" for all.
        landmarks: five points (x, y) by hand, in place of the detector's.
        aligned: the photograph is aligned already: its middle square is the picture.

    Raises:
        InputError: an unreadable source, no face, or a model that does not say where faces lie.
    """
    if isinstance(source, Tensor):
        return _of_tensor(model, source)
    photograph = _photograph(source)
    if aligned:
        return [target_at(model, photograph, _middle_square(photograph))]
    points = model.alignment
    if points is None:
        raise InputError(
            "the model's file does not say where faces lie in its pictures. Give pictures that are aligned as those "
            "it was trained on (--aligned, aligned=True)."
        )
    detector = _detector() if landmarks is None else None
    faces = find_faces(photograph, face=face, landmarks=landmarks, detector=detector)
    return [target_at(model, photograph, align(found.points, points), found) for found in faces]


@functools.cache
def _detector() -> FaceDetector:
    return FaceDetector()


def target_at(model: Model, photograph: Photograph, alignment: Alignment, face: Face | None = None) -> Target:
    """The picture that lies at a place of a photograph."""
    crop = alignment.crop(photograph, model.size)  # [S, S, 3] in [0, 1]
    picture = torch.from_numpy(np.ascontiguousarray(crop)).permute(2, 0, 1)[None].clamp(0, 1) * 2 - 1
    return Target(picture.float(), photograph, alignment, face)


def _middle_square(photograph: Photograph) -> Alignment:
    height, width = photograph.shape
    side = min(height, width)
    return Alignment(np.array([[side, 0.0, (width - side) / 2], [0.0, side, (height - side) / 2]]))


def _of_tensor(model: Model, pictures: Tensor) -> list[Target]:
    side = model.size
    if pictures.ndim != 4 or tuple(pictures.shape[1:]) != (3, side, side) or not pictures.is_floating_point():
        raise InputError(f"aligned pictures are [N, 3, {side}, {side}] in [-1, 1], got {list(pictures.shape)}.")
    return [Target(picture[None].detach().float()) for picture in pictures]


def _photograph(source: Any) -> Photograph:
    if isinstance(source, Photograph):
        return source
    if isinstance(source, (str, os.PathLike)):
        return read_photograph(Path(source))
    if hasattr(source, "convert"):  # a PIL image
        source = np.asarray(source.convert("RGB"))
    if isinstance(source, np.ndarray) and source.dtype == np.uint8 and source.ndim == 3 and source.shape[2] == 3:
        return Photograph(source)
    raise InputError(
        f"what is inverted is a path, a PIL image, uint8 [H, W, 3] or a tensor [N, 3, S, S], got {shown(source)}."
    )
