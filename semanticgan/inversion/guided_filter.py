"""A map whose edges follow those of a picture: the guided filter (He, Sun and Tang 2010, ECCV).

In each window w of (2r + 1)^2 pixels the map p is fitted by a linear function of the picture I, and each pixel takes
the mean of the functions of all windows that hold it::

    a_w = (Cov_w(I) + eps)^-1 (mean_w(I p) - mean_w(I) mean_w(p))        # [3]
    b_w = mean_w(p) - a_w . mean_w(I)
    q_i = mean over the windows w that hold i of (a_w . I_i + b_w)

An edge of the picture with a variance far above eps stays an edge of the map; elsewhere the map becomes smooth.
Windows that reach over the border are reflected there.

Shape legend: H W of the picture.
"""

from __future__ import annotations

import cv2
import numpy as np


def guided_filter(guide: np.ndarray, values: np.ndarray, radius: int, epsilon: float) -> np.ndarray:
    """The map ``values`` with the edges of ``guide``.

    Args:
        guide: float32 [H, W, 3], about [0, 1].
        values: float32 [H, W].
        radius: r in pixels; at most what the picture holds is used.
        epsilon: variance of the guide, in its squared units, below which it counts as flat.

    Returns:
        float32 [H, W]; it may leave the range of ``values`` by a little.
    """
    return along(guide, *guided_coefficients(guide, values, radius, epsilon))


def guided_coefficients(
    guide: np.ndarray, values: np.ndarray, radius: int, epsilon: float
) -> tuple[np.ndarray, np.ndarray]:
    """The means of a_w and b_w; arguments as of :func:`guided_filter`.

    They are smooth: those of a reduced guide, enlarged, serve the guide itself (He and Sun 2015, arXiv 1505.00996).

    Returns:
        float32 [H, W, 3] and [H, W].
    """
    side = 2 * min(radius, (min(values.shape) - 1) // 2) + 1
    middle = guide.mean((0, 1))
    guide = guide - middle  # smaller numbers: fewer digits are lost in the differences of means
    mean_guide, mean_values = _mean(guide, side), _mean(values, side)
    joint = _mean(guide * values[..., None], side) - mean_guide * mean_values[..., None]
    covariance = {
        (i, j): _mean(guide[..., i] * guide[..., j], side) - mean_guide[..., i] * mean_guide[..., j]
        for i, j in ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2))
    }
    for i in range(3):
        covariance[i, i] += epsilon
    slope = _solved(covariance, joint)
    offset = mean_values - (slope * mean_guide).sum(2)
    slope = _mean(slope, side)
    return slope, _mean(offset, side) - slope @ middle


def along(guide: np.ndarray, slope: np.ndarray, offset: np.ndarray) -> np.ndarray:
    """The filtered map of a guide and its coefficients: slope . guide + offset, float32 [H, W]."""
    return np.einsum("hwc,hwc->hw", slope, guide) + offset


def _mean(values: np.ndarray, side: int) -> np.ndarray:
    """Means of windows: [H, W, ...] -> the same, float32."""
    return cv2.blur(np.ascontiguousarray(values, np.float32), (side, side), borderType=cv2.BORDER_REFLECT)


def _solved(matrix: dict[tuple[int, int], np.ndarray], right: np.ndarray) -> np.ndarray:
    """x of M x = y at each pixel, by the adjugate of the symmetric M: y [H, W, 3] -> x [H, W, 3]."""
    a, b, c, d, e, f = (matrix[place] for place in ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2)))
    first = (d * f - e * e, c * e - b * f, b * e - c * d)
    adjugate = (
        first,
        (first[1], a * f - c * c, b * c - a * e),
        (first[2], b * c - a * e, a * d - b * b),
    )
    determinant = a * first[0] + b * first[1] + c * first[2]
    solution = [sum(cell * right[..., i] for i, cell in enumerate(row)) / determinant for row in adjugate]
    return np.stack(solution, axis=2).astype(np.float32)
