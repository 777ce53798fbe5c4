"""FID of a set with worse and worse copies of itself rises, with an extractor that needs no download too."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from semanticgan.data.portraits import PortraitDataset
from semanticgan.metrics.extractors import RandomExtractor
from semanticgan.metrics.fid import frechet_distance
from semanticgan.metrics.statistics import extract_features

NUM = 96


@pytest.fixture(scope="module")
def portraits() -> Tensor:
    dataset = PortraitDataset(32, length=NUM)
    return torch.stack([dataset[index].image for index in range(NUM)])


def blurred(pictures: Tensor, strength: int) -> Tensor:
    """Means over squares of 2 strength + 1 pixels."""
    padded = functional.pad(pictures.float(), [strength] * 4, mode="replicate")
    return functional.avg_pool2d(padded, 2 * strength + 1, stride=1).round().to(torch.uint8)


def noisy(pictures: Tensor, strength: int) -> Tensor:
    """Gaussian noise of 8 strength levels."""
    noise = torch.randn(pictures.shape, generator=torch.Generator().manual_seed(0))
    return (pictures + 8 * strength * noise).round().clamp(0, 255).to(torch.uint8)


def dropped(pictures: Tensor, strength: int) -> Tensor:
    """A quarter of the pictures fewer each time, in place of which others come twice."""
    return pictures[torch.arange(NUM) % (NUM * (4 - strength) // 4)]


@pytest.mark.parametrize("worse", [blurred, noisy, dropped])
def test_fid_rises(worse: object, portraits: Tensor) -> None:
    assert callable(worse)
    extractor = RandomExtractor()
    real, *others = (
        extract_features(shown.split(32), extractor, NUM).statistics()
        for shown in (portraits, *(worse(portraits, strength) for strength in range(4)))
    )
    found = [frechet_distance(real, other).value for other in others]
    assert found[0] == pytest.approx(0.0, abs=1e-5)
    assert found == sorted(found) and found[1] > 1e-3
