"""Makes the directions that come with the package, and the table of them in docs/attributes.md.

python docs/make_directions.py --model portraits-64 --out semanticgan/weights/directions/portraits-64.safetensors
python docs/make_directions.py --model faces-64 --photographs lfw-regions-128.zip \
    --out semanticgan/weights/directions/faces-64.safetensors

Directions of portraits-64 are fitted on 10,000 independent codes, labelled by the classifier "tutor-attributes-64" and
by masks. Those of faces-64 are fitted on photographs (all but the last 200): the codes are the encoder's, the labels
face-api's of the photographs themselves. A direction is kept where held-out codes confirm it. Each is then measured on
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
from semanticgan.data import PairDataset, open_dataset
from semanticgan.directions import Direction, move, save_directions
from semanticgan.directions.finding import by_attributes
from semanticgan.directions.labels import Attribute, Labeller, open_labels
from semanticgan.directions.scored import ScoredCodes, score_samples
from semanticgan.directions.strips import strip
from semanticgan.editing.change import measure_change
from semanticgan.editing.compositing import feather, region_mask
from semanticgan.editing.outputs import save_picture
from semanticgan.files import written_aside
from semanticgan.inversion.encode import encode
from semanticgan.inversion.inversion import opened_encoder
from semanticgan.latents import LatentCode
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
PHOTOGRAPH_CONDITIONS = {
    "smile": ("presentation.masculine", "age", "skin_lightness"),
    "age": ("presentation.masculine", "smile", "skin_lightness"),
    "presentation.masculine": ("age", "smile", "skin_lightness"),
}
"""Without holding the skin's lightness a higher age makes dark skin light: here the two go together."""
HEAD = ("base", "face", "eye", "eyebrow", "mouth", "nose", "ear", "hair", "neck")
PHOTOGRAPH_REGIONS = {
    "smile": ("base", "face", "eye", "eyebrow", "mouth", "nose"),
    "age": HEAD,
    "presentation.masculine": HEAD,
}
"""Codes of photographs have rows that go together, so they cannot tell which of them an attribute depends on."""
SMALLEST_ACCURACY, SMALLEST_SHIFT = 0.8, 0.5
STRENGTHS = {"portraits-64": 6.0, "faces-64": 3.0}
PHOTOGRAPH_SIDE = 128  # as face-api reads them
NUM_HELD_OUT = 200  # photographs, which other tables are measured on
NUM_MEASURED, FIRST_MEASURED = 200, 500_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=sorted(NAMES), default="portraits-64")
    parser.add_argument("--num", type=int, default=10_000, help="codes to fit on")
    parser.add_argument("--photographs", type=Path, help="with the scheme photographs-11; faces-64 needs them")
    parser.add_argument("--scores", type=Path, help="file of scores, gone on with where it exists")
    parser.add_argument("--strip", type=Path, help="also a picture of what each direction does to seed 3")
    parser.add_argument("--table", type=Path, help="also the table, Markdown")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    model, names = sg.load(args.model, device="cpu"), NAMES[args.model]
    tell, judge = (open_labels(labels, model) for labels in LABELS[args.model])
    start = time.perf_counter()
    if args.photographs:
        scored = score_photographs(model, tell, args.photographs, args.scores)
        find = of_photographs
    else:
        scored = score_samples(model, tell, args.num, kept=args.scores, progress=Progress(bar=True))
        find = of_samples
    labelled = time.perf_counter()
    found = [find(scored, name) for name in Progress(bar=True).over(names, "fit", len(names), "direction")]
    fitted = time.perf_counter()
    measured = [named(model, each, names[each.name], judge, STRENGTHS[args.model]) for each in found]
    kept = [each for each in measured if holds_up(each)]
    licence = "Apache-2.0" if args.model == "portraits-64" else model.metadata.licence
    save_directions(args.out, model, kept, overwrite=True, licence=licence)
    if args.table:
        with written_aside(args.table, overwrite=True) as aside:
            aside.write_text(table(measured, STRENGTHS[args.model]), encoding="utf-8")
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


