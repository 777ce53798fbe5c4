"""The losses of PGGAN in closed form; that they are the authors' is tested in tests/networks/comparison."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from semanticgan.training.methods.pggan_losses import (
    between,
    discriminator_loss,
    generator_loss,
    gradient_penalty,
)


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_scores() -> None:
    real, fake = torch.tensor([[1.0], [3.0]]), torch.tensor([[-2.0], [4.0]])
    assert discriminator_loss(real, fake).item() == pytest.approx(1.0 - 2.0 + 0.001 * (1.0 + 9.0) / 2)
    assert discriminator_loss(real, fake, drift=0.0).item() == pytest.approx(-1.0)
    assert generator_loss(fake).item() == pytest.approx(-1.0)


def test_between() -> None:
    real, fake = drawn(2, 3, 4, 4), drawn(2, 3, 4, 4, seed=1)
    mixed = between(real, fake.requires_grad_(), torch.tensor([0.0, 0.25], dtype=torch.float64).view(2, 1, 1, 1))
    torch.testing.assert_close(mixed[0], real[0])
    torch.testing.assert_close(mixed[1], 0.75 * real[1] + 0.25 * fake[1])
    assert mixed.is_leaf and mixed.requires_grad


def test_penalty_of_a_linear_score() -> None:
    """D(x) = s a . x has the gradient s a everywhere; the penalty's derivative by s is 2 (s |a| / T - 1) |a| / T."""
    a, scale = drawn(3, 4, 4), torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
    image = drawn(5, 3, 4, 4, seed=1).requires_grad_()
    norm = a.square().sum().sqrt()
    for target in (1.0, 4.0):
        score = (image * (scale * a)).sum((1, 2, 3))[:, None]
        penalty = gradient_penalty(score, image, target)
        torch.testing.assert_close(penalty, (0.7 * norm / target - 1.0) ** 2)
        (slope,) = torch.autograd.grad(penalty, scale)
        torch.testing.assert_close(slope, 2 * (0.7 * norm / target - 1.0) * norm / target)


def test_the_target_is_that_of_the_full_picture() -> None:
    """A score of a picture's means over 4x4 pixels: norm 1 at full size is norm 4 where the means are taken."""
    full = drawn(3, 3, 16, 16).requires_grad_()
    small = F.avg_pool2d(full.detach(), 4).requires_grad_()
    weight = drawn(3, 4, 4, seed=1)

    def score(means: torch.Tensor) -> torch.Tensor:
        return (means.square() * weight).sum((1, 2, 3))[:, None]

    at_full_size = gradient_penalty(score(F.avg_pool2d(full, 4)), full)
    torch.testing.assert_close(gradient_penalty(score(small), small, target=4.0), at_full_size)
