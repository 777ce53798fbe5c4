"""Draws the pictures of the README and of these pages anew, from consecutive seeds, none left out.

python docs/make_pictures.py bundled --out docs/images
python docs/make_pictures.py faces --model faces-64
python docs/make_pictures.py log --model runs/portraits/step-NNNNNNN/model.safetensors --name log-portraits-1
python docs/make_pictures.py without --model runs/portraits/step-NNNNNNN/model.safetensors \
    --name log-portraits-7-without
python docs/make_pictures.py few --model runs/few-off/step-NNNNNNN/model.safetensors \
    --other runs/few-on/step-NNNNNNN/model.safetensors
python docs/make_pictures.py adapted --other runs/adapted/step-NNNNNNN/model.safetensors --data data/woodcut-80
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

import semanticgan as sg
from semanticgan.data import open_dataset
from semanticgan.editing.regions import edit, interpolate_regions, swap_regions
from semanticgan.editing.sheets import component_sheet, draw_sheet
from semanticgan.files import written_aside

SOURCES, REFERENCES = range(6), range(100, 107)
TRUNCATION = 0.7  # of the photographs' sheets
OWNABLE = ("eye", "eyebrow", "mouth", "nose", "glasses", "earring", "hair")  # drawn without, one after the other


def swap_sheet(model: sg.Model, region: str, what: str = "both", truncation: float = 1.0) -> Image.Image:
    """The first row lends a region, the first column receives it."""
    lenders = model.sample(seeds=REFERENCES, truncation=truncation)
    references = model.render(lenders).to_pil()
    blank = Image.new("RGB", references[0].size, "white")
    rows = [[blank, *references]]
    for seed in SOURCES:
        result = swap_regions(model, model.sample(seed=seed, truncation=truncation), lenders, region, what)
        rows.append([result.source.to_pil()[0], *result.result.to_pil()])
    return draw_sheet(rows, title=f"{region} of the first row on the faces of the first column")


def one_region_at_a_time(model: sg.Model, regions: Sequence[str], seeds: Sequence[int]) -> Image.Image:
    """Each row is one picture, then the same picture with one region from another seed, region after region."""
    rows = []
    for seed in seeds:
        source, reference = model.sample(seed=seed), model.sample(seed=seed + 100)
        swapped = sg.LatentCode.cat([sg.swap(source, reference, [region]) for region in regions])
        result = edit(model, source, swapped, regions)
        rows.append([result.source.to_pil()[0], *result.result.to_pil()])
    return draw_sheet(rows, columns=["portrait", *(f"other {region}" for region in regions)])


def seeds_that_show(model: sg.Model, region: str, num_seeds: int) -> list[int]:
    """The first seeds from 100 on whose picture has at least 8 pixels of a region; few wear glasses, a hat, a ring."""
    label, found, start = model.regions.index(region), list[int](), REFERENCES[0]
    while len(found) < num_seeds and start < 5000:
        seeds = range(start, start + 50)
        labels = model.render(model.sample(seeds=seeds)).labels()
        found += [seed for seed, shown in zip(seeds, (labels == label).sum((1, 2)) >= 8, strict=True) if shown]
        start += 50
    return found[:num_seeds]


def every_region(model: sg.Model, truncation: float = 1.0) -> Image.Image:
    """A row a region: one portrait, the region swapped, its shape and its texture alone, and interpolated."""
    rows, names = [], []
    columns = ["portrait", *["swapped"] * 3, *["shape"] * 2, *["texture"] * 2, *["interpolated"] * 4]
    for seed, region in enumerate(model.regions.names):
        seeds = seeds_that_show(model, region, 6)
        if len(seeds) < 6:
            continue
        source = model.sample(seed=seed, truncation=truncation)
        others = model.sample(seeds=seeds, truncation=truncation)
        changed = [
            swap_regions(model, source, others[:3], region).result,
            swap_regions(model, source, others[3:5], region, "structure").result,
            swap_regions(model, source, others[3:5], region, "texture").result,
            interpolate_regions(model, [source, others[5:]], 5, region).result,
        ]
        pictures = [rendering.to_pil() for rendering in changed]
        rows.append([*pictures[3][:1], *pictures[0], *pictures[1], *pictures[2], *pictures[3][1:]])
        names.append(region)
    return halved(draw_sheet(rows, columns=columns, row_names=names))


def halved(sheet: Image.Image) -> Image.Image:
    """At half the size, for sheets of many pictures."""
    return sheet.resize((sheet.width // 2, sheet.height // 2), Image.Resampling.LANCZOS)


def samples(model: sg.Model, num_images: int, columns: int, truncation: float = 1.0) -> Image.Image:
    """Pictures of seeds 0, 1, 2, ..."""
    pictures = model.render(model.sample(seeds=range(num_images), truncation=truncation)).to_pil()
    return draw_sheet([pictures[start : start + columns] for start in range(0, num_images, columns)])


def components(model: sg.Model, seed: int) -> Image.Image:
    """The regions of one picture, added one at a time."""
    import torch

    names = list(model.regions.names)
    code = model.sample(seed=seed)
    visible = torch.tril(torch.ones(len(names), len(names)))
    steps = model.render(code.tensor.expand(len(names), -1, -1), visible=visible)
    return component_sheet(steps, names, model.regions)


def without_each(model: sg.Model, regions: Sequence[str], seeds: Sequence[int]) -> Image.Image:
    """Each row is one picture, then the same picture drawn without one region, region after region."""
    import torch

    visible = torch.ones(1 + len(regions), len(model.regions))
    for row, region in enumerate(regions, start=1):
        visible[row, model.regions.index(region)] = 0
    rows = [model.render(model.sample(seeds=[seed] * len(visible)), visible=visible).to_pil() for seed in seeds]
    return halved(draw_sheet(rows, columns=["portrait", *(f"without {region}" for region in regions)]))


def before_and_after(models: Sequence[sg.Model], num_images: int, columns: int) -> Image.Image:
    """Pictures of the same seeds by each model, one model under the other."""
    rows = []
    for start in range(0, num_images, columns):
        seeds = range(start, start + columns)
        rows += [model.render(model.sample(seeds=seeds)).to_pil() for model in models]
    return draw_sheet(rows)


def adapted(before: sg.Model, after: sg.Model, data: str) -> dict[str, Image.Image]:
    """What an adaptation was shown, what it made of the same seeds, blends, and an edit of it."""
    from semanticgan.data.unlabelled import PictureDataset
    from semanticgan.surgery.blending import blend

    dataset = PictureDataset(Path(data) / "image", after.size, after.regions)
    shown = [Image.fromarray(dataset[i].image.permute(1, 2, 0).numpy()) for i in range(32)]
    halfway = blend(before, after, renderer_from=before.size // 2, weight=0.5).model
    outer = blend(before, after, renderer_from=before.size).model
    return {
        "adapted-from": draw_sheet([shown[start : start + 16] for start in range(0, len(shown), 16)]),
        "adapted-samples": before_and_after([before, after], 24, 12),
        "adapted-hair": swap_sheet(after, "hair"),
        "adapted-blends": before_and_after([before, outer, halfway, after], 12, 12),
    }


def training_portraits(num_images: int, columns: int) -> Image.Image:
    """The first drawn portraits of seed 0."""
    dataset = open_dataset("portraits", size=64, length=num_images)
    pictures = [Image.fromarray(dataset[i].image.permute(1, 2, 0).numpy()) for i in range(num_images)]
    return draw_sheet([pictures[start : start + columns] for start in range(0, num_images, columns)])


def beside(left: Image.Image, right: Image.Image) -> Image.Image:
    """Two sheets next to each other, at half their size."""
    gap = left.width // 12
    both = Image.new("RGB", (left.width + gap + right.width, max(left.height, right.height)), "white")
    both.paste(left, (0, 0))
    both.paste(right, (left.width + gap, 0))
    return halved(both)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("which", choices=("bundled", "faces", "log", "without", "few", "adapted"))
    parser.add_argument("--model", help="the bundled model unless given")
    parser.add_argument("--other", help="the model to compare it with")
    parser.add_argument("--data", help="the folder of pictures that the other was adapted to")
    parser.add_argument("--name", help="of the picture for the log of runs")
    parser.add_argument("--out", type=Path, default=Path("docs/images"))
    args = parser.parse_args()
    model = sg.load(args.model, device="cpu")
    pictures: dict[str, Image.Image]
    if args.which == "bundled":
        pictures = {
            "hero": one_region_at_a_time(model, ["hair", "eye", "mouth", "face", "cloth", "background"], range(4)),
            "portraits-samples": samples(model, 64, 16),
            "portraits-beside": beside(samples(model, 64, 8), training_portraits(64, 8)),
            "portraits-hair": swap_sheet(model, "hair"),
            "portraits-eye": swap_sheet(model, "eye"),
            "portraits-mouth": swap_sheet(model, "mouth"),
            "portraits-regions": every_region(model),
            "components": components(model, 3),
            "portraits-without": without_each(model, OWNABLE, range(6)),
        }
    elif args.which == "few":
        both = {"few-without": model, "few-with": sg.load(args.other, device="cpu")}
        pictures = {name: samples(trained, 32, 16) for name, trained in both.items()}
    elif args.which == "log":
        pictures = {args.name: halved(samples(model, 32, 16))}
    elif args.which == "without":
        pictures = {args.name: without_each(model, OWNABLE, range(6))}
    elif args.which == "adapted":
        pictures = adapted(model, sg.load(args.other, device="cpu"), args.data)
    else:
        pictures = {
            "lfw-samples": samples(model, 64, 16),
            "lfw-samples-truncated": samples(model, 64, 16, truncation=TRUNCATION),
            "lfw-regions": every_region(model, truncation=TRUNCATION),
        }
        for region in ("hair", "eye", "mouth"):
            pictures[f"lfw-{region}"] = swap_sheet(model, region, truncation=TRUNCATION)
    for name, picture in pictures.items():
        with written_aside(args.out / f"{name}.jpg", overwrite=True) as aside:
            picture.save(aside, quality=70 if name.startswith("adapted") else 88)  # prints hatched all over are large


if __name__ == "__main__":
    main()
