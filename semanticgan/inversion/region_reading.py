"""The regions of an aligned photograph, as a bundled parser of the model's regions reads them."""

from __future__ import annotations

import functools

import torch
from torch import Tensor

from semanticgan.model import Model
from semanticgan.perception.parser import FaceParser, load_parser
from semanticgan.rendering import Rendering

PARSERS = ("photographs-64", "portraits-64")
"""Bundled parsers that read labels; the tutors, which taught the generators, are left to judge."""
_DRAWN = "drawn by this package"
"""How the terms of the data begin of what was trained on drawn portraits."""


def read_labels(model: Model, pictures: Tensor) -> Tensor | None:
    """The region at each pixel, uint8 [N, S, S]; None where no bundled parser fits the model.

    It fits where it has the model's regions. A parser of drawn portraits does not read the photographs of a model that
    was trained on other data.

    Args:
        model: whose regions.
        pictures: [N, 3, S, S] in [-1, 1].
    """
    parser = _parser_of(model)
    return None if parser is None else parser.labels(Rendering(pictures, *[pictures] * 3).to_uint8())


@torch.no_grad()
def read_memberships(model: Model, pictures: Tensor) -> Tensor | None:
    """How far each pixel belongs to each region, [N, K, S, S] in [0, 1]; arguments as of :func:`read_labels`."""
    parser = _parser_of(model)
    return None if parser is None else parser.logits(pictures.to(parser.device), pictures.shape[-1]).softmax(1)


def _parser_of(model: Model) -> FaceParser | None:
    names = None if model.rows.regions is None else model.rows.regions.names
    is_drawn = model.metadata.data_licence.startswith(_DRAWN)
    for name in PARSERS:
        parser = _opened(name, str(model.device))
        if parser.regions.names == names and (is_drawn or not parser.data_licence.startswith(_DRAWN)):
            return parser
    return None


@functools.cache
def _opened(name: str, device: str) -> FaceParser:
    return load_parser(name, device)
