"""Find the latent codes of photographs: the face is found, aligned and inverted.

Each face gives NAME.safetensors (its code), NAME.png (the reconstruction), NAME-aligned.png and NAME.json in --out;
sheet.png shows all, figures.json has their means. Repeat a stopped command to continue it.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from semanticgan.commands import arguments, photographs
from semanticgan.progress import Progress
from semanticgan.terminal import printable

if TYPE_CHECKING:
    from semanticgan.formats.provenance import Mark

EXAMPLES = (
    "me.jpg --out inverted",
    "photographs/ --method optimise --face all --out inverted",
)

_FIGURES = ("mse", "psnr", "ssim", "miou")
_MOST_SHOWN = 64


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "images", nargs="+", type=arguments.path, metavar="PHOTO", help="photographs, or folders of photographs"
    )
    arguments.add_model_arguments(parser)
    photographs.add_photograph_arguments(parser, "--method")
    arguments.add_count(parser, "--steps", "steps of the optimisation, at most", 1, 100_000, metavar="N")
    parser.add_argument("--out", type=arguments.output_folder, default=Path("inverted"), help="output folder")
    arguments.add_mark_argument(parser)
    arguments.add_overwrite_argument(parser)


def run(args: argparse.Namespace) -> dict[str, Any]:
    from semanticgan.data.squares import pictures_in
    from semanticgan.errors import InputError
    from semanticgan.files import written_aside
    from semanticgan.inversion.folder import SUFFIXES, invert_into

    chosen = pictures_in(args.images, SUFFIXES, "photograph")
    if args.landmarks is not None and len(chosen) > 1:
        raise InputError("--landmarks are those of one photograph. Give one photograph, or leave them out.")
    args.image = chosen[0]
    model = arguments.load_model(args)
    found = invert_into(
        model,
        chosen,
        args.out,
        args.inversion,
        overwrite=args.overwrite,
        encoder=args.encoder,
        steps=args.steps,
        marked=args.mark,
        progress=Progress(bar=True),
        **photographs.photograph_options(args),
    )
    for name, reason in found.failed.items():
        sys.stderr.write(f"warning: {printable(name)}: {reason}\n")
    _write_sheet(args.out, [entry["name"] for entry in found.faces], arguments.mark_of(args, model, "composite"))
    figures = {
        name: sum(values) / len(values)
        for name in _FIGURES
        if (values := [entry["figures"][name] for entry in found.faces if name in entry["figures"]])
    }
    with written_aside(args.out / "figures.json", overwrite=True) as aside:
        aside.write_text(json.dumps({"mean": figures, "faces": list(found.faces)}, indent=1) + "\n", encoding="utf-8")
    return {
        "out": str(args.out),
        "faces": len(found.faces),
        "kept": found.num_kept,
        "failed": found.failed,
        "found_by": sorted({entry["found_by"] for entry in found.faces}),
        **figures,
    }


def _write_sheet(out: Path, names: list[str], mark: Mark | None) -> None:
    """sheet.png: the aligned pictures and their reconstructions, the first 64."""
    from PIL import Image

    from semanticgan.editing.outputs import save_picture
    from semanticgan.editing.sheets import draw_grid

    pictures, titles = [], []
    for name in names[:_MOST_SHOWN]:
        for suffix, what in (("-aligned", ""), ("", ", inverted")):
            with Image.open(out / f"{name}{suffix}.png") as picture:
                pictures.append(picture.convert("RGB"))
            titles.append(f"{name}{what}")
    save_picture(draw_grid(pictures, titles), out / "sheet.png", overwrite=True, mark=mark)
