"""Train a model from a recipe; repeating the command continues the run where it stopped."""

from __future__ import annotations

import argparse
from typing import Any

from semanticgan.training.config import load_config

EXAMPLES = (
    "configs/portraits-64.yaml run_dir=runs/portraits",
    "configs/lfw-64.yaml run_dir=runs/faces data.path=data/lfw-regions-128.zip batch=8",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("recipe", metavar="RECIPE", help="a YAML file, or the name of one that comes with the package")
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="values that differ from the recipe's")


def run(args: argparse.Namespace) -> dict[str, Any]:
    config = load_config(args.recipe, args.overrides)
    from semanticgan.training.loop import train

    result = train(config)
    return {
        "run_dir": str(result.run_dir),
        "model": str(result.model),
        "images": result.images,
        "finished": result.finished,
        "seconds": round(result.seconds, 1),
    }
