"""Diversity: closed forms for variations made of arrays, and for a model whose textures are plain colours."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from semanticgan.errors import InputError
from semanticgan.metrics.diversity import distance_among, measure_diversity
from semanticgan.metrics.evaluation import Evaluation
from tests.editing.conftest import StripedModel


def squared(first: Tensor, second: Tensor) -> Tensor:
    return (first - second).square().mean((1, 2, 3))


def variations(levels: list[int], side: int = 16) -> tuple[Tensor, Tensor, Tensor]:
    """A black source, variations of random content with a square of one level each, and the square's mask."""
    source = torch.zeros(1, 3, side, side, dtype=torch.uint8)
    made = torch.randint(
        0, 256, (len(levels), 3, side, side), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
    )
    mask = torch.zeros(len(levels), side, side, dtype=torch.bool)
    mask[:, 2:6, 3:8] = True
    for picture, level in zip(made, levels, strict=True):
        picture[:, 2:6, 3:8] = level
    return source, made, mask


def test_only_what_is_inside_counts_and_the_size_does_not() -> None:
    for side in (16, 32):
        source, made, mask = variations([0, 10, 30], side)
        assert distance_among(source, made, mask) == pytest.approx((10 + 30 + 20) / 3, abs=1e-4)
        wanted = np.mean([(a - b) ** 2 for a, b in combinations((0, 10, 30), 2)]) / 127.5**2
        assert distance_among(source, made, mask, squared) == pytest.approx(wanted, rel=1e-5)


def test_masks_that_differ() -> None:
    """A variation that does not show the region, here black as the source, counts where the other shows it."""
    source, made, mask = variations([20, 20])
    made[1], mask[1] = 0, False
    assert distance_among(source, made, mask) == pytest.approx(20, abs=1e-4)
    assert distance_among(source, made, torch.zeros_like(mask)) is None
    assert distance_among(source, made[:1].expand(4, -1, -1, -1), mask[:1].expand(4, -1, -1)) == 0


def test_colours_of_a_stripe() -> None:
    model: Any = StripedModel()
    seeds = [2, 3]
    result = measure_diversity(Evaluation(model, 2, 2, num_variations=12), "skin", "texture")
    means = []
    for seed in seeds:
        first = 20_000 + 1_000 * seed
        colours = model.sample(seeds=list(range(first, first + 12))).texture("face").double().numpy()
        means.append(np.mean([127.5 * np.abs(a - b).mean() for a, b in combinations(colours, 2)]))
    assert result.mean == pytest.approx(np.mean(means), abs=0.5)  # pictures are rounded
    assert result.deviation == pytest.approx(np.std(means, ddof=1), abs=0.5)
    assert result.to_dict() == {
        **{"region": "face", "what": "texture", "num_images": 2, "num_variations": 12},
        **{"mean": result.mean, "deviation": result.deviation},
    }
    few = Evaluation(model, 1, 2, num_variations=3)
    assert measure_diversity(few, "face", "structure").mean == 0
    assert measure_diversity(few, "face").deviation is None


def test_wrong_arguments() -> None:
    model: Any = StripedModel()
    source, made, mask = variations([1, 2])
    with pytest.raises(InputError, match="at least 2"):
        distance_among(source, made[:1], mask[:1])
    with pytest.raises(InputError, match="do not fit"):
        distance_among(source, made, mask[:1])
    with pytest.raises(InputError, match="2 to 1000 variations"):
        measure_diversity(Evaluation(model, 1, num_variations=1), "face")
    with pytest.raises(InputError, match="unknown region"):
        measure_diversity(Evaluation(model, 1), "tail")
