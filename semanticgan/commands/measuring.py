"""Options that the verbs share which measure models, and the data that they open."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from semanticgan.commands import arguments

if TYPE_CHECKING:
    from semanticgan.data.pairs import PairDataset
    from semanticgan.model import Model
    from semanticgan.regions import RegionScheme


def add_data_arguments(data: argparse._ArgumentGroup) -> None:
    """What the pictures are compared with."""
    data.add_argument("--data", type=arguments.path, metavar="PATH", help="pictures to compare with")
    data.add_argument(
        "--data-kind", default=None, metavar="KIND", help="folder, lmdb, celebamask-hq, portraits, pictures"
    )
    data.add_argument("--scheme", help="region scheme of a folder's label maps, if its dataset.json does not give it")
    data.add_argument(
        "--split", default="train", help="split of celebamask-hq: train, val or all (default: %(default)s)"
    )
    data.add_argument(
        "--data-seed",
        type=arguments.seed,
        default=0,
        help="seed of the drawn portraits; use one that was not used in training (default: %(default)s)",
    )
    data.add_argument(
        "--num-real",
        type=arguments.at_least(2, arguments.MOST),
        metavar="N",
        help="number of pictures of the data (default: --num-generated, or all)",
    )
    data.add_argument(
        "--workers", type=arguments.at_least(0, 64), default=0, help="reader processes (default: %(default)s)"
    )
    arguments.add_megapixels_argument(data)
    data.add_argument("--cache", type=arguments.path, metavar="FOLDER", help="folder that caches features of the data")


def add_sampling_arguments(parser: argparse.ArgumentParser) -> None:
    """Which pictures are measured."""
    parser.add_argument(
        "--num-generated",
        type=arguments.at_least(1, arguments.MOST),
        default=5000,
        help="number of generated pictures (default: %(default)s)",
    )
    parser.add_argument(
        "--seeds-from", type=arguments.seed, default=0, metavar="SEED", help="the first seed (default: %(default)s)"
    )
    arguments.add_truncation_argument(parser)


def add_weights_arguments(parser: argparse.ArgumentParser) -> None:
    """Files of the networks that the literature's figures rest on."""
    parser.add_argument(
        "--extractor-weights",
        type=arguments.path,
        metavar="FILE",
        help="weights of Inception, if they are not in PyTorch's cache",
    )
    parser.add_argument(
        "--distance-weights",
        type=arguments.path,
        metavar="FILE",
        help="weights of the LPIPS trunk, if they are not in PyTorch's cache",
    )


def add_batch_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--batch", type=arguments.at_least(1, 4096), default=32, help="pictures per batch (default: %(default)s)"
    )


def data_kind(args: argparse.Namespace) -> str | None:
    """The kind of the data, None where none are given."""
    kind: str | None = args.data_kind
    return kind or ("folder" if args.data else None)


def data_name(args: argparse.Namespace) -> str | None:
    """What the data are called, None where none are given."""
    kind: str | None = args.data_kind
    return str(args.data) if args.data else kind


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
