"""How far two label maps agree: intersection over union, by region and on average (Everingham et al. 2010, Section 4).

IoU_k = |A_k and B_k| / |A_k or B_k|, where A_k and B_k are the pixels of region k in either map.

Counts of pixels are whole numbers, summed over all pictures before anything is divided, so that neither batches nor
the order of pictures matter. A region that is in neither map has no IoU and is left out of the mean.

Shape legend: N pictures, K regions, S side of the picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from semanticgan.errors import InputError


@dataclass(frozen=True)
class Overlap:
    """Pixels that two sets of label maps share.

    Attributes:
        intersection: int64 [..., K], pixels that are the region in both.
        union: int64 [..., K], pixels that are it in either.
        num_pixels: int64 [...], of the maps.
    """

    intersection: np.ndarray
    union: np.ndarray
    num_pixels: np.ndarray

    @classmethod
    def cat(cls, parts: Sequence[Overlap]) -> Overlap:
        """The overlaps of several batches in a row."""
        return cls(
            np.concatenate([part.intersection for part in parts]),
            np.concatenate([part.union for part in parts]),
            np.concatenate([part.num_pixels for part in parts]),
        )

    def total(self) -> Overlap:
        """That of all pictures together, [K]."""
        axes = tuple(range(self.num_pixels.ndim))
        return Overlap(self.intersection.sum(axes), self.union.sum(axes), self.num_pixels.sum())

    @property
    def iou(self) -> np.ndarray:
        """Float64 [..., K] in [0, 1]; NaN where a region is in neither map."""
        return np.where(self.union, self.intersection / np.where(self.union, self.union, 1), np.nan)

    @property
    def mean_iou(self) -> np.ndarray:
        """Float64 [...], the mean of :attr:`iou` over the regions that are there."""
        return np.nanmean(self.iou, axis=-1)

    @property
    def accuracy(self) -> np.ndarray:
        """Float64 [...], the share of pixels on which both agree."""
        return self.intersection.sum(-1) / self.num_pixels

    def to_dict(self, names: Sequence[str]) -> dict[str, Any]:
        """Figures of all pictures together, JSON-able; the IoU of a region that is nowhere is None."""
        total = self.total()
        iou = total.iou
        return {
            "mean_iou": float(total.mean_iou),
            "pixel_accuracy": float(total.accuracy),
            "iou": {name: None if np.isnan(value) else float(value) for name, value in zip(names, iou, strict=True)},
            "num_regions_absent": int(np.isnan(iou).sum()),
        }


def overlap(first: np.ndarray | torch.Tensor, second: np.ndarray | torch.Tensor, num_regions: int) -> Overlap:
    """Compare label maps picture by picture.

    Args:
        first: whole numbers [N, S, S] below ``num_regions``.
        second: as many, of the same side.

    Returns:
        An overlap for each picture, [N, K].

    Raises:
        InputError: shapes that do not fit, or a label beyond K.
    """
    first, second = np.asarray(first), np.asarray(second)
    if first.shape != second.shape or first.ndim != 3:
        raise InputError(
            f"label maps of the shapes {list(first.shape)} and {list(second.shape)} cannot be compared. "
            "Give the same number of both, [N, S, S], of one resolution."
        )
    for labels in (first, second):
        if labels.size and not 0 <= int(labels.min()) <= int(labels.max()) < num_regions:
            raise InputError(
                f"a label map holds {labels.min()} to {labels.max()}, but its {num_regions} regions have the labels "
                f"0 to {num_regions - 1}. Give maps of that scheme."
            )
    counts = np.zeros((len(first), num_regions, num_regions), dtype=np.int64)
    for count, one, other in zip(counts, first, second, strict=True):
        places = one.ravel().astype(np.int64) * num_regions + other.ravel()
        count[:] = np.bincount(places, minlength=num_regions**2).reshape(num_regions, num_regions)
    intersection = np.diagonal(counts, axis1=1, axis2=2).copy()
    union = counts.sum(2) + counts.sum(1) - intersection
    return Overlap(intersection, union, counts.sum((1, 2)))
