"""Clocks and gauges: the best time of several runs, module by module, and the peak of memory in a fresh process."""

from __future__ import annotations

import contextlib
import math
import multiprocessing
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import nn

Result = TypeVar("Result")

_SHORTEST_SECONDS = 0.2


def now(device: torch.device) -> float:
    """Seconds, once everything asked of ``device`` is done."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
    return time.perf_counter()


def best_seconds(work: Callable[[], object], device: torch.device, repeats: int) -> float:
    """Shortest time of ``work`` after one run to warm up; short work is repeated for a fifth of a second.

    The shortest is what the machine can do: other programs only ever add to it.
    """
    work()
    best, spent, runs = math.inf, 0.0, 0
    while runs < repeats or spent < _SHORTEST_SECONDS:
        start = now(device)
        work()
        seconds = now(device) - start
        best, spent, runs = min(best, seconds), spent + seconds, runs + 1
    return best


@contextlib.contextmanager
def timed_modules(modules: Mapping[str, nn.Module], device: torch.device) -> Iterator[dict[str, float]]:
    """While open, note the shortest time of each module's forward; yields seconds by name."""
    best: dict[str, float] = {}
    started: dict[str, float] = {}
    handles = []

    def start(name: str) -> Callable[..., None]:
        def hook(*_: object) -> None:
            started[name] = now(device)

        return hook

    def stop(name: str) -> Callable[..., None]:
        def hook(*_: object) -> None:
            best[name] = min(best.get(name, math.inf), now(device) - started[name])

        return hook

    try:
        for name, module in modules.items():
            handles.append(module.register_forward_pre_hook(start(name)))
            handles.append(module.register_forward_hook(stop(name)))
        yield best
    finally:
        for handle in handles:
            handle.remove()


class PeakMemory:
    """Bytes that the device, or this process on a CPU, takes at most beyond what it holds when this is made.

    On a CPU the process must be a fresh one, see :func:`in_fresh_process`: it counts what was touched since it began.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        if device.type == "cuda":
            torch.cuda.synchronize(device)
            torch.cuda.reset_peak_memory_stats(device)
            self._before = torch.cuda.memory_allocated(device)
        elif device.type == "cpu":
            self._before = _process_memory("VmRSS")

    def read(self) -> int | None:
        """The peak in bytes; None on a device that does not tell."""
        if self.device.type == "cuda":
            return torch.cuda.max_memory_allocated(self.device) - self._before
        if self.device.type == "cpu":
            return _process_memory("VmHWM") - self._before
        return None


def _process_memory(field: str) -> int:
    """Resident bytes of this process, now (``VmRSS``) or at their peak (``VmHWM``); the peak where there is no /proc.

    Not ``ru_maxrss`` on Linux: there a new program begins with the peak of the one that started it.
    """
    with contextlib.suppress(FileNotFoundError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith(f"{field}:"):
                return int(line.split()[1]) * 1024
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def in_fresh_process(
    function: Callable[..., Result], *arguments: Any, initializer: Callable[[], object] | None = None
) -> Result:
    """Run ``function`` (importable by name) in a new interpreter, after ``initializer``, and return its result."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context, initializer=initializer) as pool:
        return pool.submit(function, *arguments).result()
