"""The pictures that are scored: a model's, from explicit seeds, and a dataset's.

Pictures are uint8 [n, 3, S, S] RGB in batches of at most ``batch_size``, on the CPU or where they were made; which
batches they come in changes no picture by more than the rounding of float32.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

import torch
from torch import Tensor
from torch.utils.data import Subset

from semanticgan.data.pairs import Pair, PairDataset
from semanticgan.data.reading import read_all
from semanticgan.errors import InputError
from semanticgan.model import Model
from semanticgan.progress import Progress, to_progress

DEFAULT_BATCH_SIZE = 32

Item = TypeVar("Item")


def in_batches(
    items: Sequence[Item], batch_size: int, progress: Progress | bool = False, what: str = "", unit: str = "picture"
) -> Iterator[list[Item]]:
    """The items in their order, at most ``batch_size`` at a time; the last batch may be shorter.

    Args:
        items: such as seeds.
        batch_size: at least 1.
        progress: told of every batch, under the name ``what``. A bar within another one is wiped when it ends.

    Raises:
        InputError: a batch size below 1.
        Cancelled: by ``progress``.
    """
    if batch_size < 1:
        raise InputError(f"batch_size is at least 1, got {batch_size}.")
    with to_progress(progress).steps(what, len(items), unit, leave=None) as step:
        for start in range(0, len(items), batch_size):
            batch = list(items[start : start + batch_size])
            yield batch
            step(len(batch))


def generated_pictures(
    model: Model,
    seeds: Sequence[int],
    *,
    truncation: float = 1.0,
    batch_size: int = DEFAULT_BATCH_SIZE,
    progress: Progress | bool = False,
    what: str = "pictures",
) -> Iterator[Tensor]:
    """The model's pictures of these seeds, in their order, with the noise stored with its weights.

    Args:
        seeds: one a picture.
        truncation: psi of :meth:`Model.sample`; results are comparable with others at 1 only.
        batch_size: pictures at a time.
        progress: told of every batch, under the name ``what``.

    Raises:
        InputError: a seed or batch size that does not fit.
    """
    for batch in in_batches(seeds, batch_size, progress, what):
        code = model.sample(seeds=batch, truncation=truncation)
        yield model.render(code, batch_size=batch_size).to_uint8()


def dataset_pictures(
    dataset: PairDataset,
    indices: Sequence[int],
    *,
    batch_size: int = DEFAULT_BATCH_SIZE,
    workers: int = 0,
    progress: Progress | bool = False,
    what: str = "pictures of the data",
) -> Iterator[Tensor]:
    """The dataset's pictures at these indices, in their order; arguments as of :func:`generated_pictures`.

    Raises:
        InputError: a picture that cannot be used.
    """
    pictures: list[Tensor] = []
    chosen: Subset[Pair] = Subset(dataset, indices)
    for pair in read_all(chosen, workers, progress, what):
        pictures.append(pair.image)
        if len(pictures) == batch_size:
            yield torch.stack(pictures)
            pictures = []
    if pictures:
        yield torch.stack(pictures)


def first_indices(dataset: PairDataset, num: int | None) -> range:
    """Indices of the first ``num`` pictures, of all if None.

    Raises:
        InputError: there are not as many.
    """
    if num is not None and not 1 <= num <= len(dataset):
        raise InputError(
            f"{num} pictures were asked for, but the data have {len(dataset)}. Ask for at most {len(dataset)}."
        )
    return range(len(dataset) if num is None else num)
