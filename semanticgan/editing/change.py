"""Locality in numbers: how much a picture changed outside the region that was edited, and inside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from semanticgan.editing.compositing import require_fitting


@dataclass(frozen=True)
class Change:
    """Mean absolute change over pixels and channels, in levels of 0..255, float64 [N] each.

    Attributes:
        outside: where the opacity is 0; 0 for an image without such a pixel.
        inside: everywhere else; NaN for an image whose region is not there.
    """

    outside: Tensor
    inside: Tensor

    @property
    def seen(self) -> Tensor:
        """Bool [N], whether the region is there before or after."""
        return ~self.inside.isnan()

    @classmethod
    def cat(cls, parts: Sequence[Change]) -> Change:
        return cls(torch.cat([part.outside for part in parts]), torch.cat([part.inside for part in parts]))


def measure_change(before: Tensor, after: Tensor, opacity: Tensor) -> Change:
    """Compare pictures before and after an edit.

    Args:
        before: uint8 [N or 1, 3, S, S].
        after: uint8 [N, 3, S, S].
        opacity: [N, S, S] in [0, 1], the feathered union of the region's old and new mask.

    Raises:
        InputError: shapes or types that do not fit.
    """
    require_fitting(before, after, opacity)
    change = (after.cpu().double() - before.cpu().double()).abs().mean(1)  # [N, S, S]
    edited = opacity.cpu() > 0
    num_inside = edited.sum((1, 2))
    num_outside = (~edited).sum((1, 2))
    outside = change.masked_fill(edited, 0).sum((1, 2)) / num_outside.clamp(min=1)
    inside = change.masked_fill(~edited, 0).sum((1, 2)) / num_inside  # 0 / 0 is NaN: no region, no number
    return Change(outside, inside)
