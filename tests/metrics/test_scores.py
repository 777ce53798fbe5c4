"""FID, KID, Inception score, precision and recall: closed forms, and torch-fidelity called directly."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from semanticgan.errors import InputError
from semanticgan.metrics.fid import frechet_distance
from semanticgan.metrics.inception_score import inception_score
from semanticgan.metrics.kid import kernel_distance
from semanticgan.metrics.precision_recall import precision_recall
from semanticgan.metrics.statistics import FeatureSet, Statistics
from semanticgan.perception.fidelity import import_fidelity

WIDTH = 12


def feature_set(values: Tensor, logits: Tensor | None = None, extractor: str = "random (stand-in)") -> FeatureSet:
    return FeatureSet(values, logits, extractor, stand_in=True)


def draw(num: int, seed: int, shift: float = 0.0, spread: float = 1.0) -> FeatureSet:
    random = torch.Generator().manual_seed(seed)
    logits = torch.randn(num, 20, generator=random) * 3
    return feature_set(torch.randn(num, WIDTH, generator=random) * spread + shift, logits)


def gaussian(num: int, mean: np.ndarray, covariance: np.ndarray, seed: int) -> FeatureSet:
    """Features whose sample mean and covariance are exactly these."""
    x = np.random.default_rng(seed).standard_normal((num, len(mean)))
    x -= x.mean(0)
    white = np.linalg.solve(np.linalg.cholesky(np.cov(x, rowvar=False)), x.T)
    return feature_set(torch.from_numpy((np.linalg.cholesky(covariance) @ white).T + mean))


def test_fid_of_two_gaussians_along_the_axes() -> None:
    """Then it is the sum of (m1 - m2)^2 + (s1 - s2)^2 over the axes."""
    random = np.random.default_rng(0)
    means, deviations = random.normal(size=(2, WIDTH)), random.uniform(0.5, 2.0, (2, WIDTH))
    sets = [gaussian(500, means[i], np.diag(deviations[i] ** 2), i) for i in (0, 1)]
    expected = ((means[0] - means[1]) ** 2 + (deviations[0] - deviations[1]) ** 2).sum()
    found = frechet_distance(sets[0].statistics(), sets[1].statistics())
    assert found.values["fid"] == pytest.approx(expected, rel=1e-6)
    assert (found.num_real, found.num_generated, found.stand_in) == (500, 500, True)


def test_fid_of_two_gaussians_of_any_orientation() -> None:
    """Against the symmetric form tr (C1^1/2 C2 C1^1/2)^1/2, whose roots are of positive eigenvalues."""
    random = np.random.default_rng(1)
    factors = random.normal(size=(2, WIDTH, WIDTH))
    first, second = (factor @ factor.T + 0.1 * np.eye(WIDTH) for factor in factors)
    values, vectors = np.linalg.eigh(first)
    root = vectors @ np.diag(np.sqrt(values)) @ vectors.T
    cross = np.sqrt(np.linalg.eigvalsh(root @ second @ root)).sum()
    shift = random.normal(size=WIDTH)
    expected = shift @ shift + np.trace(first) + np.trace(second) - 2 * cross
    statistics = [
        Statistics(mean, covariance, 100, "random", True)
        for mean, covariance in ((np.zeros(WIDTH), first), (shift, second))
    ]
    assert frechet_distance(*statistics).values["fid"] == pytest.approx(expected, rel=1e-6)


def test_fid_of_a_set_with_itself_is_0() -> None:
    for num in (300, 8):  # more pictures than features, and fewer: a singular covariance
        statistics = draw(num, 0).statistics()
        assert abs(frechet_distance(statistics, statistics).values["fid"]) < 1e-6


def test_all_equal_torch_fidelity_on_the_same_features() -> None:
    real, fake = draw(120, 0), draw(150, 1, shift=0.3, spread=0.8)
    fid, kid, isc, prc = (import_fidelity(f"metric_{name}") for name in ("fid", "kid", "isc", "prc"))

    first, second = (fid.fid_features_to_statistics(each.values.double()) for each in (fake, real))
    expected = fid.fid_statistics_to_metric(first, second, False)["frechet_inception_distance"]
    assert frechet_distance(real.statistics(), fake.statistics()).values["fid"] == pytest.approx(expected, rel=1e-9)

    found = kernel_distance(real, fake, num_subsets=7, subset_size=50, seed=5)
    options = {"kid_subsets": 7, "kid_subset_size": 50, "rng_seed": 5, "verbose": False}
    expected = kid.kid_features_to_metric(fake.values, real.values, **options)
    assert list(found.values.values()) == [*expected.values(), 50]
    assert (found.num_real, found.num_generated) == (120, 150)

    found = precision_recall(real, fake, num_neighbours=4)
    expected = prc.prc_features_to_metric(fake.values, real.values, prc_neighborhood=4, verbose=False)
    assert found.values == {"precision": expected["precision"], "recall": expected["recall"]}
    assert found.values["precision"] > found.values["recall"] > 0  # the narrower set misses the edges of the wider one

    found = inception_score(fake, num_splits=5, seed=3)
    expected = isc.isc_features_to_metric(fake.logits, 5, True, 3)
    assert list(found.values.values()) == list(expected.values())


def test_inception_score_of_certain_and_evenly_spread_classes_is_their_number() -> None:
    logits = 200.0 * torch.eye(8).repeat(10, 1)
    found = inception_score(feature_set(torch.zeros(80, 2), logits), num_splits=1)
    assert found.values["inception_score"] == pytest.approx(8.0)


def test_precision_and_recall_of_a_set_with_itself_and_of_sets_apart() -> None:
    real = draw(60, 0)
    same, apart = precision_recall(real, real), precision_recall(real, draw(60, 1, shift=100.0))
    assert same.values == {"precision": 1, "recall": 1} and apart.values == {"precision": 0, "recall": 0}


def test_kid_takes_as_many_pictures_as_there_are_at_most_1000() -> None:
    assert kernel_distance(draw(40, 0), draw(30, 1), num_subsets=1).values["subset_size"] == 30
    assert kernel_distance(draw(1200, 0), draw(1100, 1), num_subsets=1).values["subset_size"] == 1000


def test_features_that_do_not_fit_are_refused() -> None:
    few, other = draw(3, 0), feature_set(torch.zeros(5, WIDTH), extractor="inception")
    with pytest.raises(InputError, match=r"different extractors: random \(stand-in\) and inception"):
        kernel_distance(few, other)
    with pytest.raises(InputError, match="subsets of 2 to 3 pictures"):
        kernel_distance(few, few, subset_size=4)
    with pytest.raises(InputError, match="more pictures than neighbours"):
        precision_recall(few, few)
    with pytest.raises(InputError, match=r"needs the classes of Inception, which the extractor random \(stand-in\)"):
        inception_score(feature_set(torch.zeros(5, 2)))
    with pytest.raises(InputError, match="3 pictures cannot be divided into 10 parts"):
        inception_score(few)
