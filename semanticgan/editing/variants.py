"""Renders codes of which most regions are the same, such as sixteen variations of the hair.

The local generator of a region whose rows agree in all codes runs once, not once per image; fusion and renderer run for
each image.

Shape legend: N images, K regions, P points of the coarse grid, C channels of the hidden state.
"""

from __future__ import annotations

import torch

from semanticgan.latents import LatentCode
from semanticgan.model import Model
from semanticgan.networks.local import LocalOutput
from semanticgan.rendering import Rendering, require_finite_rendering


@torch.no_grad()
def render_variants(model: Model, code: LatentCode) -> Rendering:
    """As :meth:`semanticgan.model.Model.render` to rounding, all images in one batch, with fixed noise.

    Args:
        model: of regions.
        code: N images.
    """
    generator = model.regional
    codes = generator.region_codes(model._latents(code))  # [N, K, L, D]
    num_images, num_regions = codes.shape[:2]
    differs = (codes != codes[:1]).flatten(2).any(-1).any(0)  # [K]
    varied = differs.nonzero().flatten().tolist()
    if len(varied) == num_regions:
        return model.render(code, batch_size=num_images)
    same = (~differs).nonzero().flatten().tolist()
    once = generator.local(codes[:1, same], regions=same)
    hidden = once.hidden.new_empty((num_images, num_regions, *once.hidden.shape[2:]))  # [N, K, P, C]
    depth = once.depth.new_empty((num_images, num_regions, *once.depth.shape[2:]))  # [N, K, P]
    hidden[:, same], depth[:, same] = once.hidden, once.depth
    if varied:
        each = generator.local(codes[:, varied], regions=varied)
        hidden[:, varied], depth[:, varied] = each.hidden, each.depth
    rendering = generator.compose(LocalOutput(hidden, depth))
    require_finite_rendering(rendering, codes)
    return rendering
