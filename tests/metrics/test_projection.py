"""Projection distances, and how well they separate two kinds of pictures, beside scipy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import mannwhitneyu

from semanticgan.metrics.projection import projection_distances, separation
from semanticgan.model import load
from semanticgan.perception.perceptual import Distance


class SquaredDistance(Distance):
    """Mean of squared differences."""

    name, stand_in = "squared", True

    def layers(self, a: torch.Tensor, b: torch.Tensor) -> list[torch.Tensor]:
        return [(a - b).square().flatten(1).mean(1)[:, None, None, None]]


def test_the_separation_is_the_statistic_of_mann_and_whitney() -> None:
    random = np.random.default_rng(0)
    for low, high in (
        (random.normal(0, 1, 30), random.normal(0.7, 1, 20)),
        (random.integers(0, 5, 12).astype(float), random.integers(1, 6, 17).astype(float)),  # many are equal
    ):
        expected = mannwhitneyu(high, low).statistic / (len(low) * len(high))
        assert separation(low, high) == pytest.approx(expected, abs=1e-12)
    assert separation(np.zeros(3), np.ones(4)) == 1.0 and separation(np.ones(3), np.ones(4)) == 0.5


def test_distances_are_of_eight_bit_pictures_and_independent_of_the_batch(tiny_layered_file: Path) -> None:
    model = load(tiny_layered_file, device="cpu")
    noise = torch.randint(0, 256, (1, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    own = model.render(model.sample(seed=4)).to_uint8()
    pictures = torch.cat([own, noise])
    found = projection_distances(model, pictures, SquaredDistance(), steps=100)
    assert found[0] < 0.25 * found[1], "the model shows its own picture again, noise it cannot show"
    alone = np.concatenate([projection_distances(model, each[None], SquaredDistance(), steps=5) for each in pictures])
    few = projection_distances(model, pictures, SquaredDistance(), steps=5)
    np.testing.assert_allclose(few, alone, rtol=1e-3)
    assert (found < few).all(), "more steps come nearer"
