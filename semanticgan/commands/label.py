"""Write the regions of a face at the photograph's own size: a label map, a feathered mask per region, and layers.

--out holds labels.png (indexed PNG, the index is the region), REGION.png (grey, 255 is all of the region) and
layers.ora, which editors of layers open (OpenRaster). Of several faces each has files NAME-2.png and so on.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from semanticgan.commands import arguments, photographs

if TYPE_CHECKING:
    from semanticgan.inversion.photograph import Photograph
    from semanticgan.inversion.photograph_regions import PhotographRegions
    from semanticgan.regions import RegionScheme

EXAMPLES = (
    "me.jpg --out regions",
    "friends.jpg --face all --parser photographs-64 --out regions",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("image", type=arguments.path, metavar="PHOTO", help="photograph of any size")
    parser.add_argument("--out", type=arguments.path, default=Path("regions"), metavar="FOLDER", help="output folder")
    parser.add_argument("--parser", metavar="NAME_OR_PATH", default="photographs-64", help=arguments.PARSER_HELP)
    parser.add_argument(
        "--model", metavar=arguments.MODEL, default="faces-64", help="model whose alignment the parser's pictures have"
    )
    parser.add_argument(
        "--face", type=photographs.face, metavar="N", help='which face by size; or "all" (default: the largest)'
    )
    parser.add_argument("--landmarks", metavar="POINTS", help="five points by hand, as edit-region takes them")
    arguments.add_device_argument(parser)
    arguments.add_overwrite_argument(parser)


def run(args: argparse.Namespace) -> dict[str, Any]:
    from semanticgan.errors import InputError
    from semanticgan.files import require_free
    from semanticgan.inversion.faces import alignment_of, find_faces
    from semanticgan.inversion.photograph import read_photograph
    from semanticgan.inversion.photograph_regions import read_regions
    from semanticgan.perception.parser import load_parser

    require_free(args.out / "labels.png", args.overwrite)
    model = arguments.load_model(args)
    if model.alignment is None:
        raise InputError("the file of this model does not say where faces lie. Use --model faces-64.")
    parser = load_parser(args.parser, model.device)
    photograph = read_photograph(args.image)
    faces = find_faces(photograph, face=args.face, landmarks=args.landmarks, device=model.device)
    written = []
    for number, face in enumerate(faces, 1):
        regions = read_regions(photograph, alignment_of(face, model.alignment), parser)
        ending = "" if number == 1 else f"-{number}"
        written += _save(args.out, ending, photograph, regions, parser.regions, args.overwrite)
    return {"out": str(args.out), "faces": len(faces), "files": written}


def _save(
    folder: Path,
    ending: str,
    photograph: Photograph,
    regions: PhotographRegions,
    scheme: RegionScheme,
    overwrite: bool,
) -> list[str]:
    """Write the files of one face; returns their names."""
    import numpy as np
    import torch
    from PIL import Image

    from semanticgan.editing.openraster import Layer, save_openraster
    from semanticgan.editing.outputs import label_picture, save_picture
    from semanticgan.files import require_free

    left, top, right, bottom = regions.box
    names = [f"labels{ending}.png", *(f"{scheme.names[label]}{ending}.png" for label in regions.opacities)]
    names.append(f"layers{ending}.ora")
    for name in names:
        require_free(folder / name, overwrite)
    save_picture(label_picture(torch.from_numpy(regions.labels), scheme), folder / names[0], overwrite)
    colours = np.round(photograph.rgb() * 255).astype(np.uint8)
    layers = []
    for name, (label, opacity) in zip(names[1:-1], regions.opacities.items(), strict=True):
        whole = np.full(photograph.shape, 255 if label == 0 else 0, np.uint8)
        whole[top:bottom, left:right] = opacity
        save_picture(Image.fromarray(whole), folder / name, overwrite)
        if label:
            cut = np.dstack([colours[top:bottom, left:right], opacity])
            layers.append(Layer(scheme.names[label], cut, left, top))
    layers.append(Layer("photograph", colours))
    save_openraster(folder / names[-1], (photograph.shape[1], photograph.shape[0]), layers, overwrite)
    return names
