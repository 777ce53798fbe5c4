"""Which region each pixel of a face picture shows: a small U-Net (Ronneberger et al. 2015, arXiv 1505.04597).

Unlike there, convolutions keep the side of a map and are followed by batch normalisation, and maps grow by nearest
neighbours. The network shrinks a picture to 8 pixels, with half a million parameters at 64 pixels and 128.

A parser is one ``.safetensors`` file, verified as :mod:`semanticgan.checkpoint` says, with the format
"semanticgan-parser". Beside its config, regions and licences it says how well it read pairs that it was not trained on.

Shape legend: N pictures, K regions, S side of the parser, C channels, H W a level's side.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from semanticgan.checkpoint import build, read_weights, write_weights
from semanticgan.errors import InputError, WeightsError
from semanticgan.formats.tensorfile import parse_object
from semanticgan.regions import RegionScheme
from semanticgan.registry import reader

FORMAT = "semanticgan-parser"
PARSER_SIZES = (16, 32, 64, 128, 256, 512)

_CHANNELS = (8, 16, 24, 48, 72, 96)  # of the levels, the smallest map last
_REQUIRED = ("description", "config", "regions", "training", "licence", "data_licence")
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
    """Picture [N, 3, S, S] in [-1, 1] -> logits [N, K, S, S].

    Args:
        config: its numbers.
    """

    def __init__(self, config: ParserConfig) -> None:
        super().__init__()
        self.config = config
        channels = config.channels
        self.down = nn.ModuleList(
            _two_convolutions(before, here) for before, here in zip((3, *channels[:-1]), channels, strict=True)
        )
        self.up = nn.ModuleList(_two_convolutions(below + here, here) for here, below in itertools.pairwise(channels))
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


class FaceParser:
    """What reads the regions of aligned face pictures.

    Attributes:
        network: the U-Net, in eval mode.
        regions: what its labels mean.
        training: figures of its training, JSON-able; ``held_out`` has its scores on pairs it was not trained on.
        licence: terms of its weights.
        data_licence: terms of the data that it was trained on.
    """

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
        self.network = network.eval().requires_grad_(False)
        self.regions = regions
        self.training: Mapping[str, Any] = dict(training or {})
        self.licence, self.data_licence = licence, data_licence

    @property
    def size(self) -> int:
        """S, the side in pixels that it reads."""
        return self.network.config.size

    @property
    def device(self) -> torch.device:
        return self.network.head.weight.device

    def to(self, device: torch.device | str) -> FaceParser:
        """Move the network; returns this parser."""
        self.network.to(device)
        return self

    @torch.no_grad()
    def labels(self, pictures: Tensor, size: int | None = None) -> Tensor:
        """The region at each pixel.

        Pictures of another side are resized to the parser's, and its logits to the side that is wanted. A picture is
        always read among as many others, blank ones if need be, so that its labels do not depend on its company.

        Args:
            pictures: uint8 [N, 3, H, H], 0..255, RGB.
            size: side of the label maps; None is that of the pictures.

        Returns:
            uint8 [N, size, size] on the CPU.

        Raises:
            InputError: pictures of another type, or not square.
        """
        if pictures.dtype != torch.uint8 or pictures.ndim != 4 or pictures.shape[1:2] != (3,):
            raise InputError(
                f"a parser reads pictures uint8 [N, 3, H, H], got {pictures.dtype} {list(pictures.shape)}."
            )
        if pictures.shape[2] != pictures.shape[3]:
            raise InputError(
                f"a parser reads square pictures, got {pictures.shape[3]} x {pictures.shape[2]}. Crop them first."
            )
        size = pictures.shape[-1] if size is None else size
        read = [self._labels(part, size) for part in pictures.split(_BATCH)]
        return torch.cat(read) if read else torch.zeros(0, size, size, dtype=torch.uint8)

    def _labels(self, pictures: Tensor, size: int) -> Tensor:
        """At most ``_BATCH`` pictures, uint8 -> uint8 [N, size, size]."""
        image = pictures.to(self.device).float() / 127.5 - 1
        padding = image.new_zeros(_BATCH - len(image), *image.shape[1:])
        logits = self.logits(torch.cat([image, padding]), size)[: len(image)]
        return logits.argmax(1).to(torch.uint8).cpu()

    def logits(self, images: Tensor, size: int) -> Tensor:
        """What labels are read from.

        Args:
            images: [N, 3, H, H] in [-1, 1], on the parser's device.
            size: side that is wanted.

        Returns:
            [N, K, size, size].
        """
        if images.shape[-1] != self.size:
            images = F.interpolate(images, self.size, mode="bilinear", align_corners=False, antialias=True)
        logits: Tensor = self.network(images)
        if size != self.size:
            logits = F.interpolate(logits, size, mode="bilinear", align_corners=False, antialias=True)
        return logits

    def save(
        self, path: str | Path, description: str = "", overwrite: bool = False, precision: str = "float32"
    ) -> None:
        """Write the parser as a ``.safetensors`` file; "float16" as ``precision`` halves it.

        Raises:
            InputError: another suffix or precision, weights that are not finite, an existing file that may not go.
        """
        texts = {
            "description": description or f"a parser of {self.size} pixels and {len(self.regions)} regions",
            "config": json.dumps(self.network.config.to_dict()),
            "regions": json.dumps(self.regions.to_dict()),
            "training": json.dumps(dict(self.training)),
            "licence": self.licence,
            "data_licence": self.data_licence,
        }
        write_weights(path, FORMAT, _weights(self.network), texts, precision, overwrite)


def load_parser(name_or_path: str | Path, device: torch.device | str = "cpu") -> FaceParser:
    """Read a parser and verify every tensor in its file.

    Args:
        name_or_path: one that comes with the package (``bundled("parsers")``), or a file.
        device: where it reads.

    Raises:
        MissingFileError: no such file.
        WeightsError: the file is damaged, unsafe, or no parser.
    """
    path = reader("parsers", name_or_path)
    raw, tensors = read_weights(path, FORMAT, _REQUIRED)
    what = f"parser {str(path)!r}"
    try:
        config = ParserConfig.from_dict(parse_object(raw["config"]))
        regions = RegionScheme.from_dict(parse_object(raw["regions"]))
        training = parse_object(raw["training"], numbers_only=False)
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
        raise WeightsError(f"metadata of {what} cannot be used: {error}") from error
    network = build(lambda: ParserNetwork(config), tensors, what)
    return FaceParser(network.to(device), regions, training, raw["licence"], raw["data_licence"])


def _weights(network: ParserNetwork) -> dict[str, Tensor]:
    return {name: value for name, value in network.state_dict().items() if value.is_floating_point()}


def _two_convolutions(before: int, after: int) -> nn.Sequential:
    """[N, before, H, W] -> [N, after, H, W]."""
    layers: list[nn.Module] = []
    for channels in (before, after):
        layers += [nn.Conv2d(channels, after, 3, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)
