"""Edit regions of a photograph or a generated picture: swap them from a seed, latent code or photograph, or vary them.

Without --variations or --interpolate, --out is the edited picture; of a photograph, at the photograph's own size. With
--variations N it is a sheet of the source and N versions of it; with --interpolate STEPS a sheet of the way from the
source to --from-seed, --from-latent or --from-image.

A layered model (StyleGAN, StyleGAN2, StyleALAE) has layers in place of regions: --layers 0-3. Its edit goes back into a
photograph as one region, the face's whole square.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from semanticgan.commands import arguments, edit_operations, photographs
from semanticgan.errors import InputError
from semanticgan.seeds import following

if TYPE_CHECKING:
    from semanticgan.editing.regions import EditResult
    from semanticgan.latents import LatentCode
    from semanticgan.model import Model

EXAMPLES = (
    "--seed 1 --region hair --from-seed 17 --sheet --out edited.png",
    "--image me.jpg --region hair --from-seed 8 --out me2.jpg",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    arguments.add_model_arguments(parser)
    source = parser.add_mutually_exclusive_group()
    arguments.add_seed_argument(source)
    arguments.add_path(source, "--latent", "latent code of the picture, instead of --seed")
    photographs.add_image_argument(source)
    arguments.add_path(source, "--script", "repeat the edit of a file that --save-script wrote")
    arguments.add_region_arguments(parser, required=False)
    parser.add_argument(
        "--layers", metavar="NUMBERS", help="of a layered model: layers to change, from 0 on, such as 0-3 or 0,2,5-7"
    )
    origin = parser.add_mutually_exclusive_group()
    origin.add_argument("--from-seed", type=arguments.seed, metavar="SEED", help="where the regions come from")
    arguments.add_path(origin, "--from-latent", "where the regions come from")
    arguments.add_path(origin, "--from-image", "where the regions come from", "PHOTO")
    edit_operations.add_operation_arguments(parser)
    photographs.add_photograph_arguments(parser)
    photographs.add_edit_arguments(parser)
    many = parser.add_mutually_exclusive_group()
    arguments.add_count(
        many,
        "--variations",
        "write a sheet of N versions, whose regions come from N consecutive seeds from --from-seed on (default: "
        "--seed + 1)",
        1,
        255,
        metavar="N",
    )
    arguments.add_count(many, "--interpolate", "number of steps, endpoints included", 2, 255, metavar="STEPS")
    arguments.add_truncation_argument(parser)
    arguments.add_composite_argument(parser)
    parser.add_argument("--out", type=arguments.path, default=Path("edited.png"), help="picture to write")
    arguments.add_flag(parser, "--sheet", "also write OUT-sheet.png: source, reference, region, result, difference")
    arguments.add_flag(parser, "--labels", "also write OUT-labels.png, the label map of the edited picture")
    arguments.add_path(parser, "--save-latent", "also write the edited code, .safetensors or .npy")
    arguments.add_mark_argument(parser)
    arguments.add_overwrite_argument(parser)


def run(args: argparse.Namespace) -> dict[str, Any]:
    from semanticgan.editing.outputs import label_picture, save_picture, to_image

    _require_sensible(args)
    outputs = _outputs(args)
    if args.strengths:
        model = arguments.load_model(args)
        return edit_operations.run_strip(args, model, _source(args, model))
    if _is_scripted(args):
        return photographs.run_edit(args, outputs)
    if args.layers:
        return _run_layers(args, outputs)
    model = arguments.load_model(args)
    edit, names = _edit(args, model)
    composited = args.composite and not args.include_base
    if args.composite and not composited:
        sys.stderr.write(photographs.NOTHING_KEPT)

    codes = ["structure", "texture"] if args.what == "both" else [args.what]
    title = f"{', '.join(edit.regions)}: {', '.join(codes + ['base'] * args.include_base)}"
    mark = arguments.mark_of(args, model)
    pictures = [to_image(picture) for picture in edit.pictures(composited)]
    if args.variations or args.interpolate or args.sheet:
        from semanticgan.editing.sheets import draw_grid, edit_sheet
    if args.variations:
        source = to_image(edit.source_pictures()[0])
        save_picture(draw_grid([source, *pictures], ["source", *names], title), args.out, args.overwrite, mark)
    elif args.interpolate:
        save_picture(draw_grid(pictures, names, title), args.out, args.overwrite, mark)
    else:
        script = photographs.edit_of(args, model).shareable
        save_picture(pictures[0], args.out, args.overwrite, arguments.mark_of(args, model, script=script))
    if args.sheet:
        sheet = edit_sheet(edit, model.regions, composited, names if len(edit) > 1 else (), title)
        save_picture(sheet, outputs["sheet"], args.overwrite, mark)
    if args.labels:
        save_picture(label_picture(edit.result.labels()[0], model.regions), outputs["labels"], args.overwrite)
    if args.save_latent:
        edit.code.save(args.save_latent, args.overwrite)

    absent = ~edit.mask.flatten(1).any(1)
    if bool(absent.all()):
        sys.stderr.write(f"note: no {' or '.join(edit.regions)} is seen before or after; try another --from-seed.\n")
    change = edit.change(composited)
    seen = change.inside[~absent]
    return {
        **{name: str(path) for name, path in outputs.items()},
        "source": str(args.image or args.latent or f"seed {args.seed}"),
        "regions": list(edit.regions),
        "what": args.what,
        "images": names if len(edit) > 1 else names[0],
        "composite": composited,
        "change_outside": float(change.outside.mean()),
        "change_inside": float(seen.mean()) if len(seen) else None,
    }


def _is_scripted(args: argparse.Namespace) -> bool:
    """Whether the edit is one of :mod:`semanticgan.edits`: of layers, pasted, rendered by another model, or kept."""
    if edit_operations.is_given(args):
        return True
    if args.variations or args.interpolate:
        return False
    return bool(args.layers or args.image or args.from_image or args.script or args.render_with or args.save_script)


def _run_layers(args: argparse.Namespace, outputs: dict[str, Path]) -> dict[str, Any]:
    """Variations and interpolations of a layered model."""
    from semanticgan.editing.layers import interpolate_layers, swap_layers
    from semanticgan.editing.outputs import save_picture
    from semanticgan.editing.sheets import draw_grid

    model = arguments.load_model(args)
    inversion = photographs.inversion_of_image(args, model, args.image, args.face) if args.image else None
    source = _source(args, model) if inversion is None else inversion.code
    renderer = model if inversion is None else inversion.model
    if args.interpolate:
        edit = interpolate_layers(renderer, source, _reference(args, model), args.interpolate, args.layers)
        names = _positions(args.interpolate)
    else:
        seeds = _seeds_of_variations(args)
        edit = swap_layers(renderer, source, model.sample(seeds=seeds, truncation=args.truncation), args.layers)
        names = [f"seed {seed}" for seed in seeds]
    title = f"layers {args.layers}"
    mark = arguments.mark_of(args, model, "composite" if args.image or args.from_image else "generated")
    pictures, captions = edit.result.to_pil(), names
    if args.variations:
        pictures, captions = [edit.source.to_pil()[0], *pictures], ["source", *names]
    save_picture(draw_grid(pictures, captions, title), args.out, args.overwrite, mark)
    if args.sheet:
        save_picture(edit.sheet(names, title), outputs["sheet"], args.overwrite, mark)
    if args.save_latent:
        edit.code.save(args.save_latent, args.overwrite)
    return {
        **{name: str(path) for name, path in outputs.items()},
        "source": str(args.image or args.latent or f"seed {args.seed}"),
        "layers": source.rows.indices(layers=args.layers),
        "images": names,
        "change": float(edit.change().mean()),
    }


def _require_sensible(args: argparse.Namespace) -> None:
    """Raise InputError for options that do not go together."""
    origin = args.from_seed is not None or args.from_latent or args.from_image
    many = args.variations or args.interpolate
    if args.composite and args.image and not many:
        raise InputError(
            "--composite is for generated pictures; a photograph keeps every pixel outside the regions. Leave it out."
        )
    if edit_operations.is_given(args):
        edit_operations.require_alone(args)
        return
    if args.layers:
        of_regions = {
            "--region": args.region,
            "--what": args.what != "both",
            "--include-base": args.include_base,
            "--composite": args.composite,
            "--labels": args.labels,
        }
        why = "--layers is for layered models, {} for models of regions. Leave one of them out."
        arguments.refuse_given(of_regions, why)
    if args.script:
        if args.region or args.layers or origin or args.variations or args.interpolate:
            raise InputError(
                "--script has its own regions, layers and sources. Leave out --region, --layers, --from-... and the "
                "like."
            )
        return
    if not args.region and not args.layers and not args.render_with:
        raise InputError(
            "no region is chosen. Add --region, such as --region hair, or of a layered model --layers, such as "
            "--layers 0-3."
        )
    if not origin and not args.variations and not args.render_with:
        raise InputError("no source for the region. Add --from-seed SEED, --from-latent FILE or --variations N.")
    if args.variations and (args.from_latent or args.from_image):
        raise InputError("--variations takes its regions from seeds, not from --from-latent. Leave one of them out.")
    of_one = {"--labels": args.labels, "--render-with": args.render_with, "--save-script": args.save_script}
    if many:
        why = "{0} goes with one edited picture. Leave out --variations and --interpolate, or {0}."
        arguments.refuse_given(of_one, why)


def _outputs(args: argparse.Namespace) -> dict[str, Path]:
    """The files to write, all of them free, and the files to read, all of them there."""
    from semanticgan.editing.outputs import require_suffix
    from semanticgan.files import require_file, require_free
    from semanticgan.latent_files import require_suffix as require_code_suffix

    if _is_scripted(args):
        from semanticgan.inversion.photograph_writing import require_writable

        outputs = {"out": require_writable(args.out)}
    else:
        outputs = {"out": require_suffix(args.out)}
    if args.sheet:
        outputs["sheet"] = args.out.with_name(f"{args.out.stem}-sheet.png")
    if args.labels:
        outputs["labels"] = args.out.with_name(f"{args.out.stem}-labels.png")
    if args.save_latent:
        require_code_suffix(args.save_latent)
        outputs["latent"] = args.save_latent
    if args.save_script:
        outputs["script"] = require_suffix(args.save_script, (".json",))
    for given in filter(None, (args.latent, args.from_latent)):
        require_file(given, "latent code")
    for given in filter(None, (args.image, args.from_image)):
        require_file(given, "photograph")
    for path in outputs.values():
        require_free(path, args.overwrite)
    return outputs


def _edit(args: argparse.Namespace, model: Model) -> tuple[EditResult, list[str]]:
    """The edit asked for, and what each of its images is called."""
    from semanticgan.editing import regions as editing

    regions = arguments.region_names(model, args.region)
    how = {"regions": regions, "what": args.what, "include_base": args.include_base}
    source, seeds = _source(args, model), _seeds_of_variations(args)
    if seeds:
        edit = editing.vary_regions(model, source, seeds=seeds, truncation=args.truncation, **how)
        return edit, [f"seed {seed}" for seed in seeds]
    reference = _reference(args, model)
    if args.interpolate:
        edit = editing.interpolate_regions(model, [source, reference], args.interpolate, **how)
        return edit, _positions(args.interpolate)
    name = str(args.from_image or args.from_latent or f"seed {args.from_seed}")
    return editing.swap_regions(model, source, reference, **how), [name]


def _source(args: argparse.Namespace, model: Model) -> LatentCode:
    if args.image:
        return photographs.code_of_image(args, model, args.image, args.face)
    return _code(model, args.seed, args.latent, args.truncation)


def _reference(args: argparse.Namespace, model: Model) -> LatentCode:
    if args.from_image:
        return photographs.code_of_image(args, model, args.from_image, args.from_face)
    return _code(model, args.from_seed, args.from_latent, args.truncation)


def _seeds_of_variations(args: argparse.Namespace) -> list[int]:
    """The consecutive seeds of --variations; none without it."""
    first = following(args.seed, 1) if args.from_seed is None else args.from_seed
    return [following(first, number) for number in range(args.variations or 0)]


def _positions(num_steps: int) -> list[str]:
    return [f"{step / (num_steps - 1):.2f}" for step in range(num_steps)]


def _code(model: Model, seed: int, latent: Path | None, truncation: float) -> LatentCode:
    return arguments.load_code(latent, model) if latent else model.sample(seed=seed, truncation=truncation)
