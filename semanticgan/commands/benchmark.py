"""Measure speed and memory on this machine, beside the measured limit of its convolutions.

The limit of a layer is the best rate of one plain 3x3 convolution with the same channels and resolution. The limit of
the model is the sum over its layers of operations divided by rate. Weights are random unless --model is given: speed
does not depend on them. Other running programs make every number worse.
"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from semanticgan.choices import PRECISIONS, RUNTIMES
from semanticgan.commands import arguments
from semanticgan.commands.memory import keep_freed_memory
from semanticgan.errors import InputError

if TYPE_CHECKING:
    import torch

    from semanticgan.networks.generator import Generator

EXAMPLES = (
    "--size 256 --batch 4",
    "--size 256 --batch 2 --precision bfloat16 --training --out speed.md",
    "--model portraits-64 --batch 1 --precision float32 --runtimes compile,onnx",
)

_DEFAULT_SIZE = 256


def add_arguments(parser: argparse.ArgumentParser) -> None:
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--size",
        type=arguments.picture_side,
        help=f"resolution, with the paper's configuration (default: {_DEFAULT_SIZE})",
    )
    which.add_argument("--model", metavar=arguments.MODEL, help="use this model's configuration and weights instead")
    arguments.add_device_argument(parser)
    arguments.add_count(parser, "--batch", "images per batch", 1, 1024, default=4)
    parser.add_argument(
        "--precision",
        type=arguments.listed(PRECISIONS, "precisions"),
        default=("float32", "bfloat16"),
        metavar="LIST",
        help="float32, bfloat16, or both, comma-separated (default: both)",
    )
    arguments.add_count(parser, "--repeats", "repetitions of each measurement; the shortest counts", 1, 1000, default=8)
    arguments.add_flag(parser, "--training", "also time training steps (--size only; minutes on a CPU)")
    parser.add_argument(
        "--runtimes",
        type=arguments.listed(RUNTIMES, "runtimes"),
        default=(),
        metavar="LIST",
        help=f"also render by these, comma-separated: {', '.join(RUNTIMES)} (default: none)",
    )
    arguments.add_flag(
        parser,
        "--growth",
        "also measure how the cost grows with regions, resolution and batch, with --training in training, too",
    )
    parser.add_argument("--out", type=arguments.path, help="Markdown file for the tables (default: stderr)")
    arguments.add_overwrite_argument(parser)


def run(args: argparse.Namespace) -> dict[str, Any]:
    from semanticgan.benchmark.report import run_benchmark
    from semanticgan.files import require_free, written_aside
    from semanticgan.model import choose_device

    if args.out is not None:
        require_free(args.out, args.overwrite)
    if args.training and args.model is not None:
        raise InputError("--training measures the paper's configuration of a --size; leave --model out.")
    device = choose_device(args.device)
    report = run_benchmark(
        _generator(args, device),
        args.batch,
        args.precision,
        device,
        args.repeats,
        training=args.training,
        prepare_process=keep_freed_memory,
        runtimes=args.runtimes,
        growth=args.growth,
    )
    if args.out is None:
        sys.stderr.write(report.to_markdown())
        return report.to_dict()
    with written_aside(args.out, args.overwrite) as aside:
        aside.write_text(report.to_markdown(), encoding="utf-8")
    return {"out": str(args.out), **report.to_dict()}


def _generator(args: argparse.Namespace, device: torch.device) -> Generator:
    from semanticgan.model import load
    from semanticgan.networks.config import GeneratorConfig
    from semanticgan.networks.generator import Generator

    if args.model is not None:
        return load(args.model, device=device).regional
    generator = Generator(GeneratorConfig(size=args.size or _DEFAULT_SIZE))
    return generator.eval().requires_grad_(False).to(device)
