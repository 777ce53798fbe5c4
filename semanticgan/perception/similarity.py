"""How close two 8-bit pictures are: mean squared error and structural similarity.

SSIM is that of Wang et al. 2004 (IEEE TIP 13(4), Eq. 13 and Section III-C): a Gaussian window of 11 x 11 pixels and a
deviation of 1.5, K1 = 0.01, K2 = 0.03, over all windows that lie within the picture, here for each colour channel and
then their mean.

Shape legend: N pictures, S side of the picture.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from semanticgan.errors import InputError
from semanticgan.perception.pictures import require_pictures

_WINDOW, _DEVIATION = 11, 1.5
_K1, _K2 = 0.01, 0.03
_PEAK = 255.0


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
    require_alike(first, second)
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
    require_alike(first, second)
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


def require_alike(first: Tensor, second: Tensor) -> None:
    for pictures in (first, second):
        require_pictures(pictures, "a comparison", least=1)
    if first.shape != second.shape:
        raise InputError(
            f"pictures {list(first.shape)} and their reconstructions {list(second.shape)} do not fit. Give as many, of "
            "one size."
        )
