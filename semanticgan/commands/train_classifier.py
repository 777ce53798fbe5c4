"""Train a classifier: a small network that recognises attributes of portraits, from glasses to head pose.

It learns from portraits drawn by this package, whose attributes are known, in minutes on a CPU. Scores on the last
portraits, which are held out, are printed and stored in the file. `evaluate` takes it as --extractor attributes:FILE
and --distance attributes:FILE; without FILE these are the bundled classifier.
"""

from __future__ import annotations

import argparse
from typing import Any

from semanticgan.choices import PRECISIONS
from semanticgan.commands import arguments
from semanticgan.perception.settings import ClassifierTraining

EXAMPLES = (
    "--out attributes.safetensors",
    "--size 128 --count 30000 --workers 8 --device cuda --steps 6000 --out attributes-128.safetensors",
)

DEFAULT_NUM_PORTRAITS = 18_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=arguments.path, required=True, metavar="FILE.safetensors", help="output file")
    parser.add_argument(
        "--size",
        type=arguments.picture_side,
        default=64,
        help="resolution that it reads, up to 256 pixels",
    )
    parser.add_argument(
        "--count",
        type=arguments.at_least(3, 10_000_000),
        default=DEFAULT_NUM_PORTRAITS,
        help="portraits to draw, kept in memory",
    )
    parser.add_argument("--data-seed", type=arguments.seed, default=0, help="seed of the drawn portraits")
    parser.add_argument(
        "--precision",
        choices=PRECISIONS,
        default=ClassifierTraining.precision,
        help="precision of the training; bfloat16 is faster on processors that support it",
    )
    parser.add_argument("--workers", type=arguments.at_least(0, 64), default=0, help="worker processes that draw")
    arguments.add_learning_arguments(parser, ClassifierTraining, "portraits", "drawn by this package, free of terms")


def run(args: argparse.Namespace) -> dict[str, Any]:
    from semanticgan.data.portraits import PortraitDataset
    from semanticgan.editing.outputs import require_suffix
    from semanticgan.files import require_free
    from semanticgan.model import choose_device
    from semanticgan.perception.classifier_training import train_classifier

    require_suffix(args.out, (".safetensors",))
    require_free(args.out, args.overwrite)
    training = ClassifierTraining(
        num_steps=args.steps,
        batch=args.batch,
        num_held_out=args.held_out,
        seed=args.seed,
        precision=args.precision,
    )
    classifier = train_classifier(
        PortraitDataset(args.size, args.count, args.data_seed),
        training,
        device=choose_device(args.device),
        workers=args.workers,
        licence=args.licence,
        data_licence=args.data_licence,
        progress=True,
    )
    classifier.save(args.out, overwrite=args.overwrite)
    return {"out": str(args.out), "size": classifier.size, **classifier.training}
