"""How the cost grows with regions, resolution and batch: time ~ x^e, with e fitted by least squares in logarithms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch

from semanticgan.benchmark.clock import best_seconds
from semanticgan.benchmark.training import DISCRIMINATOR, GENERATOR, measure_training
from semanticgan.networks.config import DiscriminatorSizes, GeneratorConfig, GeneratorSizes
from semanticgan.networks.generator import Generator
from semanticgan.regions import RegionScheme
from semanticgan.training.config import TrainingConfig

REGIONS, SIDES, BATCHES = "regions", "pixels of a side", "batch"

LOCAL, RENDERER, WHOLE = "local generators and fusion", "renderer", "whole render"

WIDTH = 32
"""Of every layer: the same at each side, so that what is measured is the growth of pixels alone."""

_BASE = {REGIONS: 8, SIDES: 64, BATCHES: 2}
_VALUES: Mapping[str, Sequence[int]] = {REGIONS: (4, 8, 16, 32), SIDES: (64, 128, 256), BATCHES: (1, 2, 4, 8)}
_VALUES_OF_TRAINING: Mapping[str, Sequence[int]] = {REGIONS: (4, 8, 16), SIDES: (64, 128), BATCHES: (2, 4, 8)}


@dataclass(frozen=True)
class Growth:
    """Time of one part along one axis, the others at their base.

    Attributes:
        part: such as "renderer", or a phase of training.
        axis: what grows.
        values: of it.
        milliseconds: of one batch.
        exponent: e of time ~ value^e; of the side, 2 is linear in pixels.
    """

    part: str
    axis: str
    values: tuple[int, ...]
    milliseconds: tuple[float, ...]
    exponent: float


def measure_growth(device: torch.device, repeats: int, training: bool) -> list[Growth]:
    """Time renders in float32, and with ``training`` the phases D and G of training steps, of small networks."""
    found: list[Growth] = []
    for axis, values in _VALUES.items():
        times = [_render_seconds(device, repeats, **_at(axis, value)) for value in values]
        found += [_growth(part, axis, values, [each[part] for each in times]) for part in (LOCAL, RENDERER, WHOLE)]
    for axis, values in _VALUES_OF_TRAINING.items() if training else ():
        times = [_training_seconds(device, **_at(axis, value)) for value in values]
        found += [_growth(phase, axis, values, [each[phase] for each in times]) for phase in (DISCRIMINATOR, GENERATOR)]
    return found


def _at(axis: str, value: int) -> dict[str, int]:
    given = {**_BASE, axis: value}
    return {"num_regions": given[REGIONS], "side": given[SIDES], "batch": given[BATCHES]}


def _config(num_regions: int, side: int) -> GeneratorConfig:
    """The grid of the local generators has a half of the picture's side, so all parts grow with it."""
    return GeneratorConfig(
        size=side,
        num_regions=num_regions,
        transparent=(),
        style_dim=128,
        num_mapping_layers=2,
        coarse_size=side // 2,
        local_channels=WIDTH,
        feature_channels=WIDTH,
        min_feature_size=16,
        channels={at: WIDTH for at in (32, 64, 128, 256) if at <= side},
    )


@torch.no_grad()
def _render_seconds(device: torch.device, repeats: int, num_regions: int, side: int, batch: int) -> dict[str, float]:
    generator = Generator(_config(num_regions, side)).eval().requires_grad_(False).to(device)
    w = generator.map(torch.zeros(batch, generator.latent_dim, device=device))
    codes = generator.region_codes(w)
    feature, mask = generator.fusion(generator.local(codes))
    noise = generator.renderer.noise_maps("fixed", feature)
    return {
        LOCAL: best_seconds(lambda: generator.fusion(generator.local(codes)), device, repeats),
        RENDERER: best_seconds(lambda: generator.renderer(feature, mask, noise), device, repeats),
        WHOLE: best_seconds(lambda: generator(w), device, repeats),
    }


def _training_seconds(device: torch.device, num_regions: int, side: int, batch: int) -> dict[str, float]:
    own = _config(num_regions, side)
    sizes = GeneratorSizes(**{each.name: getattr(own, each.name) for each in fields(GeneratorSizes)})
    widths = {4: WIDTH, 8: WIDTH, 16: WIDTH, **own.channels}
    config = TrainingConfig(
        size=side,
        batch=batch,
        generator=sizes,
        discriminator=DiscriminatorSizes(channels=widths, segmentation_channels=widths),
    )
    regions = RegionScheme(("background", *(f"region-{label}" for label in range(1, num_regions))))
    return measure_training(device, config, regions, num_steps=2).seconds


def _growth(part: str, axis: str, values: Sequence[int], seconds: Sequence[float]) -> Growth:
    exponent = float(np.polyfit(np.log(values), np.log(seconds), 1)[0])
    return Growth(part, axis, tuple(values), tuple(1e3 * each for each in seconds), exponent)
