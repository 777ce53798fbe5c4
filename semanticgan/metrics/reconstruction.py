"""How close a reconstruction is to its picture: MSE, PSNR, SSIM, a perceptual distance, and the IoU of the masks.

All but the last compare 8-bit files (:mod:`semanticgan.perception.similarity`).

Shape legend: N pictures, S side of the picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from semanticgan.distributed import all_of
from semanticgan.errors import InputError
from semanticgan.metrics.evaluation import Evaluation
from semanticgan.metrics.metric import Measured, metric
from semanticgan.perception.masked import PictureDistance, apart
from semanticgan.perception.overlap import Overlap, overlap
from semanticgan.perception.similarity import mean_squared_error, require_alike, structural_similarity
from semanticgan.regions import RegionScheme


@dataclass(frozen=True)
class Reconstruction:
    """How close N pictures are, float64 [N] each.

    Attributes:
        mse: mean squared error of values in [0, 1].
        psnr: 10 log10(1 / mse) in decibels; infinite for equal pictures.
        ssim: in [-1, 1], 1 for equal pictures.
        perceptual: None unless a distance was given.
        masks: of the label maps, if there were any.
        regions: of the label maps.
    """

    mse: Tensor
    psnr: Tensor
    ssim: Tensor
    perceptual: Tensor | None = None
    masks: Overlap | None = None
    regions: RegionScheme | None = None

    @classmethod
    def cat(cls, parts: Sequence[Reconstruction]) -> Reconstruction:
        """Those of several batches in a row."""
        perceptual = [part.perceptual for part in parts if part.perceptual is not None]
        masks = [part.masks for part in parts if part.masks is not None]
        return cls(
            torch.cat([part.mse for part in parts]),
            torch.cat([part.psnr for part in parts]),
            torch.cat([part.ssim for part in parts]),
            torch.cat(perceptual) if perceptual else None,
            Overlap.cat(masks) if masks else None,
            parts[0].regions,
        )

    def to_dict(self) -> dict[str, Any]:
        """Means over the pictures, JSON-able; that of the PSNR is over those that are not equal."""
        finite = self.psnr[self.psnr.isfinite()]
        figures: dict[str, Any] = {
            "num_images": len(self.mse),
            "num_equal": len(self.psnr) - len(finite),
            "mse": float(self.mse.mean()),
            "psnr": float(finite.mean()) if len(finite) else None,
            "ssim": float(self.ssim.mean()),
        }
        if self.perceptual is not None:
            figures["perceptual"] = float(self.perceptual.mean())
        if self.masks is not None and self.regions is not None:
            figures["masks"] = self.masks.to_dict(self.regions.names)
        return figures


def measure_reconstruction(
    pictures: Tensor,
    reconstructed: Tensor,
    *,
    distance: PictureDistance | None = None,
    labels: tuple[Tensor, Tensor] | None = None,
    regions: RegionScheme | None = None,
) -> Reconstruction:
    """Compare pictures with their reconstructions.

    Args:
        pictures: uint8 [N, 3, S, S].
        reconstructed: uint8 [N, 3, S, S].
        labels: label maps uint8 [N, S, S] of both, if there are any.
        regions: what the labels mean; needed with them.

    Raises:
        InputError: shapes or types that do not fit, no picture, or labels without regions.
    """
    require_alike(pictures, reconstructed)
    if (labels is None) != (regions is None):
        raise InputError("label maps are compared region by region. Give both labels and regions, or neither.")
    mse = mean_squared_error(pictures, reconstructed)
    masks = None
    if labels is not None and regions is not None:
        masks = overlap(labels[0].cpu(), labels[1].cpu(), len(regions))
    return Reconstruction(
        mse=mse,
        psnr=-10 * mse.log10(),
        ssim=structural_similarity(pictures, reconstructed),
        perceptual=None if distance is None else apart(distance, pictures, reconstructed),
        masks=masks,
        regions=regions,
    )


@metric(
    "reconstruction",
    "how close reconstructions are to the data",
    needs=("dataset", "reconstructions"),
    uses=("distance", "parser"),
    else_because="other pictures",
)
def _reconstruction(evaluation: Evaluation) -> Measured:
    """MSE, PSNR, SSIM, perceptual distance and mIoU of the reconstructions, compared with the data."""
    parser, distance = evaluation.parser, evaluation.distance
    parts = [
        measure_reconstruction(
            pictures,
            again,
            distance=distance,
            labels=(parser.labels(pictures), parser.labels(again)) if parser else None,
            regions=parser.regions if parser else None,
        )
        for pictures, again in evaluation.pairs("reconstructions")
    ]
    found = Reconstruction.cat(all_of(parts, evaluation.processes)).to_dict()
    values: dict[str, float | None] = {"mse": found["mse"], "psnr": found["psnr"], "ssim": found["ssim"]}
    values |= {"perceptual": found["perceptual"]} if distance else {}
    values |= {"miou": found["masks"]["mean_iou"]} if parser else {}
    by = [*([distance.label] if distance else []), *(["parser"] if parser else [])]
    stand_in = parser is not None or (distance is not None and distance.stand_in)
    return Measured(values, ", ".join(by), stand_in, len(evaluation.matches), 0, details=found)
