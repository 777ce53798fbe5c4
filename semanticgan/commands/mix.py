"""Mix the layers of two sets of pictures by schemas: a letter a layer, S for the source, D for the destination.

The sheet has a block for each schema: sources above, destinations at the left, and their mixes. Models are layered
ones, such as StyleGAN, StyleGAN2 and StyleALAE; the latter mixes pictures of your own, too. Coarse layers come first:
they hold pose and shape, fine ones colours.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from semanticgan.commands import arguments

if TYPE_CHECKING:
    from semanticgan.latents import LatentCode
    from semanticgan.model import Model

EXAMPLES = (
    "--model stylegan.safetensors --seeds 1-4 --with-seeds 5-8 --schema SSSSDDDDDDDD --out mixed.png",
    "--model alae.safetensors --pictures photographs/ --with-seeds 5-8 --schema DDDDSSSS --schema SSDDDDDD",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    arguments.add_model_arguments(parser)
    source = parser.add_mutually_exclusive_group()
    arguments.add_seed_argument(source)
    source.add_argument(
        "--seeds", type=arguments.seeds, metavar="LIST", help="sources: seeds such as 1-4 (default: --seed)"
    )
    arguments.add_path(
        source,
        "--pictures",
        "sources: a picture or a folder of square pictures; for models that hold an encoder (StyleALAE)",
        "PICTURES",
    )
    destination = parser.add_mutually_exclusive_group()
    destination.add_argument(
        "--with-seeds", type=arguments.seeds, metavar="LIST", help="destinations: seeds (default: the sources)"
    )
    arguments.add_path(destination, "--with-pictures", "destinations: a picture or a folder of them", "PICTURES")
    parser.add_argument(
        "--schema",
        action="append",
        default=[],
        metavar="LETTERS",
        help="one letter a layer, coarse to fine: S takes the source's layer, D the destination's; may be repeated",
    )
    arguments.add_flag(parser, "--crop", "use the middle square of pictures that are not square")
    arguments.add_truncation_argument(parser)
    parser.add_argument("--out", type=arguments.path, default=Path("mixed.png"), help="sheet to write, PNG")
    arguments.add_megapixels_argument(parser)
    arguments.add_mark_argument(parser)
    arguments.add_overwrite_argument(parser)


def run(args: argparse.Namespace) -> dict[str, Any]:
    from semanticgan.editing.mixing import mixing_sheet
    from semanticgan.editing.outputs import require_suffix, save_picture
    from semanticgan.files import require_free

    require_free(require_suffix(args.out), args.overwrite)
    model = arguments.load_model(args)
    sources, names = _codes(args, model, args.seeds or (args.seed,), args.pictures)
    destinations, names_below = sources, names
    if args.with_seeds or args.with_pictures:
        destinations, names_below = _codes(args, model, args.with_seeds, args.with_pictures)
    sheet = mixing_sheet(model, sources, destinations, args.schema, names, names_below)
    kind = "composite" if args.pictures or args.with_pictures else "generated"
    save_picture(sheet, args.out, args.overwrite, arguments.mark_of(args, model, kind))
    return {
        "out": str(args.out),
        "schemas": args.schema,
        "layers": len(model.rows),
        "sources": names,
        "destinations": names_below,
    }


def _codes(
    args: argparse.Namespace, model: Model, seeds: tuple[int, ...], pictures: Path | None
) -> tuple[LatentCode, list[str]]:
    """The codes of pictures, else of seeds, and what they are called."""
    from semanticgan.data.squares import pictures_in, read_squares, require_square, to_floats

    if pictures is None:
        return model.sample(seeds=list(seeds), truncation=args.truncation), [f"seed {seed}" for seed in seeds]
    chosen = pictures_in([pictures])
    if not args.crop:
        require_square(chosen)
    model.require_encoder()
    levels = read_squares(chosen, model.size, args.max_megapixels)
    return model.code(model.encode(to_floats(levels))), [path.stem for path in chosen]
