"""Mean and covariance in one pass, and the cache of a dataset's features."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from semanticgan.data.portraits import PortraitDataset
from semanticgan.errors import InputError
from semanticgan.metrics.statistics import FeatureCache, FeatureSet, Moments, dataset_features, extract_features
from semanticgan.perception.extractors import Features, RandomExtractor

INDICES = range(6)


class CountingExtractor(RandomExtractor):
    """Counts the pictures that it is shown."""

    num_seen = 0

    def extract(self, pictures: Tensor) -> Features:
        self.num_seen += len(pictures)
        return super().extract(pictures)


@pytest.fixture(scope="module")
def portraits() -> PortraitDataset:
    return PortraitDataset(16, length=8)


@pytest.fixture
def extractor() -> CountingExtractor:
    return CountingExtractor()


@pytest.mark.parametrize("parts", [[500], [1] * 500, [1, 0, 200, 299]], ids=["at once", "one by one", "in three"])
def test_moments_are_those_of_numpy(parts: Sequence[int]) -> None:
    values = torch.randn(500, 7, generator=torch.Generator().manual_seed(0)) * 0.01 + 1000.0  # hard: a far-off mean
    moments = Moments(7)
    for part in values.split(list(parts)):
        moments.add(part)
    found = moments.statistics("random", True)
    rows = values.double().numpy()
    np.testing.assert_allclose(found.mean, rows.mean(0), rtol=1e-13)
    np.testing.assert_allclose(found.covariance, np.cov(rows, rowvar=False), rtol=1e-9, atol=1e-15)
    assert found.num == 500


def test_statistics_need_two_pictures_and_finite_features() -> None:
    with pytest.raises(InputError, match="at least 2 pictures, got 1"):
        FeatureSet(torch.zeros(1, 3), None, "random", True).statistics()
    with pytest.raises(InputError, match="not finite"):
        FeatureSet(torch.tensor([[0.0], [float("nan")]]), None, "random", True).statistics()


def test_cached_features_are_not_computed_again(
    portraits: PortraitDataset, extractor: CountingExtractor, tmp_path: Path
) -> None:
    cache = FeatureCache(tmp_path / "cache")
    first = dataset_features(portraits, INDICES, extractor, cache=cache)
    again = dataset_features(portraits, INDICES, extractor, cache=cache)
    assert extractor.num_seen == 6
    assert torch.equal(first.values, again.values) and again.logits is None
    assert (again.extractor, again.stand_in) == ("random (stand-in)", True)
    assert first.known is None and again.known is not None
    np.testing.assert_array_equal(first.statistics().covariance, again.statistics().covariance)
    without = dataset_features(portraits, INDICES, extractor)
    assert extractor.num_seen == 12 and torch.equal(without.values, first.values)


def test_other_data_size_count_or_weights_are_other_entries(portraits: PortraitDataset, tmp_path: Path) -> None:
    cache, extractor, reseeded = FeatureCache(tmp_path), RandomExtractor(), RandomExtractor()
    reseeded.digest = "0" * 16
    paths = [
        cache.path(portraits, INDICES, extractor),
        cache.path(portraits, range(7), extractor),
        cache.path(portraits, range(1, 7), extractor),
        cache.path(portraits, [0, 1, 2, 3, 4, 6], extractor),
        cache.path(PortraitDataset(32, length=8), INDICES, extractor),
        cache.path(PortraitDataset(16, length=8, seed=1), INDICES, extractor),
        cache.path(portraits, INDICES, reseeded),
    ]
    assert len(set(paths)) == len(paths)


@pytest.mark.parametrize("damage", ["flipped", "cut", "emptied"])
def test_a_damaged_entry_is_written_anew(
    damage: str, portraits: PortraitDataset, extractor: CountingExtractor, tmp_path: Path
) -> None:
    cache = FeatureCache(tmp_path)
    first = dataset_features(portraits, INDICES, extractor, cache=cache)
    (path,) = tmp_path.iterdir()
    content = path.read_bytes()
    flipped = content[:-1] + bytes([content[-1] ^ 1])
    path.write_bytes({"flipped": flipped, "cut": content[: len(content) // 2], "emptied": b""}[damage])
    again = dataset_features(portraits, INDICES, extractor, cache=cache)
    assert extractor.num_seen == 12 and torch.equal(first.values, again.values)
    assert [found.name for found in tmp_path.iterdir()] == [path.name] and path.read_bytes() == content


def test_a_cache_that_cannot_be_written_costs_a_warning(
    portraits: PortraitDataset, extractor: CountingExtractor, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.warns(UserWarning, match="the features of the data are not kept: cannot "):
        found = dataset_features(portraits, INDICES, extractor, cache=FeatureCache(tmp_path / "file" / "cache"))
    assert len(found) == 6


@pytest.mark.parametrize("batch_size", [1, 4, 6])
def test_features_do_not_depend_on_the_batch_size(
    batch_size: int, portraits: PortraitDataset, extractor: CountingExtractor
) -> None:
    expected = dataset_features(portraits, INDICES, extractor, batch_size=5).values
    found = dataset_features(portraits, INDICES, extractor, batch_size=batch_size).values
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)


def test_no_pictures_are_no_features(extractor: CountingExtractor) -> None:
    assert extract_features([], extractor, 0).values.shape == (0, RandomExtractor.width)
