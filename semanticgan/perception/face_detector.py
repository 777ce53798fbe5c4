"""Faces and five points of each: MTCNN (Zhang et al. 2016, arXiv 1604.02878).

The network is that of facenet-pytorch, whose wheel has the weights.

Shape legend: F faces.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from semanticgan import extras

LEAST_SIDE = 20
"""Smallest face in pixels that the detector finds."""


@dataclass(frozen=True, eq=False)
class Detections:
    """What the detector found, the surest face first.

    Attributes:
        points: float64 [F, 5, 2], (x, y) in pixels: the eye at the picture's left, the eye at its right, the tip of the
            nose, the corners of the mouth at the left and the right.
        boxes: float64 [F, 4], x0, y0, x1, y1.
        scores: float64 [F], 0 to 1.
    """

    points: NDArray[np.float64]
    boxes: NDArray[np.float64]
    scores: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.scores)


class FaceDetector:
    """The detector on a device.

    Args:
        device: where to compute.

    Raises:
        InputError: facenet-pytorch is not installed.
    """

    def __init__(self, device: torch.device | str = "cpu") -> None:
        extras.require("faces")
        package: Any = importlib.import_module("facenet_pytorch")
        inner: Any = importlib.import_module("facenet_pytorch.models.utils.detect_face")
        inner.batched_nms = batched_nms  # torchvision's is compiled, and is not there in every build
        self._network = package.MTCNN(keep_all=True, min_face_size=LEAST_SIDE, device=torch.device(device)).eval()

    @torch.no_grad()
    def __call__(self, picture: NDArray[np.uint8]) -> Detections:
        """Faces of a picture, uint8 [H, W, 3] RGB."""
        boxes, scores, points = self._network.detect(np.ascontiguousarray(picture), landmarks=True)
        if boxes is None:
            return Detections(np.zeros((0, 5, 2)), np.zeros((0, 4)), np.zeros(0))
        return Detections(*(np.asarray(values, np.float64) for values in (points, boxes, scores)))


def batched_nms(boxes: Tensor, scores: Tensor, groups: Tensor, threshold: float) -> Tensor:
    """Greedy suppression of boxes that overlap a better one of their group by more than the threshold.

    Args:
        boxes: [F, 4], x0, y0, x1, y1.
        scores: [F].
        groups: [F], such as the scale that a box was found at.
        threshold: of intersection over union.

    Returns:
        Indices of what is kept, the best first.
    """
    apart = groups.to(boxes) * (boxes.max() + 1) if boxes.numel() else groups.to(boxes)
    moved = boxes + apart[:, None]  # boxes of different groups do not meet
    area = (moved[:, 2] - moved[:, 0]) * (moved[:, 3] - moved[:, 1])
    order, kept = scores.argsort(descending=True, stable=True), []
    while order.numel():
        best, rest = order[0], order[1:]
        kept.append(best)
        low = torch.maximum(moved[best, :2], moved[rest, :2])
        high = torch.minimum(moved[best, 2:], moved[rest, 2:])
        both = (high - low).clamp(min=0).prod(1)
        order = rest[both / (area[best] + area[rest] - both) <= threshold]
    return torch.stack(kept) if kept else order
