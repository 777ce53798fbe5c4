"""Report on a training, finished or under way, as one page that needs no network, or as one picture.

The page (.html) has curves, sheets, the history of one sample, warnings and the configuration. The picture (.png) has
the most important of these. The run's folder is only read.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import Any

from semanticgan.commands import arguments

EXAMPLES = (
    "runs/portraits --out report.html",
    "runs/portraits --out report.png --overwrite",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run_dir", type=arguments.path, metavar="RUN_DIR", help="the run_dir of a training")
    parser.add_argument("--out", type=arguments.path, default=Path("report.html"), help="page or picture to write")
    arguments.add_mark_argument(parser)
    arguments.add_overwrite_argument(parser)


def run(args: argparse.Namespace) -> dict[str, Any]:
    from semanticgan.formats.provenance import Mark
    from semanticgan.runs.report import write_report

    summary = write_report(args.run_dir, args.out, args.overwrite, Mark("composite") if args.mark else None)
    return {"out": str(args.out), **asdict(summary), "warnings": list(summary.warnings)}
