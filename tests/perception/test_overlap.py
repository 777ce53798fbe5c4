"""Intersection over union: hand-made masks, and another way to count."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from semanticgan.errors import InputError
from semanticgan.perception.overlap import Overlap, overlap


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
    total = Overlap.cat(parts).total()
    assert total.iou.tolist() == [3 / 4, 4 / 5]
    assert Overlap.cat(parts).to_dict("ab") == overlap(first, second, 2).to_dict("ab")


def test_maps_that_cannot_be_compared() -> None:
    with pytest.raises(InputError, match="cannot be compared"):
        overlap(np.zeros((1, 4, 4)), np.zeros((1, 8, 8)), 2)
    with pytest.raises(InputError, match="labels 0 to 1"):
        overlap(np.full((1, 4, 4), 2), np.zeros((1, 4, 4), np.int64), 2)
