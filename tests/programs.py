"""Python programs that tests start in processes of their own, one or several that share a training.

They come from a fork server that has imported torch and the training already: a start takes a tenth of a second in
place of the seconds of the import, and torchrun, which imports it once more, is not needed. What torchrun itself does
is tested in ``training/test_lost_processes.py`` and ``metrics/test_sharing.py``.
"""

from __future__ import annotations

import multiprocessing
import os
import runpy
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess

ROOT = Path(__file__).parents[1]
PRELOADED = ["torch", "torch._dynamo", "semanticgan.commands.train", "semanticgan.training.loop", "semanticgan.model"]


@dataclass(frozen=True)
class Ended:
    """What a program, or all processes of one, ended with.

    Attributes:
        codes: exit code of each process; minus a signal's number where a signal ended it.
        stdout: of all processes, one after another.
        stderr: of all processes, one after another.
    """

    codes: tuple[int, ...]
    stdout: str
    stderr: str


def run(program: Sequence[str | Path], num_processes: int = 1, timeout: float = 250.0, folder: Path = ROOT) -> Ended:
    """``python PROGRAM...`` in processes connected as torchrun connects them.

    Args:
        program: ``-m`` and a module, ``-c`` and code, or a script; then its arguments.
        num_processes: 1 is a program alone, without torchrun's variables.
        timeout: seconds after which all are killed.
        folder: where it starts; default: the root of the checkout.
    """
    words = [str(word) for word in program]
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)  # of the first start; later ones find the server
    port = free_port()
    with tempfile.TemporaryDirectory() as kept:
        outputs = [(Path(kept) / f"{rank}.out", Path(kept) / f"{rank}.err") for rank in range(num_processes)]
        variables = [_variables(rank, num_processes, port) for rank in range(num_processes)]
        processes = [
            context.Process(target=_child, args=(words, str(folder), own, *map(str, output)))
            for own, output in zip(variables, outputs, strict=True)
        ]
        for process in processes:
            process.start()
        end = time.monotonic() + timeout
        for process in processes:
            process.join(max(end - time.monotonic(), 0.0))
        for process in processes:
            process.kill()
            process.join()
        said = ["".join(path.read_text() for path in paths if path.exists()) for paths in zip(*outputs, strict=True)]
    return Ended(tuple(int(process.exitcode or 0) for process in processes), *said)


def run_well(program: Sequence[str | Path], num_processes: int = 1, folder: Path = ROOT) -> Ended:
    """:func:`run`, which has to end with 0 in all processes."""
    ended = run(program, num_processes, folder=folder)
    assert not any(ended.codes), (ended.codes, ended.stderr[-3000:])
    return ended


def torchrun(program: Sequence[str | Path], num_processes: int, timeout: float = 250.0) -> CompletedProcess[str]:
    """The same by torchrun itself."""
    launcher = ["-m", "torch.distributed.run", f"--nproc_per_node={num_processes}", f"--master_port={free_port()}"]
    command = [sys.executable, *launcher, *map(str, program)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=timeout)


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def _variables(rank: int, count: int, port: int) -> dict[str, str]:
    """The environment that torchrun gives to a process."""
    if count == 1:
        return {}
    numbers = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": count, "LOCAL_WORLD_SIZE": count, "MASTER_PORT": port}
    return {"MASTER_ADDR": "127.0.0.1", **{name: str(number) for name, number in numbers.items()}}


def _child(words: list[str], folder: str, variables: dict[str, str], out: str, err: str) -> None:
    """Become the program."""
    os.chdir(folder)
    os.environ.update(variables, OMP_NUM_THREADS="1")
    for stream, path in ((1, out), (2, err)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), stream)
    sys.stdout, sys.stderr = (os.fdopen(os.dup(stream), "w", buffering=1) for stream in (1, 2))
    if words[0] == "-m":
        sys.argv = words[1:]
        runpy.run_module(words[1], run_name="__main__", alter_sys=True)
    elif words[0] == "-c":
        sys.argv = ["-c", *words[2:]]
        exec(words[1], {"__name__": "__main__"})
    else:
        sys.argv = words
        sys.path.insert(0, str(Path(words[0]).absolute().parent))
        runpy.run_path(words[0], run_name="__main__")
