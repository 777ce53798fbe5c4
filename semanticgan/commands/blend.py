"""Blend two related models into one: the renderer from one side on, or whole regions, of the second.

The models are related if one was adapted from the other. Structure stays with the first where only large sides are
taken from the second; its colours and lines come with them. The smaller the side, the more of the second.
"""

from __future__ import annotations

import argparse
from typing import Any

from semanticgan.commands import arguments
from semanticgan.errors import InputError

EXAMPLES = (
    "--model portraits-64 --with runs/woodcut --from-side 64 --out blended.safetensors",
    "--model faces.safetensors --with drawings.safetensors --region hair,cloth --weight 0.7 --out hair.safetensors",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--model",
        metavar=arguments.MODEL,
        help="the first model, which gives all that is not asked of the second (default: the bundled model)",
    )
    parser.add_argument(
        "--with", dest="second", required=True, metavar=arguments.MODEL, help="the second model, related to the first"
    )
    parser.add_argument(
        "--from-side",
        type=arguments.at_least(1, arguments.MOST),
        metavar="SIDE",
        help="take the renderer's blocks that put out this side in pixels and larger ones",
    )
    parser.add_argument(
        "--region", action="append", metavar="NAMES", help="take these local generators; by commas or repeated"
    )
    parser.add_argument(
        "--weight",
        type=arguments.finite,
        default=1.0,
        help="how much of the second model, 0 to 1 (default: %(default)s)",
    )
    parser.add_argument(
        "--smooth",
        type=arguments.finite,
        default=0.0,
        metavar="DOUBLINGS",
        help="pass from one renderer to the other over so many doublings of the side (default: a sharp cut)",
    )
    parser.add_argument(
        "--out", type=arguments.path, required=True, metavar="OUT.safetensors", help="file of weights to write"
    )
    parser.add_argument(
        "--precision", choices=arguments.STORED_PRECISIONS, help="of the stored weights (default: as the models')"
    )
    parser.add_argument("--description", metavar="LINE", help="one line on the model, stored in the file")
    arguments.add_overwrite_argument(parser)


def run(args: argparse.Namespace) -> dict[str, Any]:
    from semanticgan.checkpoint import save_model
    from semanticgan.editing.blending import blend
    from semanticgan.files import require_free
    from semanticgan.model import load

    if args.from_side is None and not args.region:
        raise InputError(
            "nothing was asked of the second model. Give --from-side (such as 64), --region (such as hair), or both."
        )
    require_free(args.out, args.overwrite)
    blended = blend(
        load(args.model, device="cpu"),
        load(args.second, device="cpu"),
        renderer_from=args.from_side,
        regions=",".join(args.region) if args.region else (),
        weight=args.weight,
        smooth=args.smooth,
    )
    metadata = blended.model.metadata
    save_model(
        args.out,
        blended.model.generator,
        blended.model.regions,
        training=metadata.training,
        licence=metadata.licence,
        data_licence=metadata.data_licence,
        description=args.description or metadata.description,
        precision=args.precision or metadata.precision,
        overwrite=args.overwrite,
    )
    return {
        "out": str(args.out),
        "side_weights": {str(side): weight for side, weight in blended.side_weights.items()},
        "regions": list(blended.regions),
        "weight": blended.weight,
        "similarity": round(blended.similarity, 4),
        "licence": metadata.licence,
        "data_licence": metadata.data_licence,
    }
