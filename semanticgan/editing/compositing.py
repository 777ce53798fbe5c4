"""Where an edit may show: the feathered mask, and pictures put together so that nothing else changes at all.

N images, S side of the picture.
"""

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch import Tensor

from semanticgan.errors import InputError

FEATHER = 1 / 32
"""Width of the soft edge around a mask, in sides of the picture."""


def region_mask(labels: Tensor, regions: tuple[int, ...]) -> Tensor:
    """Where a label map shows one of some regions: labels uint8 [N, S, S] -> bool [N, S, S]."""
    return torch.isin(labels, torch.tensor(regions, dtype=labels.dtype, device=labels.device))


def feather(mask: Tensor, width: float | None = None) -> Tensor:
    """Opacity that is 1 on a mask and falls smoothly to exactly 0 at a distance from it.

    Args:
        mask: bool [N, S, S].
        width: that distance in pixels; None is :data:`FEATHER` of the side.

    Returns:
        float32 [N, S, S] in [0, 1] on the CPU.
    """
    masks = mask.detach().cpu().numpy().astype(bool)
    width = masks.shape[-1] * FEATHER if width is None else width
    opacity = np.zeros(masks.shape, dtype=np.float32)
    for drawn, inside in zip(opacity, masks, strict=True):
        if not inside.any():  # the distance to nothing is no number
            continue
        distance = cv2.distanceTransform((~inside).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        t = np.clip(1 - distance / width, 0, 1) if width > 0 else inside.astype(np.float32)
        drawn[:] = t * t * (3 - 2 * t)
    return torch.from_numpy(opacity)


def require_fitting(source: Tensor, result: Tensor, opacity: Tensor) -> None:
    """Check pictures before and after an edit and the opacity of each, as :func:`composite` takes them.

    Raises:
        InputError: shapes or types that do not fit.
    """
    if source.dtype != torch.uint8 or result.dtype != torch.uint8:
        raise InputError(f"pictures before and after an edit are uint8, got {source.dtype} and {result.dtype}.")
    if source.shape[1:] != result.shape[1:] or opacity.shape != (len(result), *result.shape[2:]):
        raise InputError(
            f"pictures {list(source.shape)} and {list(result.shape)} and opacity {list(opacity.shape)} do not fit; "
            "use pictures of one size and an opacity for each."
        )


def composite(source: Tensor, result: Tensor, opacity: Tensor) -> Tensor:
    """``result`` laid over ``source``; where the opacity is 0 every byte is the source's.

    Args:
        source: uint8 [N or 1, 3, S, S].
        result: uint8 [N, 3, S, S].
        opacity: [N, S, S] in [0, 1], of :func:`feather`.

    Returns:
        uint8 [N, 3, S, S] on the CPU.

    Raises:
        InputError: shapes or types that do not fit.
    """
    require_fitting(source, result, opacity)
    source, result, opacity = source.cpu(), result.cpu(), opacity.cpu()
    # Rounded last, and at opacity 0 the term is exactly 0: the source's bytes stay.
    change = opacity[:, None].float() * (result.float() - source.float())
    return (source.float() + change).round().to(torch.uint8)
