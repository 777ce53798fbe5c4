"""Processes that read ahead: one that dies, freezes or fails is one line, and none outlives its parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from semanticgan.data import workers
from semanticgan.data.workers import WorkerLost, loaded, lost_worker, worker_options

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(os.name != "posix", reason="Windows has no such signals")

PROGRAM = """
import os, signal, sys, time
from semanticgan.data import batches, open_dataset, workers
from semanticgan.data.reading import read_all
from semanticgan.errors import InputError

class Broken(type(open_dataset("portraits", size=16, length=8))):
    def __getitem__(self, index):
        if index % 4 == 3:
            {what}
        return super().__getitem__(index)

def read(kind):
    dataset = Broken(16, length=64)
    return list(read_all(dataset, 2)) if kind == "all" else [next(batches(dataset, 16, workers=2, start_method=kind))]

if __name__ == "__main__":
    workers.PATIENCE_SECONDS = 10 if sys.argv[1] == 'all' else 100
    try:
        read(sys.argv[1])
    except InputError as error:
        print(error, flush=True)
    {then}
"""


def start(folder: Path, what: str, kind: str = "all", then: str = "") -> subprocess.Popen[str]:
    script = folder / "program.py"
    script.write_text(textwrap.dedent(PROGRAM).replace("{what}", what).replace("{then}", then))
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [sys.executable, script, kind], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )


@pytest.mark.parametrize(
    ("kind", "what", "words"),
    [
        ("all", "os.kill(os.getpid(), signal.SIGKILL)", ("process", "killed", "memory")),
        ("fork", "os.kill(os.getpid(), signal.SIGKILL)", ("process", "killed", "memory")),
        ("spawn", "os.kill(os.getpid(), signal.SIGKILL)", ("process", "killed", "memory")),
        ("all", "os._exit(7)", ("a data worker, process", "ended")),
        pytest.param(
            "all",
            "os.kill(os.getpid(), signal.SIGSTOP)",
            ("process", "gave nothing for 10 s"),
            marks=pytest.mark.by_name,
        ),
        ("fork", "raise MemoryError('no room')", ("data worker", "MemoryError: no room")),
        ("all", "raise KeyError('hair')", ("data worker", "KeyError")),
    ],
)
def test_one_line_and_the_end(kind: str, what: str, words: tuple[str, ...], tmp_path: Path) -> None:
    process = start(tmp_path, what, kind)
    try:
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 0, err
    assert out.count("\n") == 1 and all(word in out for word in words), out
    assert "Traceback" not in out + err


def workers_of(process: int) -> list[int]:
    found = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    return [int(number) for number in found]


def is_alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def soon(condition: Callable[[], bool], seconds: float = 30) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.1)
    return False


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_workers_die_with_a_killed_parent_even_stopped_ones(tmp_path: Path) -> None:
    process = start(tmp_path, "time.sleep(300)", "fork")
    try:
        assert soon(lambda: len(workers_of(process.pid)) == 2)
        time.sleep(1)
        workers = workers_of(process.pid)
        os.kill(workers[0], signal.SIGSTOP)
        process.kill()
        assert soon(lambda: not any(map(is_alive, workers)), 10)
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("DataLoader worker (pid 12) is killed by signal: Killed. ", "process 12, was killed, as the system does"),
        ("DataLoader worker (pid(s) 12) exited unexpectedly", "process 12, died: the system killed it"),
        ("DataLoader worker (pid 12) exited unexpectedly with exit code 1. Details are lost", "ended with exit code 1"),
        (
            "DataLoader worker (pid 12) is killed by signal: Bus error. It is possible that dataloader's workers are "
            "out of shared memory. Please try to raise your shared memory limit.",
            "/dev/shm",
        ),
        ("DataLoader worker (pid 12) is killed by signal: Segmentation fault. ", "Segmentation fault"),
    ],
)
def test_what_torch_says(said: str, expected: str) -> None:
    assert expected in (lost_worker(RuntimeError(said)) or "")
    assert lost_worker(RuntimeError("mat1 and mat2 shapes cannot be multiplied")) is None


class Waiting:
    """A loader that gives one item; then its waits end, and the last of them finds a dead worker."""

    def __init__(self, waits: int) -> None:
        self.said = ["DataLoader timed out after 5 seconds"] * waits
        self.said.append("DataLoader worker (pid(s) 12) exited unexpectedly")
        self.items = [1]

    def __iter__(self) -> Iterator[int]:
        return self

    def __next__(self) -> int:
        if self.items:
            return self.items.pop()
        raise RuntimeError(self.said.pop(0))


def test_a_death_whose_error_was_lost_is_found_by_the_next_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """Torch raises it in a signal handler, so a destructor may swallow it."""
    assert worker_options(1)["timeout"] <= 10  # not the five minutes of a frozen worker
    items = loaded(cast(Any, Waiting(3)))
    assert next(items) == 1
    with pytest.raises(WorkerLost, match="process 12, died"):
        next(items)
    monkeypatch.setattr(workers, "PATIENCE_SECONDS", 0)
    items = loaded(cast(Any, Waiting(3)))
    next(items)
    with pytest.raises(WorkerLost, match="gave nothing for 0 s"):
        next(items)
