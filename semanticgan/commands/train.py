"""Train a model from a recipe; repeating the command continues the run where it stopped."""

from __future__ import annotations

import argparse
import os
from typing import Any

from semanticgan.commands import arguments

EXAMPLES = (
    "tiny run_dir=runs/tiny",
    "portraits-64 run_dir=runs/portraits data.path=data/portraits-64",
    "portraits-64 run_dir=runs/portraits data.path=data/portraits-64 metrics.extractor=random --metrics fid,pr",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "recipe", metavar="RECIPE", help="the name of a recipe that comes with the package, or a YAML file"
    )
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="values that replace those of the recipe")
    parser.add_argument(
        "--metrics", metavar="LIST", help="metrics of evaluate to measure every metrics.every steps, comma-separated"
    )
    arguments.add_mark_argument(parser)


def run(args: argparse.Namespace) -> dict[str, Any]:
    # cuBLAS repeats its bits only with this workspace, and reads it when it starts.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    from semanticgan.training.config import load_config
    from semanticgan.training.loop import train

    chosen = [f"metrics.names=[{args.metrics}]"] if args.metrics else []
    result = train(load_config(args.recipe, [*args.overrides, *chosen]), marked=args.mark)
    if int(os.environ.get("RANK", "0")):  # of several processes the first alone reports
        return {}
    return {
        "run_dir": str(result.run_dir),
        "model": str(result.model),
        "images": result.images,
        "finished": result.finished,
        "seconds": round(result.seconds, 1),
    }
