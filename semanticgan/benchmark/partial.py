"""How long the renderer takes after an edit of one region, beside the whole renderer."""

from __future__ import annotations

import statistics
from dataclasses import dataclass

import torch
from torch import Tensor

from semanticgan.benchmark.clock import now
from semanticgan.benchmark.inference import reduced_precision
from semanticgan.benchmark.work import RENDERER, count_work
from semanticgan.networks.boxes import Box
from semanticgan.networks.generator import Generator
from semanticgan.networks.partial_rendering import PartialRenderer

REGION_BOXES = {
    "eye": Box(26, 32, 20, 44),
    "mouth": Box(43, 46, 27, 37),
    "nose": Box(27, 39, 30, 35),
    "hair": Box(4, 39, 10, 52),
}
"""Where regions lie, in 64ths of the side: medians of the label maps of ``portraits-64``, seeds 0 to 31."""


@dataclass(frozen=True)
class PartialSpeed:
    """The renderer after an edit of one region.

    Attributes:
        region: what is edited; "nothing" renders the same features again.
        tolerance: what may differ, as of :class:`PartialRenderer`; 0 is rounding.
        ratio: median time, divided by the median time of the whole renderer, measured in turns.
        work: the share of the blocks' operations in the cells that are computed, without the cells around them.
        kept_bytes: bytes of the kept maps.
        error: largest difference from the whole render after a turn of all edits, of the picture's root mean square.
    """

    region: str
    tolerance: float
    ratio: float
    work: float
    kept_bytes: int
    error: float


@torch.no_grad()
def measure_partial(
    generator: Generator, precision: str, device: torch.device, repeats: int, tolerance: float = 0.0
) -> list[PartialSpeed]:
    """Time a chain of edits of one image: the features and masks of two codes, exchanged in one region's box at a time.

    Each turn edits all regions, one after another, and ends with the whole renderer.
    """
    config = generator.config
    z = torch.randn(2, config.style_dim, generator=torch.Generator().manual_seed(0)).to(device)
    renderer = generator.renderer
    seconds: dict[str, list[float]] = {name: [] for name in ("whole", "nothing", *REGION_BOXES)}
    work, errors = dict.fromkeys(seconds, 0.0), []
    with reduced_precision(device, precision):
        feature, mask = generator.fusion(generator.local(generator.region_codes(generator.map(z))))
        noise = renderer.noise_maps("fixed", feature)
        partial = PartialRenderer(renderer, tolerance)
        current = (feature[:1].clone(), mask[:1].clone())
        found = partial(*current, noise)
        for turn in range(repeats):
            for region in ("nothing", *REGION_BOXES):
                if region != "nothing":
                    box = _cells(REGION_BOXES[region], config.coarse_size)
                    for target, both in zip(current, (feature, mask), strict=True):
                        box.of(target).copy_(box.of(both[1 - turn % 2]))
                start = now(device)
                found = partial(*current, noise)
                seconds[region].append(now(device) - start)
                work[region] = _work(generator, partial)
            start = now(device)
            expected = renderer(*current, noise)
            seconds["whole"].append(now(device) - start)
            errors.append(_difference(found.image, expected.image))
    median = {name: statistics.median(times) for name, times in seconds.items()}
    return [
        PartialSpeed(name, tolerance, median[name] / median["whole"], work[name], partial.kept_bytes, max(errors))
        for name in ("nothing", *REGION_BOXES)
    ]


def _cells(box: Box, side: int) -> Box:
    """A box of 64ths as cells, those that it cuts included."""
    top, bottom, left, right = (edge * side for edge in box)
    return Box(top // 64, -(-bottom // 64), left // 64, -(-right // 64))


def _difference(found: Tensor, expected: Tensor) -> float:
    return float((found - expected).abs().max() / expected.square().mean().sqrt())


def _work(generator: Generator, partial: PartialRenderer) -> float:
    """Operations of the blocks in the cells of the last call, as a share of all."""
    sides = generator.renderer.noise_sides[::2]
    of_side = dict.fromkeys(sides, 0.0)
    for layer in count_work(generator.config, 1):
        side = layer.name.partition(" ")[0]
        if layer.part == RENDERER and side.isdigit():
            of_side[int(side)] += layer.flop
    done = sum(
        of_side[side] * box.num_cells / side**2
        for side, box in zip(sides, partial.boxes, strict=True)
        if box is not None
    )
    return done / sum(of_side.values())
