"""Measures the weight gradients of 3x3 convolutions of stride 1 in both memory layouts: two tables of
docs/performance.md.

python docs/measure_weight_gradients.py --size 128 --batch 2 --out weight-gradients.md

The first table has single layers in float32. The second has the phases of a training step of the paper's configuration,
with the layout that networks/kernels/weight_gradients.py chooses and with channels-last everywhere. Times are the
shortest of ``--repeats`` and of ``--steps``. Run it on a quiet machine.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from semanticgan.benchmark.clock import best_seconds
from semanticgan.benchmark.tables import table
from semanticgan.benchmark.training import measure_papers_training
from semanticgan.commands.memory import keep_freed_memory
from semanticgan.files import written_aside
from semanticgan.networks.kernels import weight_gradients

LAYERS = (
    (8, 32, 64),
    (8, 64, 64),
    (4, 32, 128),
    (8, 128, 64),
    (4, 128, 128),
    (8, 256, 32),
    (4, 256, 64),
    (4, 256, 128),
    (4, 512, 32),
    (4, 512, 64),
)
"""Images, channels, resolution."""
CPU = torch.device("cpu")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--steps", type=int, default=2, help="training steps of each layout; 0 leaves them out")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    keep_freed_memory()
    layers = [[*layer, *map(str, of_layer(*layer, args.repeats))] for layer in LAYERS]
    heads = ["images", "channels", "resolution", "output", "input gradient", "channels-last", "NCHW"]
    text = table(heads, [[str(cell) for cell in row] for row in layers])
    if args.steps:
        phases = {name: of_step(args, smallest) for name, smallest in layouts().items()}
        names = list(next(iter(phases.values())))
        rows = [[name, *(f"{seconds[phase]:.1f}" for phase in names)] for name, seconds in phases.items()]
        text += "\n\n" + table(["weight gradients at stride 1", *names], rows)
    with written_aside(args.out, overwrite=True) as aside:
        aside.write_text(text + "\n", encoding="utf-8")
    print(text, file=sys.stderr)
    capability = torch.backends.cpu.get_cpu_capability()
    print(json.dumps({"out": str(args.out), "threads": torch.get_num_threads(), "capability": capability}))


def layouts() -> dict[str, int]:
    """Layout of the weight gradients -> the size of a feature map from which NCHW is used."""
    return {"channels-last": sys.maxsize, "NCHW for large feature maps": weight_gradients.LARGE_MAP}


def of_layer(images: int, channels: int, side: int, repeats: int) -> list[int]:
    """GFLOP/s of the output, the gradient of the input, and that of the weight in channels-last and in NCHW."""
    x, y = (torch.randn(images, channels, side, side).contiguous(memory_format=torch.channels_last) for _ in range(2))
    weight = torch.randn(channels, channels, 3, 3).contiguous(memory_format=torch.channels_last)
    work = 2e-9 * 9 * images * channels**2 * side**2

    def gradient(of_input: bool, of_weight: bool) -> list[Tensor]:
        wanted = [of_input, of_weight, False]
        found: list[Tensor] = torch.ops.aten.convolution_backward(
            y, x, weight, None, [1, 1], [1, 1], [1, 1], False, [0, 0], 1, wanted
        )
        return found

    timed: list[Callable[[], object]] = [
        lambda: torch.nn.functional.conv2d(x, weight, padding=1),
        lambda: gradient(True, False),
        lambda: gradient(False, True),
        lambda: weight_gradients._by_planes(x, y),
    ]
    return [round(work / best_seconds(run, CPU, repeats)) for run in timed]


def of_step(args: argparse.Namespace, smallest: int) -> dict[str, float]:
    """Phase of a training step in float32 -> seconds."""
    usual, weight_gradients.LARGE_MAP = weight_gradients.LARGE_MAP, smallest
    try:
        return dict(measure_papers_training(CPU, args.size, args.batch, "float32", args.steps).seconds)
    finally:
        weight_gradients.LARGE_MAP = usual


if __name__ == "__main__":
    main()
