"""What a photograph shows that a small rendering cannot: its detail, and more of the same.

Detail is what is lost when the aligned photograph P of S pixels is reduced to s pixels and enlarged again::

    D = P - up(down(P))

New detail of a region is a random phase texture (Galerne, Gousseau and Morel 2011): the Fourier transform of the detail
seen in that region keeps its amplitudes, so that the grain has the same strength at each size and direction, and takes
the phases of white noise::

    D' = F^-1(F(m D / |m|) exp(i phase))        |m| the root of the mean of m^2

Shape legend: H W of a part of the photograph, s side of a rendering.
"""

from __future__ import annotations

import cv2
import numpy as np

from semanticgan.inversion.resampling import Box

_OUTLIERS = 3.0  # of the detail's usual size: edges and highlights are no grain
_FEWEST = 64  # pixels that a texture is taken from


def more_detail(seen: np.ndarray, weight: np.ndarray, phase: np.ndarray) -> np.ndarray:
    """Random phase texture like the detail where a weight is large. It is periodic.

    Args:
        seen: float32 [H, W, 3], detail.
        weight: float32 [H, W] in [0, 1], where it is taken from.
        phase: complex64 [H, W // 2 + 1] of modulus 1, of :func:`random_phase`.

    Returns:
        float32 [H, W, 3] of the same strength; 0 where nothing has weight.
    """
    mass = float((weight**2).mean())
    if weight.sum() < _FEWEST:
        return np.zeros_like(seen)
    strength = np.abs(seen)[weight > 0.5]
    usual = 1.4826 * float(np.median(strength)) if strength.size else float(np.abs(seen).max())
    usual = max(usual, 0.5 / 255)
    own = np.clip(seen, -_OUTLIERS * usual, _OUTLIERS * usual)
    middle = (own * weight[..., None]).sum((0, 1)) / weight.sum()
    own = (own - middle) * (weight / np.sqrt(mass))[..., None]
    found = [np.fft.irfft2(np.fft.rfft2(own[..., i]) * phase, own.shape[:2]) for i in range(3)]
    return np.stack(found, axis=2).astype(np.float32)


def random_phase(shape: tuple[int, int], seed: int = 0) -> np.ndarray:
    """Phases of white noise as factors: complex64 [H, W // 2 + 1] of modulus 1."""
    noise = np.fft.rfft2(np.random.default_rng(seed).standard_normal(shape, np.float32))
    return (noise / np.maximum(np.abs(noise), 1e-12)).astype(np.complex64)


def repeated(texture: np.ndarray, box: Box) -> np.ndarray:
    """A periodic texture [h, w, c] over a box of the plane that it fills from (0, 0) on."""
    rows, columns = (np.arange(box[i], box[i + 2]) % texture.shape[1 - i] for i in (1, 0))
    return texture.take(rows, 0).take(columns, 1)


def likeness(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """How far two small renderings show the same structure, whatever their colours: 1 the same, 0 another.

    ::

        h(I) = I - blur(I);  likeness = 1 - blur|h(before) - h(after)| / (blur|h(before)| + blur|h(after)| + 4/255)

    Args:
        before, after: float32 [s, s, 3].

    Returns:
        float32 [s, s] in [0, 1].
    """
    first, second = (picture.mean(2) - cv2.GaussianBlur(picture.mean(2), (0, 0), 2.0) for picture in (before, after))
    change, *strengths = (cv2.GaussianBlur(np.abs(x), (0, 0), 1.5) for x in (first - second, first, second))
    return np.clip(1 - change / (strengths[0] + strengths[1] + 4 / 255), 0, 1)
