"""The floor: what one plain 3x3 convolution reaches on this machine, the fastest that the renderer could run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from semanticgan.benchmark.clock import best_seconds
from semanticgan.benchmark.work import ConvShape, Layer

Layout = tuple[str, str]
LAYOUTS: Mapping[str, tuple[Layout, ...]] = {
    "float32": (("float32", "NCHW"), ("float32", "channels-last")),
    "bfloat16": (("bfloat16", "channels-last"),),
}
"""Precision -> the (precision, memory layout) pairs tried for it."""


@dataclass(frozen=True)
class Floor:
    """Best rate of every convolution of a model at one precision, in 10^9 operations per second."""

    rates: Mapping[ConvShape, float]

    def rate(self, layer: Layer) -> float:
        """What ``layer`` could run at."""
        return self.rates[layer.floor] if layer.floor is not None else max(self.rates.values())

    def seconds(self, layers: Iterable[Layer]) -> float:
        """Time an image at the floor: the sum over layers of operations by rate."""
        return sum(layer.flop / (self.rate(layer) * 1e9) for layer in layers)


@torch.no_grad()
def measure_rate(shape: ConvShape, layout: Layout, batch: int, device: torch.device, repeats: int) -> float:
    """10^9 operations per second of one convolution on a batch of maps."""
    dtype = getattr(torch, layout[0])
    memory_format = torch.channels_last if layout[1] == "channels-last" else torch.contiguous_format
    sides = (shape.side, shape.side)
    x = torch.randn(batch, shape.channels_in, *sides, device=device)
    weight = torch.randn(shape.channels_out, shape.channels_in, 3, 3, device=device)
    x, weight = (tensor.to(dtype).contiguous(memory_format=memory_format) for tensor in (x, weight))
    seconds = best_seconds(lambda: F.conv2d(x, weight, padding=1), device, repeats)
    return batch * shape.flop / seconds / 1e9


def measure_floor(
    layers: Iterable[Layer], precision: str, batch: int, device: torch.device, repeats: int
) -> dict[Layout, dict[ConvShape, float]]:
    """Rates of all convolutions that ``layers`` are compared with, in every layout of ``precision``."""
    shapes = sorted({layer.floor for layer in layers if layer.floor is not None})
    return {
        layout: {shape: measure_rate(shape, layout, batch, device, repeats) for shape in shapes}
        for layout in LAYOUTS[precision]
    }


def best_layout(rates: Mapping[Layout, Mapping[ConvShape, float]]) -> Floor:
    """The floor: of every convolution the best layout's rate."""
    shapes = next(iter(rates.values()))
    return Floor({shape: max(by_shape[shape] for by_shape in rates.values()) for shape in shapes})
