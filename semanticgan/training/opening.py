"""The data of a training, opened and read in batches as its configuration says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch

from semanticgan.data import KINDS, CachedPairs, PairDataset, batches, cached_if_small, open_dataset, to_network
from semanticgan.data.forgiving import ForgivingPairs
from semanticgan.errors import InputError
from semanticgan.regions import RegionScheme
from semanticgan.training.interruption import advice_when_a_picture_is_unusable
from semanticgan.training.method import Batch, Stage
from semanticgan.training.sections import CommonConfig
from semanticgan.training.start import Start


def open_pairs(
    config: CommonConfig, start: Start | None, progress: bool, regions: RegionScheme | None = None
) -> PairDataset:
    """The data of a configuration, small ones cached.

    Args:
        config: whose section ``data`` says which.
        start: whose regions the data must have, if the training has a start.
        progress: show a bar while the cache is filled.
        regions: those of pictures without label maps; None where a start or a scheme says them.

    Raises:
        InputError: no such data, or other regions than the start's.
    """
    data = config.data
    if regions is None and start is not None:
        regions = start.regions
    if data.kind in KINDS and data.kind != "portraits" and data.path is None:
        raise InputError(f"no data given for data.kind={data.kind}. Add data.path=FOLDER_OR_ZIP.")
    dataset = open_dataset(
        data.kind,
        data.path,
        config.size,
        scheme=regions if data.kind == "pictures" and regions is not None else data.scheme,
        split=data.split,
        length=data.length,
        seed=config.seed,
        label_order=data.label_order,
        missing=data.missing,
        style=data.style,
        max_megapixels=data.max_megapixels,
    )
    if data.on_error == "skip":
        dataset = ForgivingPairs(dataset)
    with advice_when_a_picture_is_unusable(config):
        dataset = cached_if_small(dataset, int(data.cache_gigabytes * 1e9), workers=data.workers, progress=progress)
    if start is not None:
        start.require_regions(dataset.regions)
    return dataset


def batches_of(
    config: CommonConfig,
    dataset: PairDataset,
    stage: Stage,
    images: int,
    positions: Sequence[int],
    device: torch.device,
) -> Iterator[Batch]:
    """Pictures [N, 3, S, S] and segmentations [N, K, S, S] of each step, as :meth:`Method.batches` says."""
    data = config.data
    for pair in batches(
        dataset,
        stage.batch,
        start_step=images // stage.batch,
        seed=config.seed,
        flip=data.flip,
        workers=0 if isinstance(dataset, CachedPairs) else data.workers,
        pin_memory=device.type == "cuda",
        positions=positions,
    ):
        yield to_network(pair, len(dataset.regions), device, soft_edges=data.soft_edges)
