"""All items of a dataset in order, read by one process or several, with errors that stay readable."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Generic, TypeVar

import torch
from torch.utils.data import DataLoader, Dataset

from semanticgan.data.workers import loaded, worker_options
from semanticgan.errors import InputError
from semanticgan.progress import Progress, to_progress

Item = TypeVar("Item")


class ErrorsAsItems(Dataset[Item | InputError], Generic[Item]):
    """A dataset whose unusable items are the errors themselves.

    An exception that leaves a worker process arrives with the worker's traceback as its message;
    as a value it stays the one clear line.
    """

    def __init__(self, dataset: Dataset[Item]) -> None:
        self._dataset = dataset

    def __len__(self) -> int:
        return len(self._dataset)  # type: ignore[arg-type]

    def __getitem__(self, index: int) -> Item | InputError:
        try:
            return self._dataset[index]
        except InputError as error:
            return error


def read_all(
    dataset: Dataset[Item],
    workers: int = 0,
    progress: Progress | bool = False,
    what: str = "reading pictures",
    first: int = 0,
) -> Iterator[Item]:
    """Every item from ``first`` on once, in order.

    Args:
        dataset: with a length.
        workers: processes that read; 0 reads in this one.
        progress: told of every item.
        first: index to begin at, the ones before being done.

    Raises:
        InputError: what the dataset raised, or a worker that died or froze.
        Cancelled: by ``progress``.
    """
    count = len(dataset)  # type: ignore[arg-type]
    loader = DataLoader(
        ErrorsAsItems(dataset),
        batch_size=None,
        sampler=range(first, count),
        collate_fn=_unchanged,
        prefetch_factor=8 if workers else None,
        generator=torch.Generator(),  # or starting the loader would draw from torch's global stream
        **worker_options(workers),
    )
    with to_progress(progress).steps(what, count, first=first) as step:
        for item in loaded(loader):
            yield item
            step()


def num_processors() -> int:
    """Processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _unchanged(item: Item) -> Item:
    """Items are tensors or plain values already: torch's default conversion would turn them into something else."""
    return item
