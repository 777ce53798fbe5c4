"""What several processes measure together: each takes a part of the work, all get the whole result, in order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from semanticgan.training.processes import Processes

Item = TypeVar("Item")


def share(items: Sequence[Item], processes: Processes) -> Sequence[Item]:
    """The items of this process: consecutive ones, as many as others have or one more."""
    first, end = _bounds(len(items), processes.count, processes.rank)
    return items[first:end]


def gathered(part: Tensor, total: int, processes: Processes) -> Tensor:
    """The rows of all processes, in the order of the items that :func:`share` divided.

    Args:
        part: rows of this process's items, on the CPU.
        total: how many items there are in all.
        processes: who takes part; all call this at the same point.
    """
    if processes.count == 1:
        return part
    bounds = [_bounds(total, processes.count, rank) for rank in range(processes.count)]
    longest = max(end - first for first, end in bounds)
    padded = torch.zeros(longest, *part.shape[1:], dtype=part.dtype)
    padded[: len(part)] = part
    found = [torch.empty_like(padded) for _ in bounds]
    dist.all_gather(found, padded, group=processes.words)
    return torch.cat([rows[: end - first] for rows, (first, end) in zip(found, bounds, strict=True)])


def all_of(parts: Sequence[Item], processes: Processes) -> list[Item]:
    """What all processes have found, in the order of the processes; all call this at the same point."""
    if processes.count == 1:
        return list(parts)
    found: list[Sequence[Item]] = [() for _ in range(processes.count)]
    dist.all_gather_object(found, parts, group=processes.words)
    return [item for part in found for item in part]


def _bounds(total: int, count: int, rank: int) -> tuple[int, int]:
    return total * rank // count, total * (rank + 1) // count
