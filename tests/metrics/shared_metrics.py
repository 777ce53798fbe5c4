"""Features and path lengths, alone or as one of several processes; run by ``test_sharing.py``.

``python -m tests.metrics.shared_metrics OUT MODEL``: what each process measured goes to OUT followed by its rank.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch

from semanticgan.data.portraits import PortraitDataset
from semanticgan.distributed import joined, share
from semanticgan.metrics.path_length import ModelTraveller, path_length
from semanticgan.metrics.samples import generated_pictures
from semanticgan.metrics.statistics import FeatureCache, dataset_features, extract_features
from semanticgan.model import load
from semanticgan.perception.extractors import RandomExtractor
from semanticgan.perception.perceptual import open_distance

NUM = 7  # no multiple of 2


def main(out: str, model_file: str) -> None:
    torch.set_num_threads(1)
    model, extractor = load(model_file, device="cpu"), RandomExtractor()
    with joined(model.device) as processes:
        seeds = range(NUM)
        cache = FeatureCache(Path(out).parent / f"cache-{processes.rank}")  # only the first has its entry afterwards
        dataset = PortraitDataset(16, length=NUM)
        options = {"cache": cache, "batch_size": 1, "processes": processes}
        real = [dataset_features(dataset, seeds, extractor, **options) for _ in range(2)]  # type: ignore[arg-type]
        pictures = generated_pictures(model, share(seeds, processes), batch_size=1)
        generated = extract_features(pictures, extractor, NUM, processes)
        length = path_length(
            ModelTraveller(model), open_distance("random"), seeds, epsilon=1e-2, batch_size=1, processes=processes
        )
        result = {
            "real": [each.values for each in real],
            "generated": generated.values,
            "path_length": length.value,
            "cached": cache.folder.exists(),
        }
        torch.save(result, f"{out}{processes.rank}")


if __name__ == "__main__":
    main(*sys.argv[1:])
