"""What the generators of layered models share: one code per layer, and growth by levels.

A growing network exists at its full size S. A level l >= 0 says how much of it is in use: pictures have the side
S / 2^floor(l), and a fractional l blends the newest layers with what was there before them::

    picture = lerp(new, up2(old), l - floor(l))                       (arXiv 1710.10196, Figure 2)

Level 0 is the whole network, 0.25 its last layers faded in by three quarters, 2 pictures of a quarter of the side.

Shape legend: N images, L layers, D style width, S side of the picture.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from semanticgan.errors import InputError
from semanticgan.formats.fields import check, key
from semanticgan.networks.config import LARGEST_COUNT, WIDTH, LatentConfig, require_widths
from semanticgan.networks.latent_generator import LatentGenerator
from semanticgan.networks.noise import Noise, StoredNoise
from semanticgan.rendering import Rendering

SMALLEST_SIDE = 4


def style_channels(size: int, base: int = 8192, most: int = 512) -> dict[int, int]:
    """Width by resolution of PGGAN and StyleGAN: min(base / (side / 2), most), for 4 .. size.

    (arXiv 1710.10196, Appendix A; 16 channels at 1024.)
    """
    return {2**power: min(base // 2 ** (power - 1), most) for power in range(2, size.bit_length())}


@dataclass(frozen=True)
class LayeredSizes:
    """Sizes that recipes state; the defaults are the papers'."""

    style_dim: int = key(512, "width D of z, w and every row of a latent code.", **WIDTH)
    num_mapping_layers: int = key(8, "number of fully connected layers from z to w.", ge=0, le=LARGEST_COUNT)
    channels: dict[int, int] = key({}, "width by resolution, from 4 to size; empty is the paper's.", side=True, **WIDTH)


@dataclass(frozen=True)
class LayeredConfig(LayeredSizes, LatentConfig):
    """All sizes of a layered generator.

    Subclasses state the paper's widths in :meth:`paper_channels`, and the level of a network that grows.
    """

    size: int = key(1024, "resolution S of the picture in pixels, a power of two.", side=True)

    def __post_init__(self) -> None:
        check(self)
        widths = self.channels or self.paper_channels(self.size)
        object.__setattr__(self, "channels", {side: widths[side] for side in sorted(widths) if side <= self.size})
        require_widths("channels", self.channels, SMALLEST_SIDE, self.size)

    @staticmethod
    def paper_channels(size: int) -> dict[int, int]:
        """The paper's width by resolution."""
        return style_channels(size)

    @property
    def sides(self) -> list[int]:
        """4, 8, ..., S."""
        return sides_to(self.size)

    @property
    def num_rows(self) -> int:
        """L, two per resolution: 18 at 1024 pixels."""
        return 2 * len(self.sides)


@dataclass(frozen=True)
class GrowingConfig(LayeredConfig):
    """Sizes of a generator that grows."""

    level: float = key(0.0, "how much of the network is in use: 0 is all, 1 half the side, 0.5 half faded in.", ge=0)

    def at_level(self, level: float) -> GrowingConfig:
        """The same sizes with another level."""
        return replace(self, level=level)

    def __post_init__(self) -> None:
        super().__post_init__()
        require_level(self.size, self.level)


def require_level(size: int, level: float) -> None:
    """Raises: InputError: the network of this size has no such level."""
    most = len(sides_to(size)) - 1
    if not 0 <= level <= most:
        raise InputError(f"the level of a network of {size} pixels lies in 0..{most}, got {level}.")


def sides_to(size: int) -> list[int]:
    """4, 8, ..., size."""
    return [2**power for power in range(2, size.bit_length())]


def side_at(size: int, level: float) -> int:
    """The side of the pictures at a level."""
    return size >> math.floor(level)


def level_of(size: int, side: int, fade: float = 1.0) -> float:
    """The level whose pictures have a side, its newest layers faded in by 0..1; 0 is just before, at half the side."""
    return math.log2(size // side) + 1.0 - fade


class LayeredGenerator(StoredNoise, LatentGenerator):
    """A generator with one code per layer."""

    config: LayeredConfig

    @abstractmethod
    def synthesis(self, codes: Tensor, noise: Sequence[Tensor], level: float) -> Tensor:
        """Codes [N, L, D] and noise maps -> pictures [N, 3, s, s] of the level's side s."""

    @property
    def level(self) -> float:
        """The level at which pictures are made unless another is asked for."""
        return getattr(self.config, "level", 0.0)

    @property
    def picture_size(self) -> int:
        return side_at(self.config.size, self.level)

    @property
    def row_sides(self) -> list[int]:
        """The side of the maps that each row styles, coarse to fine; rows that the level does not use are left out."""
        return [side for side in self.config.sides if side <= self.picture_size for _ in range(2)]

    @property
    def num_choices(self) -> int:
        return 1

    def second_rows(self, words: Tensor, level: float | None = None) -> Tensor:
        """Rows from a random layer on, 1 to the last in use (mixing regularisation, arXiv 1812.04948, Section 3.1)."""
        level = self.level if level is None else level
        in_use = self.config.num_rows - 2 * math.floor(level)
        crossover = 1 + words % max(in_use - 1, 1)  # [N, 1]
        return torch.arange(self.config.num_rows, device=words.device) >= crossover

    def side_of(self, name: str) -> int | None:
        """Parts are numbered by resolution: ``blocks.0`` makes the maps of 4x4."""
        part, _, rest = name.partition(".")
        number = rest.partition(".")[0]
        if part.startswith("noise_"):
            return self.noise_sides[int(part.removeprefix("noise_"))]
        if part == "constant":
            return SMALLEST_SIDE
        return self.config.sides[int(number)] if part != "mapping" and number.isdigit() else None

    def expand(self, latents: Tensor) -> Tensor:
        """Latents -> one code per layer, [N, L, D].

        Args:
            latents: w [N, D], or a latent code [N, L, D].

        Raises:
            InputError: another shape or type, or no image.
        """
        self.require_latents(latents)
        num_rows, width = self.config.num_rows, self.config.style_dim
        if latents.ndim == 2 and latents.shape[1] == width:
            return latents.unsqueeze(1).expand(-1, num_rows, -1)
        if latents.ndim == 3 and tuple(latents.shape[1:]) == (num_rows, width):
            return latents
        raise InputError(
            f"latents have shape {list(latents.shape)}; this model takes [N, {width}] or [N, {num_rows}, {width}]."
        )

    def forward(self, latents: Tensor, noise: Noise = "fixed", level: float | None = None) -> Rendering:
        """Render latent codes w, not z: ``generator(generator.map(z))``.

        Args:
            latents: w, never z, as :meth:`expand` takes them.
            noise: "fixed" (the maps stored with the weights), "random", a torch.Generator to draw from, or a list of
                maps [1 or N, 1, h, w], one a convolution.
            level: of a network that grows; None is its configuration's.

        Returns:
            ``image`` [N, 3, s, s]; a layered model has no regions, so the other tensors have none: [N, 0, s, s].

        Raises:
            InputError: a shape, noise or level that does not fit.
        """
        level = self.level if level is None else level
        require_level(self.config.size, level)
        codes = self.expand(latents)
        maps = self.noise_maps(noise, like=codes, largest=side_at(self.config.size, level))
        image = self.synthesis(codes, maps, level)
        empty = image.new_zeros(image.shape[0], 0, *image.shape[2:])
        return Rendering(image, empty, empty, empty)
