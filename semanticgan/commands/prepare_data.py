"""Make a training set: pictures and label maps decoded and resized once, in one folder or LMDB.

A command that was stopped continues when it is repeated, and ends in the same bytes. `verify PATH` reads a prepared
set again, all of it, and names what is broken.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from semanticgan.commands.arguments import (
    MOST,
    add_megapixels_argument,
    add_overwrite_argument,
    add_seed_argument,
    at_least,
    path,
    picture_side,
)
from semanticgan.data import KINDS, SPLITS, open_dataset
from semanticgan.data.encoding import LARGEST_PNG, PICTURE_FORMATS, HasSources
from semanticgan.data.pairs import first_pairs
from semanticgan.data.prepare import FORMATS
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
    parser.add_argument(
        "kind",
        choices=(*(kind for kind in KINDS if kind != "pictures"), VERIFY),
        help="folder: image/ and label/ in a folder or zip; lmdb: what --format lmdb wrote; celebamask-hq: its "
        "original layout; portraits: drawn; verify: read the prepared set at PATH again",
    )
    parser.add_argument(
        "path", nargs="?", type=path, metavar="PATH", help="what to read; none for portraits, which are drawn"
    )
    parser.add_argument(
        "--size", type=picture_side, default=256, help="side of the pictures in pixels (default: %(default)s)"
    )
    parser.add_argument(
        "--out", type=path, metavar="FOLDER", help="the folder to write, outside of PATH; needed but to verify"
    )
    parser.add_argument(
        "--format",
        choices=FORMATS,
        default="folder",
        help="folder: files in image/ and label/; lmdb: one data.mdb, for tens of thousands (default: %(default)s)",
    )
    parser.add_argument(
        "--picture-format",
        choices=PICTURE_FORMATS,
        help="png: lossless; jpeg: quality 97, 4:4:4, about 140 kB a photograph of 512 pixels, so that 30,000 take "
        f"about 4 GB (default: jpeg in an LMDB above {LARGEST_PNG} pixels, else png); label maps are lossless always",
    )
    parser.add_argument(
        "--count",
        type=at_least(1, MOST),
        help=f"the first so many only; portraits: {DEFAULT_NUM_PORTRAITS} unless given",
    )
    parser.add_argument(
        "--split", choices=tuple(SPLITS), default="train", help="part of CelebAMask-HQ (default: %(default)s)"
    )
    parser.add_argument(
        "--scheme",
        metavar="NAME",
        help="what the labels mean, such as celebamask-13, or guess; a folder's dataset.json may say it",
    )
    parser.add_argument(
        "--label-order", metavar="NAME", help="order that a folder's label ids come in: celebamask-19 or bisenet-19"
    )
    parser.add_argument(
        "--missing",
        choices=("error", "skip"),
        default="error",
        help="CelebAMask-HQ pictures without masks (default: %(default)s)",
    )
    parser.add_argument("--style", metavar="NAME", help="how portraits are drawn")
    parser.add_argument("--workers", type=at_least(0, 256), help="processes (default: one a processor)")
    add_megapixels_argument(parser)
    add_seed_argument(parser)
    add_overwrite_argument(parser)


def run(args: argparse.Namespace) -> dict[str, Any]:
    return _verify(args) if args.kind == VERIFY else _prepare(args)


def _verify(args: argparse.Namespace) -> dict[str, Any]:
    from semanticgan.data.verify import verify

    if args.path is None or args.out is not None:
        raise InputError("verify reads a prepared set and writes nothing. Give its path, and no --out.")
    return verify(args.path, args.workers, progress=True)


def _prepare(args: argparse.Namespace) -> dict[str, Any]:
    from semanticgan.data.celebamask import CelebAMaskDataset
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
