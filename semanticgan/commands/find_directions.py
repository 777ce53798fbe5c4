"""Find directions of a model's codes, such as smile or age, and store them in one file.

interfacegan samples codes, renders them, lets --labels tell the attributes and fits a boundary for each. Scores that
were read are kept in OUT.scores.safetensors: the command goes on where it was stopped, and other attributes cost no
rendering. With --codes the codes are those that `invert` wrote of photographs, and --table has their labels.
sefa and pca need no labels: they give the first --num-directions directions of each chosen region.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from semanticgan.choices import DIRECTION_METHODS, FITTED_METHODS, SAMPLINGS
from semanticgan.commands import arguments
from semanticgan.errors import InputError, unknown_name
from semanticgan.progress import Progress
from semanticgan.rows import WHAT

if TYPE_CHECKING:
    from semanticgan.directions.direction import Direction
    from semanticgan.directions.labels import Attribute
    from semanticgan.directions.scored import ScoredCodes
    from semanticgan.model import Model

EXAMPLES = (
    "--attributes smile,age --num 2000 --out directions.safetensors",
    "--method sefa --region hair,mouth --num-directions 3 --out sefa.safetensors --strip sefa.png",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    arguments.add_model_arguments(parser)
    parser.add_argument("--method", choices=DIRECTION_METHODS, default="interfacegan", help="how directions are found")
    parser.add_argument(
        "--attributes",
        metavar="NAMES",
        help="comma-separated attributes (default: all of the labels; those that cannot be fitted are left out)",
    )
    parser.add_argument(
        "--labels",
        default="tutor-attributes-64",
        metavar="NAME",
        help='what tells attributes: a bundled classifier or the file of one, "face-api" (photographs: smile, age, '
        'presentation.masculine), or "masks" (eye_open, brow_height, hair_reach)',
    )
    arguments.add_path(parser, "--table", "labels by name: a CSV, or CelebAMask-HQ-attribute-anno.txt")
    arguments.add_path(parser, "--codes", "codes that invert wrote, for --table", "FOLDER")
    arguments.add_count(parser, "--num", "codes to sample", 10, 1_000_000, default=10_000)
    parser.add_argument("--seed", type=arguments.seed, default=0, help="of the first code")
    parser.add_argument(
        "--sampling",
        choices=SAMPLINGS,
        help="independent: every row of a region has a w of its own; plain: one w for all rows (default: independent, "
        "for layered models plain)",
    )
    parser.add_argument(
        "--region", "--regions", metavar="NAMES", help='move only rows of these regions; "base" for the base rows'
    )
    parser.add_argument("--layers", metavar="NUMBERS", help="of a layered model: move only these layers, such as 0-3")
    parser.add_argument("--what", choices=WHAT, default="both", help="rows of the regions")
    parser.add_argument(
        "--conditions", metavar="NAMES", help="attributes that shall not be moved along, comma-separated"
    )
    parser.add_argument("--ratio", type=arguments.finite, default=0.1, help="share of the codes in each class")
    arguments.add_count(parser, "--num-directions", "of sefa and pca, per row or region", 1, 64, default=3)
    arguments.add_path(parser, "--strip", "also a picture of what each does to --seed")
    parser.add_argument(
        "--out", type=arguments.path, default=Path("directions.safetensors"), help=".safetensors file to write"
    )
    arguments.add_mark_argument(parser)
    arguments.add_overwrite_argument(parser)


def run(args: argparse.Namespace) -> dict[str, Any]:
    from semanticgan import extras
    from semanticgan.directions import save_directions
    from semanticgan.directions.finding import by_components, by_weights
    from semanticgan.editing.outputs import require_suffix
    from semanticgan.files import require_free

    if args.method in ("interfacegan", "pca"):
        extras.require("sklearn")
    if (args.codes is None) != (args.table is None):
        raise InputError("--codes and --table go together: codes that invert wrote, and their labels. Give both.")
    require_free(require_suffix(args.out, (".safetensors",)), args.overwrite)
    if args.strip:
        require_free(require_suffix(args.strip), args.overwrite)
    model = arguments.load_model(args)
    if args.method in FITTED_METHODS:
        found = _fitted(args, model)
    else:
        find = by_weights if args.method == "sefa" else by_components
        found = find(model, args.num_directions, args.region, args.layers, args.what, args.seed)
    save_directions(args.out, model, found, args.overwrite)
    if args.strip:
        _save_strip(args, model, found)
    return {
        "out": str(args.out),
        "strip": str(args.strip) if args.strip else None,
        "method": args.method,
        "directions": {each.name: {"rows": list(each.rows), "scale": each.scale, **each.figures} for each in found},
    }


def _fitted(args: argparse.Namespace, model: Model) -> list[Direction]:
    """The directions of attributes."""
    from semanticgan.directions.finding import by_attributes

    rows = _rows(args, model)
    scored = _scored(args, model)
    how = (rows, args.ratio, _listed(args.conditions), args.seed)
    if args.attributes:
        return by_attributes(scored, _listed(args.attributes), *how, progress=Progress(bar=True), method=args.method)
    found = []
    for attribute in Progress(bar=True).over(scored.attributes, "fit", len(scored.attributes), "direction"):
        try:
            found += by_attributes(scored, [attribute.name], *how, method=args.method)
        except InputError as error:
            sys.stderr.write(f"note: {attribute.name} is left out: {error}\n")
    if not found:
        raise InputError("no attribute could be fitted. Label more codes with --num, or name rows with --region.")
    return found


def _require_known(args: argparse.Namespace, attributes: Sequence[Attribute]) -> None:
    """Check names before anything is rendered.

    Raises:
        InputError: an unknown attribute.
    """
    known = [attribute.name for attribute in attributes]
    for name in (*_listed(args.attributes), *_listed(args.conditions)):
        if name not in known:
            raise unknown_name("attribute", name, known)


def _scored(args: argparse.Namespace, model: Model) -> ScoredCodes:
    from semanticgan.directions.labels import open_labels
    from semanticgan.directions.scored import score_by_table, score_samples
    from semanticgan.directions.tables import read_table
    from semanticgan.latents import LatentCode

    if args.table is None:
        kept = args.out.with_name(f"{args.out.stem}.scores.safetensors")
        labels = open_labels(args.labels, model)
        _require_known(args, labels.attributes)
        return score_samples(model, labels, args.num, args.seed, args.sampling, kept, Progress(bar=True))
    table = read_table(args.table)
    _require_known(args, table.attributes)
    files = _codes_in(args.codes) if args.codes.is_dir() else []
    if not files:
        raise InputError(f"folder {str(args.codes)!r} has no .safetensors codes. Make them with `semanticgan invert`.")
    code = LatentCode.cat([arguments.load_code(path, model) for path in files])
    return score_by_table(code, [path.name for path in files], table)


def _codes_in(folder: Path) -> list[Path]:
    """Files of codes; hidden files and the tunings that ``invert --method tune`` writes beside them are none."""
    found = sorted(path for path in folder.glob("*.safetensors") if not path.name.startswith("."))
    stems = {path.stem for path in found}
    return [path for path in found if not path.stem.endswith("-tuning") or path.stem[:-7] not in stems]


def _rows(args: argparse.Namespace, model: Model) -> list[str] | None:
    """Names of the rows that --region, --layers and --what mean; None where nothing is said."""
    if args.region is None and args.layers is None:
        return None
    regions = _listed(args.region)
    named = [name for name in regions if name != "base"]
    chosen = (
        model.rows.indices(named or None, args.what if named else "both", False, args.layers)
        if (named or args.layers)
        else []
    )
    base = list(range(model.rows.num_base)) if "base" in regions else []
    return [model.rows.names[row] for row in [*base, *chosen]]


def _save_strip(args: argparse.Namespace, model: Model, found: list[Direction]) -> None:
    from semanticgan.directions.strips import strip
    from semanticgan.editing.outputs import save_picture

    sheet = strip(model, model.sample(seed=args.seed), found, title=f"seed {args.seed}")
    save_picture(sheet, args.strip, args.overwrite, arguments.mark_of(args, model))


def _listed(text: str | None) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()] if text else []
