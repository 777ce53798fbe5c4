"""Arguments that several verbs share, and the readers of their values."""

from __future__ import annotations

import argparse
import math
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

from semanticgan.choices import MAX_MEGAPIXELS, PRECISIONS
from semanticgan.errors import InputError
from semanticgan.files import user_path
from semanticgan.seeds import MAX_SEED
from semanticgan.wrong_arguments import LARGEST_FLOAT32

if TYPE_CHECKING:
    from semanticgan.formats.provenance import Mark
    from semanticgan.latents import LatentCode
    from semanticgan.model import Model

T = TypeVar("T")

DEVICES = ("auto", "cpu", "cuda", "mps")
WHAT = ("structure", "texture", "both")
STORED_PRECISIONS = ("float32", "float16")  # of weights in a file
MODEL = "NAME_OR_PATH_OR_RUN"
"""Metavar of a model: what :func:`semanticgan.registry.resolve` takes."""
MODEL_HELP = "a model's name, a .safetensors file, or the folder of a run (its newest state) or of a state"
PARSER_HELP = (
    "parser that reads the regions of a picture: portraits-64, photographs-64, or a file written by train-parser"
)
MOST = 1_000_000_000
"""Largest number of pictures or steps that an option takes."""
LARGEST_BATCH = 65_536
_LONGEST_NUMBER = 40
MAX_SEEDS = 1_000_000
_PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".mp4")


def add_flag(parser: argparse._ActionsContainer, option: str, text: str) -> None:
    """An option without a value; ``text`` is its help."""
    parser.add_argument(option, action="store_true", help=text)


def add_path(parser: argparse._ActionsContainer, option: str, text: str, metavar: str = "FILE") -> None:
    """An option that takes a path; ``text`` is its help."""
    parser.add_argument(option, type=path, metavar=metavar, help=text)


def add_count(
    parser: argparse._ActionsContainer,
    option: str,
    text: str,
    smallest: int,
    largest: int = MOST,
    default: int | None = None,
    metavar: str | None = None,
) -> None:
    """An option that takes a whole number within bounds; ``text`` is its help."""
    parser.add_argument(option, type=at_least(smallest, largest), default=default, metavar=metavar, help=text)


def add_model_arguments(parser: argparse.ArgumentParser) -> None:
    """``--model`` and ``--device``, read by :func:`load_model`."""
    parser.add_argument("--model", metavar=MODEL, help=f"{MODEL_HELP} (default: the bundled model)")
    add_device_argument(parser)


def add_device_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--device", choices=DEVICES, default="auto", help="where to compute")


def add_seed_argument(parser: argparse._ActionsContainer) -> None:
    parser.add_argument("--seed", type=seed, default=0, help="random seed")


def add_seeds_argument(parser: argparse.ArgumentParser) -> None:
    """``--seeds`` and ``--seed``, which stands for one of them."""
    add_seed_argument(parser)
    parser.add_argument("--seeds", type=seeds, metavar="LIST", help="seeds such as 0-15,20 (default: --seed)")


def add_composite_argument(parser: argparse.ArgumentParser) -> None:
    add_flag(parser, "--composite", "keep every pixel outside the feathered regions unchanged")


def add_pairs_arguments(
    parser: argparse.ArgumentParser, lmdb_by: str, more: Mapping[str, str] = MappingProxyType({})
) -> None:
    """Data with label maps: kind, path and ``--label-order``; ``more`` are kinds of the verb, and what they mean."""
    kinds = {
        "folder": "image/ and label/ in a folder or zip",
        "lmdb": f"written by {lmdb_by}",
        "celebamask-hq": "the original layout",
        "portraits": "drawn by this package",
        **more,
    }
    parser.add_argument("kind", choices=tuple(kinds), help="; ".join(f"{kind}: {text}" for kind, text in kinds.items()))
    parser.add_argument("path", nargs="?", type=path, metavar="PATH", help="input folder or zip; none for portraits")
    text = "order of a folder's label ids: celebamask-19 or bisenet-19"
    parser.add_argument("--label-order", metavar="NAME", help=text)


def add_weights_arguments(parser: argparse.ArgumentParser, default: str) -> None:
    """What the verbs that write a model share: --precision, --description, terms and --overwrite.

    Args:
        parser: where to.
        default: where description and terms come from by default, such as "the recipe's".
    """
    parser.add_argument(
        "--precision",
        choices=STORED_PRECISIONS,
        default="float32",
        help="precision of the stored weights; float16 halves the file",
    )
    for option, metavar, text in (
        ("--description", "LINE", "one-line description of the model"),
        ("--licence", "TERMS", "terms of the weights"),
        ("--data-licence", "TERMS", "terms of the training data"),
    ):
        parser.add_argument(option, metavar=metavar, help=f"{text}, stored in the file (default: {default})")
    add_overwrite_argument(parser)


