"""Faces and their five points, found by MTCNN (arXiv 1604.02878) as facenet-pytorch has it, weights and all.

Three networks look one after the other: at all places of a pyramid of pictures, at what the first found, and at what
the second found; the third gives five points, too.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from semanticgan import extras

SMALLEST_FACE = 20
"""Pixels of the smallest face that is looked for."""


@dataclass(frozen=True, eq=False)
class Detection:
    """A face that was found.

    Attributes:
        points: float64 [5, 2], (x, y) in pixels: eye at the left, eye at the right, nose tip, mouth corner at the left,
            at the right.
        box: float64 [4], x0, y0, x1, y1 in pixels.
        score: 0 to 1.
    """

    points: NDArray[np.float64]
    box: NDArray[np.float64]
    score: float


class FaceDetector:
    """MTCNN.

    Args:
        device: where to compute.

    Raises:
        InputError: facenet-pytorch is not installed.
    """

    def __init__(self, device: torch.device | str = "cpu") -> None:
        extras.require("faces")
        from facenet_pytorch import MTCNN

        _mend_suppression()
        self._network = MTCNN(keep_all=True, device=torch.device(device))

    def detect(self, picture: NDArray[np.uint8], smallest: int = SMALLEST_FACE) -> list[Detection]:
        """The faces of a picture, the surest first.

        Args:
            picture: uint8 [H, W, 3] sRGB.
            smallest: pixels of the smallest face that is looked for.
        """
        if min(picture.shape[:2]) < max(smallest, SMALLEST_FACE):
            return []
        self._network.min_face_size = max(smallest, SMALLEST_FACE)
        try:
            boxes, scores, points = self._network.detect(np.ascontiguousarray(picture), landmarks=True)
        except RuntimeError as error:
            if "non-empty" in str(error) or "expected a non-empty list" in str(error):
                return []  # facenet-pytorch joins what no network found
            raise
        if boxes is None:
            return []
        found = [
            Detection(np.asarray(places, np.float64), np.asarray(box, np.float64), float(score))
            for box, score, places in zip(boxes, scores, points, strict=True)
        ]
        return sorted(found, key=lambda face: -face.score)


def _mend_suppression() -> None:
    """Give facenet-pytorch a non-maximum suppression where torchvision's operators do not load."""
    module: Any = importlib.import_module("facenet_pytorch.models.utils.detect_face")
    try:
        module.batched_nms(torch.zeros(1, 4), torch.zeros(1), torch.zeros(1, dtype=torch.long), 0.5)
    except (RuntimeError, NotImplementedError, AttributeError):
        module.batched_nms = batched_suppression


def batched_suppression(boxes: Tensor, scores: Tensor, groups: Tensor, largest_overlap: float) -> Tensor:
    """Indices of the boxes that no better box of their group overlaps, the best first.

    The overlap is intersection over union.

    Args:
        boxes: [N, 4], x0, y0, x1, y1.
        scores: [N], 0 or more.
        groups: int64 [N]; boxes of other groups do not count.
        largest_overlap: up to which both boxes stay.
    """
    corners = boxes.cpu().double()
    rectangles = torch.cat([corners[:, :2], corners[:, 2:] - corners[:, :2]], 1).tolist()
    kept = cv2.dnn.NMSBoxesBatched(rectangles, scores.tolist(), groups.tolist(), -1.0, largest_overlap)
    return torch.as_tensor(np.asarray(kept, np.int64)).reshape(-1).to(boxes.device)
