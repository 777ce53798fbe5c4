"""Layers of generated pictures swapped and interpolated, before and after.

N images, S side of the picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from PIL import Image
from torch import Tensor

from semanticgan.latents import LatentCode, interpolate, swap
from semanticgan.model import Model
from semanticgan.rendering import Rendering
from semanticgan.rows import Layers
from semanticgan.wrong_arguments import whole_number


@dataclass(frozen=True, eq=False)
class LayerEdit:
    """An edit of N images of a layered model.

    Attributes:
        source: the pictures before, one for all N, or N.
        result: the pictures after.
        reference: the pictures that the layers came from, one or N; None where they came from none.
        code: the edited code.
    """

    source: Rendering
    result: Rendering
    reference: Rendering | None
    code: LatentCode

    def change(self) -> Tensor:
        """Mean absolute change of each picture, in levels of 0..255, float64 [N]."""
        before, after = self.source.to_uint8().cpu().double(), self.result.to_uint8().cpu().double()
        return (after - before).abs().mean((1, 2, 3))

    def sheet(self, row_names: Sequence[str] = (), title: str = "") -> Image.Image:
        """Source, reference (if there is one), result and difference map; one row an image."""
        from semanticgan.editing.sheets import change_sheet

        before, after = self.source.to_uint8().cpu().expand(len(self.result), -1, -1, -1), self.result.to_uint8().cpu()
        return change_sheet(
            before, self.reference, after, f"{float(self.change().mean()):.2f} of 255", row_names, title
        )


def swap_layers(model: Model, source: LatentCode, reference: LatentCode, layers: Layers) -> LayerEdit:
    """Give the source, one image, layers of the reference; as many results as the reference has images.

    Raises:
        InputError: as :func:`semanticgan.latents.swap`.
    """
    edited = swap(source, reference, layers=layers)
    return LayerEdit(model.render(source), model.render(edited), model.render(reference), edited)


def interpolate_layers(
    model: Model, source: LatentCode, reference: LatentCode, num_steps: int, layers: Layers
) -> LayerEdit:
    """Move layers of the source to those of the reference in ``num_steps`` >= 2 even steps, both ends included.

    Raises:
        InputError: fewer than two steps, or as :func:`semanticgan.latents.interpolate`.
    """
    positions = torch.linspace(0, 1, whole_number("the number of steps", num_steps, 2), dtype=torch.float64)
    edited = interpolate(source, reference, positions, layers=layers)
    return LayerEdit(model.render(source), model.render(edited), model.render(reference), edited)
