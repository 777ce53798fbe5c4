"""How close a reconstruction is to its picture: MSE, PSNR, SSIM, a perceptual distance, and the IoU of the masks.

All but the last compare 8-bit files. SSIM is that of Wang et al. 2004 (IEEE TIP 13(4), Eq. 13 and Section III-C): a
Gaussian window of 11 x 11 pixels and a deviation of 1.5, K1 = 0.01, K2 = 0.03, over all windows that lie within the
picture, here for each colour channel and then their mean.

Shape legend: N pictures, S side of the picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from semanticgan.distributed import all_of, share
from semanticgan.errors import InputError
from semanticgan.metrics.evaluation import Evaluation
from semanticgan.metrics.metric import Measured, metric
from semanticgan.perception.masked import PictureDistance, apart
from semanticgan.perception.overlap import Overlap, overlap
from semanticgan.perception.pictures import require_pictures
from semanticgan.regions import RegionScheme

_WINDOW, _DEVIATION = 11, 1.5
_K1, _K2 = 0.01, 0.03
_PEAK = 255.0


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
    _require_pictures(pictures, reconstructed)
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


def mean_squared_error(first: Tensor, second: Tensor) -> Tensor:
    """Mean over pixels and channels of the squared difference of values in [0, 1].

    Args:
        first: uint8 [N, 3, S, S].
        second: uint8 [N, 3, S, S].

    Returns:
        float64 [N] on the CPU.

    Raises:
        InputError: shapes or types that do not fit, or no picture.
    """
    _require_pictures(first, second)
    # Squares of whole numbers are summed as whole numbers: exact, whatever the order.
    squares = (first.cpu().long() - second.cpu().long()).square()
    return squares.sum((1, 2, 3)).double() / (squares[0].numel() * _PEAK**2)


def structural_similarity(first: Tensor, second: Tensor) -> Tensor:
    """Mean SSIM over windows and channels.

    Args:
        first: uint8 [N, 3, S, S], S of 11 or more.
        second: uint8 [N, 3, S, S].

    Returns:
        float64 [N] on the CPU.

    Raises:
        InputError: shapes or types that do not fit, no picture, or pictures smaller than the window.
    """
    _require_pictures(first, second)
    if min(first.shape[2:]) < _WINDOW:
        raise InputError(
            f"SSIM looks at windows of {_WINDOW} pixels, the pictures are {first.shape[3]} x {first.shape[2]}. "
            "Give larger ones."
        )
    similarities = [_similarity(one, other) for one, other in zip(first.cpu(), second.cpu(), strict=True)]
    return torch.stack(similarities)


def _similarity(first: Tensor, second: Tensor) -> Tensor:
    """SSIM of one picture, uint8 [3, S, S] twice -> float64 without axes; alone, so that no batch matters."""
    x, y = first.double()[:, None], second.double()[:, None]  # [3, 1, S, S]
    mean_x, mean_y = _windowed(x), _windowed(y)
    variance_x = _windowed(x * x) - mean_x**2
    variance_y = _windowed(y * y) - mean_y**2
    covariance = _windowed(x * y) - mean_x * mean_y
    c1, c2 = (_K1 * _PEAK) ** 2, (_K2 * _PEAK) ** 2
    luminance = (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1)
    structure = (2 * covariance + c2) / (variance_x + variance_y + c2)
    return (luminance * structure).mean()


def _windowed(channels: Tensor) -> Tensor:
    """Means weighted by the Gaussian window, float64 [C, 1, S, S] -> [C, 1, S - 10, S - 10]."""
    places = torch.arange(_WINDOW, dtype=torch.float64) - _WINDOW // 2
    weights = torch.exp(-(places**2) / (2 * _DEVIATION**2))
    weights = weights / weights.sum()
    return F.conv2d(F.conv2d(channels, weights.view(1, 1, 1, -1)), weights.view(1, 1, -1, 1))


def _require_pictures(first: Tensor, second: Tensor) -> None:
    for pictures in (first, second):
        require_pictures(pictures, "a comparison", least=1)
    if first.shape != second.shape:
        raise InputError(
            f"pictures {list(first.shape)} and their reconstructions {list(second.shape)} do not fit. Give as many, of "
            "one size."
        )


@metric(
    "reconstruction",
    "how close reconstructions are to the data",
    needs=("dataset", "reconstructions"),
    uses=("distance", "parser"),
    else_because="other pictures",
)
def _reconstruction(evaluation: Evaluation) -> Measured:
    parser, distance = evaluation.parser, evaluation.distance
    own = share(evaluation.matches, evaluation.processes)
    parts = [
        _compared(evaluation, own[start : start + evaluation.batch_size])
        for start in range(0, len(own), evaluation.batch_size)
    ]
    found = Reconstruction.cat(all_of(parts, evaluation.processes)).to_dict()
    values: dict[str, float | None] = {"mse": found["mse"], "psnr": found["psnr"], "ssim": found["ssim"]}
    values |= {"perceptual": found["perceptual"]} if distance else {}
    values |= {"miou": found["masks"]["mean_iou"]} if parser else {}
    by = [*([distance.label] if distance else []), *(["parser"] if parser else [])]
    stand_in = parser is not None or (distance is not None and distance.stand_in)
    return Measured(values, ", ".join(by), stand_in, len(evaluation.matches), 0, details=found)


def _compared(evaluation: Evaluation, matches: Sequence[tuple[int, int]]) -> Reconstruction:
    """Some reconstructions and their pictures."""
    assert evaluation.dataset is not None and evaluation.reconstructions is not None
    again = torch.stack([evaluation.reconstructions[index].image for index, _ in matches])
    pictures = torch.stack([evaluation.dataset[index].image for _, index in matches])
    parser = evaluation.parser
    return measure_reconstruction(
        pictures,
        again,
        distance=evaluation.distance,
        labels=(parser.labels(pictures), parser.labels(again)) if parser else None,
        regions=parser.regions if parser else None,
    )
