"""Train a parser: a small network that reads the regions of aligned face pictures.

It learns from pictures with masks, in minutes on a CPU. The last pairs are held out. Pixel accuracy and intersection
over union (IoU) by region on the held-out pairs are printed and stored in the file. `label-regions` labels pictures
with it.
"""

from __future__ import annotations

import argparse
from typing import Any

from semanticgan.commands import arguments
from semanticgan.perception.settings import ParserTraining

EXAMPLES = (
    "folder data/portraits-64 --size 64 --out parser.safetensors",
    "folder faces.zip --scheme photographs-11 --size 128 --steps 2000 --held-out 1000 --out parser-128.safetensors",
)

DEFAULT_NUM_PORTRAITS = 10_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    arguments.add_pairs_arguments(parser, "prepare-data")
    parser.add_argument("--scheme", metavar="NAME", help="region scheme of the labels (default: from dataset.json)")
    arguments.add_count(
        parser,
        "--count",
        f"use only the first N pairs (portraits: how many to draw, default {DEFAULT_NUM_PORTRAITS})",
        2,
    )
    parser.add_argument(
        "--precision",
        choices=arguments.STORED_PRECISIONS,
        default="float32",
        help="precision of the stored weights; float16 halves the file",
    )
    arguments.add_megapixels_argument(parser)
    arguments.add_learning_arguments(parser, ParserTraining, "pairs", 512, "--arithmetic")


def run(args: argparse.Namespace) -> dict[str, Any]:
    from semanticgan.data import open_dataset
    from semanticgan.model import choose_device
    from semanticgan.perception.parser_training import train_parser

    training = arguments.learning_of(ParserTraining, args, args.arithmetic)
    dataset = open_dataset(
        args.kind,
        args.path,
        args.size,
        scheme=args.scheme,
        length=args.count or (DEFAULT_NUM_PORTRAITS if args.kind == "portraits" else None),
        label_order=args.label_order,
        seed=args.data_seed,
        max_megapixels=args.max_megapixels,
    )
    parser = train_parser(
        dataset,
        training,
        device=choose_device(args.device),
        licence=args.licence,
        data_licence=args.data_licence,
        progress=True,
    )
    parser.save(args.out, overwrite=args.overwrite, precision=args.precision)
    return {"out": str(args.out), "size": parser.size, "num_regions": len(parser.regions), **parser.training}
