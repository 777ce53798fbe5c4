"""What is given as noise, checked and made ready to be cut into batches.

Shape legend: N images, s side of a 3x3 convolution's map.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from semanticgan.errors import InputError, unknown_name
from semanticgan.networks.generator import Noise
from semanticgan.wrong_arguments import require_type, shown


def noise_maps(noise: Noise, num_images: int, sides: Sequence[int], like: Tensor) -> str | list[Tensor]:
    """Noise that can be cut into batches: "fixed", "random", or one map [1 or N, 1, s, s] a convolution.

    Args:
        noise: "fixed", "random", a torch.Generator (drawn image by image), or maps.
        num_images: N.
        sides: s of each convolution.
        like: dtype and device of the maps.

    Raises:
        InputError: something else, or maps of other shapes.
    """
    if isinstance(noise, str):
        if noise not in ("fixed", "random"):
            raise unknown_name("noise", noise, ("fixed", "random"))
        return noise
    if not isinstance(noise, (torch.Generator, list, tuple)):
        raise InputError(f'noise is "fixed", "random", a torch.Generator or a list of maps, got {shown(noise)}.')
    if isinstance(noise, torch.Generator):
        drawn = [
            [torch.randn(1, 1, side, side, generator=noise, device=noise.device) for side in sides]
            for _ in range(num_images)
        ]
        return [torch.cat(maps).to(like.device) for maps in zip(*drawn, strict=True)]
    if len(noise) != len(sides):
        raise InputError(f"noise must be a list of {len(sides)} maps of the resolutions {sides}, got {len(noise)}.")
    for index, (given, side) in enumerate(zip(noise, sides, strict=True)):
        require_type(f"noise map {index}", given, Tensor, f"a torch.Tensor [1 or {num_images}, 1, {side}, {side}]")
        if given.ndim != 4 or given.shape[0] not in (1, num_images) or tuple(given.shape[1:]) != (1, side, side):
            raise InputError(
                f"noise map {index} has the shape [1 or {num_images}, 1, {side}, {side}], got {list(given.shape)}."
            )
    return [given.to(like) for given in noise]
