"""Regions that nobody else paints, and that paint nothing else.

A discriminator sees whole pictures, in which it makes no difference who paints a mouth or a beard. If the face paints
a mouth, another mouth's code changes little; if the mouth paints a beard, another mouth takes it away. So some pictures
are drawn without some regions. Where these were, they are to show a smooth continuation of what is around; everywhere
else, what they showed before.

(To lower what a parser still reads of the regions there is no way: faces came to hide mouths under coloured balls.)

Shape legend: N images, K regions, R of them owned, S side of the picture.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from semanticgan.errors import InputError
from semanticgan.formats.fields import key
from semanticgan.networks.layers import widened
from semanticgan.regions import RegionScheme
from semanticgan.training.draws import Draws
from semanticgan.training.objectives import GeneratorStep, Objective, RegionSetting, Terms
from semanticgan.training.objectives.agreement import AGREED_PIXELS
from semanticgan.training.readers import Reader


@dataclass
class OwnershipKeys:
    """Keys of owned regions."""

    owned: dict[str, float] = key(
        {},
        "regions that only their own local generator renders, each with a weight (loss.owned.eye=1). Rare regions need "
        "more weight. Needs loss.parser.",
        ge=0,
    )
    ownership: float = key(
        2.0, "weight of the loss that removes an owned region from the other local generators.", ge=0
    )
    locality: float = key(
        20.0, "weight of the loss that keeps an owned region from changing the rest of the picture.", ge=0
    )
    ownership_every: int = key(8, "steps between two ownership steps.", ge=1)
    ownership_after: int = key(0, "images before the first ownership step.", ge=0)


SEAM = 3
"""Pixels around a region in which its absence may show: the renderer's convolutions reach over edges."""


class Ownership:
    """Which regions are owned, when that is looked at, and what it costs.

    Args:
        regions: K regions.
        reader: of the training.

    Raises:
        InputError: an unknown region, one named twice, or nothing that could say where regions are.
    """

    def __init__(self, config: Any, regions: RegionScheme, reader: Reader | None) -> None:
        if reader is None:
            raise InputError(
                f"loss.owned names {', '.join(config.loss.owned)}, which needs a parser. Give loss.parser."
            )
        self._num_regions, self._owned = len(regions), list(regions.indices(list(config.loss.owned)))
        if len(self._owned) < len(config.loss.owned):
            raise InputError(f"loss.owned names a region twice: {', '.join(config.loss.owned)}. Give each one weight.")
        self._weights = list(config.loss.owned.values())
        self._every: int = config.loss.ownership_every
        self._after: int = config.loss.ownership_after

    def due(self, step: int, images: int) -> bool:
        """Whether a step looks at it. Args: step, images: done and seen before."""
        return images >= self._after and step % self._every == 0

    def visible(self, draws: Draws) -> Tensor:
        """float [N, K], 0 for what pictures are to be drawn without: each owned region of each with probability 1/2."""
        hidden = draws.hidden(len(self._owned))
        visible = torch.ones(len(hidden), self._num_regions, device=hidden.device)
        visible[:, self._owned] = (~hidden).to(visible.dtype)
        return visible

    def losses(self, image: Tensor, whole: Tensor, read: Tensor, visible: Tensor) -> dict[str, Tensor]:
        """Both, by the names of their weights, times the steps between two looks, so that their number changes nothing.

        Args:
            image: [N, 3, S, S] in [-1, 1] drawn without what is not ``visible``; gradients flow through it.
            whole: the same pictures [N, 3, S, S] with everything; gradients flow through them, too.
            read: logits [N, K, S, S] of where which region is in these; no gradient flows to them.
            visible: of :meth:`visible`.
        """
        image, whole = widened(image), widened(whole)
        owned = widened(read.detach()).softmax(1)[:, self._owned]  # [N, R, S, S]
        shown = visible[:, self._owned, None, None]  # [N, R, 1, 1]
        near = F.max_pool2d(owned, 3, stride=1, padding=1)  # edges are soft
        hidden = near * (1.0 - shown) * (1.0 - (owned * shown).sum(1, keepdim=True))  # an eye stays beside its glasses
        # Gradients flow to what is around, too: else what makes all of a picture brighter would seem to help.
        behind = continuation(whole, near.sum(1))
        return {
            "ownership": self._every * ownership_loss(image, behind, hidden, owned.new_tensor(self._weights)),
            "locality": self._every * locality_loss(image, whole, hidden.sum(1)),
        }


