"""Pseudo-depths stay near enough to each other for a region to come back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from semanticgan.regions import PHOTOGRAPHS_11
from semanticgan.training.config import TrainingConfig
from semanticgan.training.objectives.depth import depth_loss
from tests.training.test_trainer import pairs
from tests.training.trainers import trainer_of

Make = Callable[..., TrainingConfig]


def test_only_what_lies_beyond_the_limit_costs() -> None:
    """By hand: at one point depths 1, -3, -10, at the other 0, -7, -8.5."""
    depth = torch.tensor([[[[1.0, 0.0]], [[-3.0, -7.0]], [[-10.0, -8.5]]]], requires_grad=True)
    lost = depth_loss(depth, 8.0)
    assert lost.item() == pytest.approx((3.0 + 0.5) / 6)
    lost.backward()
    assert depth.grad is not None
    assert depth.grad.flatten(1).tolist() == [pytest.approx([1 / 6, 1 / 6, 0, 0, -1 / 6, -1 / 6])]


def test_a_region_that_was_lost_comes_back_within_reach(tiny_config: Make, tmp_path: Path) -> None:
    """A region 40 behind everywhere gets no gradient from its mask; the loss brings it back."""
    nearest = []
    for weight in (0, 1):
        config = tiny_config(tmp_path, f"loss.depth={weight}", "optimiser.learning_rate=0.02")
        trainer = trainer_of(config, PHOTOGRAPHS_11, torch.device("cpu"))
        with torch.no_grad():
            trainer.method.generator.local.depth_head.bias[5] -= 40.0
        for _ in range(40):
            trainer.step(*pairs(config))
        with torch.no_grad():
            depth = trainer.method.generator(trainer.method.generator.mean_latent[None]).depth
        nearest.append(float((depth.amax(1) - depth[:, 6]).amin()))
    assert nearest[0] > 30.0 > 25.0 > nearest[1], nearest
