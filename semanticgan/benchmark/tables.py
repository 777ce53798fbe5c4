"""A benchmark as Markdown tables, in the layout of ``docs/performance.md``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from semanticgan.benchmark.floor import Layout
from semanticgan.benchmark.growth import Growth
from semanticgan.benchmark.inference import InferenceSpeed, Speed
from semanticgan.benchmark.partial import PartialSpeed
from semanticgan.benchmark.runtimes import RuntimeSpeed
from semanticgan.benchmark.training import REFERENCE_BATCH, REFERENCE_SECONDS, TrainingSpeed
from semanticgan.benchmark.work import ConvShape


def table(heading: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table, numbers to the right."""
    lines = [heading, ["---", *("---:" for _ in heading[1:])], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def floor_table(rates: Mapping[Layout, Mapping[ConvShape, float]]) -> str:
    """GFLOP/s of one 3x3 convolution by shape and by precision and layout."""
    shapes = sorted({shape for by_shape in rates.values() for shape in by_shape}, key=lambda shape: shape.side)
    rows = [[_shape_name(shape), *(f"{by_shape[shape]:.0f}" for by_shape in rates.values())] for shape in shapes]
    return table(["channels at side", *(" ".join(layout) for layout in rates)], rows)


def inference_table(speed: InferenceSpeed) -> str:
    """Parts, then the layers of the renderer, then the whole."""
    heading = ["", "GFLOP an image", "ms an image", "GFLOP/s", "floor", "share"]
    layers = [_row(layer, f"- {layer.name}") for layer in speed.layers]
    return table(heading, [*(_row(part) for part in speed.parts), *layers, _row(speed.whole)])


def partial_table(edits: Sequence[PartialSpeed]) -> str:
    """The renderer after edits of one region, in shares of the whole renderer."""
    heading = ["edit", "time", "operations", "kept maps", "largest difference"]
    return table(
        heading,
        [
            [edit.region, f"{edit.ratio:.0%}", f"{edit.work:.0%}", megabytes(edit.kept_bytes), f"{edit.error:.1e}"]
            for edit in edits
        ],
    )


def runtime_table(speeds: Sequence[RuntimeSpeed]) -> str:
    """Renders by runtime; the gain is over eager PyTorch."""
    heading = ["runtime", "precision", "ms an image", "gain", "largest difference"]
    return table(
        heading,
        [
            [each.runtime, each.precision, f"{each.milliseconds:.2f}", f"{each.ratio:.2f} x", f"{each.error:.1e}"]
            for each in speeds
        ],
    )


def growth_table(found: Sequence[Growth]) -> str:
    """One row per part and axis, with the exponent of the growth."""
    return table(
        ["part", "grows with", "values", "ms a batch", "exponent"],
        [
            [
                each.part,
                each.axis,
                ", ".join(map(str, each.values)),
                ", ".join(f"{time:.3g}" for time in each.milliseconds),
                f"{each.exponent:.2f}",
            ]
            for each in found
        ],
    )


def training_table(speeds: Sequence[TrainingSpeed]) -> str:
    """Seconds by phase, one row per precision."""
    phases = list(speeds[0].seconds)
    heading = ["seconds", *phases, "average step", "images/s", "peak memory"]
    rows = [
        [
            speed.precision,
            *(f"{speed.seconds[phase]:.2f}" for phase in phases),
            f"{speed.seconds_a_step:.2f}",
            f"{speed.images_a_second:.2f}",
            megabytes(speed.peak_memory),
        ]
        for speed in speeds
    ]
    reference = REFERENCE_SECONDS.get(speeds[0].size) if speeds[0].batch == REFERENCE_BATCH else None
    if reference is not None:
        rows.append(["authors' code, another machine", *(f"{reference[phase]:.2f}" for phase in phases), "", "", ""])
        for speed in speeds:
            gains = [f"{reference[phase] / speed.seconds[phase]:.1f} x" for phase in phases]
            rows.append([f"gain of {speed.precision}", *gains, "", "", ""])
    return table(heading, rows)


def megabytes(number: int | None) -> str:
    """Bytes as whole megabytes of 10^6 bytes."""
    return "not known" if number is None else f"{number / 1e6:,.0f} MB"


def _row(speed: Speed, name: str | None = None) -> list[str]:
    return [
        name or speed.name,
        f"{speed.gigaflop:.3g}",
        f"{speed.milliseconds:.2f}",
        f"{speed.rate:.0f}",
        f"{speed.floor:.0f}",
        f"{speed.share:.0%}",
    ]


def _shape_name(shape: ConvShape) -> str:
    if shape.channels_in == shape.channels_out:
        return f"{shape.channels_in} at {shape.side}"
    return f"{shape.channels_in} to {shape.channels_out} at {shape.side}"