def continuation(picture: Tensor, there: Tensor) -> Tensor:
    """What is around some pixels, carried on over them: a mean of the others, weighted by nearness.

    The weights are three box filters of an eighth of the side in a row, close to a Gaussian.

    Args:
        picture: [N, 3, S, S].
        there: [N, S, S] in [0, 1], how far a pixel is to be filled in.

    Returns:
        [N, 3, S, S]; NaN where no other pixel is near.
    """
    others = (1.0 - there.unsqueeze(1)).clamp(0.0, 1.0)
    filled = torch.cat([picture * others, others], dim=1)
    reach = picture.shape[-1] // 16
    for _ in range(3):
        filled = F.avg_pool2d(filled, 2 * reach + 1, stride=1, padding=reach)
    return filled[:, :3] / filled[:, 3:]


def ownership_loss(image: Tensor, behind: Tensor, hidden: Tensor, weights: Tensor) -> Tensor:
    """Mean squared difference from what lies behind hidden regions, each over its own area, small ones like large.

    The sum is over owned regions, by weight, the mean over pictures; a region that was not hidden costs nothing.

    Args:
        image: [N, 3, S, S], drawn without the hidden regions.
        behind: [N, 3, S, S], :func:`continuation` of the whole pictures over all owned regions.
        hidden: [N, R, S, S] in [0, 1], where hidden regions are in the whole pictures.
        weights: [R].
    """
    known = behind.isfinite()  # where it is not, 0 times its gradient would be no number
    difference = (image - behind.where(known, 0.0)).square().mean(1, keepdim=True)  # [N, 1, S, S]
    hidden = hidden * known[:, :1]
    found = (hidden * difference).sum((2, 3)) / (hidden.sum((2, 3)) + AGREED_PIXELS)
    return (found @ weights).mean()


def locality_loss(image: Tensor, whole: Tensor, hidden: Tensor) -> Tensor:
    """Mean squared difference between pictures drawn without some regions and the whole ones, elsewhere.

    Args:
        image: [N, 3, S, S], drawn without.
        whole: [N, 3, S, S]; gradients flow through both.
        hidden: [N, S, S] in [0, 1], where the hidden regions are in the whole pictures.
    """
    near = F.max_pool2d(hidden.unsqueeze(1), 2 * SEAM + 1, stride=1, padding=SEAM).clamp_max(1.0)
    return ((1.0 - near) * (image - whole).square()).mean()


class Owned(Objective):
    """Its weights are ``loss.ownership`` and ``loss.locality``."""

    name = "ownership"

    def __init__(self, setting: RegionSetting) -> None:
        super().__init__(setting)
        self._ownership = Ownership(setting.config, setting.regions, setting.reader)

    @classmethod
    def wanted(cls, config: Any) -> bool:
        return bool(config.loss.owned)

    def terms(self, step: GeneratorStep) -> Terms:
        before = step.draws.step
        if step.read is None or not self._ownership.due(before, before * self.setting.config.batch):
            return {}
        visible = self._ownership.visible(step.draws)
        with self.setting.autocast():
            without = self.setting.generate(step.draws, visible)
            losses = self._ownership.losses(without.image, step.fake.image, step.read, visible)
        weights = {"ownership": self.setting.config.loss.ownership, "locality": self.setting.config.loss.locality}
        return {name: (weights[name], value) for name, value in losses.items()}
