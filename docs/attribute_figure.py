"""The figure of docs/attributes.md: attributes of inverted portraits edited by two methods on two systems.

python docs/attribute_figure.py --flow runs/flow --layered runs/stylegan2 --layered-flow runs/flow-stylegan2 \
    --scores scores --curves docs/attribute_curves.json --out docs/images/attribute-figure.jpg

Drawn portraits that no system was trained on are inverted row by row from the mean code (inversion/optimise.py), with
the same settings in each system. They are the first of a seed that have none of the attributes. An attribute is moved
by the strength at which half of 500 samples have gained it (the curves of measure_attributes.py, whose options these
are), or by the largest strength where fewer do. Beside each edit stands its difference from the inversion; all
difference maps have one colour scale.
"""

from __future__ import annotations

import argparse
import json
from itertools import islice
from pathlib import Path

import measure_attributes as measuring
import torch
from PIL import Image
from torch import Tensor

from semanticgan.data.portraits import PortraitDataset
from semanticgan.editing.outputs import to_image
from semanticgan.editing.sheets import FULL_DIFFERENCE, difference_map, draw_sheet
from semanticgan.files import written_aside
from semanticgan.inversion.optimise import optimise
from semanticgan.latents import LatentCode
from semanticgan.model import Model
from semanticgan.perception.classifier_truth import BINARY
from semanticgan.progress import Progress

ATTRIBUTES = ("smile", "bald", "bangs", "beard")
"""The four of Section 4.4 of arXiv 2112.02236."""

SUCCESS = 0.5
Curves = dict[str, dict[str, list[dict[str, float]]]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    measuring.add_system_arguments(parser)
    parser.add_argument("--curves", type=Path, required=True, help="JSON file that measure_attributes.py wrote")
    parser.add_argument("--portraits", type=int, default=2)
    parser.add_argument("--seed", type=int, default=90_002, help="of the drawn portraits")
    parser.add_argument("--out", type=Path, required=True, help="JPEG to write")
    args = parser.parse_args()
    curves: Curves = json.loads(args.curves.read_text(encoding="utf-8"))
    systems = [system for system in measuring.systems(args) if "all rows" not in system.name]
    size = systems[0].model.size
    portraits = torch.stack(without_attributes(PortraitDataset(size, seed=args.seed), args.portraits))
    inverted = {model: inversion(model, portraits) for model in {system.model for system in systems}}
    shown = [strip(system, inverted[system.model], curves) for system in systems]
    rows: list[list[Image.Image]] = []
    names: list[list[str]] = []
    row_names: list[str] = []
    for index, portrait in enumerate(portraits):
        for system, (pictures, strengths) in zip(systems, shown, strict=True):
            rows.append([to_image(portrait), *pictures[index]])
            steps = [text for strength in strengths for text in (f"{strength:.2g}", "")]
            names.append(["", "", *steps])
            row_names.append(system.name.replace("ours", "portraits-64"))
    columns = ["portrait", "inversion", *(text for name in ATTRIBUTES for text in (name, "difference"))]
    caption = f"below each edit its strength; difference: brightest at {FULL_DIFFERENCE} levels of 255"
    with written_aside(args.out, overwrite=True) as aside:
        sheet = draw_sheet(rows, columns, row_names, "Attributes of inverted portraits", caption, names)
        sheet.convert("RGB").save(aside, format="JPEG", quality=72)
    moved = {
        system.name: dict(zip(ATTRIBUTES, each, strict=True)) for system, (_, each) in zip(systems, shown, strict=True)
    }
    print(json.dumps({"out": str(args.out), "strengths": moved}))


def without_attributes(data: PortraitDataset, num: int) -> list[Tensor]:
    """The first drawn portraits that are said to have none of the attributes."""
    plain = (at for at in range(len(data)) if not any(BINARY[name](data.attributes(at)) for name in ATTRIBUTES))
    return [data[at].image for at in islice(plain, num)]


def inversion(model: Model, portraits: Tensor) -> LatentCode:
    """The rows whose rendering is nearest to pictures, uint8 [N, 3, S, S]."""
    return optimise(model, portraits.float() / 127.5 - 1.0, progress=Progress(bar=True)).code


def strip(system: measuring.System, code: LatentCode, curves: Curves) -> tuple[list[list[Image.Image]], list[float]]:
    """Of each image the inversion, then an edit and its difference map per attribute; and the strengths."""
    before = measuring.pictures_of(system.model, code)
    edits = system.edits()
    pictures = [[to_image(picture)] for picture in before]
    strengths = [strength_at(curves[name][system.name], SUCCESS) for name in ATTRIBUTES]
    for name, strength in zip(ATTRIBUTES, strengths, strict=True):
        after = measuring.pictures_of(system.model, edits[name](code, strength))
        for row, one, other in zip(pictures, before, after, strict=True):
            row += [to_image(other), difference_map(one, other)]
    return pictures, strengths


def strength_at(points: list[dict[str, float]], success: float) -> float:
    """The strength at which a curve first reaches a success, or its last."""
    found = measuring.at_success(points, "step", success)
    return points[-1]["step"] if found is None else found


if __name__ == "__main__":
    main()
