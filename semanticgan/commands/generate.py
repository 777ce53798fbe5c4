"""Generate pictures from seeds: one PNG per seed. A seed gives the same picture whatever other seeds are given."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from semanticgan.commands import arguments
from semanticgan.errors import InputError
from semanticgan.progress import Progress

EXAMPLES = (
    "--seeds 0-15 --out samples",
    "--seeds 3,8,20-24 --truncation 0.7 --labels --sheet --out faces",
)

_BATCH = 8


def add_arguments(parser: argparse.ArgumentParser) -> None:
    arguments.add_model_arguments(parser)
    arguments.add_seeds_argument(parser)
    arguments.add_truncation_argument(parser)
    parser.add_argument("--out", type=arguments.path, default=Path("samples"), help="output folder")
    parser.add_argument("--labels", action="store_true", help="also write the label map of each picture (indexed PNG)")
    parser.add_argument(
        "--latents", action="store_true", help="also write the latent code of each picture (.safetensors)"
    )
    parser.add_argument("--sheet", action="store_true", help="also write all pictures as one sheet, sheet.png")
    arguments.add_mark_argument(parser)
    arguments.add_overwrite_argument(parser)


def run(args: argparse.Namespace) -> dict[str, Any]:
    from semanticgan.editing.outputs import label_picture, save_picture
    from semanticgan.editing.sheets import draw_grid, require_grid
    from semanticgan.files import require_free

    seeds: tuple[int, ...] = args.seeds or (args.seed,)
    pictures = {seed: args.out / f"seed-{seed:04d}.png" for seed in seeds}
    sheet = args.out / "sheet.png"
    wanted = list(pictures.values())
    wanted += [_labels_beside(path) for path in pictures.values() if args.labels]
    wanted += [path.with_suffix(".safetensors") for path in pictures.values() if args.latents]
    wanted += [sheet] if args.sheet else []
    for path in wanted:
        require_free(path, args.overwrite)

    model = arguments.load_model(args)
    if args.labels and model.rows.regions is None:
        raise InputError(f"{model.metadata.description!r} has layers, not regions. Leave --labels out.")
    if args.sheet:
        require_grid(len(seeds), model.size)
    mark = arguments.mark_of(args, model)
    shown = []
    with Progress(bar=True).steps("generating", len(seeds), "image") as step:
        for start in range(0, len(seeds), _BATCH):
            batch = seeds[start : start + _BATCH]
            code = model.sample(seeds=list(batch), truncation=args.truncation)
            rendering = model.render(code)
            for i, (seed, picture) in enumerate(zip(batch, rendering.to_pil(), strict=True)):
                save_picture(picture, pictures[seed], args.overwrite, mark)
                if args.labels:
                    labels = label_picture(rendering.labels()[i], model.regions)
                    save_picture(labels, _labels_beside(pictures[seed]), args.overwrite)
                if args.latents:
                    code[i].save(pictures[seed].with_suffix(".safetensors"), args.overwrite)
                if args.sheet:
                    shown.append(picture)
            step(len(batch))
    if args.sheet:
        title = f"truncation {args.truncation:g}"
        save_picture(draw_grid(shown, [f"seed {seed}" for seed in seeds], title), sheet, args.overwrite, mark)
    return {
        "out": str(args.out),
        "seeds": list(seeds),
        "truncation": args.truncation,
        "size": model.size,
        "files": [str(path) for path in wanted],
    }


def _labels_beside(picture: Path) -> Path:
    return picture.with_name(f"{picture.stem}-labels.png")
