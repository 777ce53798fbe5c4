"""Arguments of ``edit-region`` that change a region by something else than another code: directions."""

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
        help="in standard deviations of the codes; one for all, or one each (default: 2)",
    )
    group.add_argument(
        "--directions",
        type=arguments.path,
        metavar="FILE",
        help="directions that find-directions wrote (default: those in the package)",
    )
    group.add_argument(
        "--strengths", metavar="NUMBERS", help="write a strip of these strengths instead: -3,-1.5,0,1.5,3"
    )


def is_given(args: argparse.Namespace) -> bool:
    """Whether one of these operations was asked for.

    Raises:
        InputError: an option that needs another one.
    """
    if args.direction:
        return True
    for option in ("strength", "strengths", "directions"):
        if getattr(args, option) is not None:
            raise InputError(f"--{option} goes with --direction. Add --direction NAME, such as --direction smile.")
    return False


def require_alone(args: argparse.Namespace) -> None:
    """Check that nothing else was asked for that does not go with these operations.

    Raises:
        InputError: it was.
    """
    other = {
        "--from-seed": args.from_seed is not None,
        "--from-latent": args.from_latent,
        "--from-image": args.from_image,
        "--variations": args.variations,
        "--interpolate": args.interpolate,
        "--include-base": args.include_base,
        "--composite": args.composite,
        "--what": args.what != "both",
    }
    for option, given in other.items():
        if given:
            raise InputError(
                f"--direction does not go with {option}: --region confines a direction. Leave one of them out, "
                "or do one edit after the other: --save-latent, then --latent."
            )
    if args.strengths and (args.strength or args.sheet or args.labels or args.save_latent or args.save_script):
        raise InputError("--strengths writes a strip alone. Leave out --strength, --sheet, --labels and --save-....")


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
        InputError: a strength that is no number, or another number of strengths than of directions.
    """
    directions = chosen_directions(args, model)
    strengths = numbers("strength", "2" if args.strength is None else args.strength)
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


def numbers(name: str, text: str) -> list[float]:
    """Comma-separated finite numbers.

    Raises:
        InputError: something else.
    """
    try:
        return [arguments.finite(part) for part in text.split(",")]
    except argparse.ArgumentTypeError as error:
        raise InputError(f"--{name} takes numbers, such as 2 or 2,-1, got {shown(text)}.") from error


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
