"""The processes that read data ahead: how they begin, how one that dies or freezes is named, and that they end.

A worker leaves Ctrl-C and SIGTERM to its parent, which says when it ends. So it must end when the parent is gone, and
the parent must be able to end one that does not answer.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import multiprocessing
import multiprocessing.context
import multiprocessing.util  # registers its own end first
import os
import re
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from torch.autograd.profiler import record_function
from torch.utils.data import DataLoader

from semanticgan.errors import InputError
from semanticgan.terminal import GuardedStream

PATIENCE_SECONDS = 300
"""A worker that gives nothing for this long counts as frozen."""

_LOOK_EVERY_SECONDS = 5
"""How often a wait for data looks whether the workers live: the error that torch raises of a death may be lost."""

_PR_SET_PDEATHSIG = 1  # prctl.h of Linux
_OF_A_WORKER = re.compile(r"DataLoader worker \(pid\D*(\d+)")
_BY_SIGNAL = re.compile(r"killed by signal: ([^.]+)")
_EXIT_CODE = re.compile(r"exit code:? (\d+)")
_CAUGHT = re.compile(r"Caught \w+ in DataLoader worker process (\d+)")
_WAITED = "DataLoader timed out"


class WorkerLost(InputError):
    """A process that reads data died, froze, or failed in a way that is not of the data."""


def worker_options(workers: int, start_method: str | None = None) -> dict[str, Any]:
    """Arguments of a ``DataLoader`` with this number of workers; 0 reads in this process.

    Args:
        start_method: "fork", "forkserver" or "spawn"; None for Python's own choice.
    """
    if not workers:
        return {"num_workers": 0}
    return {
        "num_workers": workers,
        "timeout": min(_LOOK_EVERY_SECONDS, PATIENCE_SECONDS),
        "multiprocessing_context": _CONTEXTS[multiprocessing.get_context(start_method).get_start_method()](),
        "worker_init_fn": _begin,
    }


def loaded(loader: DataLoader[Any]) -> Iterator[Any]:
    """What a loader gives; items that are errors are raised.

    Raises:
        InputError: an item that is one.
        WorkerLost: a worker died, froze, or raised something else.
    """
    try:
        for item in _patiently(loader):
            if isinstance(item, InputError):
                raise item
            yield item
    except InputError:
        raise
    except Exception as error:
        said = lost_worker(error)
        if said is None:
            raise
    else:
        return
    raise WorkerLost(said)  # here, without a cause: that would hold the loader, and so the other workers


def _patiently(loader: DataLoader[Any]) -> Iterator[Any]:
    """What a loader gives; every few seconds torch ends a wait and looks for dead workers, then the wait goes on.

    Torch raises the error of a death in a signal handler. Where that interrupts a destructor, or an import within torch
    that excuses every error, the error is printed and lost.
    """
    with record_function("data"):  # makes that import before there are workers: `next` would make it beside them
        pass
    iterator, waiting_since = iter(loader), time.monotonic()
    while True:
        try:
            item = next(iterator)
        except StopIteration:
            return
        except RuntimeError as error:
            if not str(error).startswith(_WAITED) or time.monotonic() - waiting_since >= PATIENCE_SECONDS:
                raise
            continue
        yield item
        waiting_since = time.monotonic()


def lost_worker(error: Exception) -> str | None:
    """What to say of a worker that died, froze or failed, where an error of torch tells of one; else None.

    Torch raises the error of a death wherever the main process is at that time.
    """
    said = str(error)
    if said.startswith(_WAITED):
        return (
            f"{_frozen_workers()} gave nothing for {PATIENCE_SECONDS} s. Look whether the disk or network with the "
            "data answers, then repeat the command."
        )
    if failed := _CAUGHT.match(said):
        what = " ".join(said.strip().splitlines()[-1].split())[:300]
        return f"data worker {failed[1]} failed ({what}). Read without workers to see where, or with fewer."
    found = _OF_A_WORKER.search(said)
    return None if found is None else f"a data worker, process {found[1]}, {_end(said)}. Then repeat the command."


def _end(said: str) -> str:
    """How a worker ended, and what helps."""
    if code := _EXIT_CODE.search(said):
        return f"ended with exit code {code[1]}. Read without workers to see why"
    by = _BY_SIGNAL.search(said)
    if by is None:
        return "died: the system killed it because memory ran out, or its own code ended it. Use fewer workers"
    name = by[1].strip()
    if name.startswith("Killed"):
        return "was killed, as the system does where memory runs out. Use fewer workers or a smaller batch"
    if name.startswith("Bus"):
        return "was killed: the shared memory (/dev/shm) is full. Use fewer workers"
    return f"was ended by a signal ({name}). Use fewer workers"


def _frozen_workers() -> str:
    """The workers that are stopped, where the system tells, else all of them."""
    numbers = [child.pid for child in multiprocessing.active_children() if isinstance(child, _Killed) and child.pid]
    stopped = [number for number in numbers if _state(number) in ("T", "t", "D")]
    named = ", ".join(map(str, stopped or numbers))
    return (
        f"a data worker, process {named}," if len(stopped or numbers) == 1 else f"the data workers, processes {named},"
    )


def _state(number: int) -> str:
    """A letter, as ``ps`` shows it: "T" is stopped, "D" waits for a disk; "" where it is not known."""
    with contextlib.suppress(OSError, IndexError):
        return Path(f"/proc/{number}/stat").read_text(errors="replace").rpartition(")")[2].split()[0]
    return ""


class _Killed:
    """A worker process that is ended by SIGKILL: it ignores SIGTERM, and a stopped one does not answer it."""

    def terminate(self) -> None:
        self.kill()  # type: ignore[attr-defined]


class _SpawnWorker(_Killed, multiprocessing.context.SpawnProcess):
    pass


class _SpawnContext(multiprocessing.context.SpawnContext):
    Process = _SpawnWorker


# Ways to start processes whose ``terminate`` ends them for sure.
_CONTEXTS: dict[str, type[multiprocessing.context.BaseContext]] = {"spawn": _SpawnContext}

if sys.platform != "win32":

    class _ForkWorker(_Killed, multiprocessing.context.ForkProcess):
        pass

    class _ForkContext(multiprocessing.context.ForkContext):
        Process = _ForkWorker

    class _ForkServerWorker(_Killed, multiprocessing.context.ForkServerProcess):
        pass

    class _ForkServerContext(multiprocessing.context.ForkServerContext):
        Process = _ForkServerWorker

    _CONTEXTS |= {"fork": _ForkContext, "forkserver": _ForkServerContext}


@atexit.register  # runs before multiprocessing waits for its children
def _end_all() -> None:
    """End the workers of loaders that something still holds when the interpreter ends."""
    left = [child for child in multiprocessing.active_children() if isinstance(child, _Killed)]
    if left and hasattr(signal, "SIGCHLD"):
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # torch's handler would raise an error of each
    for worker in left:
        worker.terminate()


def _report_unless_the_parent_is_gone(kind: type[BaseException], error: BaseException, trace: Any) -> None:
    """Threads that hand tensors to the parent report that it hung up, which it does when it ends the others."""
    if not isinstance(error, (ConnectionError, EOFError)):
        sys.__excepthook__(kind, error, trace)


def _begin(worker: int) -> None:
    """What a worker does first."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    if not isinstance(sys.stderr, GuardedStream):
        sys.stderr = GuardedStream(sys.stderr)
    sys.excepthook = _report_unless_the_parent_is_gone
    _end_with_the_parent()


def _end_with_the_parent() -> None:
    """On Linux the system ends it, a stopped worker too; elsewhere torch looks for the parent every few seconds."""
    if not sys.platform.startswith("linux"):
        return
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    parent = multiprocessing.parent_process()
    if parent is not None and not parent.is_alive():  # it ended before the system was asked
        os._exit(1)
