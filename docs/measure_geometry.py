"""Measures whether regions follow their coordinates: the table of docs/geometry.md.

python docs/measure_geometry.py --out geometry.md

Each region of each picture that shows it is moved right, left, down and up by 5 % of the side. A shift is that of the
mask before which covers most of the mask after, to a quarter of a pixel, over the pixels that do not show the same
other region before and after: what lies in front of the region stays. "Pasted" is what the parser finds in a picture
whose pixels are moved: the parser's own limit. The IoU of every other region is taken where the moved region was seen
neither before nor after.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor

import semanticgan as sg
from semanticgan.directions.geometry import region_coordinates
from semanticgan.files import written_aside
from semanticgan.latents import LatentCode
from semanticgan.model import Model
from semanticgan.perception.parser import FaceParser, load_parser
from semanticgan.rendering import Rendering

WAYS = ((1, 0), (-1, 0), (0, 1), (0, -1))
KINDS = ("segmentation", "parser", "pasted")
TOGETHER = (
    ("face", ("eye", "eyebrow", "mouth", "nose")),
    ("nose", ("face", "eye", "eyebrow", "mouth")),
    ("glasses", ("eye",)),
    ("earring", ("ear",)),
)
LEAST = {"moved": 8, "other": 20}  # pixels of a region that is counted


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="portraits-64")
    parser.add_argument("--parser", default="portraits-64")
    parser.add_argument("--num", type=int, default=32, help="pictures per region")
    parser.add_argument("--most-seeds", type=int, default=400, help="seeds that are looked at")
    parser.add_argument("--shift", type=float, default=0.05, help="in sides of the picture")
    parser.add_argument("--regions", help="comma-separated; default: all")
    parser.add_argument("--together", action="store_true", help="only regions that follow together with others")
    parser.add_argument("--alone", action="store_true", help="do not warp the region around the moved one")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    model, reader = sg.load(args.model, device="cpu"), load_parser(args.parser)
    codes, seen = samples(model, args.most_seeds)
    rows = {}
    for label in model.regions.indices(args.regions or model.regions.names):
        name = model.regions.names[label]
        showing = [i for i in range(len(seen)) if (seen[i] == label).sum() >= LEAST["moved"]][: args.num]
        if label and showing:  # the background is what no region covers
            for companions in companions_of(name, args.together):
                title = " with ".join([name, *([", ".join(companions)] if companions else [])])
                moved = [label, *(model.regions.index(companion) for companion in companions)]
                rows[title] = measured(model, reader, codes[showing], moved, args.shift, not args.alone)
                print(title, rows[title], flush=True)
    with written_aside(args.out, overwrite=True) as aside:
        aside.write_text(table(rows, args.shift * model.size), encoding="utf-8")
    print(json.dumps({"out": str(args.out), "rows": rows}))


def companions_of(name: str, together: bool) -> list[tuple[str, ...]]:
    """What is moved with a region, one entry for each row of the table."""
    return [companions for region, companions in TOGETHER if region == name] if together else [()]


def samples(model: Model, num: int) -> tuple[LatentCode, np.ndarray]:
    """Codes of the seeds 0, 1, ... and the label maps of their renderings."""
    codes = model.sample(seeds=range(num))
    return codes, model.render(codes).labels().numpy()


def measured(
    model: Model, reader: FaceParser, codes: LatentCode, moved: list[int], shift: float, surroundings: bool
) -> dict[str, Any]:
    """The row of a region, the first of the labels that are moved."""
    label, names = moved[0], [model.regions.names[label] for label in moved]
    rendering = model.render(codes)
    pictures, before = rendering.to_uint8(), read(rendering, reader)
    before["pasted"] = before["parser"]
    found: dict[str, list[float]] = defaultdict(list)
    others: dict[str, list[float]] = defaultdict(list)
    for way in WAYS:
        by = (way[0] * shift, way[1] * shift)
        coordinates = region_coordinates(model, codes, names, by, surroundings=surroundings)
        after = read(model.render(codes, coordinates=coordinates), reader)
        after["pasted"] = reader.labels(pasted(pictures, before["segmentation"] == label, way, shift)).numpy()
        for kind in KINDS:
            for old, new in zip(before[kind], after[kind], strict=True):
                if (old == label).sum() >= LEAST["moved"]:
                    found[kind].append(shift_found(old, new, label, way))
        for old, new in zip(before["segmentation"], after["segmentation"], strict=True):
            elsewhere = ~np.isin(old, moved) & ~np.isin(new, moved)
            for other, title in enumerate(model.regions.names):
                if other not in moved and (old == other).sum() >= LEAST["other"]:
                    one, two = (old == other) & elsewhere, (new == other) & elsewhere
                    others[title].append(float((one & two).sum() / max((one | two).sum(), 1)))
    wanted = shift * model.size
    row: dict[str, Any] = {"seeds": len(codes)}
    for kind, values in found.items():
        row[kind], row[f"{kind}_share"] = float(np.mean(values)), float(np.mean(np.abs(np.array(values) - wanted) <= 1))
    means = {title: float(np.mean(values)) for title, values in others.items()}
    row["least"], row["least_of"] = min((value, title) for title, value in means.items())
    row["others"] = float(np.mean([value for values in others.values() for value in values]))
    return row


def read(rendering: Rendering, reader: FaceParser) -> dict[str, np.ndarray]:
    """Label maps by who reads them."""
    return {"segmentation": rendering.labels().numpy(), "parser": reader.labels(rendering.to_uint8()).numpy()}


def pasted(pictures: Tensor, masks: np.ndarray, way: tuple[int, int], shift: float) -> Tensor:
    """Pictures [N, 3, S, S] in which the pixels of a mask are moved and what was under them is painted in."""
    results = []
    for picture, mask in zip(pictures, masks, strict=True):
        pixels = np.ascontiguousarray(picture.permute(1, 2, 0).numpy())
        matrix = np.array([[1, 0, way[0] * shift * len(mask)], [0, 1, way[1] * shift * len(mask)]], np.float32)
        opacity = cv2.warpAffine(mask.astype(np.float32), matrix, mask.shape[::-1])[..., None]
        moved = cv2.warpAffine(pixels, matrix, mask.shape[::-1], borderMode=cv2.BORDER_REPLICATE)
        hole = cv2.dilate(mask.astype(np.uint8), np.ones((3, 3), np.uint8))
        behind = cv2.inpaint(pixels, hole, 3, cv2.INPAINT_TELEA)
        results.append(torch.from_numpy((opacity * moved + (1 - opacity) * behind).round().astype(np.uint8)))
    return torch.stack(results).permute(0, 3, 1, 2).contiguous()


def shift_found(old: np.ndarray, new: np.ndarray, label: int, way: tuple[int, int]) -> float:
    """By how many pixels the mask of a label moved that way, from -4 to 12, by the largest soft IoU."""
    before, after = (old == label).astype(np.float32), (new == label).astype(np.float32)
    counted = (old != new) | (old == label)
    best = (-1.0, 0.0)
    for by in np.arange(-4.0, 12.25, 0.25):
        matrix = np.array([[1, 0, by * way[0]], [0, 1, by * way[1]]], np.float32)
        moved = cv2.warpAffine(before, matrix, before.shape[::-1], borderMode=cv2.BORDER_REPLICATE)
        both, either = np.minimum(moved, after)[counted].sum(), np.maximum(moved, after)[counted].sum()
        iou = float(both / max(either, 1e-6))
        if iou > best[0]:
            best = (iou, float(by))
    return best[1] if after.any() else 0.0


def table(rows: dict[str, dict[str, Any]], wanted: float) -> str:
    """Markdown."""
    lines = [
        "| region | seeds | shift, segmentation | within 1 pixel | shift, parser | within 1 pixel | shift, pasted "
        "| others, mean IoU | least other | follows |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name, row in rows.items():
        good = [abs(row[kind] - wanted) <= 1 for kind in ("segmentation", "parser")]
        follows = "yes" if all(good) else "labels only" if good[0] else "no"
        lines.append(
            f"| {name} | {row['seeds']} | {row['segmentation']:.1f} | {row['segmentation_share']:.0%} "
            f"| {row['parser']:.1f} | {row['parser_share']:.0%} | {row['pasted']:.1f} | {row['others']:.3f} "
            f"| {row['least']:.3f} ({row['least_of']}) | {follows} |"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
