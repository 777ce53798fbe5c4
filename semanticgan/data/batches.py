"""Which pictures make up a step, as pure functions, and the batches themselves, prefetched.

The position of a picture in the endless training order is ``step * batch + place``. Position p is read from epoch
``p // length``; the order of an epoch depends on (seed, epoch) alone and the flip on (seed, p) alone. So a run
resumed at any step sees the same pictures, with any number of workers and no state to save. Batches run on over the
ends of epochs.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset

from semanticgan.data.pairs import Pair, PairDataset
from semanticgan.data.reading import ErrorsAsItems
from semanticgan.data.workers import loaded, worker_options
from semanticgan.errors import InputError
from semanticgan.regions import RegionScheme
from semanticgan.seeds import require_seed, sequence

# Keep the draws of the order and of the flips apart under one seed.
_ORDER, _FLIP = 1, 2


class Batch(NamedTuple):
    """Pictures of one step.

    Attributes:
        image: uint8 [N, 3, S, S], RGB.
        labels: uint8 [N, S, S], region ids.
    """

    image: torch.Tensor
    labels: torch.Tensor


class _Draw(NamedTuple):
    """One picture of a batch: which, and whether mirrored."""

    picture: int
    flipped: bool


@functools.lru_cache(maxsize=2)  # a batch touches one epoch, or two at a border
def epoch_order(epoch: int, length: int, seed: int) -> np.ndarray:
    """int64 [length]: the order of one epoch.

    Sorted raw draws, because numpy promises the same raw draws in every version but not the same permutation.
    """
    draws = np.random.PCG64(sequence(seed, _ORDER, epoch)).random_raw(length)
    order = np.argsort(draws, kind="stable")
    order.flags.writeable = False
    return order


def batch_indices(step: int, batch: int, length: int, seed: int) -> list[int]:
    """Indices of the ``batch`` pictures of a step, out of ``length``; ``step`` counts from 0."""
    positions = range(step * batch, (step + 1) * batch)
    return [int(epoch_order(position // length, length, seed)[position % length]) for position in positions]


def batch_flips(step: int, batch: int, seed: int) -> list[bool]:
    """For each picture of a step, whether it is mirrored; each way equally likely."""
    positions = range(step * batch, (step + 1) * batch)
    return [bool(sequence(seed, _FLIP, position).generate_state(1)[0] & 1) for position in positions]


def flip(pair: Pair, regions: RegionScheme) -> Pair:
    """The pair mirrored left to right; regions with sides change names (the left eye becomes the right one)."""
    table = torch.from_numpy(regions.flip_table())
    return Pair(pair.image.flip(-1), table[pair.labels.flip(-1).long()])


def batches(
    dataset: PairDataset,
    batch: int,
    start_step: int = 0,
    seed: int = 0,
    flip: bool = True,
    workers: int = 0,
    start_method: str | None = None,
    pin_memory: bool = False,
    positions: Sequence[int] | None = None,
) -> Iterator[Batch]:
    """The batches of step ``start_step`` and all that follow, without end.

    Args:
        dataset: where the pictures come from.
        batch: N, pictures per step.
        start_step: the step to begin at; after a resume, the number of steps already done.
        seed: of order and flips, 0 to 2^63 - 1.
        flip: mirror every picture with probability one half.
        workers: processes that read ahead; 0 reads in this one, best for a dataset in memory.
        start_method: "fork", "forkserver" or "spawn"; None for Python's own choice. The batches are the same.
        pin_memory: hand out page-locked tensors, for copies to an accelerator that do not wait.
        positions: which pictures of each batch are wanted, 0 .. N - 1; None for all. Processes that share a batch
            each take their own.

    Raises:
        InputError: an empty dataset, a batch or seed out of range; while iterating, a file that cannot be used, or a
            worker that died or froze.
    """
    if len(dataset) < 1:
        raise InputError("the dataset is empty. Give one with at least one picture.")
    require_seed(seed)
    if batch < 1 or start_step < 0:
        raise InputError(f"batch must be 1 or more, start_step 0 or more; got {batch} and {start_step}.")
    loader: DataLoader[Any] = DataLoader(
        _Drawn(dataset),
        batch_sampler=_draws(len(dataset), batch, start_step, seed, flip, positions),
        collate_fn=_stack,
        prefetch_factor=4 if workers else None,
        pin_memory=pin_memory,
        generator=torch.Generator(),  # or starting the loader would draw from torch's global stream
        **worker_options(workers, start_method),
    )
    return loaded(loader)


def to_network(
    batch: Batch,
    num_regions: int,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
    soft_edges: bool = False,
) -> tuple[torch.Tensor, torch.Tensor]:
    """A batch as the discriminator takes it, converted on the device.

    Args:
        batch: uint8; labels below ``num_regions``.
        device: where the results are.
        dtype: their type.
        soft_edges: average the segmentation over each pixel and its neighbours, weighted 1, 2, 1 along either side.
            The edges in a picture are soft, too; with hard ones in the segmentation coarse masks become jagged.

    Returns:
        Image [N, 3, S, S] in [-1, 1] and segmentation [N, K, S, S], one-hot in {-1, 1}, in between at soft edges.
    """
    image = batch.image.to(device, non_blocking=True).float().div_(127.5).sub_(1.0).to(dtype)
    labels = batch.labels.to(device, non_blocking=True).long().unsqueeze(1)  # [N, 1, S, S]
    shape = (len(labels), num_regions, *labels.shape[2:])
    segmentation = torch.full(shape, -1.0, dtype=dtype, device=device).scatter_(1, labels, 1.0)
    return image, _softened(segmentation) if soft_edges else segmentation


def _softened(segmentation: torch.Tensor) -> torch.Tensor:
    """[N, K, S, S] -> the same, each channel blurred."""
    num_regions = segmentation.shape[1]
    taps = segmentation.new_tensor([0.25, 0.5, 0.25])
    kernel = torch.outer(taps, taps).expand(num_regions, 1, 3, 3)
    return functional.conv2d(functional.pad(segmentation, (1, 1, 1, 1), "replicate"), kernel, groups=num_regions)


def _draws(
    length: int, batch: int, start_step: int, seed: int, flip: bool, positions: Sequence[int] | None
) -> Iterator[list[_Draw]]:
    """The draws of each step, from ``start_step`` on, without end."""
    for step in itertools.count(start_step):
        flips = batch_flips(step, batch, seed) if flip else [False] * batch
        indices = batch_indices(step, batch, length, seed)
        yield [
            _Draw(indices[position], flips[position]) for position in (range(batch) if positions is None else positions)
        ]


class _Drawn(Dataset[Pair | InputError]):
    """Pairs by draw; an unusable one is its error (:class:`semanticgan.data.reading.ErrorsAsItems` says why)."""

    def __init__(self, dataset: PairDataset) -> None:
        self._pairs = ErrorsAsItems(dataset)
        self._regions = dataset.regions

    def __getitem__(self, draw: _Draw) -> Pair | InputError:
        pair = self._pairs[draw.picture]
        return flip(pair, self._regions) if draw.flipped and isinstance(pair, Pair) else pair


def _stack(pairs: list[Pair | InputError]) -> Batch | InputError:
    for pair in pairs:
        if isinstance(pair, InputError):
            return pair
    images, labels = zip(*pairs, strict=True)
    return Batch(torch.stack(images), torch.stack(labels))
