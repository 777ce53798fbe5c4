"""What surrounds a training: signals that stop it, bad pictures, memory and disks that run out, bits that repeat."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from safetensors import SafetensorError

from semanticgan.errors import InputError, OutOfMemory, UnwritableError, is_of_memory
from semanticgan.files import is_failed_write
from semanticgan.training.sections import CommonConfig


@contextmanager
def advice_when_a_picture_is_unusable(config: CommonConfig) -> Iterator[None]:
    """Add to what is wrong with a picture that a training can do without it.

    Raises:
        InputError: a picture was read within the block that cannot be used.
    """
    try:
        yield
    except InputError as error:
        if config.data.on_error == "skip":
            raise
        raise InputError(f"{error} Or repeat the command with data.on_error=skip to pass over such files.") from error


@contextmanager
def advice_when_memory_ends(
    config: CommonConfig, num_processes: int = 1, shrink: int = 1, measuring: bool = False
) -> Iterator[None]:
    """Turn what torch says of too little memory into what can be done, in a step or while metrics are measured.

    Args:
        num_processes: that share a batch.
        shrink: the smallest batch of a phase is the batch divided by this.
        measuring: whether metrics are measured within the block.

    Raises:
        OutOfMemory: memory ran out within the block.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_of_memory(error):
            raise
        if measuring:
            raise OutOfMemory(
                f"out of memory while metrics are measured {config.metrics.batch} pictures at a time. Repeat the "
                "command with metrics.batch=1 or metrics.names=[] to go on from the last state."
            ) from error
        at_once = [
            *(
                f"accumulate={parts} (the same batch in smaller parts)"
                for parts in _more_parts(config, num_processes, shrink)
            ),
            *(["recompute=true"] if getattr(config, "recompute", True) is False else []),
        ]
        going_on = f"Repeat the command with {' or '.join(at_once)} to go on from the last state, or begin"
        anew = [*([] if config.precision == "bfloat16" else ["precision=bfloat16"]), "a smaller batch"]
        raise OutOfMemory(
            f"out of memory at size {config.size}, batch {config.batch}. {going_on if at_once else 'Begin'} another "
            f"run_dir with {' or '.join(anew)}."
        ) from error


def _more_parts(config: CommonConfig, num_processes: int, shrink: int) -> list[int]:
    """The next ``accumulate`` that divides what must be divided; none where a part is one picture already."""
    smallest = config.batch // shrink
    counts = range(config.accumulate + 1, smallest + 1)
    fitting = [
        parts for parts in counts if config.batch % (parts * num_processes) == smallest % (parts * num_processes) == 0
    ]
    return fitting[:1]


@contextmanager
def advice_when_the_disk_is_full(what: str) -> Iterator[None]:
    """Turn a failed write into one line.

    Raises:
        UnwritableError: something within the block could not be written.
    """
    try:
        yield
    except (OSError, RuntimeError, SafetensorError) as error:
        cause = error.__cause__ if isinstance(error, UnwritableError) else error
        if cause is None or not is_failed_write(cause):
            raise
        raise UnwritableError(
            f"{what} could not be written, the disk is full or gone. The states already there are whole. Make room, "
            "then repeat the command: it goes on from the newest."
        ) from error


@contextmanager
def deterministic_where_possible(wanted: bool) -> Iterator[None]:
    """Operations that repeat their bits wherever there are such; the process's own setting comes back afterwards.

    In this mode PyTorch also fills every new tensor with NaN, so that a read of memory never written repeats its bits.
    Nothing here reads such memory, and the filling takes about an eighth of a training step on the CPU: it is switched
    off.
    """
    before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    memory: Any = torch.utils.deterministic
    filled = memory.fill_uninitialized_memory
    if wanted:
        torch.use_deterministic_algorithms(True, warn_only=True)
        memory.fill_uninitialized_memory = False
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])
        memory.fill_uninitialized_memory = filled


@contextmanager
def stop_requested() -> Iterator[threading.Event]:
    """An event that SIGTERM, SIGHUP and Ctrl-C set; a second Ctrl-C interrupts at once.

    Signals reach the main thread only. A SIGHUP that is ignored (``nohup``) stays ignored.

    A second SIGTERM is none of a person: torchrun passes on to its processes what a scheduler has sent them already.
    """
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def request(number: int, frame: Any) -> None:
        if stop.is_set():
            if number == signal.SIGINT:
                raise KeyboardInterrupt
            return
        stop.set()
        sys.stderr.write("\nstopping after this step; the state is being saved.\n")

    numbers = [signal.SIGTERM, signal.SIGINT]
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        numbers.append(signal.SIGHUP)
    before = {number: signal.signal(number, request) for number in numbers}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
