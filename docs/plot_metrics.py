"""Draws how FID rises when pictures get worse: blurred, noisy, or with regions of other pictures in them.

python docs/plot_metrics.py --data-kind portraits --num 2000 --out docs/images/fid-of-worse-pictures.png
python docs/plot_metrics.py --data data/faces --extractor inception --num 10000 --out fid.png

Needs matplotlib. Prints the numbers as JSON.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import torch
from degradation import blurred, noisy, with_shuffled_regions
from torch import Tensor

from semanticgan.data import open_dataset
from semanticgan.files import written_aside
from semanticgan.metrics.fid import frechet_distance
from semanticgan.metrics.statistics import Statistics, extract_features
from semanticgan.perception.extractors import open_extractor

Worse = Callable[[Tensor, Tensor, float], Tensor]
KINDS: dict[str, tuple[Worse, tuple[float, ...], str]] = {
    "blur": (lambda pictures, labels, x: blurred(pictures, x), (0, 0.005, 0.01, 0.02, 0.04), "deviation / side"),
    "noise": (lambda pictures, labels, x: noisy(pictures, x), (0, 0.025, 0.05, 0.1, 0.2), "deviation / range"),
    "shuffled regions": (with_shuffled_regions, (0, 0.05, 0.1, 0.25, 0.5), "share of regions"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--data-kind", default="folder")
    parser.add_argument("--scheme")
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--num", type=int, default=2000)
    parser.add_argument("--extractor", action="append", help="may be repeated (default: attributes and random)")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    dataset = open_dataset(args.data_kind, args.data, args.size, args.scheme, length=args.num)
    pairs = [dataset[index] for index in range(args.num)]
    pictures, labels = torch.stack([pair.image for pair in pairs]), torch.stack([pair.labels for pair in pairs])
    found: dict[str, dict[str, list[tuple[float, float]]]] = {}
    for name in args.extractor or ("attributes", "random"):
        extractor = open_extractor(name)

        def statistics(shown: Tensor, extractor: object = extractor) -> Statistics:
            return extract_features(shown.split(32), extractor, len(shown)).statistics()  # type: ignore[arg-type]

        real = statistics(pictures)
        found[extractor.label] = {
            kind: [(x, frechet_distance(real, statistics(worse(pictures, labels, x))).values["fid"]) for x in amounts]
            for kind, (worse, amounts, _) in KINDS.items()
        }
    _plot(found, args.out, f"{args.num:,} pictures of {args.size} pixels against worse copies of themselves")
    print(json.dumps(found))


def _plot(found: dict[str, dict[str, list[tuple[float, float]]]], out: Path, title: str) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(len(found), len(KINDS), figsize=(3.4 * len(KINDS), 2.6 * len(found)), squeeze=False)
    for row, (label, by_kind) in zip(axes, found.items(), strict=True):
        for axis, (kind, points) in zip(row, by_kind.items(), strict=True):
            axis.plot(*zip(*points, strict=True), marker="o", color="#2a66cc")
            axis.set_title(kind, fontsize=10)
            axis.set_xlabel(KINDS[kind][2], fontsize=9)
            axis.set_ylim(bottom=0)
            axis.grid(color="#e4e7ed")
        row[0].set_ylabel(f"FID, {label}", fontsize=9)
    figure.suptitle(title, fontsize=11)
    figure.tight_layout()
    with written_aside(out, overwrite=True) as aside:
        figure.savefig(aside, dpi=110, format="png")


if __name__ == "__main__":
    main()
