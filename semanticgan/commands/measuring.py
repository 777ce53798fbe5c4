"""Options that the verbs share which measure models, and the data that they open."""

from __future__ import annotations

import argparse
import ast
import json
import sys
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from semanticgan.commands import arguments
from semanticgan.errors import InputError

if TYPE_CHECKING:
    from semanticgan.data.pairs import PairDataset
    from semanticgan.model import Model
    from semanticgan.regions import RegionScheme


class _Metrics:
    """The metrics as help has them, found when it is printed."""

    def __str__(self) -> str:
        return "; ".join(f"{name} ({summary})" for name, summary in sorted(_summaries().items()))


def _summaries() -> dict[str, str]:
    """Name -> what it says, of every metric, those of ``--with`` included."""
    if "semanticgan.metrics.metric" not in sys.modules:
        return read_summaries()
    from semanticgan.metrics.metric import METRICS

    return {name: each.summary for name, each in METRICS.items()}


def read_summaries() -> dict[str, str]:
    """The same of the package, from the decorators in its files, ``@metric("fid", "Frechet ...")``.

    Importing the files would import PyTorch.
    """
    found = {}
    for file in resources.files("semanticgan").joinpath("metrics").iterdir():
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))) if file.name.endswith(".py") else ():
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "metric":
                name, summary = (ast.literal_eval(argument) for argument in node.args)
                found[name] = summary
    return found


def add_metrics_argument(parser: argparse.ArgumentParser, default: tuple[str, ...] | None, told: str) -> None:
    """``--metrics``; ``told`` is what help says of the default."""
    action = parser.add_argument(
        "--metrics", type=names, default=default, metavar="LIST", help=f"comma-separated: %(known)s (default: {told})"
    )
    action.known = _Metrics()  # type: ignore[attr-defined]


def add_data_arguments(data: argparse._ArgumentGroup) -> None:
    """What the pictures are compared with."""
    arguments.add_path(data, "--data", "pictures to compare with", "PATH")
    data.add_argument(
        "--data-kind", default=None, metavar="KIND", help="folder, lmdb, celebamask-hq, portraits, pictures"
    )
    data.add_argument("--scheme", help="region scheme of a folder's label maps, if its dataset.json does not give it")
    data.add_argument("--split", default="train", help="split of celebamask-hq: train, val or all")
    data.add_argument(
        "--data-seed",
        type=arguments.seed,
        default=0,
        help="seed of the drawn portraits; use one that was not used in training",
    )
    arguments.add_count(
        data, "--num-real", "number of pictures of the data (default: --num-generated, or all)", 2, metavar="N"
    )
    arguments.add_count(data, "--workers", "reader processes", 0, 64, default=0)
    arguments.add_megapixels_argument(data)
    arguments.add_path(data, "--cache", "folder that caches features of the data", "FOLDER")


def add_sampling_arguments(parser: argparse.ArgumentParser) -> None:
    """Which pictures are measured."""
    arguments.add_count(parser, "--num-generated", "number of generated pictures", 1, default=5000)
    parser.add_argument("--seeds-from", type=arguments.seed, default=0, metavar="SEED", help="the first seed")
    arguments.add_truncation_argument(parser)


def add_network_arguments(parser: argparse.ArgumentParser, extractor: str, distance: str, several: bool) -> None:
    """What compares pictures; the texts say what is taken by default.

    Args:
        several: ``--extractor`` and ``--parser`` may be repeated.
    """
    action, again = ("append", "; may be repeated") if several else ("store", "")
    parser.add_argument(
        "--extractor",
        metavar="NAME",
        help="feature extractor: inception, lite0, attributes, random or discriminator:RUN_OR_MODEL"
        f"{again} (default: {extractor})",
        action=action,
    )
    parser.add_argument(
        "--distance",
        metavar="NAME",
        help="perceptual distance: lpips-vgg, lpips-alex, lite0, attributes, random or discriminator:RUN_OR_MODEL "
        f"(default: {distance})",
    )
    for option, whose in (("--extractor-weights", "Inception"), ("--distance-weights", "the LPIPS trunk")):
        text = f"weights of {whose}, if they are not in PyTorch's cache"
        parser.add_argument(option, type=arguments.path, metavar="FILE", help=text)
    default = " (default: the bundled ones)" if several else ""
    text = f"{arguments.PARSER_HELP}{again}{default}"
    parser.add_argument("--parser", metavar="NAME_OR_PATH", help=text, action=action)


