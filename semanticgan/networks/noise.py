"""The noise of a generator's convolutions: maps stored with the weights, fresh ones, or given ones.

Shape legend: N images, s side of a 3x3 convolution's map.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from semanticgan.errors import InputError, unknown_name
from semanticgan.wrong_arguments import require_type, shown

Noise = str | Sequence[Tensor] | torch.Generator


class StoredNoise(nn.Module):
    """A network with one noise map a 3x3 convolution, stored as the buffers ``noise_0``, ``noise_1``, ...

    Attributes:
        noise_sides: s of each convolution.
    """

    noise_sides: list[int]

    def store_noise(self, sides: Sequence[int]) -> None:
        """Draw the maps, [1, 1, s, s] each, from the global stream as all first weights."""
        self.noise_sides = list(sides)
        for index, side in enumerate(sides):
            self.register_buffer(f"noise_{index}", torch.randn(1, 1, side, side))

    def noise_maps(self, noise: Noise, like: Tensor, largest: int | None = None) -> list[Tensor]:
        """The noise of every convolution: stored maps, fresh ones, fresh ones from a generator, or the given list.

        Where a network is used up to the side ``largest``, no larger maps are drawn: the list ends before them.
        """
        if isinstance(noise, str) and noise == "fixed":
            return [self.get_buffer(f"noise_{index}") for index in range(len(self.noise_sides))]
        if isinstance(noise, torch.Generator) or (isinstance(noise, str) and noise == "random"):
            generator = noise if isinstance(noise, torch.Generator) else None
            device = generator.device if generator is not None else like.device
            return [
                torch.randn(like.shape[0], 1, side, side, generator=generator, device=device).to(like.device)
                for side in self.noise_sides
                if largest is None or side <= largest
            ]
        sides = self.noise_sides
        maps = list(noise) if isinstance(noise, Sequence) and not isinstance(noise, str) else []
        fits = [
            isinstance(given, Tensor) and given.ndim == 4 and tuple(given.shape[1:]) == (1, side, side)
            for given, side in zip(maps, sides, strict=False)
        ]
        if len(maps) != len(sides) or not all(fits):
            raise InputError(
                f'noise must be "fixed", "random", a torch.Generator, or a list of {len(sides)} maps '
                f"[1 or N, 1, side, side] of sides {sides}, got {shown(noise)}."
            )
        return maps


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
