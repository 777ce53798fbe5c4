"""How fast a generator renders, part by part and layer by layer, beside the floor."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

import torch

from semanticgan.benchmark.clock import PeakMemory, best_seconds, timed_modules
from semanticgan.benchmark.floor import Floor
from semanticgan.benchmark.work import (
    FOURIER_FEATURES,
    FUSION,
    LOCAL_GENERATORS,
    MAPPING,
    OUTPUTS,
    PARTS,
    RENDERER,
    Layer,
    count_work,
    gigaflop,
)
from semanticgan.networks.config import GeneratorConfig
from semanticgan.networks.generator import Generator


@dataclass(frozen=True)
class Speed:
    """Time of a part, a layer or the whole.

    Attributes:
        name: of the part or layer.
        gigaflop: 10^9 operations per image.
        milliseconds: per image.
        rate: 10^9 operations per second.
        floor: the same at the floor.
        share: of the floor that is reached, rate / floor.
    """

    name: str
    gigaflop: float
    milliseconds: float
    rate: float
    floor: float
    share: float


@dataclass(frozen=True)
class InferenceSpeed:
    """A generator's speed at one precision; see :class:`Speed`."""

    precision: str
    whole: Speed
    parts: tuple[Speed, ...]
    layers: tuple[Speed, ...]


@torch.no_grad()
def measure_inference(
    generator: Generator, batch: int, precision: str, floor: Floor, device: torch.device, repeats: int
) -> InferenceSpeed:
    """Time z -> picture with the fixed noise maps. The parts are timed inside a whole pass, as they run there."""
    work = count_work(generator.config, batch)
    z = torch.randn(batch, generator.config.style_dim, generator=torch.Generator().manual_seed(0)).to(device)
    modules = {
        MAPPING: generator.mapping,
        LOCAL_GENERATORS: generator.local,
        FUSION: generator.fusion,
        RENDERER: generator.renderer,
    }
    for side, block in zip(generator.renderer.noise_sides[::2], generator.renderer.blocks, strict=True):
        modules |= {
            f"{side} upsample": block.get_submodule("upsample"),
            f"{side} refine": block.get_submodule("refine"),
        }
    with reduced_precision(device, precision):
        whole = best_seconds(lambda: generator(generator.map(z)), device, repeats)
        embedding = best_seconds(generator.local.embed, device, repeats)
        with timed_modules(modules, device) as seconds:
            for _ in range(repeats):
                generator(generator.map(z))
    convolutions = [name for name in modules if name not in PARTS]
    seconds[FOURIER_FEATURES] = embedding
    seconds[LOCAL_GENERATORS] = max(seconds[LOCAL_GENERATORS] - embedding, 0.0)
    seconds[OUTPUTS] = max(seconds[RENDERER] - sum(seconds[name] for name in convolutions), 0.0)

    def speed(name: str, layers: list[Layer], batch_seconds: float) -> Speed:
        giga, image_seconds = gigaflop(layers), batch_seconds / batch
        at_floor = floor.seconds(layers)
        rate = giga / max(image_seconds, 1e-12)
        return Speed(name, giga, image_seconds * 1e3, rate, giga / at_floor, at_floor / max(image_seconds, 1e-12))

    return InferenceSpeed(
        precision,
        whole=speed("whole", list(work), whole),
        parts=tuple(speed(part, [layer for layer in work if layer.part == part], seconds[part]) for part in PARTS),
        layers=tuple(
            speed(name, [layer for layer in work if layer.part == RENDERER and layer.name == name], seconds[name])
            for name in (*convolutions, OUTPUTS)
        ),
    )


@torch.no_grad()
def peak_memory_of_render(device: torch.device, config: GeneratorConfig, batch: int, precision: str) -> int | None:
    """Bytes beyond the weights that the first render takes at most; on a CPU to be called in a fresh process."""
    generator = Generator(config).eval().requires_grad_(False).to(device)
    z = torch.randn(batch, config.style_dim).to(device)
    gauge = PeakMemory(device)
    with reduced_precision(device, precision):
        generator(generator.map(z))
    return gauge.read()


def reduced_precision(device: torch.device, precision: str) -> contextlib.AbstractContextManager[object]:
    """Autocast to bfloat16, or nothing for float32."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16")
