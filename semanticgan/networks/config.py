"""The numbers that describe the networks.

Shape legend: K regions, D style width, B base rows, L layers of a local generator, S side of the picture, s side of
the coarse grid.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from semanticgan.errors import InputError, unknown_name
from semanticgan.networks import limits

LARGEST_FREQUENCIES = 24
"""float32 has 24 binary digits: a faster wave of a coordinate would be noise."""


def paper_channels(size: int, multiplier: int = 2) -> dict[int, int]:
    """Channel width by resolution of StyleGAN2 as the released models use it, for 4 .. size."""
    widths = {4: 512, 8: 512, 16: 512, 32: 512, 64: 256 * multiplier, 128: 128 * multiplier, 256: 64 * multiplier}
    widths |= {512: 32 * multiplier, 1024: 16 * multiplier}
    return {side: width for side, width in widths.items() if side <= size}


@dataclass(frozen=True)
class GeneratorConfig:
    """Sizes of a generator; the defaults are those of the released 512-pixel models.

    Attributes:
        size: resolution S of the picture in pixels, a power of two.
        style_dim: width D of z, w and every row of a latent code.
        num_mapping_layers: number of fully connected layers from z to w.
        num_regions: K, including the background.
        coarse_size: resolution s of the grid of the local generators, a power of two.
        min_feature_size: resolution at which the renderer starts.
        num_local_layers: L, layers of a local generator.
        local_channels: width of a local generator.
        feature_channels: width of the fused feature map.
        num_base_layers: B, first layers of foreground regions, which read the shared base code.
        num_structure_layers: layers up to the pseudo-depth; the later ones read the texture code.
        residual_segmentation: add the coarse masks to the segmentation of the renderer.
        transparent: labels of regions that are composited over what is behind them.
        mask_floor: mask weight below which a region does not contribute to a pixel, 0 <= mask_floor < 1 / K (not in the
            paper, where it is 0).
        label_channels: width of a small network that corrects the segmentation from the last two feature maps of the
            renderer (not in the paper, where it is 0: the segmentation is linear in them).
        num_frequencies: number of Fourier frequencies of the coordinates; 0 is the paper's, log2(size). A grown model
            keeps that of its start.
        label_size: resolution at which the label network corrects the segmentation; 0 is size. A grown model keeps
            that of its start.
        channels: width of the renderer's blocks by resolution; empty is the paper's.
    """

    size: int = 512
    style_dim: int = 512
    num_mapping_layers: int = 8
    num_regions: int = 13
    coarse_size: int = 64
    min_feature_size: int = 16
    num_local_layers: int = 10
    local_channels: int = 64
    feature_channels: int = 512
    num_base_layers: int = 2
    num_structure_layers: int = 6
    residual_segmentation: bool = True
    transparent: tuple[int, ...] = (10, 12)
    mask_floor: float = 0.0
    label_channels: int = 0
    num_frequencies: int = 0
    label_size: int = 0
    channels: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("size", "coarse_size", "min_feature_size"):
            self._keep(name, limits.side(name, getattr(self, name)))
        self._keep("num_regions", limits.whole("num_regions", self.num_regions, 2, limits.LARGEST_COUNT))
        for name in ("num_mapping_layers", "num_local_layers"):
            self._keep(name, limits.whole(name, getattr(self, name), 1, limits.LARGEST_COUNT))
        for name in ("num_base_layers", "num_structure_layers"):
            self._keep(name, limits.whole(name, getattr(self, name), 0, limits.LARGEST_COUNT))
        for name in ("style_dim", "local_channels", "feature_channels"):
            self._keep(name, limits.whole(name, getattr(self, name), 1, limits.LARGEST_WIDTH))
        if isinstance(self.label_channels, int) and self.label_channels < 0:
            raise InputError(f"label_channels must be 0 or more, got {self.label_channels}.")
        self._keep("label_channels", limits.whole("label_channels", self.label_channels, 0, limits.LARGEST_WIDTH))
        self._keep("num_frequencies", limits.whole("num_frequencies", self.num_frequencies, 0, LARGEST_FREQUENCIES))
        if self.label_size != 0 or isinstance(self.label_size, bool):
            self._keep("label_size", limits.side("label_size", self.label_size))
            if not self.min_feature_size < self.label_size <= self.size:
                raise InputError(
                    "label_size must be 0 or satisfy min_feature_size < label_size <= size, got "
                    f"{self.min_feature_size}, {self.label_size}, {self.size}."
                )
        self._keep("residual_segmentation", limits.switch("residual_segmentation", self.residual_segmentation))
        self._keep("transparent", limits.labels("transparent", self.transparent, self.num_regions))
        self._keep("channels", limits.widths("channels", self.channels or paper_channels(self.size)))
        if not self.min_feature_size <= self.coarse_size <= self.size or self.min_feature_size == self.size:
            raise InputError(
                "sides must satisfy min_feature_size <= coarse_size <= size and min_feature_size < size, got "
                f"{self.min_feature_size}, {self.coarse_size}, {self.size}."
            )
        if not 0 <= self.num_base_layers <= self.num_structure_layers < self.num_local_layers:
            raise InputError(
                "layers must satisfy num_base_layers <= num_structure_layers < num_local_layers, got "
                f"{self.num_base_layers}, {self.num_structure_layers}, {self.num_local_layers}."
            )
        if not 0.0 <= limits.fraction("mask_floor", self.mask_floor) < 1.0 / self.num_regions:
            raise InputError(f"mask_floor must be 0 or more and below 1 / num_regions, got {self.mask_floor}.")
        side = self.min_feature_size * 2
        while side <= self.size:
            if side not in self.channels:
                raise InputError(f"channels lacks the width at side {side}, given are {sorted(self.channels)}.")
            side *= 2
        if self.num_rows == self.num_expanded_rows:
            raise InputError("num_base_layers + 2 num_regions may not equal num_regions x num_local_layers.")

    def _keep(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)

    @property
    def fourier_frequencies(self) -> int:
        """The number of Fourier frequencies in use."""
        return self.num_frequencies or self.size.bit_length() - 1

    @property
    def num_rows(self) -> int:
        """B + 2K, the rows of a latent code."""
        return self.num_base_layers + 2 * self.num_regions

    @property
    def num_expanded_rows(self) -> int:
        """K L, one row a region and layer."""
        return self.num_regions * self.num_local_layers

    def to_dict(self) -> dict[str, Any]:
        """A JSON-able description, read back by :meth:`from_dict`."""
        values = {name: getattr(self, name) for name in self.__dataclass_fields__}
        values["transparent"] = list(self.transparent)
        values["channels"] = {str(side): width for side, width in self.channels.items()}
        return values

    @classmethod
    def from_dict(cls, description: Mapping[str, Any]) -> GeneratorConfig:
        """The config that :meth:`to_dict` described.

        Raises:
            InputError: an unknown key, or a value that is not allowed.
        """
        if not isinstance(description, Mapping):
            raise InputError(f"a generator's config is a table of numbers, got {type(description).__name__}.")
        for name in description:
            if name not in cls.__dataclass_fields__:
                raise unknown_name("number of a generator", str(name), cls.__dataclass_fields__)
        return cls(**{"channels": {}, "transparent": (), **description})

    def __hash__(self) -> int:
        return hash((self.size, self.style_dim, self.num_regions, self.transparent, *self.channels.items()))


@dataclass(frozen=True)
class DiscriminatorConfig:
    """Sizes of a discriminator.

    Attributes:
        size: resolution of the picture in pixels, a power of two.
        num_regions: K, channels of the segmentation.
        channels: width of the picture branch by resolution, from 4 to ``size``; empty is the paper's.
        segmentation_channels: width of the segmentation branch by resolution; empty is the same as ``channels``.
            Both branches have the same width at resolution 4.
    """

    size: int = 512
    num_regions: int = 13
    channels: dict[int, int] = field(default_factory=dict)
    segmentation_channels: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", limits.side("size of the discriminator", self.size))
        regions = limits.whole("num_regions of the discriminator", self.num_regions, 1, limits.LARGEST_COUNT)
        object.__setattr__(self, "num_regions", regions)
        channels = self.channels or paper_channels(self.size)
        for name, widths in (("channels", channels), ("segmentation_channels", self.segmentation_channels or channels)):
            object.__setattr__(self, name, limits.widths(f"{name} of the discriminator", widths))
            side = 4
            while side <= self.size:
                if side not in getattr(self, name):
                    raise InputError(f"{name} of the discriminator lacks the width at side {side}.")
                side *= 2
        if self.channels[4] != self.segmentation_channels[4]:
            raise InputError("both branches of the discriminator must have the same width at side 4.")

    def to_dict(self) -> dict[str, Any]:
        """A JSON-able description, read back by :meth:`from_dict`."""
        return {
            "size": self.size,
            "num_regions": self.num_regions,
            "channels": {str(side): width for side, width in self.channels.items()},
            "segmentation_channels": {str(side): width for side, width in self.segmentation_channels.items()},
        }

    @classmethod
    def from_dict(cls, description: Mapping[str, Any]) -> DiscriminatorConfig:
        """The config that :meth:`to_dict` described.

        Raises:
            InputError: an unknown key, or a value that is not allowed.
        """
        if not isinstance(description, Mapping):
            raise InputError(f"a discriminator's config is a table of numbers, got {type(description).__name__}.")
        for name in description:
            if name not in cls.__dataclass_fields__:
                raise unknown_name("number of a discriminator", str(name), cls.__dataclass_fields__)
        return cls(**description)

    def __hash__(self) -> int:
        return hash((self.size, self.num_regions, *self.channels.items(), *self.segmentation_channels.items()))
