"""Pictures of docs/attributes.md: faces of seeds 0 to 7, none left out, moved along directions; and who stays the same.

python docs/attribute_sheets.py --model portraits-64 --directions age,masculine,smile,pitch --out docs/images
python docs/attribute_sheets.py --model faces-64 --directions age,masculine,smile --strength 4 --out docs/images \
    --photographs lfw-regions-128.zip

With --photographs the last 100 pictures of that data set are inverted by the encoder and moved by half of the strength.
The distance of face-api's identity between inversion and edit is printed, beside that between inversions of different
people.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch

import semanticgan as sg
from semanticgan.data import open_dataset
from semanticgan.directions import move
from semanticgan.editing.outputs import to_image
from semanticgan.editing.sheets import draw_sheet
from semanticgan.files import written_aside
from semanticgan.inversion.encode import encode
from semanticgan.inversion.inversion import opened_encoder
from semanticgan.model import Model
from semanticgan.perception.face_api import open_identity

NUM_FACES, NUM_PHOTOGRAPHS = 8, 100


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="portraits-64")
    parser.add_argument("--directions", default="age,masculine,smile,pitch")
    parser.add_argument("--strength", type=float, default=8.0, help="the largest; half of it is drawn, too")
    parser.add_argument("--photographs", type=Path, help="photographs with the scheme photographs-11")
    parser.add_argument("--out", type=Path, required=True, help="folder")
    args = parser.parse_args()
    model, names = sg.load(args.model, device="cpu"), args.directions.split(",")
    files = []
    for name in names:
        files.append(args.out / f"{args.model.partition('-')[0]}-{name.replace('_', '-')}.jpg")
        save_sheet(model, name, args.strength, files[-1])
    identity = kept_identity(model, names, args.strength / 2, args.photographs) if args.photographs else None
    print(json.dumps({"files": [str(file) for file in files], "identity": identity}))


def save_sheet(model: Model, name: str, most: float, path: Path) -> None:
    """Two faces a row, each at five strengths from -most to most."""
    strengths = [most * part for part in (-1.0, -0.5, 0.0, 0.5, 1.0)]
    rows, labels = [], []
    for seed in range(NUM_FACES):
        rendering = model.render(move(model.sample(seed=seed), model.directions[name], strengths))
        rows.append([to_image(picture) for picture in rendering.to_uint8()])
        labels.append([f"{strength:+g}" for strength in strengths])
    half = NUM_FACES // 2
    pairs = [rows[index] + rows[index + half] for index in range(half)]
    titles = [labels[index] + labels[index + half] for index in range(half)]
    with written_aside(path, overwrite=True) as aside:
        draw_sheet(pairs, title=name, names=titles).convert("RGB").save(aside, format="JPEG", quality=85)


def kept_identity(model: Model, names: list[str], most: float, photographs: Path) -> dict[str, float]:
    """Mean distances of face-api's descriptors; below 0.6 two photographs count as of one person."""
    data = open_dataset("folder", photographs, model.size, "photographs-11")
    chosen = range(len(data) - NUM_PHOTOGRAPHS, len(data))
    targets = torch.stack([data[index].image for index in chosen]).float() / 127.5 - 1.0
    encoder = opened_encoder(model, None)
    assert encoder is not None
    code = encode(encoder, model, targets, 5)
    identity = open_identity("cpu")
    inverted = model.render(code).image.clamp(-1, 1)
    found = {"other people": float(identity.distance(inverted, inverted.roll(1, 0)).mean())}
    for name in names:
        for strength in (-most, most):
            edited = model.render(move(code, model.directions[name], strength)).image.clamp(-1, 1)
            found[f"{name} {strength:+g}"] = float(identity.distance(inverted, edited).mean())
    return {name: round(value, 3) for name, value in found.items()}


if __name__ == "__main__":
    main()
