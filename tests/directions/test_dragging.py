"""The outline of a region is pulled; the rest of the label map stays."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from semanticgan.directions.dragging import drag, warped
from semanticgan.errors import InputError


@pytest.fixture
def labels() -> Tensor:
    """A square of region 2 in region 1 in the background."""
    labels = torch.zeros(64, 64, dtype=torch.uint8)
    labels[8:56, 8:56] = 1
    labels[24:40, 24:40] = 2
    return labels


def test_the_outline_goes_to_the_point(labels: Tensor) -> None:
    after = drag(labels, 2, (40 / 64, 0.5), (46 / 64, 0.5), 0.08)
    assert after.dtype == labels.dtype and after.shape == labels.shape
    assert (after[31, 40:45] == 2).all() and (after[31, 47:] != 2).all()
    assert torch.equal(after[:, :32], labels[:, :32])  # 0.08 of the side is 5 pixels
    assert torch.equal(after == 0, labels == 0)


def test_what_is_left_is_filled_by_neighbours(labels: Tensor) -> None:
    after = drag(labels, 2, (40 / 64, 0.5), (34 / 64, 0.5), 0.08)
    assert (after[31, 35:40] == 1).all() and (after[31, 24:33] == 2).all()
    inner = drag(labels, 1, (56 / 64, 0.5), (50 / 64, 0.5), 0.08)
    assert (inner[31, 51:] == 0).all() and torch.equal(inner == 2, labels == 2)


def test_a_long_drag_is_one_piece(labels: Tensor) -> None:
    """Longer than one warp can be without folding."""
    import cv2

    after = drag(labels, 2, (40 / 64, 0.5), (60 / 64, 0.5), 0.06)
    num, _ = cv2.connectedComponents((after == 2).numpy().astype(np.uint8))
    assert num == 2  # and what is not the region
    assert (after[31, 40:58] == 2).all()


def test_the_warp_inverts_its_formula() -> None:
    """A point p near the start goes to p + u g(p): masks of single pixels, by bilinear reading."""
    start, end, radius = np.array([0.5, 0.5]), np.array([0.55, 0.5]), 0.1
    side = 200
    mask = np.zeros((side, side), bool)
    mask[:, :110] = True
    after = warped(mask, start, end, radius)
    edge = 0.55  # of the mask, on the row of the start
    gone = edge + 0.05 * np.exp(-((edge - 0.5) ** 2) / (2 * radius**2))
    assert after[100].sum() / side == pytest.approx(gone, abs=1 / side)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((7, (0.5, 0.5), (0.6, 0.5), 0.1), "no region 7"),
        ((2, (1.5, 0.5), (0.6, 0.5), 0.1), "from_point"),
        ((2, (0.5, 0.5), "right", 0.1), "to_point"),
        ((2, (0.6, 0.5), (0.7, 0.5), 0.0), "radius"),
        ((2, (0.6, 0.5), (0.6, 0.5), 0.1), "moves no pixel"),
        ((2, (0.0, 0.0), (0.05, 0.0), 0.02), "moves no pixel"),
    ],
)
def test_wrong_drags(arguments: tuple[object, ...], words: str, labels: Tensor) -> None:
    with pytest.raises(InputError, match=words):
        drag(labels, *arguments)  # type: ignore[arg-type]


def test_no_label_map() -> None:
    with pytest.raises(InputError, match="labels"):
        drag(torch.zeros(3, 64, 64, dtype=torch.uint8), 0, (0.5, 0.5), (0.6, 0.5))
