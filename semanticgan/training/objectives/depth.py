"""A penalty on pseudo-depths that lie far behind the nearest region's: E max(0, max_k d_k - d - limit).

Where a region lies 30 behind, its mask and the gradient of its mask are 1e-13: it cannot come back. At a limit of 8 an
absent region keeps 0.03 %. The paper lacks this.

Shape legend: N images, K regions, s side of the coarse grid.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from semanticgan.formats.fields import key
from semanticgan.training.objectives import GeneratorStep, Objective, Terms


@dataclass
class DepthKeys:
    """Keys of the penalty on far pseudo-depths."""

    depth: float = key(0.0, "weight of the penalty on pseudo-depths far behind the nearest one.", ge=0)
    depth_limit: float = key(8.0, "distance behind the nearest pseudo-depth up to which there is no penalty.", ge=0)


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
    def wanted(cls, config: Any) -> bool:
        return bool(config.loss.depth > 0)

    def terms(self, step: GeneratorStep) -> Terms:
        loss = self.setting.config.loss
        return {"depth": (loss.depth, depth_loss(step.fake.depth, loss.depth_limit))}
