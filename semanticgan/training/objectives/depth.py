"""A penalty on pseudo-depths that lie far behind the nearest region's: E max(0, max_k d_k - d - limit).

Where a region lies 30 behind, its mask and the gradient of its mask are 1e-13: it cannot come back. At a limit of 8 an
absent region keeps 0.03 %. The paper lacks this.

Shape legend: N images, K regions, s side of the coarse grid.
"""

from __future__ import annotations

from torch import Tensor

from semanticgan.training.config import TrainingConfig
from semanticgan.training.objectives import GeneratorStep, Objective, Terms


def depth_loss(depth: Tensor, limit: float) -> Tensor:
    """How far, on average, pseudo-depths lie more than ``limit`` behind the nearest region's.

    Args:
        depth: [N, K, s, s].
        limit: 0 or more.
    """
    behind = depth.amax(1, keepdim=True) - depth
    return (behind - limit).clamp_min(0.0).mean()


class Depth(Objective):
    """Its weight is ``loss.depth``."""

    name = "depth"

    @classmethod
    def wanted(cls, config: TrainingConfig) -> bool:
        return config.loss.depth > 0

    def terms(self, step: GeneratorStep) -> Terms:
        loss = self.setting.config.loss
        return {"depth": (loss.depth, depth_loss(step.fake.depth, loss.depth_limit))}
