"""Blend two related models: renderer blocks from a resolution up, or whole regions, come from the second.

Models are related if one was adapted from the other. With only the high resolutions of the second, structure stays that
of the first and colours and lines become those of the second. A lower resolution takes more of the second.
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
    parser.add_argument("--model", metavar=arguments.MODEL, help="the first model (default: the bundled model)")
    parser.add_argument(
        "--with", dest="second", required=True, metavar=arguments.MODEL, help="the second model, related to the first"
    )
    arguments.add_count(parser, "--from-side", "take the renderer blocks from this resolution up", 1, metavar="SIDE")
    parser.add_argument(
        "--region",
        action="append",
        metavar="NAMES",
        help="take these local generators, comma-separated; may be repeated",
    )
    parser.add_argument("--weight", type=arguments.finite, default=1.0, help="weight of the second model, 0 to 1")
    parser.add_argument(
        "--smooth",
        type=arguments.finite,
        default=0.0,
        metavar="DOUBLINGS",
        help="number of doublings of the resolution over which the renderers are mixed (default: a sharp cut)",
    )
    parser.add_argument(
        "--out", type=arguments.path, required=True, metavar="OUT.safetensors", help="file of weights to write"
    )
    parser.add_argument(
        "--precision",
        choices=arguments.STORED_PRECISIONS,
        help="precision of the stored weights (default: that of the models)",
    )
    parser.add_argument("--description", metavar="LINE", help="one-line description of the model, stored in the file")
    arguments.add_overwrite_argument(parser)


def run(args: argparse.Namespace) -> dict[str, Any]:
    from semanticgan.checkpoint import save_model
    from semanticgan.files import require_free
    from semanticgan.model import load
    from semanticgan.surgery.blending import blend

    if args.from_side is None and not args.region:
        raise InputError(
            "nothing is taken from the second model. Give --from-side (such as 64), --region (such as hair), or both."
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
        blended.model.rows.regions,
        training=metadata.training,
        licence=metadata.licence,
        data_licence=metadata.data_licence,
        description=args.description or metadata.description,
        precision=args.precision or metadata.precision,
        perception=metadata.perception,
        alignment=metadata.alignment,
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
