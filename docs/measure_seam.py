r"""Measures whether the edges of pasted edits show (semanticgan/inversion/seam.py): a table of docs/own-photo.md.

python docs/measure_seam.py --model faces-64 --data lfw-regions-128.zip --scheme photographs-11 --last 200 --every 2 \
    --out seam.md

The largest face is found as in any photograph; those without a face found are left out, and counted. Codes are the
encoder's. Photograph number i of the data's last N gets its regions from seed 8 + i. Own edges are pixels within three
of another region, by the data's labels, and after a change of structure also by those of the rendering. The change
inside is the mean absolute change of the photograph, in levels of 255, where the region is within the face's square: by
the data's labels, or after a change of structure by the rendering's. ``--pictures`` writes the steepest of each edit:
photograph, rendering before and after, result, mask.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image
from torch import Tensor

import semanticgan as sg
from semanticgan.data import open_dataset
from semanticgan.errors import InputError
from semanticgan.files import written_aside
from semanticgan.inversion.alignment import Alignment
from semanticgan.inversion.encode import encode
from semanticgan.inversion.inversion import opened_encoder
from semanticgan.inversion.pasting import change_of_crop, laid_over, opacity_in
from semanticgan.inversion.photograph import Photograph
from semanticgan.inversion.region_reading import read_memberships
from semanticgan.inversion.seam import edges_of, seam
from semanticgan.inversion.target import Target, targets_of
from semanticgan.latents import LatentCode
from semanticgan.model import Model
from semanticgan.progress import Progress

EDITS = (("hair", "texture"), ("hair", "both"), ("mouth", "both"), ("eye", "both"))
FIRST_SEED = 8
STEEP = 1.2
TILE = 128


@dataclass(frozen=True, eq=False)
class Measured:
    """One edit of one photograph.

    Attributes:
        number: of the photograph, from the first of the last N on.
        all_edges, seams: the measure with and without own edges.
        inside: mean absolute change of the region, in levels of 255; NaN where it is nowhere.
        tiles: uint8 [5, TILE, TILE, 3].
    """

    number: int
    all_edges: float
    seams: float
    inside: float
    tiles: np.ndarray


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="faces-64")
    parser.add_argument("--encoder", help="file of an encoder; default: that of the model")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--scheme", help="what the labels of the data mean, where they do not say it")
    parser.add_argument("--side", type=int, default=128, help="of the photographs in pixels")
    parser.add_argument("--last", type=int, default=200, help="use the last N pictures")
    parser.add_argument("--first", type=int, default=0, help="of these, begin at this number")
    parser.add_argument("--every", type=int, default=1, help="of these, every N-th")
    parser.add_argument("--aligned", action="store_true", help="look for no face: the pictures are aligned already")
    parser.add_argument("--paste", choices=("auto", "transfer", "replace"), default="auto")
    parser.add_argument("--pictures", type=Path, metavar="FOLDER", help="also write the steepest of each edit as PNG")
    parser.add_argument("--num-pictures", type=int, default=12)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    model = sg.load(args.model, device="cpu")
    own = opened_encoder(model, args.encoder)
    if own is None:
        raise InputError("this model has no encoder. Give --encoder FILE.")
    data = open_dataset("folder", args.data, args.side, args.scheme)
    numbers = list(range(args.first, args.last, args.every))
    pairs = {number: data[len(data) - args.last + number] for number in numbers}
    targets = {number: target_of(model, pair.image, args.aligned) for number, pair in pairs.items()}
    seen = {number: target for number, target in targets.items() if target is not None}
    codes = encode(own, model, torch.cat([target.picture for target in seen.values()]))
    found: dict[str, list[Measured]] = {f"{region}, {what}": [] for region, what in EDITS}
    for at, (number, target) in enumerate(Progress(bar=True).over(seen.items(), "seam", len(seen))):
        for region, what in EDITS:
            one = measured(model, target, codes[at], pairs[number].labels, number, region, what, args.paste)
            found[f"{region}, {what}"].append(one)
    if args.pictures:
        args.pictures.mkdir(parents=True, exist_ok=True)
        for name, all_of in found.items():
            sheet(all_of, args.num_pictures).save(args.pictures / f"{name.replace(', ', '-')}.png")
    with written_aside(args.out, overwrite=True) as aside:
        aside.write_text(table(found), encoding="utf-8")
    print(json.dumps({"out": str(args.out), "num_pictures": len(seen), "without_face": len(pairs) - len(seen)}))


def target_of(model: Model, picture: Tensor, aligned: bool) -> Target | None:
    """The largest face of a picture, uint8 [3, H, W]; None where none is found."""
    photograph = Photograph(np.ascontiguousarray(picture.permute(1, 2, 0).numpy()))
    try:
        return targets_of(model, photograph, aligned=aligned)[0]
    except InputError:  # no face is found
        return None


def measured(
    model: Model, target: Target, code: LatentCode, labels: Tensor, number: int, region: str, what: str, how: str
) -> Measured:
    """One edit, pasted and measured; labels are uint8 [H, W] of the data."""
    photograph, alignment = target.photograph, target.alignment
    assert photograph is not None and alignment is not None
    before = model.render(code)
    after = model.render(sg.swap(code, model.sample(seed=FIRST_SEED + number), [region], what))
    edited_regions = model.regions.indices([region])
    seen = read_memberships(model, target.picture)
    change = change_of_crop(photograph, alignment, before, after, seen=seen, how=how, regions=edited_regions, what=what)
    rgb = photograph.rgb()
    height, width = photograph.shape
    opacity = opacity_in(alignment, change, rgb, (0, 0, width, height), (height, width))
    result = laid_over(photograph, alignment, change).rgb()
    own_edges, new_labels = edges_of(labels.numpy()), labels.numpy()
    if what != "texture":
        new_labels = laid_labels(alignment, after.labels()[0].numpy(), (height, width))
        own_edges |= edges_of(new_labels)
    inside = np.isin(new_labels, edited_regions) & alignment.inside((height, width))
    moved = np.abs(result - rgb).mean(2)[inside].mean() * 255 if inside.any() else np.nan
    shown = (rgb, picture_of(before), picture_of(after), result, np.repeat(opacity[..., None], 3, 2))
    return Measured(
        number,
        seam(rgb, result, opacity),
        seam(rgb, result, opacity, own_edges=own_edges),
        float(moved),
        np.stack([tile(one) for one in shown]),
    )


def laid_labels(alignment: Alignment, labels: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Labels [s, s] of the aligned picture where they lie in the photograph, uint8 [H, W]; beyond it 0."""
    x, y = alignment.shares((0, 0, shape[1], shape[0]))
    column, row = (np.floor(share * len(labels)).clip(0, len(labels) - 1).astype(int) for share in (x, y))
    return np.where(alignment.inside(shape), labels[row, column], 0).astype(np.uint8)


