"""What says of generated pictures which region is where, so that their labels can follow it.

Shape legend: N images, K regions, S side of the picture.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor

from semanticgan.errors import InputError
from semanticgan.networks.generator import Generator
from semanticgan.networks.layers import widened
from semanticgan.training.draws import Draws

if TYPE_CHECKING:
    from semanticgan.perception.parser import FaceParser
    from semanticgan.regions import RegionScheme
    from semanticgan.training.config import TrainingConfig

START = "start"
"""The name of the reader that is the start of the training."""
_FAINTEST = 1e-4  # share of a region below which the start's labels do not tell it from none


class Reader(Protocol):
    """What reads the pictures of a training."""

    def logits(self, image: Tensor, draws: Draws) -> Tensor:
        """What is read in pictures, float [N, K, S, S]; no gradient flows.

        Args:
            image: [N, 3, S, S] in [-1, 1].
            draws: what they were generated from.
        """

    def state(self) -> dict[str, Any] | None:
        """What a resumed run needs and cannot open again."""

    def load_state(self, state: dict[str, Any] | None) -> None:
        """Go on from :meth:`state`."""


class ParserReader:
    """A parser, which looks at the pictures."""

    def __init__(self, parser: FaceParser) -> None:
        self.parser = parser

    def logits(self, image: Tensor, draws: Draws) -> Tensor:
        return self.parser.logits(image.detach(), image.shape[-1])

    def state(self) -> None:
        return None

    def load_state(self, state: dict[str, Any] | None) -> None:
        pass


class StartReader:
    """The model that the training began with: its segmentation of what it draws from the same codes.

    For a new look, which no parser can read, of pictures whose regions stay where they are.

    Args:
        generator: of the same numbers as the start's; its weights are to be the start's.
        mixing: probability of a batch with mixed codes.
    """

    def __init__(self, generator: Generator, mixing: float) -> None:
        self.generator = copy.deepcopy(generator).eval().requires_grad_(False)
        self._mixing = mixing

    @torch.no_grad()
    def logits(self, image: Tensor, draws: Draws) -> Tensor:
        latents = draws.latents(self.generator, self._mixing)
        drawn = self.generator(latents, noise=draws.noise(self.generator.noise_sides))
        return (widened(drawn.segmentation) / 2 + 0.5).clamp_min(_FAINTEST).log()

    def state(self) -> dict[str, Any]:
        return self.generator.state_dict()

    def load_state(self, state: dict[str, Any] | None) -> None:
        assert state is not None
        self.generator.load_state_dict(state)


def open_reader(
    config: TrainingConfig, regions: RegionScheme, generator: Generator, device: torch.device
) -> Reader | None:
    """The reader that a configuration asks for, None where it asks for none.

    Raises:
        InputError: no such parser, one of other regions, or no start to read with.
    """
    name_or_path = config.loss.parser
    if name_or_path is None:
        return None
    if name_or_path == START:
        if config.start is None:
            raise InputError("loss.parser is 'start', and no start is given. Give start=RUN_OR_MODEL, or a parser.")
        return StartReader(generator, config.loss.style_mixing)
    from semanticgan.perception.parser import load_parser

    parser = load_parser(name_or_path, device)
    if parser.regions.names != regions.names:
        raise InputError(
            f"loss.parser {name_or_path!r} tells {', '.join(parser.regions.names)}, the data have "
            f"{', '.join(regions.names)}. Give a parser trained on the data's regions (train-parser)."
        )
    return ParserReader(parser)
