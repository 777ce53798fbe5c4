"""Measure how much swapping a region changes the rest of the picture.

For each seed, the region is taken from the picture of seed + OFFSET. The change is the mean absolute difference over
pixels and channels, in levels of 0..255, outside the union of the region's old and new mask, feathered by 1/32 of the
side, and inside it. Means are over the images that show the region before or after, as the metric locality has them;
change_unseen is the mean over the others.

With --image the region is put into the photograph's inversion instead, once for each seed. What is compared are
pictures that the model renders: edit-region pastes into the photograph, where every pixel outside the mask stays.
"""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

from semanticgan.choices import SWAP_OFFSET
from semanticgan.commands import arguments, photographs

if TYPE_CHECKING:
    from torch import Tensor

EXAMPLES = (
    "--region hair --what texture --seeds 0-99",
    "--region mouth --what structure --seeds 0-99 --composite",
    "--image me.jpg --region hair --seeds 0-31",
)

_BATCH = 8


def add_arguments(parser: argparse.ArgumentParser) -> None:
    arguments.add_model_arguments(parser)
    arguments.add_seed_argument(parser)
    parser.add_argument("--seeds", type=arguments.seeds, metavar="LIST", help="seeds such as 0-99 (default: --seed)")
    arguments.add_count(parser, "--offset", "the region is taken from seed + OFFSET", 1, default=SWAP_OFFSET)
    photographs.add_image_argument(parser, "photograph of any size, in place of the seeds' own pictures")
    photographs.add_photograph_arguments(parser)
    arguments.add_region_arguments(parser, required=True)
    arguments.add_truncation_argument(parser)
    arguments.add_flag(parser, "--composite", "measure the composited pictures; the change outside is then 0")
    arguments.add_path(parser, "--out", "also write the numbers of every seed as JSON")
    arguments.add_overwrite_argument(parser)


def run(args: argparse.Namespace) -> dict[str, Any]:
    from semanticgan.editing.change import Change
    from semanticgan.files import require_file, require_free, written_aside
    from semanticgan.metrics.locality import swaps_of
    from semanticgan.metrics.samples import in_batches

    seeds: tuple[int, ...] = args.seeds or (args.seed,)
    if args.image:
        require_file(args.image, "photograph")
    if args.out:
        require_free(args.out, args.overwrite)
    model = arguments.load_model(args)
    regions = arguments.region_names(model, args.region)
    own = photographs.code_of_image(args, model, args.image, args.face) if args.image else None
    edits = swaps_of(
        model,
        in_batches(seeds, _BATCH, progress=True, what="locality"),
        [(regions, args.what)],
        source=own,
        offset=args.offset,
        truncation=args.truncation,
        include_base=args.include_base,
    )
    change = Change.cat([edit.change(args.composite) for _, edit in edits])
    seen = change.seen

    def mean(values: Tensor) -> float | None:
        return float(values.mean()) if len(values) else None

    if args.out:
        numbers = [
            {"seed": seed, "outside": outside, "inside": inside if there else None}
            for seed, outside, inside, there in zip(
                seeds, change.outside.tolist(), change.inside.tolist(), seen.tolist(), strict=True
            )
        ]
        with written_aside(args.out, args.overwrite) as aside:
            aside.write_text(json.dumps(numbers, indent=1) + "\n", encoding="utf-8")
    return {
        **({"source": str(args.image)} if args.image else {}),
        "regions": regions,
        "what": args.what,
        "include_base": args.include_base,
        "composite": args.composite,
        "seeds": len(seeds),
        "seeds_with_region": int(seen.sum()),
        "change_outside": mean(change.outside[seen]),
        "change_unseen": mean(change.outside[~seen]),
        "change_outside_max": float(change.outside.max()),
        "change_inside": mean(change.inside[seen]),
        **({"out": str(args.out)} if args.out else {}),
    }
