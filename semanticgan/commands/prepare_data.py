"""Make a training set: pictures and label maps decoded and resized once, in one folder.

A command that was stopped continues when it is repeated.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from semanticgan.commands.arguments import add_overwrite_argument, add_seed_argument, at_least, picture_side
from semanticgan.data import KINDS, SPLITS, open_dataset

if TYPE_CHECKING:
    from semanticgan.data.portraits import PortraitDataset

EXAMPLES = (
    "portraits --size 64 --count 2000 --out data/portraits-64",
    "celebamask-hq CelebAMask-HQ --size 256 --out data/celebamask-256",
)

DEFAULT_NUM_PORTRAITS = 10_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "kind", choices=KINDS, help="folder: image/ and label/ in a folder or zip; celebamask-hq: its original layout"
    )
    parser.add_argument(
        "path", nargs="?", metavar="PATH", help="the folder or zip to read; none for portraits, which are drawn"
    )
    parser.add_argument(
        "--size", type=picture_side, default=256, help="side of the pictures in pixels (default: %(default)s)"
    )
    parser.add_argument("--out", required=True, metavar="FOLDER", help="the folder to write")
    parser.add_argument(
        "--count", type=at_least(1), help=f"the first so many only; portraits: {DEFAULT_NUM_PORTRAITS} unless given"
    )
    parser.add_argument("--split", choices=SPLITS, default="train", help="part of CelebAMask-HQ (default: %(default)s)")
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
    parser.add_argument("--style", metavar="NAME", help="how portraits are drawn (default: storybook)")
    parser.add_argument("--workers", type=at_least(0, 256), help="processes (default: one a processor)")
    add_seed_argument(parser)
    add_overwrite_argument(parser)


def run(args: argparse.Namespace) -> dict[str, Any]:
    from semanticgan.data.portraits import PortraitDataset
    from semanticgan.data.prepare import prepare

    dataset = open_dataset(
        args.kind,
        args.path,
        args.size,
        scheme=args.scheme,
        split=args.split,
        length=args.count or (DEFAULT_NUM_PORTRAITS if args.kind == "portraits" else None),
        seed=args.seed,
        label_order=args.label_order,
        missing=args.missing,
        style=args.style,
    )
    prepared = prepare(
        dataset,
        args.out,
        attributes=_PortraitAttributes(dataset) if isinstance(dataset, PortraitDataset) else None,
        workers=args.workers,
        overwrite=args.overwrite,
        progress=True,
    )
    return {
        "out": str(prepared.path),
        "count": prepared.count,
        "size": prepared.size,
        "digest": prepared.digest,
        "shares": dict(prepared.shares),
    }


class _PortraitAttributes:
    """The record of a portrait by its index; a class, because it is sent to the worker processes."""

    def __init__(self, portraits: PortraitDataset) -> None:
        self.portraits = portraits

    def __call__(self, index: int) -> dict[str, Any]:
        return self.portraits.attributes(index).to_dict()
