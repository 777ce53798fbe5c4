"""What surrounds a training: signals that stop it, memory and disks that run out, operations that repeat their bits."""

from __future__ import annotations

import errno
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from semanticgan.errors import InputError, UnwritableError
from semanticgan.training.config import TrainingConfig

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def advice_when_memory_ends(config: TrainingConfig) -> Iterator[None]:
    """Turn what torch says of too little memory into what can be done.

    Raises:
        InputError: memory ran out within the block.
    """
    try:
        yield
    except RuntimeError as error:  # torch.OutOfMemoryError is one; a CPU's allocator raises no class of its own
        if not isinstance(error, torch.OutOfMemoryError) and "allocate memory" not in str(error):
            raise
        savings = [
            f"accumulate={config.accumulate * 2} (the same training in smaller parts)",
            *([] if config.recompute else ["recompute=true"]),
            *([] if config.precision == "bfloat16" else ["precision=bfloat16"]),
            "a smaller batch",
        ]
        raise InputError(
            f"out of memory at size {config.size}, batch {config.batch}. Repeat the command with "
            f"{', or '.join(savings)}; it goes on from the last state."
        ) from error


@contextmanager
def advice_when_the_disk_is_full(what: str) -> Iterator[None]:
    """Turn a failed write into one line.

    Raises:
        UnwritableError: something within the block could not be written.
    """
    try:
        yield
    except (OSError, RuntimeError) as error:  # torch.save reports a full disk as a RuntimeError of its zip writer
        full = isinstance(error, OSError) and error.errno in _NO_ROOM
        if not full and "PytorchStreamWriter" not in str(error) and "unexpected pos" not in str(error):
            raise
        raise UnwritableError(
            f"{what} could not be written, the disk is full or gone. The states already there are whole. Make room, "
            "then repeat the command: it goes on from the newest."
        ) from error


@contextmanager
def deterministic_where_possible(wanted: bool) -> Iterator[None]:
    """Operations that repeat their bits wherever there are such; the process's own setting comes back afterwards."""
    before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    if wanted:
        torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])


@contextmanager
def stop_requested() -> Iterator[threading.Event]:
    """An event that SIGTERM and Ctrl-C set; a second one interrupts at once. Signals reach the main thread only."""
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def request(number: int, frame: Any) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()
        sys.stderr.write("\nstopping after this step; the state is being saved.\n")

    before = {number: signal.signal(number, request) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
