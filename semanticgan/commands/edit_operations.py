"""Arguments of ``edit-region`` for what needs no other code: directions, motions, paintings, texts."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from semanticgan.commands import arguments
from semanticgan.errors import InputError
from semanticgan.wrong_arguments import shown

if TYPE_CHECKING:
    from semanticgan.directions.direction import Direction
    from semanticgan.edits import Edit
    from semanticgan.model import Model


def add_operation_arguments(parser: argparse.ArgumentParser) -> None:
    """--direction, --strength, --directions, --strengths."""
    group = parser.add_argument_group("directions", "move codes along directions; --region confines them to regions")
    group.add_argument("--direction", metavar="NAMES", help="such as smile, or several, comma-separated: smile,age")
    group.add_argument(
        "--strength",
        metavar="NUMBERS",
        help="in standard deviations of the codes; one for all, or one each (default: 4, with --image 2)",
    )
    arguments.add_path(group, "--directions", "directions that find-directions wrote (default: those in the package)")
    group.add_argument("--strengths", metavar="NUMBERS", help="write a strip of these strengths instead: -6,-3,0,3,6")
    add_region_operation_arguments(parser)


def add_region_operation_arguments(parser: argparse.ArgumentParser) -> None:
    """--move, --scale, --rotate, --each-part, --paint, --free-base, --drag, --radius, --text."""
    group = parser.add_argument_group("regions moved, painted and described")
    group.add_argument(
        "--move", metavar="DX,DY", help="move --region right and down, in parts of the side: --move -0.05,0"
    )
    group.add_argument("--scale", type=arguments.finite, metavar="S", help="scale --region about its centre")
    group.add_argument(
        "--rotate", type=arguments.finite, metavar="DEGREES", help="turn --region clockwise about its centre"
    )
    arguments.add_flag(group, "--each-part", "scale and turn each connected part, such as each eye, by itself")
    arguments.add_path(
        group,
        "--paint",
        "move structure until the segmentation follows this label map, as --labels writes it",
        "LABELS.png",
    )
    arguments.add_flag(group, "--free-base", "with --paint: move the base rows (pose, outline), too")
    group.add_argument(
        "--drag",
        metavar="X,Y,X,Y",
        help="pull the outline of --region from the first point to the second, in parts of the side",
    )
    group.add_argument("--radius", type=arguments.finite, metavar="R", help="reach of --drag (default: 0.1)")
    group.add_argument(
        "--text",
        metavar="WORDS",
        help="move --region towards these words, as CLIP compares words and picture (extra [text])",
    )


def is_given(args: argparse.Namespace) -> bool:
    """Whether one of these operations was asked for.

    Raises:
        InputError: an option that needs another one, or two operations at once.
    """
    needs = {
        "direction": ("strength", "strengths", "directions"),
        "paint": ("free_base",),
        "drag": ("radius",),
    }
    for option, others in needs.items():
        for other in others:
            if getattr(args, other) not in (None, False) and not getattr(args, option):
                raise InputError(f"--{other.replace('_', '-')} goes with --{option}. Add --{option}, or leave it out.")
    if args.each_part and args.scale is None and args.rotate is None:
        raise InputError("--each-part goes with --scale and --rotate. Add one of them, or leave it out.")
    asked = [f"--{option}" for option in (*needs, "text") if getattr(args, option)]
    if _is_placed(args):
        asked.append("--move, --scale or --rotate")
    if len(asked) > 1:
        raise InputError(
            f"{asked[0]} and {asked[1]} are two edits. Do one after the other: --save-latent, then --latent."
        )
    if asked and not args.region and (_is_placed(args) or args.drag or args.text):
        raise InputError(f"{asked[0]} needs a region. Add --region, such as --region hair.")
    return bool(asked)


def _is_placed(args: argparse.Namespace) -> bool:
    return any(getattr(args, option) is not None for option in ("move", "scale", "rotate"))


def require_alone(args: argparse.Namespace) -> None:
    """Raises: InputError: something else was asked for that does not go with these operations."""
    other = {
        "--from-seed": args.from_seed is not None,
        "--from-latent": args.from_latent,
        "--from-image": args.from_image,
        "--variations": args.variations,
        "--interpolate": args.interpolate,
        "--include-base": args.include_base,
        "--what": args.what != "both" and not args.text,
        "--layers": args.layers and not args.direction,
    }
    arguments.refuse_given(
        other,
        "a direction, a motion, a painting or a text does not go with {}. Leave one of them out, or do one edit after "
        "the other: --save-latent, then --latent.",
    )
    others = (args.strength, args.sheet, args.labels, args.save_latent, args.save_script, args.composite)
    if args.strengths and any(others):
        raise InputError(
            "--strengths writes a strip alone. Leave out --strength, --sheet, --labels, --composite and --save-...."
        )


def chosen_directions(args: argparse.Namespace, model: Model) -> list[Direction]:
    """The directions that were named.

    Raises:
        InputError: an unknown name, or a file of another model.
    """
    from semanticgan.directions.collection import of_model

    known = model.directions if args.directions is None else of_model(model, args.directions)
    return [known[name.strip()] for name in args.direction.split(",")]


def with_operations(edit: Edit, args: argparse.Namespace, model: Model) -> Edit:
    """The edit with the operations that the arguments describe.

    Raises:
        InputError: a value that is none.
    """
    regions = confining(args)
    if args.paint:
        return edit.paint(args.paint, regions, args.free_base)
    if args.drag:
        points = numbers("drag", args.drag, 4)
        return edit.drag(",".join(regions or ()), (points[0], points[1]), (points[2], points[3]), args.radius or 0.1)
    if args.text:
        return edit.describe(args.text, regions or (), args.what)
    if _is_placed(args):
        right, down = (0.0, 0.0) if args.move is None else numbers("move", args.move, 2)
        scale = 1.0 if args.scale is None else args.scale
        return edit.place(regions or (), (right, down), scale, args.rotate or 0.0, args.each_part)
    return _moved(edit, args, model)


def _moved(edit: Edit, args: argparse.Namespace, model: Model) -> Edit:
    """Along --direction.

    Raises:
        InputError: a strength that is no number, or another number of strengths than of directions.
    """
    directions = chosen_directions(args, model)
    usual = "2" if args.image else "4"  # faces of photographs are distorted beyond 3
    strengths = numbers("strength", usual if args.strength is None else args.strength)
    if len(strengths) == 1:
        strengths = strengths * len(directions)
    if len(strengths) != len(directions):
        raise InputError(
            f"{len(strengths)} strengths for {len(directions)} directions. Give one for all, or one each: "
            "--direction smile,age --strength 2,-1."
        )
    for direction, strength in zip(directions, strengths, strict=True):
        edit = edit.move(direction, strength, confining(args), args.layers or "")
    return edit


def confining(args: argparse.Namespace) -> list[str] | None:
    """The regions of --region, "base" among them; None without."""
    return [name.strip() for given in args.region for name in given.split(",")] if args.region else None


def numbers(name: str, text: str, count: int | None = None) -> list[float]:
    """Comma-separated finite numbers, ``count`` of them.

    Raises:
        InputError: something else.
    """
    try:
        found = [arguments.finite(part) for part in text.split(",")]
    except argparse.ArgumentTypeError:
        found = []
    if not found or count not in (None, len(found)):
        example = ",".join(["0.05", "0", "0.1", "0.2"][:count]) if count else "2 or 2,-1"
        many = f"{count} numbers" if count else "numbers"
        raise InputError(f"--{name} takes {many}, such as {example}, got {shown(text)}.")
    return found


def run_strip(args: argparse.Namespace, model: Model, code: Any) -> dict[str, Any]:
    """Write a strip of strengths."""
    from semanticgan.directions.strips import strip
    from semanticgan.editing.outputs import save_picture

    strengths = numbers("strengths", args.strengths)
    directions = chosen_directions(args, model)
    sheet = strip(model, code, directions, strengths, confining(args), args.layers)
    save_picture(sheet, args.out, args.overwrite, arguments.mark_of(args, model))
    return {
        "out": str(args.out),
        "directions": {each.name: list(each.rows) for each in directions},
        "strengths": strengths,
    }
