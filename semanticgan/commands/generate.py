"""Generate pictures from seeds: one PNG per seed. A seed gives the same picture whatever other seeds are given.

With --noise random each seed's code is rendered with --count draws of noise: a row of them, and a picture of how much
each pixel differs between them.
"""

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
    "--seed 3 --noise random --count 8 --out noise",
)

_BATCH = 8
_COUNT = 8  # draws of noise


def add_arguments(parser: argparse.ArgumentParser) -> None:
    arguments.add_model_arguments(parser)
    arguments.add_seeds_argument(parser)
    arguments.add_truncation_argument(parser)
    parser.add_argument("--out", type=arguments.output_folder, default=Path("samples"), help="output folder")
    arguments.add_flag(parser, "--labels", "also write the label map of each picture (indexed PNG)")
    arguments.add_flag(parser, "--latents", "also write the latent code of each picture (.safetensors)")
    arguments.add_flag(parser, "--sheet", "also write all pictures as one sheet, sheet.png")
    parser.add_argument(
        "--noise",
        choices=("fixed", "random"),
        default="fixed",
        help="fixed: the maps stored with the weights; random: draws of noise for each seed, as a row",
    )
    arguments.add_count(
        parser, "--count", f"draws of noise per seed, with --noise random (default: {_COUNT})", 2, 1000, metavar="N"
    )
    arguments.add_mark_argument(parser)
    arguments.add_overwrite_argument(parser)


def run(args: argparse.Namespace) -> dict[str, Any]:
    if args.noise == "random":
        return _run_noise(args)
    if args.count is not None:
        raise InputError("--count is the number of draws of noise. Add --noise random, or leave --count out.")
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


def _run_noise(args: argparse.Namespace) -> dict[str, Any]:
    """The same code with several draws of noise, for each seed."""
    from semanticgan.editing.noise_draws import draw_noise, require_noise
    from semanticgan.editing.outputs import save_picture
    from semanticgan.files import require_free

    if args.labels or args.latents or args.sheet:
        raise InputError("--noise random writes rows of draws. Leave out --labels, --latents and --sheet.")
    seeds: tuple[int, ...] = args.seeds or (args.seed,)
    count = args.count or _COUNT
    rows = {seed: args.out / f"seed-{seed:04d}-noise.png" for seed in seeds}
    deviations = {seed: args.out / f"seed-{seed:04d}-deviation.png" for seed in seeds}
    for path in (*rows.values(), *deviations.values()):
        require_free(path, args.overwrite)
    model = arguments.load_model(args)
    require_noise(model)
    mark = arguments.mark_of(args, model)
    largest = {}
    for seed in Progress(bar=True).over(seeds, "drawing noise", len(seeds), "seed"):
        drawn = draw_noise(model, model.sample(seed=seed, truncation=args.truncation), count, seed)
        title = f"seed {seed}, {count} draws of noise"
        save_picture(drawn.row(title), rows[seed], args.overwrite, mark)
        save_picture(drawn.deviation_picture(), deviations[seed], args.overwrite, mark)
        largest[seed] = drawn.largest
    return {
        "out": str(args.out),
        "seeds": list(seeds),
        "truncation": args.truncation,
        "noise": args.noise,
        "count": count,
        "size": model.size,
        "largest_deviation": [largest[seed] for seed in seeds],
        "rows": [str(rows[seed]) for seed in seeds],
        "deviations": [str(deviations[seed]) for seed in seeds],
    }


def _labels_beside(picture: Path) -> Path:
    return picture.with_name(f"{picture.stem}-labels.png")
