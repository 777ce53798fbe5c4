"""MSE, PSNR and SSIM against closed forms, the formula written out in numpy, and OpenCV's Gaussian filter."""

from __future__ import annotations

import json
import math

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from semanticgan.errors import InputError
from semanticgan.metrics.reconstruction import mean_squared_error, measure_reconstruction, structural_similarity
from semanticgan.perception.masked import mean_absolute_difference
from semanticgan.regions import RegionScheme

C1, C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2


def noise(seed: int, side: int = 16, num: int = 1) -> Tensor:
    return torch.randint(0, 256, (num, 3, side, side), dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))


def plain(level: int, side: int = 16) -> Tensor:
    return torch.full((1, 3, side, side), level, dtype=torch.uint8)


def test_error_and_psnr_of_plain_pictures() -> None:
    result = measure_reconstruction(plain(100), plain(110))
    assert result.mse.item() == pytest.approx((10 / 255) ** 2, rel=1e-14)
    assert result.psnr.item() == pytest.approx(20 * math.log10(255 / 10), rel=1e-14)


def test_error_is_that_of_numpy() -> None:
    first, second = noise(0, num=3), noise(1, num=3)
    wanted = ((first.numpy() / 255 - second.numpy() / 255) ** 2).mean((1, 2, 3))
    np.testing.assert_allclose(mean_squared_error(first, second), wanted, rtol=1e-12)


def test_similarity_of_plain_pictures() -> None:
    """Without variance only the luminance term is left."""
    wanted = (2 * 60 * 180 + C1) / (60**2 + 180**2 + C1)
    assert structural_similarity(plain(60), plain(180)).item() == pytest.approx(wanted, rel=1e-9)


def test_similarity_of_a_picture_and_its_negative() -> None:
    """x and 255 - x have equal variances and opposite covariance."""
    x = noise(3)
    value = structural_similarity(x, 255 - x).item()
    assert value == pytest.approx(_written_out(x[0].numpy(), 255 - x[0].numpy()), rel=1e-9)
    assert value < -0.5


def _written_out(first: np.ndarray, second: np.ndarray) -> float:
    """Eq. 13 of the paper at every window, one after the other."""
    places = np.arange(11) - 5
    weights = np.exp(-(places[:, None] ** 2 + places**2) / (2 * 1.5**2))
    weights /= weights.sum()
    values = []
    for one, other in zip(first.astype(float), second.astype(float), strict=True):
        for top in range(one.shape[0] - 10):
            for left in range(one.shape[1] - 10):
                x, y = (channel[top : top + 11, left : left + 11] for channel in (one, other))
                mean_x, mean_y = (weights * x).sum(), (weights * y).sum()
                variance_x, variance_y = (weights * (x - mean_x) ** 2).sum(), (weights * (y - mean_y) ** 2).sum()
                covariance = (weights * (x - mean_x) * (y - mean_y)).sum()
                numerator = (2 * mean_x * mean_y + C1) * (2 * covariance + C2)
                values.append(numerator / ((mean_x**2 + mean_y**2 + C1) * (variance_x + variance_y + C2)))
    return float(np.mean(values))


def _by_opencv(first: np.ndarray, second: np.ndarray) -> float:
    def windowed(picture: np.ndarray) -> np.ndarray:
        return cv2.GaussianBlur(picture, (11, 11), 1.5)[5:-5, 5:-5]

    x, y = first.transpose(1, 2, 0).astype(np.float64), second.transpose(1, 2, 0).astype(np.float64)
    mean_x, mean_y = windowed(x), windowed(y)
    variance_x, variance_y = windowed(x * x) - mean_x**2, windowed(y * y) - mean_y**2
    covariance = windowed(x * y) - mean_x * mean_y
    numerator = (2 * mean_x * mean_y + C1) * (2 * covariance + C2)
    return float((numerator / ((mean_x**2 + mean_y**2 + C1) * (variance_x + variance_y + C2))).mean())


def test_similarity_against_the_formula_and_opencv() -> None:
    first = noise(5, 20, num=2)
    second = (first.float() * 0.7 + noise(6, 20, num=2).float() * 0.3).to(torch.uint8)
    found = structural_similarity(first, second)
    for n in range(2):
        assert found[n].item() == pytest.approx(_written_out(first[n].numpy(), second[n].numpy()), rel=1e-9)
        assert found[n].item() == pytest.approx(_by_opencv(first[n].numpy(), second[n].numpy()), rel=1e-9)
    assert 0.3 < found.mean() < 0.99
    assert torch.equal(found[1:], structural_similarity(first[1:], second[1:]))


def test_equal_pictures() -> None:
    result = measure_reconstruction(noise(0), noise(0), distance=mean_absolute_difference)
    assert result.ssim.item() == pytest.approx(1, abs=1e-12)
    assert result.psnr.item() == math.inf
    figures = result.to_dict()
    assert (figures["num_equal"], figures["psnr"], figures["mse"], figures["perceptual"]) == (1, None, 0, 0)


def test_all_figures() -> None:
    regions = RegionScheme(("background", "face", "hair"))
    labels = torch.zeros(2, 16, 16, dtype=torch.uint8)
    other = labels.clone()
    other[0, :8] = 1
    pictures, reconstructed = torch.cat([plain(100), plain(100)]), torch.cat([plain(100), plain(110)])
    result = measure_reconstruction(
        pictures, reconstructed, distance=mean_absolute_difference, labels=(labels, other), regions=regions
    )
    figures = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    assert figures["num_images"] == 2 and figures["num_equal"] == 1
    assert figures["psnr"] == pytest.approx(20 * math.log10(25.5))
    assert figures["perceptual"] == pytest.approx(5, rel=1e-5)
    assert figures["masks"]["iou"] == {"background": 0.75, "face": 0, "hair": None}
    assert figures["masks"]["mean_iou"] == 0.375


def test_wrong_arguments() -> None:
    with pytest.raises(InputError, match="do not fit"):
        measure_reconstruction(plain(1), plain(1, 32))
    with pytest.raises(InputError, match="uint8"):
        measure_reconstruction(plain(1).float(), plain(1))
    with pytest.raises(InputError, match="one or more"):
        measure_reconstruction(plain(1)[:0], plain(1)[:0])
    with pytest.raises(InputError, match="windows of 11"):
        structural_similarity(plain(1, 8), plain(1, 8))
    with pytest.raises(InputError, match="both labels and regions"):
        measure_reconstruction(plain(1), plain(1), regions=RegionScheme(("a", "b")))
