"""Draw a sheet on which the regions of a picture are added one at a time, with their pseudo-depths and coarse masks."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from semanticgan.commands import arguments, photographs

EXAMPLES = (
    "--seed 3 --out components.png",
    "--seed 3 --order background,face,eye,nose,mouth,hair --out face-first.png",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    arguments.add_model_arguments(parser)
    source = parser.add_mutually_exclusive_group()
    arguments.add_seed_argument(source)
    photographs.add_image_argument(source)
    photographs.add_photograph_arguments(parser)
    parser.add_argument(
        "--order", metavar="NAMES", help="regions to add, in this order (default: all, in the model's order)"
    )
    arguments.add_truncation_argument(parser)
    parser.add_argument("--out", type=arguments.path, default=Path("components.png"), help="PNG to write")
    arguments.add_mark_argument(parser)
    arguments.add_overwrite_argument(parser)


def run(args: argparse.Namespace) -> dict[str, Any]:
    import torch

    from semanticgan.editing.outputs import require_suffix, save_picture
    from semanticgan.editing.sheets import component_sheet
    from semanticgan.files import require_free
    from semanticgan.latents import LatentCode

    require_free(require_suffix(args.out), args.overwrite)
    model = arguments.load_model(args)
    order = list(model.regions.names) if args.order is None else arguments.region_names(model, [args.order])
    visible = torch.zeros(len(order), len(model.regions))
    for step, label in enumerate(model.regions.indices(order)):
        visible[step:, label] = 1
    if args.image:
        code = photographs.code_of_image(args, model, args.image, args.face)
    else:
        code = model.sample(seed=args.seed, truncation=args.truncation)
    name = args.image.name if args.image else f"seed {args.seed}"
    steps = model.render(LatentCode.cat([code] * len(order)), visible=visible.to(model.device))
    sheet = component_sheet(steps, order, model.regions, title=f"{name}, region by region")
    save_picture(sheet, args.out, args.overwrite, arguments.mark_of(args, model))
    return {"out": str(args.out), "source": name, "seed": None if args.image else args.seed, "regions": order}
