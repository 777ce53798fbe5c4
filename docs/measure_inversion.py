r"""Measures how close inversions come to held-out pictures, and what they cost: the tables of docs/own-photo.md.

python docs/measure_inversion.py --model faces-64 --data lfw-regions-128.zip --scheme photographs-11 --kept kept-faces \
    --out faces.md
python docs/measure_inversion.py --model portraits-64 --data-kind portraits --seed 90001 --kept kept-portraits \
    --out portraits.md

Two chains: mean code, one pass of the encoder, five passes, rows optimised from there, weights tuned; and mean code,
one w, rows optimised from the mean. Needs the extra [perception]; identity needs face-api (docs/metrics.md). mIoU
compares the segmentation of the rendering with the labels of the data. Codes and tunings are kept in ``--kept``, so
that the command, stopped and repeated, goes on; ``--num-tuned`` tunes only some of the pictures, ``--num-from-mean``
optimises only some from the mean, which the table says.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import semanticgan as sg
from semanticgan.data import PairDataset, open_dataset
from semanticgan.errors import InputError
from semanticgan.files import written_aside
from semanticgan.inversion import tuning
from semanticgan.inversion.encode import encode
from semanticgan.inversion.inversion import opened_encoder
from semanticgan.inversion.optimise import optimise
from semanticgan.latents import LatentCode
from semanticgan.metrics.locality import swaps_of
from semanticgan.metrics.reconstruction import measure_reconstruction
from semanticgan.model import Model
from semanticgan.perception.identity import Embedding, identity_distance
from semanticgan.perception.perceptual import open_distance
from semanticgan.progress import Progress
from semanticgan.rows import Rows
from semanticgan.tuning_files import Tuning

LOCALITY = tuple(f"{region}_{where}" for region in ("hair", "eye", "mouth") for where in ("outside", "inside"))
COLUMNS = ("mse", "psnr", "ssim", "lite0", "identity", "miou", "seconds", *LOCALITY)
Found = tuple[Any, ...]  # code, what renders it, and the seconds, where they were not measured around the call


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="faces-64")
    parser.add_argument("--encoder", help="file of an encoder; default: that of the model")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--data-kind", default="folder")
    parser.add_argument("--scheme", help="what the labels of the data mean, where they do not say it")
    parser.add_argument("--seed", type=int, default=0, help="of drawn portraits")
    parser.add_argument("--last", type=int, default=200, help="use the last N pictures")
    parser.add_argument("--every", type=int, default=1, help="of these, every N-th")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--kept", type=Path, required=True, help="folder of the codes found so far")
    parser.add_argument("--encoder-only", action="store_true", help="leave out what is optimised")
    parser.add_argument("--num-tuned", type=int, help="tune the weights to the first N pictures alone; default: all")
    parser.add_argument("--num-from-mean", type=int, help="optimise only the first N from the mean; default: all")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    model = sg.load(args.model, device="cpu")
    length = None if args.data else args.last
    data = open_dataset(args.data_kind, args.data, model.size, args.scheme, seed=args.seed, length=length)
    chosen = range(len(data) - args.last, len(data), args.every)
    num_tuned = len(chosen) if args.num_tuned is None else args.num_tuned
    num_tuned = None if args.encoder_only else num_tuned
    from_mean = args.num_from_mean or len(chosen)
    rows = measured(model, data, list(chosen), args.batch, args.encoder, Kept(args.kept), num_tuned, from_mean)
    with written_aside(args.out, overwrite=True) as aside:
        aside.write_text(table(rows, len(chosen)), encoding="utf-8")
    print(json.dumps({"out": str(args.out), "num_pictures": len(chosen), "rows": rows}))


class Kept:
    """What was found before, by name, in a folder."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder

    def code(self, name: str, rows: Rows, find: Callable[[], LatentCode]) -> tuple[LatentCode, float]:
        """A code and the seconds that it took."""
        path = self.folder / f"{name}.pt"
        if not path.is_file():
            start = time.perf_counter()
            found = find()
            with written_aside(path, overwrite=True) as aside:
                torch.save((found.tensor, time.perf_counter() - start), aside)
        tensor, seconds = torch.load(path, weights_only=True)
        return LatentCode(tensor, rows), seconds


