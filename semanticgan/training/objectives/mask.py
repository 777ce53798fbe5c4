"""The mask regulariser (Section 3 of arXiv 2112.02236): E |coarse masks - pooled segmentation|^2.

The segmentation that the renderer puts out stays what the local generators say.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from semanticgan.formats.fields import key
from semanticgan.networks.layers import average_pool_to
from semanticgan.rendering import Rendering
from semanticgan.training.objectives import GeneratorStep, Objective, Terms


@dataclass
class MaskKeys:
    """Key of the mask regulariser."""

    mask: float = key(100.0, "weight of the mask regulariser, which ties the segmentation to the coarse masks.", ge=0)


def mask_loss(rendering: Rendering) -> Tensor:
    """Mean squared difference of the coarse masks and the segmentation, pooled to their size."""
    coarse = rendering.coarse_segmentation
    return (coarse - average_pool_to(rendering.segmentation, coarse.shape[-1])).square().mean()


class Mask(Objective):
    """Its weight is ``loss.mask``."""

    name = "mask"

    @classmethod
    def wanted(cls, config: Any) -> bool:
        return True

    def terms(self, step: GeneratorStep) -> Terms:
        return {"mask": (self.setting.config.loss.mask, mask_loss(step.fake))}