def add_overwrite_argument(parser: argparse.ArgumentParser) -> None:
    add_flag(parser, "--overwrite", "replace existing output files")


def add_mark_argument(parser: argparse.ArgumentParser) -> None:
    """``--no-mark``, read by :func:`mark_of`."""
    parser.add_argument(
        "--no-mark",
        dest="mark",
        action="store_false",
        help="do not write into the pictures' metadata (XMP) that a model made them, and which one",
    )


def add_learning_arguments(
    parser: argparse.ArgumentParser, defaults: Any, things: str, largest: int, precision: str, data_licence: str = ""
) -> None:
    """What the verbs that train a small network share, read by :func:`learning_of`.

    Args:
        parser: where to.
        defaults: has num_held_out, num_steps, batch, seed and precision.
        things: what it learns from, "pairs".
        largest: resolution that it may read.
        precision: the option of the training's precision.
        data_licence: the default of its terms.
    """
    parser.add_argument("--out", type=path, required=True, metavar="FILE.safetensors", help="output file")
    text = f"resolution that it reads, up to {largest} pixels"
    parser.add_argument("--size", type=picture_side, default=64, help=text)
    parser.add_argument("--data-seed", type=seed, default=0, help="seed of the drawn portraits")
    text = "precision of the training; bfloat16 is faster on processors that support it"
    parser.add_argument(precision, choices=PRECISIONS, default=defaults.precision, help=text)
    for option, kind, default, text in (
        ("--held-out", at_least(1, MOST), defaults.num_held_out, f"hold out the last N {things} for scoring"),
        ("--steps", at_least(1, MOST), defaults.num_steps, "training steps"),
        ("--batch", at_least(1, LARGEST_BATCH), defaults.batch, f"{things} per step"),
        ("--seed", seed, defaults.seed, "seed of the weights, the order and the augmentation"),
    ):
        parser.add_argument(option, type=kind, default=default, help=text)
    add_device_argument(parser)
    parser.add_argument("--licence", metavar="TERMS", default="", help="terms of the weights, stored in the file")
    parser.add_argument(
        "--data-licence", metavar="TERMS", default=data_licence, help="terms of the training data, stored in the file"
    )
    add_overwrite_argument(parser)


def learning_of(kind: Callable[..., T], args: argparse.Namespace, precision: str) -> T:
    """The settings of a training of that kind; ``--out`` is checked."""
    from semanticgan.editing.outputs import require_suffix
    from semanticgan.files import require_free

    require_free(require_suffix(args.out, (".safetensors",)), args.overwrite)
    return kind(num_steps=args.steps, batch=args.batch, num_held_out=args.held_out, seed=args.seed, precision=precision)


def add_region_arguments(parser: argparse.ArgumentParser, required: bool, default: str = "") -> None:
    """``--region`` (repeatable, a list of strings or None) and ``--what``."""
    parser.add_argument(
        "--region",
        action="append",
        required=required,
        metavar="NAMES",
        help=f"regions to change, comma-separated; may be repeated{default}",
    )
    parser.add_argument("--what", choices=WHAT, default="both", help="which codes of the region to change")
    add_flag(parser, "--include-base", "also exchange the base rows, which all regions share (pose, outline)")


def add_truncation_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--truncation",
        type=finite,
        default=1.0,
        metavar="PSI",
        help="truncation psi of sampled codes: 1 keeps them, 0 gives the mean code",
    )


def load_model(args: argparse.Namespace) -> Model:
    """The model named by ``--model`` on ``--device``; with a photograph and no name, that of photographs."""
    from semanticgan.commands import photographs
    from semanticgan.model import load

    return load(args.model or photographs.model_of(args), device=args.device)


def mark_of(args: argparse.Namespace, model: Model, kind: str = "generated", script: str = "") -> Mark | None:
    """The mark of pictures made by ``model``; None after ``--no-mark``."""
    from semanticgan.editing import outputs

    return outputs.mark_of(model, kind, script) if args.mark else None


def region_names(model: Model, given: list[str]) -> list[str]:
    """The model's own names of regions given as ``["hair,lips", "eye"]``, each once, in that order.

    Raises:
        InputError: a region that the model does not have.
    """
    return [model.regions.names[label] for label in model.regions.indices(",".join(given))]


def load_code(path: Path, model: Model) -> LatentCode:
    """The latent code of one image of this model.

    Raises:
        InputError: a file that is no such code.
    """
    from semanticgan.latents import LatentCode

    config = model.generator.config
    code = LatentCode.load(path, model.rows)
    if code.tensor.shape[2] != config.style_dim or len(code) != 1:
        raise InputError(
            f"the latent code {str(path)!r} holds {len(code)} images of width {code.tensor.shape[2]}; "
            f"needed is 1 image of width {config.style_dim}. Use a code of the same model, one image a file."
        )
    return code.to(model.device)


