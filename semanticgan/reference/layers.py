"""What an importer of a layered model gives."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from semanticgan.networks.comparison.layered import LayeredGenerator


@dataclass(frozen=True)
class ReferenceLayers:
    """A layered model of a checkpoint.

    Attributes:
        generator: with its mean latent.
        discriminator: None where the file has none.
        averaged: whether the file has averaged weights, which were taken.
        has_mean: whether the mean of w is the file's; else it was estimated.
    """

    generator: LayeredGenerator
    discriminator: nn.Module | None
    averaged: bool
    has_mean: bool
