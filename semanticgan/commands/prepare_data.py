"""Make a training set: pictures and label maps decoded and resized once, in one folder or LMDB.

Repeat a stopped command to continue it; the result has the same bytes. `verify PATH` reads a whole prepared set again
and names damaged files.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from semanticgan.choices import LARGEST_PNG, PICTURE_FORMATS, PREPARED_FORMATS, SPLITS
from semanticgan.commands import arguments
from semanticgan.errors import InputError

if TYPE_CHECKING:
    from semanticgan.data.portraits import PortraitDataset

EXAMPLES = (
    "portraits --size 64 --count 2000 --out data/portraits-64",
    "celebamask-hq CelebAMask-HQ --size 512 --format lmdb --out data/celebamask-512.lmdb",
    "verify data/celebamask-512.lmdb",
)

DEFAULT_NUM_PORTRAITS = 10_000
VERIFY = "verify"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    arguments.add_pairs_arguments(parser, "--format lmdb", {VERIFY: "check the prepared set at PATH"})
    parser.add_argument("--size", type=arguments.picture_side, default=256, help="resolution of the pictures in pixels")
    parser.add_argument(
        "--out",
        type=arguments.output_folder,
        metavar="FOLDER",
        help="output folder, outside PATH; required unless verifying",
    )
    parser.add_argument(
        "--format",
        choices=PREPARED_FORMATS,
        default="folder",
        help="folder: files in image/ and label/; lmdb: one data.mdb, for large sets",
    )
    parser.add_argument(
        "--picture-format",
        choices=PICTURE_FORMATS,
        help="png: lossless; jpeg: quality 97, 4:4:4, about 140 kB per photograph of 512 pixels (4 GB for "
        f"30,000) (default: jpeg in an LMDB above {LARGEST_PNG} pixels, else png); label maps are always lossless",
    )
    arguments.add_count(
        parser,
        "--count",
        f"use only the first N (portraits: how many to draw, default {DEFAULT_NUM_PORTRAITS})",
        1,
        metavar="N",
    )
    parser.add_argument("--split", choices=tuple(SPLITS), default="train", help="part of CelebAMask-HQ")
    parser.add_argument(
        "--scheme",
        metavar="NAME",
        help="region scheme of the labels, such as celebamask-13, or guess (default: from dataset.json)",
    )
    parser.add_argument(
        "--missing",
        choices=("error", "skip"),
        default="error",
        help="what to do with CelebAMask-HQ pictures without masks",
    )
    parser.add_argument("--style", metavar="NAME", help="drawing style of portraits")
    arguments.add_count(parser, "--workers", "worker processes (default: one per processor)", 0, 256)
    arguments.add_megapixels_argument(parser)
    arguments.add_seed_argument(parser)
    arguments.add_overwrite_argument(parser)


def run(args: argparse.Namespace) -> dict[str, Any]:
    return _verify(args) if args.kind == VERIFY else _prepare(args)


def _verify(args: argparse.Namespace) -> dict[str, Any]:
    from semanticgan.data.verify import verify

    if args.path is None or args.out is not None:
        raise InputError("verify reads a prepared set and writes nothing. Give its path, and no --out.")
    return verify(args.path, args.workers, progress=True)


def _prepare(args: argparse.Namespace) -> dict[str, Any]:
    from semanticgan.data import open_dataset
    from semanticgan.data.celebamask import CelebAMaskDataset
    from semanticgan.data.encoding import HasSources
    from semanticgan.data.pairs import first_pairs
    from semanticgan.data.portraits import PortraitDataset
    from semanticgan.data.prepare import prepare
    from semanticgan.places import require_no_source_inside, require_outside

    if args.out is None:
        raise InputError("no output given. Add --out FOLDER.")
    if args.path is not None:
        require_outside(args.out, args.path)
        require_no_source_inside(args.out, args.path)
    source = open_dataset(
        args.kind,
        args.path,
        args.size,
        scheme=args.scheme,
        split=args.split,
        length=(args.count or DEFAULT_NUM_PORTRAITS) if args.kind == "portraits" else None,
        seed=args.seed,
        label_order=args.label_order,
        missing=args.missing,
        style=args.style,
        max_megapixels=args.max_megapixels,
    )
    prepared = prepare(
        first_pairs(source, args.count),
        args.out,
        output_format=args.format,
        picture_format=args.picture_format,
        attributes=_PortraitAttributes(source) if isinstance(source, PortraitDataset) else None,
        sources=source if isinstance(source, HasSources) else None,
        skipped=source.skipped if isinstance(source, CelebAMaskDataset) else (),
        workers=args.workers,
        overwrite=args.overwrite,
        progress=True,
    )
    return {"out": str(prepared.path), **prepared.report}


class _PortraitAttributes:
    """The record of a portrait by its index; a class, because it is sent to the worker processes."""

    def __init__(self, portraits: PortraitDataset) -> None:
        self.portraits = portraits

    def __call__(self, index: int) -> dict[str, Any]:
        return self.portraits.attributes(index).to_dict()
