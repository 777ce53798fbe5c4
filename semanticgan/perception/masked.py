"""Perceptual distances that see only a part of a picture.

Shape legend: N pictures, S side of the picture.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from semanticgan.perception.pictures import as_float

PictureDistance = Callable[[Tensor, Tensor], Tensor]
"""Two sets of pictures, float32 [N, 3, S, S] in [-1, 1] -> how far each pair is apart, [N]; 0 for equal pictures.

What :func:`semanticgan.perception.perceptual.open_distance` returns is one, and so is any function of this form.
"""


def mean_absolute_difference(first: Tensor, second: Tensor) -> Tensor:
    """The plainest distance: mean over pixels and channels, [N] in 0..255 for pictures in [-1, 1]."""
    return 127.5 * (first.double() - second.double()).abs().mean((1, 2, 3))


def apart(distance: PictureDistance, first: Tensor, second: Tensor) -> Tensor:
    """The distance of 8-bit pictures, uint8 [N, 3, S, S] twice -> float64 [N] on the CPU.

    Each pair is measured alone, because a convolution may round differently in a larger batch.
    """
    with torch.no_grad():
        parts = [
            distance(as_float(one[None]), as_float(other[None])).reshape(1).double().cpu()
            for one, other in zip(first, second, strict=True)
        ]
    return torch.cat(parts) if parts else torch.zeros(0, dtype=torch.float64)


def laid_over(picture: Tensor, ground: Tensor, where: Tensor) -> Tensor:
    """``picture`` where ``where``, bool [N, S, S], says so, else ``ground``, both uint8 [N or 1, 3, S, S]."""
    return torch.where(where[:, None], picture, ground)
