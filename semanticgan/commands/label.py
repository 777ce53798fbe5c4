"""Write the regions of a face at the photograph's own size: a label map, a feathered mask per region, and layers.

Colours of the layers are sRGB of 8 bits, as editors of layers take them; the photograph's transparency stays.
--out holds labels.png (indexed PNG, the index is the region), REGION.png (grey, 255 is all of the region) and
layers.ora, which editors of layers open (OpenRaster). Of several faces each has files NAME-2.png and so on.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from semanticgan.commands import arguments, photographs

if TYPE_CHECKING:
    import numpy as np

    from semanticgan.inversion.photograph_regions import PhotographRegions
    from semanticgan.regions import RegionScheme

EXAMPLES = (
    "me.jpg --out regions",
    "friends.jpg --face all --parser photographs-64 --out regions",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("image", type=arguments.path, metavar="PHOTO", help="photograph of any size")
    parser.add_argument(
        "--out", type=arguments.output_folder, default=Path("regions"), metavar="FOLDER", help="output folder"
    )
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
    from semanticgan.inversion.alignment import align
    from semanticgan.inversion.faces import find_faces
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
    found = [read_regions(photograph, align(face.points, model.alignment), parser) for face in faces]
    colours = photograph.to_uint8()
    names = [_names(number, regions, parser.regions) for number, regions in enumerate(found, 1)]
    written = [name for of_face in names for name in of_face]
    for name in written:  # all of them before any is written
        require_free(args.out / name, args.overwrite)
    for of_face, regions in zip(names, found, strict=True):
        _save(args.out, of_face, colours, regions, parser.regions, args.overwrite)
    return {"out": str(args.out), "faces": len(faces), "files": written}


def _names(number: int, regions: PhotographRegions, scheme: RegionScheme) -> list[str]:
    """The files of one face: label map, a mask per region, layers."""
    ending = "" if number == 1 else f"-{number}"
    masks = [f"{scheme.names[label]}{ending}.png" for label in regions.opacities]
    return [f"labels{ending}.png", *masks, f"layers{ending}.ora"]


def _save(
    folder: Path,
    names: list[str],
    colours: np.ndarray,
    regions: PhotographRegions,
    scheme: RegionScheme,
    overwrite: bool,
) -> None:
    """Write the files of one face; ``colours`` are the photograph's, uint8 [H, W, 3 or 4]."""
    import numpy as np
    import torch
    from PIL import Image

    from semanticgan.editing.openraster import Layer, save_openraster
    from semanticgan.editing.outputs import label_picture, save_picture

    left, top, right, bottom = regions.box
    save_picture(label_picture(torch.from_numpy(regions.labels), scheme), folder / names[0], overwrite)
    height, width = colours.shape[:2]
    layers = []
    for name, (label, opacity) in zip(names[1:-1], regions.opacities.items(), strict=True):
        whole = np.full((height, width), 255 if label == 0 else 0, np.uint8)
        whole[top:bottom, left:right] = opacity
        save_picture(Image.fromarray(whole), folder / name, overwrite)
        if label:
            part = colours[top:bottom, left:right]
            if part.shape[2] == 4:
                opacity = np.round(opacity * (part[..., 3] / 255)).astype(np.uint8)
            cut = np.dstack([part[..., :3], opacity])
            layers.append(Layer(scheme.names[label], cut, left, top))
    layers.append(Layer("photograph", colours))
    save_openraster(folder / names[-1], (width, height), layers, overwrite)
