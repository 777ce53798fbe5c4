"""Make a video that moves a region, or the whole picture, through the codes of several seeds."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from semanticgan.commands import arguments, photographs
from semanticgan.errors import InputError
from semanticgan.progress import Progress
from semanticgan.seeds import following

if TYPE_CHECKING:
    from torch import Tensor

    from semanticgan.latents import LatentCode
    from semanticgan.model import Model

EXAMPLES = (
    "--seeds 3,8,12 --method linear --frames 24 --composite --region eyes,mouth --out eyes.gif",
    "--seeds 3,8,12,3 --region hair --out hair.mp4",
)

_BATCH = 8
_SIDE_TO_WATCH = 256


def add_arguments(parser: argparse.ArgumentParser) -> None:
    arguments.add_model_arguments(parser)
    arguments.add_seed_argument(parser)
    parser.add_argument(
        "--seeds",
        type=arguments.seed_path,
        metavar="LIST",
        help="seeds to pass through, in order; what does not move is that of the first (default: --seed and the next)",
    )
    photographs.add_image_argument(parser, "photograph of any size to begin with, before --seeds")
    photographs.add_photograph_arguments(parser)
    arguments.add_region_arguments(parser, required=False, default=" (default: the whole picture)")
    parser.add_argument("--method", choices=("linear", "cubic"), default="cubic", help="default: %(default)s")
    arguments.add_count(parser, "--frames", "frames between two seeds", 1, 10_000, default=48)
    arguments.add_count(parser, "--fps", "frames per second", 1, 100, default=24)
    arguments.add_truncation_argument(parser)
    arguments.add_composite_argument(parser)
    parser.add_argument("--out", type=arguments.path, default=Path("interpolation.mp4"), help=".mp4 or .gif")
    arguments.add_overwrite_argument(parser)


def run(args: argparse.Namespace) -> dict[str, Any]:
    from semanticgan.editing.videos import require_video_writer, save_video, seconds_of
    from semanticgan.files import require_free

    seeds: tuple[int, ...] = args.seeds or (args.seed, following(args.seed, 1))
    if len(seeds) < 2 and not args.image:
        raise InputError(f"one seed, {seeds[0]}, is not enough. Give two or more, such as --seeds {seeds[0]},8.")
    if args.region is None and (args.composite or args.what != "both" or args.include_base):
        raise InputError(
            "--composite, --what and --include-base are about regions. Add --region NAMES, or leave them out."
        )
    require_free(require_video_writer(args.out), args.overwrite)

    model = arguments.load_model(args)
    regions = None if args.region is None else arguments.region_names(model, args.region)
    codes = [model.sample(seed=seed, truncation=args.truncation) for seed in seeds]
    if args.image:
        codes.insert(0, photographs.code_of_image(args, model, args.image, args.face))
    num_frames = args.frames * (len(codes) - 1) + 1
    positions = [frame / args.frames for frame in range(num_frames)]
    enlarge = -(-_SIDE_TO_WATCH // model.size)
    frames = _frames(model, codes, positions, regions, args)
    frames = Progress(bar=True).over(frames, "interpolating", num_frames, "frame")
    save_video(frames, args.out, args.fps, enlarge, args.overwrite)
    return {
        "out": str(args.out),
        "image": None if args.image is None else str(args.image),
        "seeds": list(seeds),
        "regions": regions,
        "what": args.what,
        "method": args.method,
        "composite": args.composite,
        "frames": num_frames,
        "seconds": seconds_of(args.out, num_frames, args.fps),
        "side": model.size * enlarge,
    }


def _frames(
    model: Model, codes: list[LatentCode], positions: list[float], regions: list[str] | None, args: argparse.Namespace
) -> Iterator[Tensor]:
    """Pictures, uint8 [3, S, S], at each position on the way through the codes."""
    from semanticgan.editing.regions import edit
    from semanticgan.latents import interpolate

    for start in range(0, len(positions), _BATCH):
        batch = positions[start : start + _BATCH]
        code = interpolate(
            codes, batch, regions=regions, what=args.what, method=args.method, include_base=args.include_base
        )
        if args.composite and regions:
            yield from edit(model, codes[0], code, regions).pictures(composited=True)
        else:
            yield from model.render(code).to_uint8().cpu()