def holds_up(direction: Direction) -> bool:
    """Held-out codes confirm it; for the difference of means, which does not tell classes apart, its effect does."""
    figures = direction.figures
    if direction.method == "means":
        shift = min(figures["shift_plus"], -figures["shift_minus"])
        return shift >= SMALLEST_SHIFT and shift > max(figures["others_plus"], figures["others_minus"])
    return figures["accuracy"] >= SMALLEST_ACCURACY


def of_samples(scored: ScoredCodes, name: str) -> Direction:
    """By InterFaceGAN, in the rows that the attribute depends on."""
    return by_attributes(scored, [name], conditions=CONDITIONS.get(name, ()))[0]


def of_photographs(scored: ScoredCodes, name: str) -> Direction:
    """By the difference of the means, in the rows of the head's regions."""
    rows = [row for row in scored.code.rows.names if row.partition(".")[0] in PHOTOGRAPH_REGIONS[name]]
    return by_attributes(scored, [name], rows, 0.2, PHOTOGRAPH_CONDITIONS[name], method="means")[0]


def score_photographs(model: Model, tell: Labeller, path: Path, kept: Path | None) -> ScoredCodes:
    """The encoder's codes of photographs, and labels of the photographs at their own size."""
    small, large = (open_dataset("folder", path, side, "photographs-11") for side in (model.size, PHOTOGRAPH_SIDE))
    groups = tuple((row,) for row in range(len(model.rows)))
    attributes = (*tell.attributes, Attribute("skin_lightness", True))
    if kept is not None and kept.is_file():
        tensor, scores = torch.load(kept, weights_only=True)
    else:
        encoder = opened_encoder(model, None)
        assert encoder is not None
        codes, told_scores = [], []
        starts = range(0, len(small) - NUM_HELD_OUT, 16)
        for start in Progress(bar=True).over(starts, "label", len(starts), "batch"):
            chosen = range(start, min(start + 16, len(small) - NUM_HELD_OUT))
            images, photographs = (
                torch.stack([data[index].image for index in chosen]).float() / 127.5 - 1.0 for data in (small, large)
            )
            codes.append(encode(encoder, model, images, 2).tensor)
            told_scores.append(tell(sg.Rendering(photographs, photographs, photographs, photographs)))
        lightness = [skin_lightness(small, index) for index in range(len(small) - NUM_HELD_OUT)]
        tensor, scores = torch.cat(codes), torch.cat([torch.cat(told_scores), torch.tensor(lightness)[:, None]], 1)
        if kept is not None:
            with written_aside(kept, overwrite=True) as aside:
                torch.save((tensor, scores), aside)
    return ScoredCodes(LatentCode(tensor, model.rows), scores, attributes, groups, f"{tell.name} of {path.stem}")


def skin_lightness(data: PairDataset, index: int) -> float:
    """Mean luma of the pixels labelled face, in levels of 255."""
    pair = data[index]
    luma = torch.tensor([0.299, 0.587, 0.114]) @ pair.image.float().flatten(1)
    return float(luma[pair.labels.flatten() == data.regions.indices(["face"])[0]].mean())


def named(model: Model, direction: Direction, name: str, judge: Labeller, most: float) -> Direction:
    """The direction under its short name, with what it does at strengths ``most`` and its negative by the judge."""
    code = model.sample(seed=FIRST_MEASURED, n=NUM_MEASURED)
    column = [attribute.name for attribute in judge.attributes].index(direction.name)
    before = model.render(code)
    here = told(judge, before)
    figures = {**direction.figures, "attribute": direction.name}
    for side, strength in (("plus", most), ("minus", -most)):
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


def table(found: list[Direction], most: float) -> str:
    """Markdown."""
    lines = [
        f"| direction | rows | accuracy | shift at {most:+g}, {-most:+g} | others | outside |",
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
