"""Intersection over union: hand-made masks, another way to count, and a generator read by a parser."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from semanticgan.errors import InputError
from semanticgan.metrics.miou import cat, measure_segmentation, overlap
from semanticgan.model import load
from semanticgan.regions import CELEBAMASK_13


def test_hand_made_masks() -> None:
    first = np.array([[[0, 0, 1, 1], [0, 0, 1, 1], [2, 2, 2, 2], [2, 2, 2, 2]]])
    second = np.array([[[0, 1, 1, 1], [0, 1, 1, 1], [2, 2, 2, 2], [0, 0, 0, 0]]])
    result = overlap(first, second, 4)
    assert result.intersection.tolist() == [[2, 4, 4, 0]]
    assert result.union.tolist() == [[8, 6, 8, 0]]
    np.testing.assert_array_equal(result.iou, [[2 / 8, 4 / 6, 4 / 8, np.nan]])
    assert result.mean_iou[0] == pytest.approx((2 / 8 + 4 / 6 + 4 / 8) / 3, abs=1e-15)
    assert result.accuracy[0] == 10 / 16
    figures = result.to_dict(("a", "b", "c", "d"))
    assert figures["iou"]["d"] is None and figures["num_regions_absent"] == 1
    assert figures["mean_iou"] == pytest.approx(result.mean_iou[0], abs=1e-15)


def test_equal_and_disjoint_maps() -> None:
    labels = np.random.default_rng(0).integers(0, 3, (2, 8, 8))
    assert overlap(labels, labels, 5).mean_iou.tolist() == [1, 1]
    assert overlap(labels, labels + 3, 6).mean_iou.tolist() == [0, 0]


def test_counts_of_sets_of_pixels() -> None:
    """Against Python's own sets."""
    rng = np.random.default_rng(1)
    first, second = rng.integers(0, 7, (2, 3, 16, 16), np.uint8)
    result = overlap(torch.from_numpy(first), torch.from_numpy(second), 7)
    for n in range(3):
        for k in range(7):
            one, other = (set(np.flatnonzero(labels[n] == k).tolist()) for labels in (first, second))
            assert result.intersection[n, k] == len(one & other)
            assert result.union[n, k] == len(one | other)


def test_total_is_of_pixels_not_of_pictures() -> None:
    first = np.array([[[1, 1], [1, 1]], [[1, 0], [0, 0]]])
    second = np.array([[[1, 1], [1, 1]], [[0, 0], [0, 0]]])
    parts = [overlap(first[i : i + 1], second[i : i + 1], 2) for i in range(2)]
    total = cat(parts).total()
    assert total.iou.tolist() == [3 / 4, 4 / 5]
    assert cat(parts).to_dict("ab") == overlap(first, second, 2).to_dict("ab")


def test_maps_that_cannot_be_compared() -> None:
    with pytest.raises(InputError, match="cannot be compared"):
        overlap(np.zeros((1, 4, 4)), np.zeros((1, 8, 8)), 2)
    with pytest.raises(InputError, match="labels 0 to 1"):
        overlap(np.full((1, 4, 4), 2), np.zeros((1, 4, 4), np.int64), 2)


class Oracle:
    """A parser that knows what the model drew, but takes one region for another."""

    regions = CELEBAMASK_13
    training = {"held_out": {"mean_iou": 0.9}}  # noqa: RUF012

    def __init__(self, model: Any, seeds: list[int], mistaken: int) -> None:
        rendering = model.render(model.sample(seeds=seeds))
        self.pictures, self.known = rendering.to_uint8().int(), rendering.labels()
        self.mistaken = mistaken

    def labels(self, pictures: torch.Tensor) -> torch.Tensor:
        # The nearest, since another batch rounds a level here and there.
        away = (pictures.int().unsqueeze(1) - self.pictures).abs().float().mean((2, 3, 4))
        labels = self.known[away.argmin(1)]
        return torch.where(labels == self.mistaken, 0, labels)


def test_a_generator_read_by_a_parser() -> None:
    model: Any = load("portraits-64", device="cpu")
    seeds = [3, 8, 11]
    hair = model.regions.index("hair")
    parser: Any = Oracle(model, seeds, hair)
    score = measure_segmentation(model, parser, seeds, batch_size=2)
    labels = model.render(model.sample(seeds=seeds)).labels()
    figures = score.to_dict()
    assert figures["iou"]["hair"] == 0 and figures["iou"]["face"] == 1
    num_background, num_hair = int((labels == 0).sum()), int((labels == hair).sum())
    # Rendered in other batches, a pixel on an edge may have the other label.
    assert figures["iou"]["background"] == pytest.approx(num_background / (num_background + num_hair), rel=1e-2)
    assert figures["num_images"] == 3 and figures["parser_held_out"] == {"mean_iou": 0.9}
    one_by_one = measure_segmentation(model, parser, seeds, batch_size=1).to_dict()
    assert one_by_one["iou"] == pytest.approx(figures["iou"], abs=0.05)
    assert one_by_one["mean_iou"] == pytest.approx(figures["mean_iou"], abs=0.01)
    with pytest.raises(InputError, match="at least one seed"):
        measure_segmentation(model, parser, [])
    parser.regions = type(parser.regions)(("background", "face"))
    with pytest.raises(InputError, match="trained on the model's regions"):
        measure_segmentation(model, parser, seeds)
