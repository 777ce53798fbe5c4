"""Which region each pixel of a face picture shows: a small U-Net (Ronneberger et al. 2015, arXiv 1505.04597).

Unlike there, convolutions keep the side of a map and are followed by batch normalisation, and maps grow by nearest
neighbours. The network shrinks a picture to 8 pixels, with half a million parameters at 64 pixels and 128.

Shape legend: N pictures, K regions, S side of the parser, C channels, H W a level's side.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from semanticgan.errors import InputError
from semanticgan.perception.files import PictureReader, load_network
from semanticgan.perception.pictures import read_alone, require_pictures, resized, two_convolutions
from semanticgan.regions import RegionScheme

PARSER_SIZES = (16, 32, 64, 128, 256, 512)

_CHANNELS = (8, 16, 24, 48, 72, 96)  # of the levels, the smallest map last
_BATCH = 8


@dataclass(frozen=True)
class ParserConfig:
    """Numbers of a parser.

    Attributes:
        size: S, the side of the pictures that it reads, one of :data:`PARSER_SIZES`.
        num_regions: K.
        channels: C of each level, from the full side down, each of half the side of the one before.

    Raises:
        InputError: a size or number of regions out of range, or levels that do not fit the size.
    """

    size: int
    num_regions: int
    channels: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.size not in PARSER_SIZES:
            raise InputError(
                f"a parser of {self.size} pixels was asked for. Give one of {', '.join(map(str, PARSER_SIZES))}."
            )
        if not 2 <= self.num_regions <= 255:
            raise InputError(f"a parser of {self.num_regions} regions was asked for. Give 2 to 255.")
        num_levels = min(self.size.bit_length() - 3, len(_CHANNELS))  # 16 pixels have two, 64 four, 256 and more six
        channels = tuple(self.channels) or _CHANNELS[-num_levels:]
        if self.size % 2 ** (len(channels) - 1) or min(channels) < 1:
            raise InputError(
                f"{len(channels)} levels of {list(channels)} channels do not fit {self.size} pixels. Give fewer levels."
            )
        object.__setattr__(self, "channels", channels)

    def to_dict(self) -> dict[str, Any]:
        """A JSON-able description, read back by :meth:`from_dict`."""
        return {**asdict(self), "channels": list(self.channels)}

    @classmethod
    def from_dict(cls, description: Mapping[str, Any]) -> ParserConfig:
        return cls(int(description["size"]), int(description["num_regions"]), tuple(map(int, description["channels"])))


class ParserNetwork(nn.Module):
    """Picture [N, 3, S, S] in [-1, 1] -> logits [N, K, S, S]."""

    def __init__(self, config: ParserConfig) -> None:
        super().__init__()
        self.config = config
        channels = config.channels
        self.down = nn.ModuleList(
            two_convolutions(before, here) for before, here in zip((3, *channels[:-1]), channels, strict=True)
        )
        self.up = nn.ModuleList(two_convolutions(below + here, here) for here, below in itertools.pairwise(channels))
        self.head = nn.Conv2d(channels[0], config.num_regions, 1)

    def forward(self, image: Tensor) -> Tensor:
        levels = []
        x = image
        for depth, block in enumerate(self.down):
            x = block(x if depth == 0 else F.max_pool2d(x, 2))  # [N, C, H, W]
            levels.append(x)
        for block, level in zip(reversed(self.up), reversed(levels[:-1]), strict=True):
            x = block(torch.cat([F.interpolate(x, scale_factor=2.0, mode="nearest"), level], dim=1))
        return self.head(x)


class FaceParser(PictureReader[ParserNetwork]):
    """What reads the regions of aligned face pictures; its file adds ``regions``, JSON of the RegionScheme.

    Attributes:
        regions: what its labels mean.
    """

    kind = "parser"

    def __init__(
        self,
        network: ParserNetwork,
        regions: RegionScheme,
        training: Mapping[str, Any] | None = None,
        licence: str = "",
        data_licence: str = "",
    ) -> None:
        if len(regions) != network.config.num_regions:
            raise InputError(
                f"the parser tells {network.config.num_regions} regions, the scheme has {len(regions)}. "
                "Give the scheme that it was made for."
            )
        super().__init__(network, training, licence, data_licence)
        self.regions = regions

    @property
    def size(self) -> int:
        return self.network.config.size

    def metadata(self) -> dict[str, Any]:
        return {"config": self.network.config.to_dict(), "regions": self.regions.to_dict()}

    def description(self) -> str:
        return f"a parser of {self.size} pixels and {len(self.regions)} regions"

    @torch.no_grad()
    def labels(self, pictures: Tensor, size: int | None = None) -> Tensor:
        """The region at each pixel.

        Pictures of another side are resized to the parser's, and its logits to the side that is wanted. The labels of
        a picture do not depend on the others.

        Args:
            pictures: uint8 [N, 3, H, H], 0..255, RGB.
            size: side of the label maps; None is that of the pictures.

        Returns:
            uint8 [N, size, size] on the CPU.

        Raises:
            InputError: pictures of another type, or not square.
        """
        require_pictures(pictures, "a parser")
        size = pictures.shape[-1] if size is None else size

        def read(images: Tensor) -> Tensor:
            return self.logits(images, size).argmax(1).to(torch.uint8).cpu()

        return read_alone(pictures, read, _BATCH, self.device)

    def logits(self, images: Tensor, size: int) -> Tensor:
        """What labels are read from.

        Args:
            images: [N, 3, H, H] in [-1, 1], on the parser's device.
            size: side that is wanted.

        Returns:
            [N, K, size, size].
        """
        return resized(self.network(resized(images, self.size)), size)


def require_regions(parser: FaceParser, regions: RegionScheme, whose: str, instead: str) -> None:
    """Check that a parser tells these regions, in their order.

    Args:
        whose: whose they are, such as "the model has".
        instead: what to do, a sentence that ends the message.

    Raises:
        InputError: it does not.
    """
    if parser.regions.names != regions.names:
        raise InputError(
            f"the parser tells {', '.join(parser.regions.names)}, {whose} {', '.join(regions.names)}. {instead}"
        )


def load_parser(name_or_path: str | Path, device: torch.device | str = "cpu") -> FaceParser:
    """A parser that comes with the package (``bundled("parsers")``), or of a file, on a device.

    Raises:
        MissingFileError, WeightsError: as :func:`load_network`.
    """
    more = {"regions": RegionScheme.from_dict}
    file = load_network(name_or_path, FaceParser.kind, ParserConfig.from_dict, ParserNetwork, more)
    return FaceParser(file.network.to(device), file.more["regions"], *file.about)
