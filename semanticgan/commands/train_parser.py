"""Train a parser: a small network that reads the regions of aligned face pictures.

It learns from pictures with masks, in minutes on a CPU. The last pairs are held out. Pixel accuracy and intersection
over union (IoU) by region on the held-out pairs are printed and stored in the file. `label-regions` labels pictures
with it.
"""

from __future__ import annotations

import argparse
from typing import Any

from semanticgan.choices import DATA_KINDS, PRECISIONS
from semanticgan.commands import arguments
from semanticgan.perception.settings import ParserTraining

EXAMPLES = (
    "folder data/portraits-64 --size 64 --out parser.safetensors",
    "folder faces.zip --scheme photographs-11 --size 128 --steps 2000 --held-out 1000 --out parser-128.safetensors",
)

DEFAULT_NUM_PORTRAITS = 10_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "kind",
        choices=tuple(kind for kind in DATA_KINDS if kind != "pictures"),
        help="folder: image/ and label/ in a folder or zip; lmdb: written by prepare-data; celebamask-hq: the "
        "original layout; portraits: drawn by this package",
    )
    parser.add_argument(
        "path", nargs="?", type=arguments.path, metavar="PATH", help="input folder or zip; none for portraits"
    )
    parser.add_argument("--out", type=arguments.path, required=True, metavar="FILE.safetensors", help="output file")
    parser.add_argument(
        "--size",
        type=arguments.picture_side,
        default=64,
        help="resolution that it reads, up to 512 pixels",
    )
    parser.add_argument("--scheme", metavar="NAME", help="region scheme of the labels (default: from dataset.json)")
    parser.add_argument(
        "--label-order", metavar="NAME", help="order of a folder's label ids: celebamask-19 or bisenet-19"
    )
    parser.add_argument(
        "--count",
        type=arguments.at_least(2, arguments.MOST),
        help=f"use only the first N pairs (portraits: how many to draw, default {DEFAULT_NUM_PORTRAITS})",
    )
    parser.add_argument(
        "--precision",
        choices=arguments.STORED_PRECISIONS,
        default="float32",
        help="precision of the stored weights; float16 halves the file",
    )
    parser.add_argument(
        "--arithmetic",
        choices=PRECISIONS,
        default=ParserTraining.precision,
        help="precision of the training; bfloat16 is faster on processors that support it",
    )
    parser.add_argument("--data-seed", type=arguments.seed, default=0, help="seed of the drawn portraits")
    arguments.add_megapixels_argument(parser)
    arguments.add_learning_arguments(parser, ParserTraining, "pairs")


def run(args: argparse.Namespace) -> dict[str, Any]:
    from semanticgan.data import open_dataset
    from semanticgan.editing.outputs import require_suffix
    from semanticgan.files import require_free
    from semanticgan.model import choose_device
    from semanticgan.perception.parser_training import train_parser

    require_suffix(args.out, (".safetensors",))
    require_free(args.out, args.overwrite)
    training = ParserTraining(
        num_steps=args.steps,
        batch=args.batch,
        num_held_out=args.held_out,
        seed=args.seed,
        precision=args.arithmetic,
    )
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
