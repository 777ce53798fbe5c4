"""Measures what each extra of a recipe, beside the losses of the paper, adds to a training step: a table of
docs/performance.md.

python docs/measure_extras.py --config portraits-64 --out extras.md

Steps on drawn portraits; the variants take turns, a step each, so that other programs disturb all alike. A step's time
is the mean over a round of 16, the interval of R1, of which the shortest counts.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F

from semanticgan.benchmark.tables import table
from semanticgan.commands.memory import keep_freed_memory
from semanticgan.data import open_dataset
from semanticgan.files import written_aside
from semanticgan.progress import Progress
from semanticgan.training.config import TrainingConfig, load_config
from semanticgan.training.methods.semanticstylegan import SemanticStyleGAN
from semanticgan.training.trainer import Trainer

OFF: dict[str, Any] = {
    "depth": 0.0,
    "agreement": 0.0,
    "coarse_agreement": 0.0,
    "parser": None,
    "rates": 0.0,
    "classifier": None,
    "owned": {},
}
"""Keys of the section loss, and what switches them off."""
EXTRAS = {
    "the paper's losses": [],
    "depth": ["depth"],
    "agreement with the parser's reading": ["agreement", "coarse_agreement", "parser"],
    "rates of the classifier's attributes": ["rates", "classifier"],
    "ownership of regions": ["owned", "parser"],
    "discriminator on the classifier's features": ["extractor"],
    "all": [*OFF, "extractor"],
}
"""Name -> keys that are as in the recipe; the others are switched off."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", default="portraits-64")
    parser.add_argument("--precision", default="float32")
    parser.add_argument("--rounds", type=int, default=2, help="of 16 steps")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    keep_freed_memory()
    device = torch.device("cpu")
    base = load_config(args.config, [f"precision={args.precision}"])
    assert isinstance(base, TrainingConfig)
    data = open_dataset("portraits", None, base.size, length=base.batch, seed=0)
    image = torch.stack([data[index].image for index in range(base.batch)]).float() / 127.5 - 1.0
    labels = torch.stack([data[index].labels for index in range(base.batch)])
    segmentation = F.one_hot(labels.long(), len(data.regions)).movedim(-1, 1) * 2.0 - 1.0
    trainers = {}
    for name, kept in EXTRAS.items():
        off = {key: value for key, value in OFF.items() if key not in kept}
        features = base.features if "extractor" in kept else replace(base.features, extractor=None)
        config = replace(base, loss=replace(base.loss, ownership_after=0, **off), features=features)
        trainers[name] = Trainer(SemanticStyleGAN(config, data.regions, device))
    best = dict.fromkeys(trainers, math.inf)
    for _ in Progress(bar=True).over(range(args.rounds), "time", args.rounds, "round"):
        spent = dict.fromkeys(trainers, 0.0)
        for _ in range(16):
            for name, trainer in trainers.items():
                start = time.perf_counter()
                trainer.step(image, segmentation)
                spent[name] += (time.perf_counter() - start) / 16
        best = {name: min(best[name], spent[name]) for name in best}
    plain = best["the paper's losses"]
    rows = [[name, f"{seconds:.3f}", f"{seconds / plain - 1:+.0%}"] for name, seconds in best.items()]
    text = table(["losses", "seconds a step", "more than the paper's"], rows) + "\n"
    with written_aside(args.out, overwrite=True) as aside:
        aside.write_text(text, encoding="utf-8")
    sys.stderr.write(text)
    print(json.dumps({"out": str(args.out), "seconds": best}))


if __name__ == "__main__":
    main()
