"""A whole benchmark: the floor, inference, memory and, where asked for, training."""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from semanticgan.benchmark import tables
from semanticgan.benchmark.clock import in_fresh_process
from semanticgan.benchmark.floor import Layout, best_layout, measure_floor
from semanticgan.benchmark.growth import Growth, measure_growth
from semanticgan.benchmark.inference import InferenceSpeed, measure_inference, peak_memory_of_render
from semanticgan.benchmark.partial import PartialSpeed, measure_partial
from semanticgan.benchmark.runtimes import RuntimeSpeed, measure_runtimes, require_runtimes
from semanticgan.benchmark.training import TrainingSpeed, measure_papers_training, papers_config
from semanticgan.benchmark.work import ConvShape, count_work
from semanticgan.networks.generator import Generator

_TRAINING_STEPS = 3


@dataclass(frozen=True)
class Report:
    """What was measured.

    Attributes:
        machine: what it ran on, by property.
        size: side of the pictures.
        batch: images at a time.
        rates: GFLOP/s of plain convolutions by layout and shape.
        inference: one per precision.
        peak_memory: bytes beyond the weights of one render, by precision; None where the device does not tell.
        training: one per precision, or none.
        partial: edits of one region of one image, by precision.
        runtimes: the same render by other runtimes.
        growth: cost against regions, resolution and batch.
    """

    machine: dict[str, str]
    size: int
    batch: int
    rates: Mapping[Layout, Mapping[ConvShape, float]]
    inference: tuple[InferenceSpeed, ...]
    peak_memory: dict[str, int | None]
    training: tuple[TrainingSpeed, ...] = ()
    partial: Mapping[str, Sequence[PartialSpeed]] = field(default_factory=dict)
    runtimes: tuple[RuntimeSpeed, ...] = ()
    growth: tuple[Growth, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """JSON-able; rates in GFLOP/s, memory in bytes."""
        floor = [
            {"precision": precision, "layout": layout, **asdict(shape), "rate": rate}
            for (precision, layout), by_shape in self.rates.items()
            for shape, rate in by_shape.items()
        ]
        return {
            "machine": self.machine,
            "size": self.size,
            "batch": self.batch,
            "floor": floor,
            "inference": [
                {**asdict(speed), "peak_memory": self.peak_memory[speed.precision]} for speed in self.inference
            ],
            "partial": [
                {"precision": precision, **asdict(edit)} for precision, edits in self.partial.items() for edit in edits
            ],
            "training": [asdict(speed) for speed in self.training],
            "runtimes": [asdict(speed) for speed in self.runtimes],
            "growth": [asdict(growth) for growth in self.growth],
        }

    def to_markdown(self) -> str:
        """The tables of ``docs/performance.md``."""
        sections = [
            "### The floor: GFLOP/s of one 3x3 convolution",
            ", ".join(f"{name} {value}" for name, value in self.machine.items()) + f", batch {self.batch}",
            tables.floor_table(self.rates),
        ]
        for speed in self.inference:
            peak = tables.megabytes(self.peak_memory[speed.precision])
            sections += [
                f"### Inference in {speed.precision}, {self.size} pixels, batch {self.batch}",
                tables.inference_table(speed),
                f"{speed.whole.share:.0%} of the floor. Peak memory beyond the weights: {peak}.",
            ]
        for precision, edits in self.partial.items():
            sections += [f"### Edits in {precision}, beside the whole renderer", tables.partial_table(edits)]
        if self.runtimes:
            sections += [f"### Runtimes, batch {self.batch}", tables.runtime_table(self.runtimes)]
        if self.growth:
            sections += ["### Growth", tables.growth_table(self.growth)]
        if self.training:
            title = f"### Training, {self.size} pixels, batch {self.batch}"
            sections += [title, tables.training_table(self.training)]
        return "\n\n".join(sections) + "\n"


def run_benchmark(
    generator: Generator,
    batch: int,
    precisions: Sequence[str],
    device: torch.device,
    repeats: int,
    training: bool = False,
    prepare_process: Callable[[], object] | None = None,
    runtimes: Sequence[str] = (),
    growth: bool = False,
) -> Report:
    """Measure a generator that is on ``device`` already.

    Args:
        generator: its configuration decides the work.
        batch: images at a time.
        precisions: "float32", "bfloat16" or both.
        repeats: repetitions of each measurement; the shortest counts.
        training: also time training steps of the paper's configuration for this size.
        prepare_process: called at the start of the fresh processes in which memory is measured on a CPU.
        runtimes: those of ``RUNTIMES`` that render, too.
        growth: also measure how the cost grows, with ``training`` that of training steps, too.

    Raises:
        InputError: a batch that the training does not allow, or a runtime that device and precisions have not.
    """
    size = generator.config.size
    if training:
        papers_config(size, batch, precisions[0])  # a batch that it does not allow is told before the long work
    require_runtimes(runtimes, precisions, device)
    work = count_work(generator.config, batch)
    rates: dict[Layout, dict[ConvShape, float]] = {}
    inference, peaks, partial = [], {}, {}
    beside: list[RuntimeSpeed] = []
    for precision in precisions:
        measured = measure_floor(work, precision, batch, device, repeats)
        rates |= measured
        floor = best_layout(measured)
        inference.append(measure_inference(generator, batch, precision, floor, device, repeats))
        partial[precision] = measure_partial(generator, precision, device, repeats)
        if runtimes:
            beside += measure_runtimes(generator, batch, precision, device, repeats, runtimes)
        peaks[precision] = _alone(prepare_process, device, peak_memory_of_render, generator.config, batch, precision)
    steps = min(repeats, _TRAINING_STEPS)
    trained = [
        _alone(prepare_process, device, measure_papers_training, size, batch, precision, steps)
        for precision in precisions
        if training
    ]
    grown = tuple(measure_growth(device, repeats, training)) if growth else ()
    about = (_machine(device), size, batch, rates)
    return Report(*about, tuple(inference), peaks, tuple(trained), partial, tuple(beside), grown)


def _alone(
    prepare: Callable[[], object] | None, device: torch.device, measure: Callable[..., Any], *arguments: Any
) -> Any:
    """``measure(device, *arguments)``, on a CPU in a fresh process, whose peak of memory is its own."""
    if device.type == "cpu":
        return in_fresh_process(measure, device, *arguments, initializer=prepare)
    return measure(device, *arguments)


def _machine(device: torch.device) -> dict[str, str]:
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else _processor_name()
    return {
        "device": device.type,
        "name": name,
        "threads": str(torch.get_num_threads()),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "PyTorch": torch.__version__,
    }


def _processor_name() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
