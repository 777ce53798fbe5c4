"""Draws the sheet of docs/own-photo.md: each photograph, its inversion, and three edits pasted back.

python docs/own_photo_sheet.py photographs/*.jpg --model faces-64 --out sheet.jpg
python docs/own_photo_sheet.py --portraits 16 --model portraits-64 --out docs/images/own-photo.jpg

--portraits draws that many portraits of 256 pixels in place of photographs; their seed is not used in any training.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

import semanticgan as sg
from semanticgan.data import open_dataset
from semanticgan.files import written_aside
from semanticgan.inversion.inversion import Inversion, invert_all
from semanticgan.inversion.photograph import Photograph, read_photograph
from semanticgan.inversion.target import Target, targets_of
from semanticgan.progress import Progress

EDITS = (("hair", "texture", 8), ("hair", "both", 17), ("mouth", "both", 11))
"""Region, what, and the seed that it comes from."""
TILE = 128


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photographs", nargs="*", type=Path)
    parser.add_argument("--portraits", type=int, default=0)
    parser.add_argument("--model", default="faces-64")
    parser.add_argument("--method", default="optimise")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    model = sg.load(args.model, device="cpu")
    photographs = [read_photograph(path) for path in args.photographs]
    if args.portraits:
        drawn = open_dataset("portraits", None, 256, seed=90_001, length=args.portraits)
        pictures = [np.ascontiguousarray(drawn[index].image.permute(1, 2, 0).numpy()) for index in range(len(drawn))]
        photographs += [Photograph(picture) for picture in pictures]
    targets: list[Target] = [targets_of(model, photograph)[0] for photograph in photographs]
    inversions = invert_all(model, targets, args.method, progress=Progress(bar=True))
    rows = [tiles(found) for found in inversions]
    half = -(-len(rows) // 2)  # two photographs beside each other
    sheet = Image.new("RGB", (2 * len(rows[0]) * TILE + 8, half * TILE), "white")
    for number, row in enumerate(rows):
        left, top = (number // half) * (len(row) * TILE + 8), (number % half) * TILE
        for place, tile in enumerate(row):
            sheet.paste(tile, (left + place * TILE, top))
    with written_aside(args.out, overwrite=True) as aside:
        sheet.save(aside, quality=88)


def tiles(found: Inversion) -> list[Image.Image]:
    """The photograph, the inversion, and each edit."""
    assert found.photograph is not None
    shown = [tile(found.photograph), found.rendering.to_pil()[0].resize((TILE, TILE), Image.Resampling.BICUBIC)]
    for region, what, seed in EDITS:
        code = sg.swap(found.code, found.model.sample(seed=seed), [region], what)
        shown.append(tile(found.paste(found.render(code), "auto", regions=[region], what=what)))
    return shown


def tile(photograph: Photograph) -> Image.Image:
    picture = Image.fromarray((photograph.rgb() * 255).round().clip(0, 255).astype(np.uint8))
    return picture.resize((TILE, TILE), Image.Resampling.LANCZOS)


if __name__ == "__main__":
    main()
