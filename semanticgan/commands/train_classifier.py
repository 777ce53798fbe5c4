"""Train a classifier: a small network that recognises attributes of portraits, from glasses to head pose.

It learns from portraits drawn by this package, whose attributes are known, in minutes on a CPU. Scores on the last
portraits, which are held out, are printed and stored in the file. `evaluate` takes it as --extractor attributes:FILE
and --distance attributes:FILE; without FILE these are the bundled classifier.
"""

from __future__ import annotations

import argparse
from typing import Any

from semanticgan.commands import arguments
from semanticgan.perception.settings import ClassifierTraining

EXAMPLES = (
    "--out attributes.safetensors",
    "--size 128 --count 30000 --workers 8 --device cuda --steps 6000 --out attributes-128.safetensors",
)

DEFAULT_NUM_PORTRAITS = 18_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    arguments.add_count(
        parser, "--count", "portraits to draw, kept in memory", 3, 10_000_000, default=DEFAULT_NUM_PORTRAITS
    )
    arguments.add_count(parser, "--workers", "worker processes that draw", 0, 64, default=0)
    terms = "drawn by this package, free of terms"
    arguments.add_learning_arguments(parser, ClassifierTraining, "portraits", 256, "--precision", terms)


def run(args: argparse.Namespace) -> dict[str, Any]:
    from semanticgan.data.portraits import PortraitDataset
    from semanticgan.model import choose_device
    from semanticgan.perception.classifier_training import train_classifier

    training = arguments.learning_of(ClassifierTraining, args, args.precision)
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
