"""What the processes of a shared training must have in common, compared before the first step.

Processes of other configurations, data, weights or versions would train together without a word: gradients of equal
shapes are averaged whatever they are of.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypeVar

import torch
import torch.distributed as dist
from torch import nn

import semanticgan
from semanticgan.data import CachedPairs, PairDataset
from semanticgan.distributed import Processes
from semanticgan.errors import InputError
from semanticgan.training.config import flat
from semanticgan.training.sections import CommonConfig

if TYPE_CHECKING:
    from semanticgan.training.trainer import Trainer

Result = TypeVar("Result")
Facts = Mapping[str, str]

# Where things lie may differ from machine to machine, and what one process alone does.
_OWN = ("run_dir", "device", "start", "description", "log_to", "data.path", "data.workers", "data.cache_gigabytes")
_PAIRS_COMPARED = 64  # of data that are not in memory: enough for another copy, and a second of reading
_KEYS_NAMED = 3


def agreed(processes: Processes, prepare: Callable[[], Result], facts: Callable[[Result], Facts]) -> Result:
    """Prepare something in every process, and go on only where all could and all have the same.

    Args:
        processes: all call this together.
        prepare: makes this process's own; it must not talk to the others.
        facts: what must be equal, by the key of the configuration or another name.

    Raises:
        InputError: one of the processes could not, or they differ; in all of them.
        Exception: what ``prepare`` raised here.
    """
    if processes.count == 1:
        return prepare()
    error: Exception | None = None
    own: dict[str, str] = {}
    try:
        result = prepare()
        own = dict(facts(result))
    except Exception as caught:
        error = caught
    told: list[tuple[str | None, dict[str, str]]] = [(None, {})] * processes.count
    dist.all_gather_object(told, (None if error is None else str(error), own), group=processes.words)
    if error is not None:
        raise error
    for rank, (text, _) in enumerate(told):
        if text is not None:
            raise InputError(f"process {rank} of this training cannot begin: {text}")
    _require_equal([found for _, found in told])
    return result


def _require_equal(told: list[dict[str, str]]) -> None:
    """Raises: InputError: a fact that is not the same in all processes."""
    differing = []
    for key in dict.fromkeys(key for facts in told for key in facts):
        ranks: dict[str, list[int]] = {}
        for rank, facts in enumerate(told):
            ranks.setdefault(facts.get(key, "not there"), []).append(rank)
        if len(ranks) > 1:
            differing.append(f"{key} is " + ", ".join(f"{value[:60]} in {_named(ranks[value])}" for value in ranks))
    if differing:
        more = len(differing) - _KEYS_NAMED
        raise InputError(
            f"the processes of this training differ: {'; '.join(differing[:_KEYS_NAMED])}"
            f"{f'; and {more} more' if more > 0 else ''}. Start all with the same command, data and versions."
        )


def _named(ranks: list[int]) -> str:
    shown = ", ".join(map(str, ranks[:8])) + (", ..." if len(ranks) > 8 else "")
    return f"process {shown}" if len(ranks) == 1 else f"processes {shown}"


def of_config(config: CommonConfig) -> Facts:
    """Every value that decides a training, and the versions of what computes it."""
    values = {key: repr(value) for key, value in flat(config).items() if key not in _OWN}
    values = {key: value for key, value in values.items() if not key.startswith("expected.")}
    return {**values, "the version of semanticgan": semanticgan.__version__, "the version of torch": torch.__version__}


def of_data(dataset: PairDataset) -> Facts:
    """Names, counts, regions, and the pixels: all that are in memory, else some of every part of the data."""
    digest = hashlib.sha256()
    if isinstance(dataset, CachedPairs):
        for tensor in (dataset.images, dataset.labels):
            digest.update(tensor.numpy())  # type: ignore[arg-type]
    elif not dataset.key_knows_pixels:
        for index in range(0, len(dataset), max(1, len(dataset) // _PAIRS_COMPARED)):
            for tensor in dataset[index]:
                digest.update(tensor.numpy().tobytes())
    return {
        "the number of pictures at data.path": str(len(dataset)),
        "the regions of data.path": ", ".join(dataset.regions.names),
        "the key of data.path": dataset.key(),
        "the digest of data.path": digest.hexdigest()[:16],
    }


def of_weights(trainer: Trainer) -> Facts:
    """How far the training is, and the weights that it goes on from."""
    return {
        "the step to go on from": str(trainer.steps_done),
        **{f"the digest of the {name}'s weights": _digest(net) for name, net in trainer.method.networks.items()},
    }


def _digest(network: nn.Module) -> str:
    digest = hashlib.sha256()
    for name, tensor in sorted(network.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}\0".encode())
        digest.update(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:16]