def add_count_arguments(parser: argparse.ArgumentParser, paths: int | None, least_paths: int) -> None:
    """How much some of the metrics do.

    Args:
        paths: default of ``--num-paths``; None for as many as pictures.
        least_paths: fewest that are allowed.
    """
    arguments.add_count(
        parser,
        "--num-paths",
        "number of paths of a path length" + (" (default: --num-generated)" if paths is None else ""),
        least_paths,
        default=paths,
        metavar="N",
    )
    arguments.add_count(
        parser,
        "--num-edits",
        "number of pictures whose regions are edited, for locality, ownership and diversity",
        1,
        default=100,
        metavar="N",
    )
    arguments.add_count(
        parser,
        "--projections",
        "number of pictures of each model, and of the data, that are projected into w (default: 40 for "
        "the metric projection, else none)",
        0,
        100_000,
        default=None,
        metavar="N",
    )
    arguments.add_count(parser, "--projection-steps", "of each projection", 1, 100_000, default=200, metavar="N")


def add_output_arguments(parser: argparse.ArgumentParser, pictures: Mapping[str, str]) -> None:
    """``--out`` and, by option and what it writes, the pictures beside it."""
    arguments.add_path(
        parser, "--out", "file of the numbers: .md for a table, or .json (default: the table goes to stderr)"
    )
    for option, text in pictures.items():
        parser.add_argument(option, type=arguments.path, metavar="FILE", help=f"also write {text}")
    arguments.add_mark_argument(parser)
    arguments.add_overwrite_argument(parser)


def outputs(args: argparse.Namespace, pictures: Sequence[str], sources: Sequence[Path | None]) -> dict[str, Path]:
    """The files to write by their options, all of them free.

    Args:
        pictures: options beside ``--out``.
        sources: folders of data, in which a picture would be one of the data next time.

    Raises:
        InputError: one that may not be written, or two of one name.
    """
    from semanticgan.editing.outputs import require_suffix
    from semanticgan.files import require_free
    from semanticgan.places import require_outside

    if args.out and args.out.suffix not in (".md", ".json"):
        raise InputError(f"--out {str(args.out)!r} ends in {args.out.suffix!r}. Use .md for a table or .json.")
    found = {name: getattr(args, name) for name in ("out", *pictures) if getattr(args, name)}
    if len(set(found.values())) < len(found):
        options = [f"--{name.replace('_', '-')}" for name in ("out", *pictures)]
        raise InputError(f"{', '.join(options[:-1])} and {options[-1]} name one file twice. Give each its own.")
    for name, path in found.items():
        require_free(path if name == "out" else require_suffix(path, (".png", ".jpg")), args.overwrite)
        for source in filter(None, sources if name != "out" else ()):
            require_outside(path, source)
    return found


def write_table(args: argparse.Namespace, table: str, result: dict[str, Any]) -> None:
    """The table or the numbers to ``--out``; without it the table goes to stderr."""
    from semanticgan.files import written_aside

    if args.out is None:
        sys.stderr.write(table)
        return
    with written_aside(args.out, args.overwrite) as aside:
        content = table if args.out.suffix == ".md" else json.dumps(result, indent=1) + "\n"
        aside.write_text(content, encoding="utf-8")


def add_batch_argument(parser: argparse.ArgumentParser) -> None:
    arguments.add_count(parser, "--batch", "pictures per batch", 1, 4096, default=32)


def data_kind(args: argparse.Namespace) -> str | None:
    """The kind of the data, None where none are given."""
    kind: str | None = args.data_kind
    return kind or ("folder" if args.data else None)


def data_name(args: argparse.Namespace) -> str | None:
    """What the data are called, None where none are given."""
    kind: str | None = args.data_kind
    return str(args.data) if args.data else kind


def counts(args: argparse.Namespace, model: Model) -> dict[str, Any]:
    """Attributes of an evaluation that are no networks: the data, opened, and how much is measured."""
    from semanticgan.metrics.statistics import FeatureCache
    from semanticgan.registry import cache_folder

    same = ("num_generated", "num_real", "seeds_from", "truncation", "num_paths", "num_edits", "projection_steps")
    return {
        **{name: getattr(args, name) for name in (*same, "workers")},
        **({} if args.projections is None else {"num_projections": args.projections}),
        "dataset": open_data(args, model),
        "batch_size": args.batch,
        "cache": FeatureCache(args.cache or cache_folder() / "features", best_effort=args.cache is None),
    }


def open_data(args: argparse.Namespace, model: Model) -> PairDataset | None:
    """The data at the size of a model's pictures, None where none are given."""
    from semanticgan.data import open_dataset

    kind = data_kind(args)
    if kind is None:
        return None
    return open_dataset(
        kind,
        args.data,
        model.size,
        scheme_of_pictures(model) if kind == "pictures" else args.scheme,
        args.split,
        (args.num_real or args.num_generated) if kind == "portraits" else None,
        args.data_seed,
        max_megapixels=args.max_megapixels,
    )


def scheme_of_pictures(model: Model) -> RegionScheme:
    """The scheme of pictures without label maps that a model is compared with."""
    from semanticgan.data.unlabelled import NO_REGIONS

    return NO_REGIONS if model.rows.regions is None else model.rows.regions


def names(text: str) -> tuple[str, ...]:
    """Comma-separated names, each once."""
    return tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
