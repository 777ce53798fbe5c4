"""Train a classifier: a small network that tells what portraits show, from glasses to the turn of the head.

It learns from portraits that this package draws, whose records say what they show, in minutes on a CPU. The last ones
are held out, and how well it reads them is printed and stored in its file. `evaluate` takes it as
--extractor attributes:FILE and --distance attributes:FILE; without FILE these mean the one in the package.
"""

from __future__ import annotations

import argparse
from typing import Any

from semanticgan.commands import arguments
from semanticgan.metrics.classifier_training import PRECISIONS, ClassifierTraining

EXAMPLES = (
    "--out attributes.safetensors",
    "--size 128 --count 30000 --workers 8 --device cuda --steps 6000 --out attributes-128.safetensors",
)

DEFAULT_NUM_PORTRAITS = 18_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--out", type=arguments.path, required=True, metavar="FILE.safetensors", help="the classifier to write"
    )
    parser.add_argument(
        "--size",
        type=arguments.picture_side,
        default=64,
        help="side of the pictures that it will read, up to 256 pixels (default: %(default)s)",
    )
    parser.add_argument(
        "--count",
        type=arguments.at_least(3, 10_000_000),
        default=DEFAULT_NUM_PORTRAITS,
        help="portraits to draw, kept in memory (default: %(default)s)",
    )
    parser.add_argument(
        "--data-seed", type=arguments.seed, default=0, help="of the series that is drawn (default: %(default)s)"
    )
    parser.add_argument(
        "--precision",
        choices=PRECISIONS,
        default=ClassifierTraining.precision,
        help="of the arithmetic; bfloat16 is faster where the processor knows it (default: %(default)s)",
    )
    parser.add_argument(
        "--workers", type=arguments.at_least(0, 64), default=0, help="processes that draw (default: %(default)s)"
    )
    arguments.add_learning_arguments(parser, ClassifierTraining, "portraits", "drawn by this package, free of terms")


def run(args: argparse.Namespace) -> dict[str, Any]:
    from semanticgan.data.portraits import PortraitDataset
    from semanticgan.editing.outputs import require_suffix
    from semanticgan.files import require_free
    from semanticgan.metrics.classifier_training import train_classifier
    from semanticgan.model import choose_device

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
