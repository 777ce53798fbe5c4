"""Several processes that share a training or a measurement: who takes which part, and what they tell each other.

Started by ``torchrun``, which says in the environment how many there are; one process alone needs none of this.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import threading
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from importlib import import_module
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.rendezvous import rendezvous

from semanticgan.errors import InputError

Item = TypeVar("Item")

PATIENCE = timedelta(minutes=30)
"""How long processes wait for one that measures or writes while they do not."""
PATIENCE_IN_STEPS = timedelta(minutes=5)
"""How long they wait in a training, where all do the same: pictures are decoded by all, and a state takes seconds."""
_ROLL_CALL_SECONDS = 5.0
_OF_THE_GROUP = re.compile(r"gloo|[Cc]onnection (closed|reset|refused)|NCCL|ProcessGroup|Broken pipe|Timed out waiting")


@dataclass(frozen=True)
class Processes:
    """This process among those of a training.

    Attributes:
        rank: number of this one; the one of rank 0 alone writes.
        count: how many there are.
        words: the group in which processes exchange decisions on the CPU, without waiting for a device.
    """

    rank: int = 0
    count: int = 1
    words: Any = None

    @property
    def is_first(self) -> bool:
        return self.rank == 0

    def sum(self, tensor: Tensor) -> Tensor:
        """The sum over all processes, on the tensor's device."""
        if self.count == 1:
            return tensor
        total = tensor.clone()
        dist.all_reduce(total)
        return total

    def shared_mean(self, tensor: Tensor) -> Tensor:
        """The mean over all processes, through which gradients flow."""
        if self.count == 1:
            return tensor
        mean: Tensor = _SharedMean.apply(tensor, self.count)  # type: ignore[no-untyped-call]
        return mean

    def average(self, gradients: Sequence[Tensor | None]) -> None:
        """Replace each gradient by its mean over all processes, in one exchange.

        The order of the sum follows from the order of the tensors alone, so a resumed training sums as before.
        """
        if self.count == 1:
            return
        found = [gradient for gradient in gradients if gradient is not None]
        flat = torch.cat([(gradient / self.count).flatten() for gradient in found])
        dist.all_reduce(flat)
        for gradient, mean in zip(found, flat.split([gradient.numel() for gradient in found]), strict=True):
            gradient.copy_(mean.view(gradient.shape))

    def mean(self, values: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The mean over all processes of each scalar; all hand in the same names in the same order."""
        if self.count == 1 or not values:
            return dict(values)
        means = self.sum(torch.stack([value.detach().float() for value in values.values()])) / self.count
        return dict(zip(values, means.unbind(), strict=True))

    def any(self, flag: bool) -> bool:
        """Whether it is so for any process."""
        if self.count == 1:
            return flag
        told = torch.tensor(int(flag))
        dist.all_reduce(told, op=dist.ReduceOp.MAX, group=self.words)
        return bool(told)


ALONE = Processes()


class _SharedMean(torch.autograd.Function):
    """The mean of a tensor over the processes; each one's gradient is the mean of those of all."""

    @staticmethod
    def forward(ctx: Any, tensor: Tensor, count: int) -> Tensor:
        ctx.count = count
        total = tensor.clone()
        dist.all_reduce(total)
        return total / count

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        total = gradients[0].clone()
        dist.all_reduce(total)
        return total / ctx.count, None


def share_of(batch: int, num_shares: int, index: int) -> list[int]:
    """Positions in a batch of share ``index`` of ``num_shares`` equal ones.

    The minibatch deviation compares images that are equal modulo a quarter of the batch. Shares of a multiple of 4
    images are cut so that these stay together and in order: each share then finds the groups of the whole batch.
    """
    size = batch // num_shares
    if size % 4:
        return list(range(index * size, (index + 1) * size))
    return [member * (batch // 4) + index * (size // 4) + group for member in range(4) for group in range(size // 4)]


def shares_of(batch: int, name: str, processes: Processes, accumulate: int) -> list[list[int]]:
    """Positions in a batch of each part of a process's share, one part after the other.

    Args:
        batch: pictures.
        name: what the batch is called in the configuration.
        processes: who shares it.
        accumulate: parts of each share.

    Raises:
        InputError: the batch cannot be divided so.
    """
    count = processes.count * accumulate
    if batch % count:
        raise InputError(
            f"{name} is {batch}, which {processes.count} processes x {accumulate} parts (accumulate) do not divide. "
            f"Give a multiple of {count}."
        )
    own = range(processes.rank * accumulate, (processes.rank + 1) * accumulate)
    return [share_of(batch, count, index) for index in own]


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


class ProcessLost(InputError):
    """Another process of a training died, or does not answer."""


@contextmanager
def joined(device: torch.device, patience: timedelta = PATIENCE) -> Iterator[Processes]:
    """Join the processes that torchrun has started, until the end of the block; alone where there are none.

    Nothing of the group is left after the block: a thread of it that outlives the interpreter aborts the process. What
    was shared in it has to be gone by the end of the block: whoever drops the group later waits for its threads, they
    wait for the interpreter's lock, and nobody goes on.

    Args:
        device: where this process computes; NCCL connects processes on CUDA, gloo others.
        patience: one that does not answer for this long counts as lost.

    Raises:
        ProcessLost: another process died or does not answer.
    """
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1:
        yield ALONE
        return
    backend = "nccl" if device.type == "cuda" else "gloo"
    # Imported later, by DistributedDataParallel, its functions have the group of that time as a default, and keep it.
    import_module("torch.distributed.nn.functional")
    store, rank, count = next(rendezvous("env://"))
    dist.init_process_group(backend, store=store, rank=rank, world_size=count, timeout=patience)
    try:
        words = dist.new_group(backend="gloo", timeout=patience) if backend == "nccl" else None
        yield Processes(rank, count, words)
    except BaseException as error:
        traceback.clear_frames(error.__traceback__)  # their trainer holds the group
        if isinstance(error, RuntimeError) and _OF_THE_GROUP.search(str(error)):
            raise ProcessLost(_who_is_lost(store, rank, count, patience)) from error
        raise
    finally:
        dist.destroy_process_group()


def _who_is_lost(store: Any, rank: int, count: int, patience: timedelta) -> str:
    """What to say after the group broke: which processes do not answer a roll call.

    The launcher ends the others, too; until the call is over its SIGTERM waits.
    """
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    missing = []
    deadline = time.monotonic() + _ROLL_CALL_SECONDS
    try:
        store.set(f"here/{rank}", "")
        for other in range(count):
            left = timedelta(seconds=max(deadline - time.monotonic(), 0.1))
            with contextlib.suppress(RuntimeError):
                store.wait([f"here/{other}"], left)
                continue
            missing.append(str(other))
    except RuntimeError:  # the process that keeps the store is the one that is gone
        missing = ["0"]
    who = f"process {' and '.join(missing)}" if missing else "another process"
    return (
        f"{who} of the {count} that share this training died, as where memory runs out, or did not answer within "
        f"{patience.total_seconds():.0f} s. Repeat the command: it goes on from the newest state."
    )


def device_of_process(device: torch.device) -> torch.device:
    """The device of this process: of several CUDA devices the one that has its number on this machine.

    Raises:
        InputError: the machine has fewer CUDA devices than processes.
    """
    if device.type != "cuda" or "LOCAL_RANK" not in os.environ:
        return device
    number, there = int(os.environ["LOCAL_RANK"]), torch.cuda.device_count()
    if number >= there:
        raise InputError(f"process {number} of this machine has no CUDA device: it has {there}. Start that many.")
    device = torch.device("cuda", number)
    torch.cuda.set_device(device)
    return device
