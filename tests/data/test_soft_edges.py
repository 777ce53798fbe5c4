"""Soft edges of segmentations."""

from __future__ import annotations

import numpy as np
import torch
from scipy.ndimage import convolve1d

from semanticgan.data import Batch, to_network


def test_soft_edges_are_weighted_means_of_neighbours() -> None:
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(0, 3, (2, 4, 4), generator=generator).repeat_interleave(3, 1).repeat_interleave(3, 2)
    batch = Batch(torch.zeros(2, 3, 12, 12, dtype=torch.uint8), labels.to(torch.uint8))
    _, hard = to_network(batch, 3)
    image, soft = to_network(batch, 3, soft_edges=True)
    taps = np.array([0.25, 0.5, 0.25])
    expected = hard.numpy()
    for axis in (2, 3):
        expected = convolve1d(expected, taps, axis=axis, mode="nearest")
    assert np.abs(soft.numpy() - expected).max() < 1e-6
    assert torch.allclose(soft.sum(1), torch.full((2, 12, 12), -1.0), atol=1e-5)  # shares still sum to 1
    assert torch.equal(soft[:, :, 1::3, 1::3], hard[:, :, 1::3, 1::3])  # the middles of areas stay as they were
    assert image.shape == (2, 3, 12, 12) and not torch.equal(soft, hard)