def measured(
    model: Model,
    data: PairDataset,
    chosen: list[int],
    batch: int,
    encoder: str | None,
    kept: Kept,
    num_tuned: int | None,
    num_from_mean: int,
) -> dict[str, dict[str, float]]:
    """Row -> column -> mean over the pictures; with ``num_tuned`` None nothing is optimised."""
    all_pictures = torch.stack([data[index].image for index in chosen])
    all_labels = torch.stack([data[index].labels for index in chosen])
    targets = all_pictures.float() / 127.5 - 1.0
    own = opened_encoder(model, encoder)
    judge, identity = open_distance("lite0"), _identity()
    rows: dict[str, dict[str, float]] = {}

    def add(name: str, find: Callable[[], Found]) -> LatentCode:
        start = time.perf_counter()
        code, render, *taken = find()
        seconds = (taken[0] if taken else time.perf_counter() - start) / len(code)
        pictures, labels = all_pictures[: len(code)], all_labels[: len(code)]
        images = [render(code[index]) for index in range(len(code))]
        again = torch.cat([rendering.to_uint8() for rendering in images])
        found = torch.cat([rendering.labels() for rendering in images])
        values = measure_reconstruction(
            pictures, again, distance=judge, labels=(labels, found), regions=data.regions
        ).to_dict()
        row = {"mse": values["mse"], "psnr": values["psnr"], "ssim": values["ssim"], "lite0": values["perceptual"]}
        row["miou"] = values["masks"]["mean_iou"]
        if identity is not None:
            row["identity"] = float(identity_distance(pictures, again, identity).mean())
        rows[name] = {**row, **locality(model, code), "seconds": seconds}
        return code

    def codes(code: LatentCode) -> Found:
        return code, model.render

    def optimised(start: LatentCode | None, space: str) -> Found:
        name = f"{space}-from-{'mean' if start is None else 'encoder'}"

        def of_part(part: Tensor, at: slice) -> tuple[LatentCode, float]:
            first, bar = None if start is None else start[at], Progress(bar=True)
            run = partial(optimise, model, part, start=first, space=space, progress=bar)
            return kept.code(f"{name}-{at.start}-{at.stop}", model.rows, lambda: run().code)

        those = targets if start is not None else targets[:num_from_mean]
        parts = [of_part(part, at) for part, at in _batches(those, batch)]
        return (*codes(LatentCode.cat([code for code, _ in parts])), sum(seconds for _, seconds in parts))

    add("mean code", lambda: codes(LatentCode.cat([model.mean] * len(chosen))))
    start = None
    if own is not None:
        add("encoder, 1 pass", lambda: codes(encode(own, model, targets, 1)))
        start = add("encoder, 5 passes", lambda: codes(encode(own, model, targets, 5)))
    if num_tuned is None:
        return rows
    if own is not None:
        rows_code = add("then rows optimised", lambda: optimised(start, "rows"))
    some = "" if num_from_mean == len(chosen) else f" ({num_from_mean} pictures)"
    add(f"one w optimised from the mean{some}", lambda: optimised(None, "w"))
    from_mean = add(f"rows optimised from the mean{some}", lambda: optimised(None, "rows"))
    pivot = from_mean if own is None else rows_code
    if num_tuned:
        name = "then weights tuned" if num_tuned == len(chosen) else f"then weights tuned ({num_tuned} pictures)"
        add(name, lambda: tuned(model, pivot[:num_tuned], targets[:num_tuned], kept))
    return rows


def locality(model: Model, code: LatentCode) -> dict[str, float]:
    """Mean absolute change in levels outside and inside a region that is swapped, before anything is pasted."""
    regions = ("hair", "eye", "mouth")
    swaps = [((region,), "both") for region in regions]
    found = {}
    for place, edited in swaps_of(model, [range(len(code))], swaps, source=code):
        region, change = regions[place], edited.change()
        found[f"{region}_outside"] = float(change.outside.mean())
        found[f"{region}_inside"] = float(change.inside.nanmean())
    return found


def tuned(model: Model, pivot: LatentCode, targets: Tensor, kept: Kept) -> Found:
    """One tuned generator per picture; its rendering is found by the code."""
    models, taken = {}, 0.0
    for index in range(len(pivot)):
        path = kept.folder / f"tuned-{index}.pt"
        if not path.is_file():
            start = time.perf_counter()
            changes = dict(tuning.tune(model, pivot[index], targets[index : index + 1]).changes)
            with written_aside(path, overwrite=True) as aside:
                torch.save((changes, time.perf_counter() - start), aside)
        changes, seconds = torch.load(path, weights_only=True)
        own = tuning.tuned(model, Tuning(changes, model.metadata.digest))
        models[pivot[index].tensor.numpy().tobytes()], taken = own, taken + seconds
    return pivot, lambda code: models[code.tensor.numpy().tobytes()].render(code), taken


def _batches(targets: Tensor, batch: int) -> list[tuple[Tensor, slice]]:
    starts = range(0, len(targets), batch)
    return [(targets[at : at + batch], slice(at, min(at + batch, len(targets)))) for at in starts]


def _identity() -> Embedding | None:
    from semanticgan.perception.face_api import open_identity

    try:
        return open_identity("cpu")
    except InputError:
        return None


def table(rows: dict[str, dict[str, float]], num: int) -> str:
    """Markdown."""
    known = [name for name in COLUMNS if all(name in row for row in rows.values())]
    digits = dict.fromkeys(LOCALITY, 1) | {
        "mse": 4,
        "psnr": 1,
        "ssim": 3,
        "lite0": 3,
        "identity": 3,
        "miou": 3,
        "seconds": 3,
    }
    lines = [f"| {num} pictures | " + " | ".join(known) + " |", "|---|" + "---|" * len(known)]
    lines += [
        f"| {name} | " + " | ".join(f"{row[column]:.{digits[column]}f}" for column in known) + " |"
        for name, row in rows.items()
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
