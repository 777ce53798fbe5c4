"""How far a segmentation agrees with a parser's reading."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from semanticgan.training.objectives.agreement import agreement_loss, coarse_agreement_loss


def one_hot(labels: list[list[int]], num_regions: int) -> Tensor:
    return torch.nn.functional.one_hot(torch.tensor(labels), num_regions).permute(2, 0, 1)[None].double()


def test_agreement_is_one_minus_the_mean_dice_coefficient() -> None:
    """By hand: of 16 pixels each gives 4 to the second region, and 2 of these are the same."""
    own = one_hot([[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]], 3)
    read = one_hot([[0, 1, 1, 0], [0, 1, 1, 0], [0, 0, 0, 0], [0, 0, 0, 0]], 3)
    found = agreement_loss(2 * own - 1, 100 * read)
    dice = [(2 * 10 + 4) / (24 + 4), (2 * 2 + 4) / (8 + 4), 1.0]  # the third is nowhere
    assert found.item() == pytest.approx(1 - sum(dice) / 3, abs=1e-6)
    both = agreement_loss(2 * own.repeat(2, 1, 1, 1) - 1, 100 * torch.cat([read, own]))
    assert both.item() == pytest.approx(found.item() / 2, abs=1e-6)
    assert agreement_loss(2 * own - 1, 100 * own).item() == pytest.approx(0, abs=1e-6)


def test_agreement_moves_the_labels_towards_the_reading() -> None:
    random = torch.Generator().manual_seed(0)
    segmentation = (torch.rand(2, 5, 8, 8, generator=random) * 1.8 - 0.9).requires_grad_()
    logits = torch.randn(2, 5, 8, 8, generator=random).requires_grad_()
    before = agreement_loss(segmentation, logits)
    before.backward()
    assert segmentation.grad is not None and logits.grad is None
    step = segmentation.detach() - 1e-2 * segmentation.grad / segmentation.grad.norm()
    assert agreement_loss(step, logits) < before


def test_labels_beyond_the_range_are_drawn_back() -> None:
    """The first region is read everywhere; the second is not, whatever the labels say."""
    logits = torch.zeros(1, 2, 4, 4)
    logits[:, 0] = 20.0
    for first, second in ((1.3, -1.3), (-1.3, 1.3)):
        segmentation = torch.tensor([first, second]).view(1, 2, 1, 1).repeat(1, 1, 4, 4).requires_grad_()
        agreement_loss(segmentation, logits).backward()
        assert segmentation.grad is not None
        assert (segmentation.grad[:, 0].sign() == (1 if first > 1 else -1)).all()
        assert (segmentation.grad[:, 1].sign() == (-1 if second < -1 else 1)).all()


def test_coarse_agreement_is_a_cross_entropy_weighted_by_roots_of_areas() -> None:
    """By hand: 16 points, 3 of them read as the second region, whose masks are 1/2, 1/4 and 1/4 throughout."""
    read = one_hot([[1, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]], 3)
    logits = torch.nn.functional.interpolate(100 * read, scale_factor=2)
    depth = torch.tensor([math.log(2), 0, 0]).view(1, 3, 1, 1).repeat(1, 1, 4, 4).requires_grad_()
    found = coarse_agreement_loss(depth, logits)
    large, small = 13 / math.sqrt(14), 3 / math.sqrt(4)
    assert found.item() == pytest.approx((large * math.log(2) + small * math.log(4)) / (large + small), abs=1e-6)
    empty = 100 * one_hot([[0] * 8] * 8, 3)
    both = coarse_agreement_loss(depth.repeat(2, 1, 1, 1), torch.cat([logits, empty]))
    assert both.item() == pytest.approx((found.item() + math.log(2)) / 2, abs=1e-6)


def test_coarse_agreement_reaches_masks_that_are_gone() -> None:
    """A region 30 behind where it is read: its mask's own gradient is 1e-13, this loss's is as if it were near."""
    logits = torch.zeros(1, 2, 4, 4)
    logits[:, 1] = 50.0
    gradients = []
    for behind in (30.0, 3.0):
        depth = torch.zeros(1, 2, 2, 2)
        depth[:, 1] = -behind
        depth.requires_grad_()
        coarse_agreement_loss(depth, logits.requires_grad_()).backward()
        assert depth.grad is not None and logits.grad is None
        gradients.append(depth.grad[:, 1])
    assert torch.allclose(gradients[0], torch.full((1, 2, 2), -0.25), atol=1e-6)
    assert torch.allclose(gradients[1], gradients[0], rtol=0.06)
