"""Label a folder of aligned face pictures: a training set from pictures without masks.

A parser (`train-parser`) reads the regions. The output is a folder like those of `prepare-data`: image/, label/
(indexed PNG), dataset.json, and attributes.jsonl with the file name of each picture. Pictures must be aligned like
those that the parser was trained on; look at some label maps before you train. Repeat a stopped command to continue it;
an existing folder is never replaced.
"""

from __future__ import annotations

import argparse
import os
from typing import Any

from semanticgan.commands import arguments

EXAMPLES = (
    "photographs/ --parser photographs-64 --out data/photographs",
    "photographs.zip --parser parser.safetensors --size 256 --out data/photographs-256",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "pictures", type=arguments.path, metavar="PICTURES", help="a folder or zip of aligned face pictures"
    )
    parser.add_argument("--parser", required=True, metavar="NAME_OR_PATH", help=arguments.PARSER_HELP)
    parser.add_argument(
        "--out",
        type=arguments.output_folder,
        required=True,
        metavar="FOLDER",
        help="output folder, which must not exist",
    )
    parser.add_argument(
        "--size", type=arguments.picture_side, help="resolution of pictures and label maps (default: the parser's)"
    )
    arguments.add_megapixels_argument(parser)
    arguments.add_device_argument(parser)


def run(args: argparse.Namespace) -> dict[str, Any]:
    from semanticgan.data.prepare import prepare
    from semanticgan.errors import ExistingFileError
    from semanticgan.model import choose_device
    from semanticgan.perception.labelling import ParsedPictures
    from semanticgan.perception.parser import load_parser
    from semanticgan.places import require_no_source_inside, require_outside

    require_outside(args.out, args.pictures)
    require_no_source_inside(args.out, args.pictures)
    if os.path.lexists(args.out):
        raise ExistingFileError(f"output {str(args.out)!r} exists already and is not replaced. Choose a new folder.")
    parser = load_parser(args.parser, choose_device(args.device))
    pictures = ParsedPictures(args.pictures, parser, args.size, args.max_megapixels)
    # One process: the parser's own threads use the processors, and an accelerator cannot be shared by forking.
    prepared = prepare(pictures, args.out, attributes=pictures.attributes, sources=pictures, workers=0, progress=True)
    return {
        "out": str(prepared.path),
        "num_images": prepared.count,
        "size": prepared.size,
        "shares": dict(prepared.shares),
        "num_blank": prepared.report["num_blank"],
        "regions_without_pictures": prepared.report["regions_without_pictures"],
        "parser_held_out": parser.training.get("held_out"),
    }
