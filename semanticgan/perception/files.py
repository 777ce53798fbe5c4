"""The small networks of this room, and their files.

A network is one ``.safetensors`` file, verified as :mod:`semanticgan.checkpoint` says, with the format
"semanticgan-KIND". Its metadata, all text, beside what every file of weights has:

==================  ==================================================================================
config              JSON of the network's numbers
training            JSON of the figures of its training; "held_out" has its scores on data it was not trained on
licence             terms of the weights
data_licence        terms of the training data
==================  ==================================================================================

and what a kind adds, such as the regions of a parser.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

import torch
from torch import nn

from semanticgan.checkpoint import build
from semanticgan.errors import WeightsError
from semanticgan.formats.strict_json import parse_object
from semanticgan.formats.weights import read_weights, write_weights
from semanticgan.registry import reader

Network = TypeVar("Network", bound=nn.Module)
Config = TypeVar("Config")
Reader = TypeVar("Reader", bound="PictureReader[Any]")


class PictureReader(ABC, Generic[Network]):
    """A trained network that reads pictures, with what its file says of it.

    Attributes:
        kind: what it is in messages, file formats and folders, such as "parser".
        network: in eval mode, its parameters frozen.
        training: figures of its training, JSON-able; ``held_out`` has its scores on data it was not trained on.
        licence: terms of its weights.
        data_licence: terms of the data that it was trained on.
    """

    kind: ClassVar[str]

    def __init__(
        self,
        network: Network,
        training: Mapping[str, Any] | None = None,
        licence: str = "",
        data_licence: str = "",
    ) -> None:
        self.network = network.eval().requires_grad_(False)
        self.training: Mapping[str, Any] = dict(training or {})
        self.licence, self.data_licence = licence, data_licence

    @property
    @abstractmethod
    def size(self) -> int:
        """S, the side in pixels that it reads."""

    @abstractmethod
    def metadata(self) -> dict[str, Any]:
        """ "config" and what the kind adds, JSON-able."""

    @abstractmethod
    def description(self) -> str:
        """One line."""

    @property
    def device(self) -> torch.device:
        return next(self.network.parameters()).device

    def to(self: Reader, device: torch.device | str) -> Reader:
        """Move the network; returns this reader."""
        self.network.to(device)
        return self

    def save(
        self, path: str | Path, description: str = "", overwrite: bool = False, precision: str = "float32"
    ) -> None:
        """Write a ``.safetensors`` file; "float16" as ``precision`` halves it.

        Raises:
            InputError: another suffix or precision, weights that are not finite, an existing file that may not go.
        """
        texts = {
            "description": description or self.description(),
            **{name: json.dumps(value) for name, value in self.metadata().items()},
            "training": json.dumps(dict(self.training)),
            "licence": self.licence,
            "data_licence": self.data_licence,
        }
        state = self.network.state_dict()
        weights = {name: value for name, value in state.items() if value.is_floating_point()}
        write_weights(path, f"semanticgan-{self.kind}", weights, texts, precision, overwrite)


@dataclass(frozen=True)
class NetworkFile(Generic[Network]):
    """What a file holds.

    Attributes:
        network: on the CPU.
        more: what the kind adds to the metadata, read.
        about: training, licence and data_licence, as :class:`PictureReader` takes them.
    """

    network: Network
    more: Mapping[str, Any]
    about: tuple[Mapping[str, Any], str, str]


def load_network(
    name_or_path: str | Path,
    kind: str,
    config_of: Callable[[Mapping[str, Any]], Config],
    network_of: Callable[[Config], Network],
    more: Mapping[str, Callable[[Mapping[str, Any]], Any]] | None = None,
) -> NetworkFile[Network]:
    """Read a network and verify every tensor in its file.

    Args:
        name_or_path: one that comes with the package (``bundled("parsers")``), or a file.
        kind: as of :class:`PictureReader`.
        config_of: reads the config.
        network_of: makes the network with weights of any value.
        more: what the kind adds to the metadata, and how each is read.

    Raises:
        MissingFileError: no such file.
        WeightsError: the file is damaged, unsafe, or of another kind.
    """
    more = more or {}
    path = reader(f"{kind}s", name_or_path)
    required = ("description", "config", *more, "training", "licence", "data_licence")
    raw, tensors = read_weights(path, f"semanticgan-{kind}", required)
    what = f"{kind} {str(path)!r}"
    try:
        config = config_of(parse_object(raw["config"]))
        added = {name: read(parse_object(raw[name])) for name, read in more.items()}
        training = parse_object(raw["training"], numbers_only=False)
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
        raise WeightsError(f"metadata of {what} cannot be used: {error}") from error
    network = build(lambda: network_of(config), tensors, what)
    return NetworkFile(network, added, (training, raw["licence"], raw["data_licence"]))