def picture_of(rendering: sg.Rendering) -> np.ndarray:
    """float32 [s, s, 3] in [0, 1]."""
    picture: np.ndarray = rendering.to_uint8()[0].permute(1, 2, 0).numpy().astype(np.float32) / 255
    return picture


def tile(picture: np.ndarray) -> np.ndarray:
    """uint8 [TILE, TILE, 3]."""
    grown = cv2.resize(np.ascontiguousarray(picture), (TILE, TILE), interpolation=cv2.INTER_CUBIC)
    return (grown.clip(0, 1) * 255).round().astype(np.uint8)


def sheet(all_of: list[Measured], num: int) -> Image.Image:
    """The steepest by seams alone first, two beside each other."""
    steepest = sorted(all_of, key=lambda one: -one.seams)[:num]
    rows = [np.concatenate(list(one.tiles), 1) for one in steepest]
    return Image.fromarray(np.concatenate(rows, 0))


def table(found: dict[str, list[Measured]]) -> str:
    """Markdown: one column an edit."""
    num = len(next(iter(found.values())))
    lines = [f"| {num} photographs | " + " | ".join(found) + " |", "|---|" + "---|" * len(found)]
    for name, key in (("all of the feather", "all_edges"), ("without own edges", "seams")):
        values = [np.array([getattr(one, key) for one in all_of]) for all_of in found.values()]
        for word, cells in (
            ("median", [f"{np.median(one):.2f}" for one in values]),
            (f"above {STEEP}", [f"{(one > STEEP).mean():.0%}" for one in values]),
            ("largest", [f"{one.max():.2f}" for one in values]),
        ):
            lines.append(f"| {name}: {word} | " + " | ".join(cells) + " |")
    inside = [f"{np.nanmean([one.inside for one in all_of]):.1f}" for all_of in found.values()]
    lines.append("| change inside (0 to 255 scale) | " + " | ".join(inside) + " |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
