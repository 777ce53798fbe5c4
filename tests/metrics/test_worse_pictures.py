"""Pictures made worse, and FID, which has to rise with that; with an extractor that needs no download too."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor

from docs.degradation import blurred, noisy, with_shuffled_regions
from semanticgan.data.portraits import PortraitDataset
from semanticgan.errors import InputError
from semanticgan.metrics.fid import frechet_distance
from semanticgan.metrics.statistics import extract_features
from semanticgan.perception.extractors import RandomExtractor

NUM = 96


@pytest.fixture(scope="module")
def portraits() -> tuple[Tensor, Tensor]:
    """Pictures and label maps."""
    dataset = PortraitDataset(32, length=NUM)
    pairs = [dataset[index] for index in range(NUM)]
    return torch.stack([pair.image for pair in pairs]), torch.stack([pair.labels for pair in pairs])


def dropped(pictures: Tensor, strength: float) -> Tensor:
    """Some pictures fewer, in place of which others come twice."""
    return pictures[torch.arange(NUM) % int(NUM * (1 - strength))]


WORSE: dict[str, Callable[[Tensor, Tensor, float], Tensor]] = {
    "blur": lambda pictures, labels, strength: blurred(pictures, 0.1 * strength),
    "noise": lambda pictures, labels, strength: noisy(pictures, 0.2 * strength),
    "shuffled regions": with_shuffled_regions,
    "fewer": lambda pictures, labels, strength: dropped(pictures, strength),
}


@pytest.mark.parametrize("kind", WORSE)
def test_fid_rises(kind: str, portraits: tuple[Tensor, Tensor]) -> None:
    extractor = RandomExtractor()
    real, *others = (
        extract_features(shown.split(32), extractor, NUM).statistics()
        for shown in (portraits[0], *(WORSE[kind](*portraits, strength) for strength in (0.0, 0.25, 0.5, 0.75)))
    )
    found = [frechet_distance(real, other).values["fid"] for other in others]
    assert found[0] == pytest.approx(0.0, abs=1e-5)
    assert found == sorted(found) and found[1] > 1e-3


def test_blur_is_that_of_scipy(portraits: tuple[Tensor, Tensor]) -> None:
    pictures = portraits[0][:3]
    expected = gaussian_filter(pictures.numpy().astype(np.float64), (0, 0, 1.6, 1.6), mode="mirror", truncate=4)
    found = blurred(pictures, 0.05).double().numpy()
    assert np.abs(found - expected).max() < 0.51 + 0.05  # rounded to whole levels; the window ends a little earlier


def test_noise_is_of_its_picture_alone(portraits: tuple[Tensor, Tensor]) -> None:
    pictures = portraits[0][:4]
    together = noisy(pictures, 0.05)
    assert torch.equal(together[2:], noisy(pictures[2:], 0.05, first=2))
    grey = torch.full((8, 3, 32, 32), 128, dtype=torch.uint8)
    levels = noisy(grey, 0.05).double() - 128
    assert float(levels.std()) == pytest.approx(0.05 * 255, rel=0.02) and abs(float(levels.mean())) < 0.3


def test_regions_come_whole_from_other_pictures(portraits: tuple[Tensor, Tensor]) -> None:
    pictures, labels = (part[:12] for part in portraits)
    shuffled = with_shuffled_regions(pictures, labels, 0.5)
    taken = 0
    for index, (picture, own) in enumerate(zip(shuffled, labels, strict=True)):
        for region in own.unique():
            here = own == region
            lenders = [i for i in range(12) if torch.equal(picture[:, here], pictures[i][:, here])]
            assert lenders, (index, int(region))
            taken += index not in lenders
    assert 0.35 < taken / sum(len(own.unique()) for own in labels) < 0.65
    assert torch.equal(with_shuffled_regions(pictures, labels, 0.0), pictures)
    everything = with_shuffled_regions(pictures, labels, 1.0)
    assert all(not torch.equal(one, other) for one, other in zip(everything, pictures, strict=True))


def test_what_is_no_amount_is_refused(portraits: tuple[Tensor, Tensor]) -> None:
    pictures, labels = portraits
    for refused, message in (
        (lambda: blurred(pictures, -0.1), "the deviation is -0.1"),
        (lambda: noisy(pictures, float("nan")), "the deviation is nan"),
        (lambda: with_shuffled_regions(pictures, labels, 1.5), "is a probability, got 1.5"),
        (lambda: with_shuffled_regions(pictures[:1], labels[:1], 0.5), "cannot be shuffled"),
        (lambda: with_shuffled_regions(pictures, labels[:, :8], 0.5), "cannot be shuffled"),
    ):
        with pytest.raises(InputError, match=message):
            refused()
