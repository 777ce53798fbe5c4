"""The numbers that describe the networks.

Shape legend: K regions, D style width, B base rows, L layers of a local generator, S side of the picture, s side of
the coarse grid.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from semanticgan.errors import InputError, unknown_name
from semanticgan.formats.fields import LARGEST_SIDE, check, key, refuse, shown

C = TypeVar("C", bound="NetworkConfig")
# A configuration may come from a file that anybody wrote. The bounds are far above what is ever trained; they keep a
# wrong number from becoming a network of terabytes.
LARGEST_WIDTH = 65_536
LARGEST_COUNT = 255  # of layers and regions; a label map has 8 bits
WIDTH: dict[str, Any] = dict(ge=1, le=LARGEST_WIDTH)


def paper_channels(size: int, multiplier: int = 2) -> dict[int, int]:
    """Channel width by resolution of StyleGAN2 as the released models use it, for 4 .. size."""
    widths = {4: 512, 8: 512, 16: 512, 32: 512, 64: 256 * multiplier, 128: 128 * multiplier, 256: 64 * multiplier}
    widths |= {512: 32 * multiplier, 1024: 16 * multiplier}
    return {side: width for side, width in widths.items() if side <= size}


@dataclass(frozen=True)
class NetworkConfig:
    """The numbers of a network, which a file of weights holds as JSON."""

    def to_dict(self) -> dict[str, Any]:
        """A JSON-able description, read back by :meth:`from_dict`."""
        values = asdict(self)
        for name, value in values.items():
            if isinstance(value, dict):
                values[name] = {str(side): width for side, width in value.items()}
            elif isinstance(value, tuple):
                values[name] = list(value)
        return values

    @classmethod
    def from_dict(cls: type[C], description: Mapping[str, Any]) -> C:
        """The config that :meth:`to_dict` described.

        Raises:
            InputError: an unknown key, or a value that is not allowed.
        """
        what = cls.__name__.removesuffix("Config").lower()
        if not isinstance(description, Mapping):
            raise InputError(f"a {what}'s config is a table of numbers, got {type(description).__name__}.")
        values: dict[str, Any] = {"transparent": ()} if "transparent" in cls.__dataclass_fields__ else {}
        for name, value in description.items():
            if name not in cls.__dataclass_fields__:
                raise unknown_name(f"number of a {what}", str(name), cls.__dataclass_fields__)
            widths = isinstance(value, Mapping)
            values[name] = {_side(side): width for side, width in value.items()} if widths else value
        return cls(**values)


class LatentConfig(NetworkConfig):
    """The numbers of a generator. What is read of them whatever the architecture: size S, style_dim D, num_rows R."""

    if TYPE_CHECKING:  # fields and properties of the subclasses

        @property
        def size(self) -> int: ...

        @property
        def style_dim(self) -> int: ...

        @property
        def num_rows(self) -> int: ...


@dataclass(frozen=True)
class PictureSizes(NetworkConfig):
    """What a network has from the data."""

    size: int = key(512, "resolution S of the picture in pixels, a power of two.", side=True)
    num_regions: int = key(13, "K, including the background.", ge=1, le=LARGEST_COUNT)


@dataclass(frozen=True)
class GeneratorSizes:
    """Sizes of a generator; the defaults are those of the released 512-pixel models."""

    style_dim: int = key(512, "width D of z, w and every row of a latent code.", **WIDTH)
    num_mapping_layers: int = key(8, "number of fully connected layers from z to w.", ge=1, le=LARGEST_COUNT)
    coarse_size: int = key(64, "resolution s of the grid of the local generators, a power of two.", side=True)
    min_feature_size: int = key(16, "resolution at which the renderer starts.", side=True)
    num_local_layers: int = key(10, "L, layers of a local generator.", ge=1, le=LARGEST_COUNT)
    local_channels: int = key(64, "width of a local generator.", **WIDTH)
    feature_channels: int = key(512, "width of the fused feature map.", **WIDTH)
    num_base_layers: int = key(
        2, "B, first layers of foreground regions, which read the shared base code.", ge=0, le=LARGEST_COUNT
    )
    num_structure_layers: int = key(
        6, "layers up to the pseudo-depth; the later ones read the texture code.", ge=0, le=LARGEST_COUNT
    )
    residual_segmentation: bool = key(True, "add the coarse masks to the segmentation of the renderer.")
    mask_floor: float = key(
        0.0,
        "mask weight below which a region does not contribute to a pixel, 0 <= mask_floor < 1 / K (not in the paper, "
        "where it is 0).",
        ge=0,
        lt=1,
    )
    label_channels: int = key(
        0,
        "width of a small network that corrects the segmentation from the last two feature maps of the renderer (not "
        "in the paper, where it is 0: the segmentation is linear in them).",
        ge=0,
        le=LARGEST_WIDTH,
    )
    num_frequencies: int = key(
        0,
        "number of Fourier frequencies of the coordinates; 0 is the paper's, log2(size). A grown model keeps that of "
        "its start.",
        ge=0,
        le=24,  # float32 has 24 binary digits; faster waves are noise
    )
    label_size: int = key(
        0,
        "resolution at which the label network corrects the segmentation; 0 is size. A grown model keeps that of its "
        "start.",
        ge=0,
        le=LARGEST_SIDE,
    )
    channels: dict[int, int] = key(
        {}, "width of the renderer's blocks by resolution; empty is the paper's.", side=True, **WIDTH
    )


@dataclass(frozen=True)
class GeneratorConfig(GeneratorSizes, PictureSizes, LatentConfig):
    """All sizes of a generator."""

    num_regions: int = key(13, "K, including the background.", ge=2, le=LARGEST_COUNT)
    transparent: tuple[int, ...] = key((10, 12), "labels of regions that are composited over what is behind them.")

    def __post_init__(self) -> None:
        check(self)
        object.__setattr__(self, "channels", dict(sorted((self.channels or paper_channels(self.size)).items())))
        object.__setattr__(self, "transparent", _labels(self.transparent, self.num_regions))
        if not self.min_feature_size <= self.coarse_size <= self.size or self.min_feature_size == self.size:
            raise InputError(
                "sides must satisfy min_feature_size <= coarse_size <= size and min_feature_size < size, got "
                f"{self.min_feature_size}, {self.coarse_size}, {self.size}."
            )
        if not self.num_base_layers <= self.num_structure_layers < self.num_local_layers:
            raise InputError(
                "layers must satisfy num_base_layers <= num_structure_layers < num_local_layers, got "
                f"{self.num_base_layers}, {self.num_structure_layers}, {self.num_local_layers}."
            )
        if not self.mask_floor < 1.0 / self.num_regions:
            raise InputError(f"mask_floor must be 0 or more and below 1 / num_regions, got {self.mask_floor}.")
        require_widths("channels", self.channels, 2 * self.min_feature_size, self.size)
        within = self.min_feature_size < self.label_size <= self.size
        if self.label_size and not (within and self.label_size in self.channels):
            raise InputError(
                f"label_size must be 0 or the resolution of a renderer block, above {self.min_feature_size} and up to "
                f"{self.size}, got {self.label_size}."
            )
        if self.num_rows == self.num_expanded_rows:
            raise InputError("num_base_layers + 2 num_regions may not equal num_regions x num_local_layers.")

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


@dataclass(frozen=True)
class DiscriminatorSizes:
    """Sizes of a discriminator."""

    channels: dict[int, int] = key(
        {}, "width of the picture branch by resolution, from 4 to size; empty is the paper's.", side=True, **WIDTH
    )
    segmentation_channels: dict[int, int] = key(
        {},
        "width of the segmentation branch by resolution; empty is the same as channels. Both branches have the same "
        "width at resolution 4.",
        side=True,
        **WIDTH,
    )


@dataclass(frozen=True)
class DiscriminatorConfig(DiscriminatorSizes, PictureSizes):
    """All sizes of a discriminator, in the order size, num_regions, channels, segmentation_channels."""

    def __post_init__(self) -> None:
        check(self, "discriminator.")
        channels = self.channels or paper_channels(self.size)
        for name, widths in (("channels", channels), ("segmentation_channels", self.segmentation_channels or channels)):
            object.__setattr__(self, name, dict(sorted(widths.items())))
            require_widths(f"{name} of the discriminator", widths, 4, self.size)
        if self.channels[4] != self.segmentation_channels[4]:
            raise InputError("both branches of the discriminator must have the same width at side 4.")


def require_widths(name: str, widths: Mapping[int, int], first: int, last: int) -> None:
    """Raises: InputError: the width at a resolution from ``first`` to ``last`` is not given."""
    side = first
    while side <= last:
        if side not in widths:
            raise InputError(f"{name} lacks the width at side {side}, given are {sorted(widths)}.")
        side *= 2


def _side(text: Any) -> Any:
    """A resolution as a number; JSON gives it as text."""
    return int(text) if isinstance(text, str) and text.isascii() and text.isdigit() and len(text) < 10 else text


def _labels(value: Any, num_regions: int) -> tuple[int, ...]:
    """Different labels of regions, the background's excluded."""
    if not isinstance(value, (list, tuple)) or any(isinstance(label, bool) for label in value):
        refuse("transparent", list[int], shown(value))
    if any(not isinstance(label, int) or not 0 < label < num_regions for label in value):
        raise InputError(f"transparent labels must lie in 1..{num_regions - 1}, got {shown(list(value))}.")
    if len(set(value)) != len(value):
        raise InputError(f"transparent labels must differ, got {shown(list(value))}.")
    return tuple(value)
