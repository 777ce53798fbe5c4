"""Makes the directions that come with the package, and the table of them in docs/attributes.md.

python docs/make_directions.py --model portraits-64 --out semanticgan/weights/directions/portraits-64.safetensors
python docs/make_directions.py --model faces-64 --out semanticgan/weights/directions/faces-64.safetensors

Directions are fitted on 10,000 independent codes, labelled by the classifier "tutor-attributes-64" and by masks
(portraits-64), or by face-api (faces-64). A direction is kept where held-out codes confirm it. Each is then measured on
200 plain samples of other seeds by a network that has not labelled: "attributes-64", or for faces-64 face-api itself,
the only one there is. Masks measure what they labelled.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import time
from pathlib import Path

import torch
from torch import Tensor

import semanticgan as sg
from semanticgan.directions import Direction, move, save_directions
from semanticgan.directions.finding import by_attributes
from semanticgan.directions.labels import Labeller, open_labels
from semanticgan.directions.scored import score_samples
from semanticgan.directions.strips import strip
from semanticgan.editing.change import measure_change
from semanticgan.editing.compositing import feather, region_mask
from semanticgan.editing.outputs import save_picture
from semanticgan.files import written_aside
from semanticgan.model import Model
from semanticgan.progress import Progress

LABELS = {"portraits-64": ("tutor-attributes-64,masks", "attributes-64,masks"), "faces-64": ("face-api", "face-api")}
NAMES = {
    "portraits-64": {
        "smile": "smile",
        "mouth_open": "mouth_open",
        "age": "age",
        "presentation.masculine": "masculine",
        "pitch": "pitch",
        "yaw": "yaw",
        "roll": "roll",
        "glasses": "glasses",
        "beard": "beard",
        "moustache": "moustache",
        "bald": "bald",
        "bangs": "bangs",
        "hair_reach": "hair_length",
        "hair_colour.black": "black_hair",
        "hair_colour.blond": "blond_hair",
        "hair_colour.ginger": "ginger_hair",
        "grey": "grey_hair",
        "skin_tone": "skin_tone",
        "eye_open": "eye_open",
        "brow_height": "brow_height",
        "hat": "hat",
        "earring": "earring",
    },
    "faces-64": {"smile": "smile", "age": "age", "presentation.masculine": "masculine"},
}
CONDITIONS = {"smile": ("beard", "moustache"), "mouth_open": ("beard", "moustache")}
"""Attributes that a direction shall not move along: the mouth's rows hold beards, too."""
SMALLEST_ACCURACY = 0.8
STRENGTH = 6.0
NUM_MEASURED, FIRST_MEASURED = 200, 500_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=sorted(NAMES), default="portraits-64")
    parser.add_argument("--num", type=int, default=10_000, help="codes to fit on")
    parser.add_argument("--scores", type=Path, help="file of scores, gone on with where it exists")
    parser.add_argument("--strip", type=Path, help="also a picture of what each direction does to seed 3")
    parser.add_argument("--table", type=Path, help="also the table, Markdown")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    model, names = sg.load(args.model, device="cpu"), NAMES[args.model]
    tell, judge = (open_labels(labels, model) for labels in LABELS[args.model])
    start = time.perf_counter()
    scored = score_samples(model, tell, args.num, kept=args.scores, progress=Progress(bar=True))
    labelled = time.perf_counter()
    held = CONDITIONS if args.model == "portraits-64" else {}
    found = [
        by_attributes(scored, [name], conditions=held.get(name, ()))[0]
        for name in Progress(bar=True).over(names, "fit", len(names), "direction")
    ]
    fitted = time.perf_counter()
    measured = [named(model, each, names[each.name], judge) for each in found]
    kept = [each for each in measured if each.figures["accuracy"] >= SMALLEST_ACCURACY]
    licence = "Apache-2.0" if args.model == "portraits-64" else model.metadata.licence
    save_directions(args.out, model, kept, overwrite=True, licence=licence)
    if args.table:
        with written_aside(args.table, overwrite=True) as aside:
            aside.write_text(table(measured), encoding="utf-8")
    if args.strip:
        save_picture(strip(model, model.sample(seed=3), kept), args.strip, overwrite=True)
    print(
        json.dumps(
            {
                "out": str(args.out),
                "seconds_labelling": labelled - start,
                "seconds_fitting": fitted - labelled,
                "kept": {each.name: dict(each.figures) for each in kept},
                "left_out": {each.name: dict(each.figures) for each in measured if each not in kept},
            }
        )
    )


def named(model: Model, direction: Direction, name: str, judge: Labeller) -> Direction:
    """The direction under its short name, with what it does at both strengths by the judge."""
    code = model.sample(seed=FIRST_MEASURED, n=NUM_MEASURED)
    column = [attribute.name for attribute in judge.attributes].index(direction.name)
    before = model.render(code)
    here = told(judge, before)
    figures = {**direction.figures, "attribute": direction.name}
    for side, strength in (("plus", STRENGTH), ("minus", -STRENGTH)):
        after = model.render(move(code, direction, strength))
        there = told(judge, after)
        spread = here.std(0).clamp(min=1e-6)
        shift = ((there - here) / spread).mean(0)
        others = torch.cat([shift[:column], shift[column + 1 :]]).abs().mean()
        figures[f"shift_{side}"] = round(float(shift[column]), 3)
        figures[f"others_{side}"] = round(float(others), 3)
        labels = model.regions.indices(list(direction.regions)) if direction.regions else []
        mask = region_mask(before.labels(), labels) | region_mask(after.labels(), labels) if labels else None
        if mask is not None:
            change = measure_change(before.to_uint8(), after.to_uint8(), feather(mask))
            figures[f"outside_{side}"] = round(float(change.outside.mean()), 2)
    return dataclasses.replace(direction, name=name, figures=figures)


def told(judge: Labeller, rendering: sg.Rendering) -> Tensor:
    """Scores [N, A]; those that cannot be told are those of the mean."""
    scores = judge(rendering)
    valid = scores > -1e29
    means = (scores * valid).sum(0) / valid.sum(0).clamp(min=1)
    return torch.where(valid, scores, means)


def table(found: list[Direction]) -> str:
    """Markdown."""
    lines = [
        "| direction | rows | accuracy | shift at +6, -6 | others | outside |",
        "|---|---|---|---|---|---|",
    ]
    for each in found:
        figures = each.figures
        rows = ", ".join(dict.fromkeys("base" if row.startswith("base.") else row for row in each.rows))
        outside = f"{figures['outside_plus']:.1f}, {figures['outside_minus']:.1f}" if "outside_plus" in figures else "-"
        lines.append(
            f"| {each.name} | {rows} | {figures['accuracy']:.2f} | {figures['shift_plus']:+.1f}, "
            f"{figures['shift_minus']:+.1f} | {figures['others_plus']:.2f}, {figures['others_minus']:.2f} | {outside} |"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
