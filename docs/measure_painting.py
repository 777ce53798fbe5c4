"""Measures how closely a segmentation follows a painting: the table of docs/geometry.md.

python docs/measure_painting.py --out painting.md

Twenty masks, none left out: the label maps of ten drawn portraits that no training used, which a sampled code follows
with all structure rows and the base rows; and ten samples of the model, a region of each made 10 % larger or smaller,
or moved by 10 % of its width. Which region and how follow from the number of the picture.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

import semanticgan as sg
from semanticgan.data.portraits import PortraitDataset
from semanticgan.directions.nearest import without_region
from semanticgan.directions.painting import Painted, paint
from semanticgan.editing.outputs import require_suffix
from semanticgan.files import written_aside
from semanticgan.latents import LatentCode
from semanticgan.model import Model
from semanticgan.perception.overlap import overlap
from semanticgan.perception.parser import FaceParser, load_parser

REGIONS = ("eye", "mouth", "nose", "eyebrow", "hair", "face", "neck", "cloth", "hat", "ear")
FIRST_SEED = 300  # of the sampled codes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="portraits-64")
    parser.add_argument("--parser", default="portraits-64")
    parser.add_argument("--num", type=int, default=10, help="masks of each kind")
    parser.add_argument("--samples-only", action="store_true", help="leave out the drawn portraits")
    parser.add_argument("--sheet", type=Path, help="write a sheet: before, painting, after, segmentation after")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    model, reader = sg.load(args.model, device="cpu"), load_parser(args.parser)
    rows, tiles = [], []
    for number in range(args.num * args.samples_only, 2 * args.num):
        index, drawn = number % args.num, number < args.num
        code, painting, title = from_portrait(model, index) if drawn else from_sample(model, index)
        start = time.perf_counter(), time.process_time()
        painted = paint(model, code, painting, free_base=drawn)
        seconds = time.perf_counter() - start[0], time.process_time() - start[1]
        rows.append(row(model, reader, painted, painting, title, seconds))
        tiles.append(strip(model, code, painting, painted))
        print(rows[-1], flush=True)
    with written_aside(args.out, overwrite=True) as aside:
        aside.write_text(table(rows), encoding="utf-8")
    if args.sheet:
        with written_aside(require_suffix(args.sheet), overwrite=True) as aside:
            half = len(tiles) // 2
            columns = [np.concatenate(part) for part in (tiles[:half], tiles[half:])]
            Image.fromarray(np.concatenate(columns, axis=1)).save(aside, format="PNG")
    print(json.dumps({"out": str(args.out), "rows": rows}))


def from_portrait(model: Model, index: int) -> tuple[LatentCode, torch.Tensor, str]:
    """A sampled code, and the label map of a drawn portrait."""
    seed = 90001 + index
    return model.sample(seed=FIRST_SEED + index), PortraitDataset(model.size, 1, seed)[0].labels, f"portrait {seed}"


def from_sample(model: Model, index: int) -> tuple[LatentCode, torch.Tensor, str]:
    """The first sample from a seed on that shows the region, and its segmentation with that region changed."""
    name, how = REGIONS[index % len(REGIONS)], ("larger", "smaller", "moved")[index % 3]
    label, seed = model.regions.index(name), FIRST_SEED + 100 * (index + 1)
    while (model.render(model.sample(seed=seed)).labels() == label).sum() < 12:
        seed += 1
    labels = model.render(model.sample(seed=seed)).labels()[0].numpy()
    painting = changed(labels, label, how)
    return model.sample(seed=seed), torch.from_numpy(painting), f"sample {seed}, {name} {how}"


def changed(labels: np.ndarray, label: int, how: str) -> np.ndarray:
    """A label map with one region 10 % larger or smaller at its outline, or moved right by 10 % of its width."""
    import cv2

    mask = labels == label
    if how == "moved":
        columns = np.flatnonzero(mask.any(0))
        by = max(1, round(0.1 * (columns[-1] - columns[0] + 1)))
        new = np.roll(mask, by, axis=1)
        new[:, :by] = mask[:, :1]
    else:
        grows = how == "larger"
        distance = cv2.distanceTransform((mask ^ grows).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        order = np.argsort(np.where(mask ^ grows, distance, np.inf), axis=None, kind="stable")
        new = mask.copy()
        new.flat[order[: max(1, round(0.1 * mask.sum()))]] = grows
    result = without_region(labels, mask)
    result[new] = label
    return result


def row(
    model: Model,
    reader: FaceParser,
    painted: Painted,
    painting: torch.Tensor,
    title: str,
    seconds: tuple[float, float],
) -> dict[str, Any]:
    """Figures of one painting."""
    read = reader.labels(model.render(painted.code).to_uint8())
    iou = overlap(read, painting[None], len(model.regions)).iou[0]
    known = [iou[model.regions.index(name)] for name in painted.regions]
    least = min(painted.iou, key=lambda name: painted.iou[name])
    return {
        "mask": title,
        "regions": len(painted.iou),
        "before": float(np.mean(list(painted.iou_before.values()))),
        "after": painted.mean_iou,
        "least": painted.iou[least],
        "least_of": least,
        "parser": float(np.nanmean(known)),
        "outside": painted.change_outside,
        "seconds": seconds[0],
        "cpu_seconds": seconds[1],
    }


def strip(model: Model, code: LatentCode, painting: torch.Tensor, painted: Painted) -> np.ndarray:
    """Before, painting, after, segmentation after, uint8 [S, 4 S, 3]."""
    before, after = model.render(code), model.render(painted.code)
    pictures = [one.to_uint8()[0].permute(1, 2, 0).numpy() for one in (before, after)]
    maps = [model.regions.colourise(one.numpy()) for one in (painting, after.labels()[0])]
    return np.concatenate([pictures[0], maps[0], pictures[1], maps[1]], axis=1)


def table(rows: list[dict[str, Any]]) -> str:
    """Markdown, with the means of all masks last."""
    lines = [
        "| mask | painted regions | IoU before | IoU after | least | IoU by parser | change outside | CPU seconds |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for one in rows:
        lines.append(
            f"| {one['mask']} | {one['regions']} | {one['before']:.3f} | {one['after']:.3f} "
            f"| {one['least']:.2f} ({one['least_of']}) | {one['parser']:.3f} | {one['outside']:.2f} "
            f"| {one['cpu_seconds']:.1f} |"
        )
    keys = ("before", "after", "parser", "outside", "cpu_seconds")
    mean = {key: float(np.mean([one[key] for one in rows])) for key in keys}
    lines.append(
        f"| mean | | {mean['before']:.3f} | {mean['after']:.3f} | | {mean['parser']:.3f} | {mean['outside']:.2f} "
        f"| {mean['cpu_seconds']:.1f} |"
    )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
