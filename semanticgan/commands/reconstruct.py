"""Reconstruct pictures in one pass, by a model that holds an encoder (StyleALAE): any square pictures, faces or not.

Each picture gives NAME.png, what the model makes of it, in --out; sheet.png shows pictures and reconstructions.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from semanticgan.commands import arguments
from semanticgan.errors import InputError
from semanticgan.progress import Progress

if TYPE_CHECKING:
    from PIL import Image

EXAMPLES = (
    "photographs/ --model alae.safetensors --out reconstructed",
    "me.jpg her.jpg --crop --latents --model alae.safetensors --out ours",
)

_BATCH = 8
_MOST_SHOWN = 64
_IN_A_ROW = 4


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "pictures", nargs="+", type=arguments.path, metavar="PICTURES", help="square pictures, or folders of them"
    )
    arguments.add_model_arguments(parser)
    arguments.add_flag(parser, "--crop", "use the middle square of pictures that are not square")
    parser.add_argument("--out", type=arguments.output_folder, default=Path("reconstructed"), help="output folder")
    arguments.add_flag(parser, "--latents", "also write the latent code of each picture (.safetensors)")
    arguments.add_megapixels_argument(parser)
    arguments.add_mark_argument(parser)
    arguments.add_overwrite_argument(parser)


def run(args: argparse.Namespace) -> dict[str, Any]:
    from semanticgan.data.squares import pictures_in, read_squares, require_square, to_floats
    from semanticgan.editing.outputs import save_picture, to_image

    chosen = pictures_in(args.pictures)
    if not args.crop:
        require_square(chosen)
    outputs, codes, sheet = _outputs(args, chosen)
    model = arguments.load_model(args)
    model.require_encoder()
    mark = arguments.mark_of(args, model, "composite")
    shown: list[list[Image.Image]] = []
    squared = 0.0
    with Progress(bar=True).steps("reconstructing", len(chosen), "picture") as step:
        for start in range(0, len(chosen), _BATCH):
            places = range(start, min(start + _BATCH, len(chosen)))
            levels = read_squares([chosen[place] for place in places], model.size, args.max_megapixels)
            code = model.code(model.encode(to_floats(levels)))
            rendering = model.render(code)
            error = (rendering.image.clamp(-1, 1).cpu() - to_floats(levels)) / 2
            squared += float(error.square().mean((1, 2, 3)).sum())
            for row, (place, found) in enumerate(zip(places, rendering.to_pil(), strict=True)):
                save_picture(found, outputs[place], args.overwrite, mark)
                if codes:
                    code[row].save(codes[place], args.overwrite)
                if place < _MOST_SHOWN:
                    shown.append([to_image(levels[row]), found])
            step(len(places))
    save_picture(_sheet(shown, [path.stem for path in chosen]), sheet, args.overwrite, mark)
    return {
        "out": str(args.out),
        "size": model.size,
        "mse": squared / len(chosen),
        "files": [str(path) for path in (*outputs, *codes, sheet)],
    }


def _outputs(args: argparse.Namespace, chosen: list[Path]) -> tuple[list[Path], list[Path], Path]:
    """Reconstructions, codes (none unless asked for) and the sheet, all of them free, none of them a picture given."""
    from semanticgan.files import require_free

    outputs = [args.out / f"{path.stem}.png" for path in chosen]
    codes = [path.with_suffix(".safetensors") for path in outputs] if args.latents else []
    sheet = args.out / "sheet.png"
    if sheet in outputs:
        raise InputError("a picture's name is 'sheet', as that of the sheet that is written. Rename the picture.")
    given = {path.resolve() for path in chosen}
    for path in (*outputs, *codes, sheet):
        if path.resolve() in given:
            raise InputError(f"{str(path)!r} is a picture to reconstruct. Give another folder as --out.")
        require_free(path, args.overwrite)
    return outputs, codes, sheet


def _sheet(shown: list[list[Image.Image]], names: list[str]) -> Image.Image:
    """Rows of four pictures, each beside its reconstruction."""
    from semanticgan.editing.sheets import draw_sheet

    starts = range(0, len(shown), _IN_A_ROW)
    rows = [[picture for pair in shown[start : start + _IN_A_ROW] for picture in pair] for start in starts]
    titles = [(name, "reconstructed") for name in names]
    below = [[text for pair in titles[start : start + _IN_A_ROW] for text in pair] for start in starts]
    return draw_sheet(rows, names=below)