def refuse_given(options: Mapping[str, Any], why: str) -> None:
    """Refuse options that do not go with others.

    Args:
        options: option -> what was given, nothing where that is false.
        why: the message, with {} where the option stands.

    Raises:
        InputError: one of them was given.
    """
    for option in (option for option, given in options.items() if given):
        raise InputError(why.format(option))


def path(text: str) -> Path:
    """A path, with ``~`` replaced by the home folder."""
    try:
        return user_path(text)
    except InputError as error:
        raise argparse.ArgumentTypeError(str(error).rstrip(".")) from error


def output_folder(text: str) -> Path:
    """The path of a folder to write. The name of a picture or video is refused where there is no such folder."""
    found = path(text)
    if found.suffix.lower() in _PICTURES and not found.is_dir():
        raise argparse.ArgumentTypeError(
            f"{text!r} has the name of a picture or video; give a folder, such as {found.stem!r}"
        )
    return found


def seed(text: str) -> int:
    """A seed: a whole number from 0 to 2^63 - 1."""
    try:
        return at_least(0)(text)
    except argparse.ArgumentTypeError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a seed: give a whole number from 0 to 2^63-1") from error


def seeds(text: str) -> tuple[int, ...]:
    """Seeds in the order given: ``"0-15,20"`` is 0 to 15 and 20, each once."""
    found: dict[int, None] = {}
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d+)\s*(?:-\s*(\d+)\s*)?", part)
        if not match:
            raise argparse.ArgumentTypeError(f"{text!r} is not a list of seeds such as 3 or 0-15,20")
        first, last = int(match[1]), int(match[2] or match[1])
        if last < first:
            raise argparse.ArgumentTypeError(f"the range {part.strip()!r} runs backwards; write {last}-{first}")
        if last > MAX_SEED or last - first >= MAX_SEEDS:
            raise argparse.ArgumentTypeError(
                f"{part.strip()!r} is too large: seeds up to 2^63-1, {MAX_SEEDS:,} of them"
            )
        found.update(dict.fromkeys(range(first, last + 1)))
    return tuple(found)


def seed_path(text: str) -> tuple[int, ...]:
    """Seeds to pass through: as :func:`seeds`, but one may come again (``"3,8,3"`` returns to where it started)."""
    return tuple(seed for part in text.split(",") for seed in seeds(part))


def at_least(smallest: int, largest: int = MAX_SEED) -> Callable[[str], int]:
    """Reader of whole numbers within bounds."""

    def whole_number(text: str) -> int:
        allowed = f"from {smallest} on" if largest == MAX_SEED else f"from {smallest} to {largest}"
        few = len(text) <= _LONGEST_NUMBER  # Python reads no number of thousands of digits
        if not few or not re.fullmatch(r"\s*\d+\s*", text) or not smallest <= int(text) <= largest:
            raise argparse.ArgumentTypeError(f"{text[:_LONGEST_NUMBER]!r} is not a whole number {allowed}")
        return int(text)

    return whole_number


def listed(allowed: Sequence[str], what: str) -> Callable[[str], tuple[str, ...]]:
    """Reader of comma-separated names, each once."""

    def names(text: str) -> tuple[str, ...]:
        chosen = tuple(dict.fromkeys(part.strip() for part in text.split(",")))
        if not set(chosen) <= set(allowed):
            raise argparse.ArgumentTypeError(f"{text!r} is not a list of {what}; allowed are {', '.join(allowed)}")
        return chosen

    return names


def picture_side(text: str) -> int:
    """The side of a picture: a power of two from 16 to 1024 pixels."""
    allowed = [2**power for power in range(4, 11)]
    if text.strip() not in map(str, allowed):
        raise argparse.ArgumentTypeError(f"{text!r} is not a resolution; allowed are {', '.join(map(str, allowed))}")
    return int(text)


def finite(text: str) -> float:
    """A finite number."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not abs(number) <= LARGEST_FLOAT32:
        raise argparse.ArgumentTypeError(f"{text!r} is not a finite number within float32")
    return number


def add_megapixels_argument(parser: argparse.ArgumentParser | argparse._ArgumentGroup) -> None:
    """``--max-megapixels``, for verbs that read a user's pictures."""
    parser.add_argument(
        "--max-megapixels",
        type=_above_zero,
        default=MAX_MEGAPIXELS,
        metavar="N",
        help="limit on the size of a picture, mask or label map (default: %(default)g)",
    )


def _above_zero(text: str) -> float:
    number = finite(text)
    if number <= 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not above 0")
    return number
