"""What ends a training from outside: too little memory, a full disk, a signal. One line, and the last state whole."""

from __future__ import annotations

import errno
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from semanticgan.errors import InputError
from semanticgan.runs import state
from semanticgan.runs.state import load_state, newest_state, state_folders
from semanticgan.training import loop
from semanticgan.training.config import TrainingConfig
from semanticgan.training.loop import train
from tests.conftest import Run
from tests.training.conftest import tiny_overrides
from tests.training.exactness import assert_same_run, litter

Make = Callable[..., TrainingConfig]
Command = Callable[..., Run]
ROOT = Path(__file__).parents[2]

CUDA = "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 7.79 GiB."
CPU = (
    "[enforce fail at alloc_cpu.cpp:124] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to allocate 8"
)
MEMORY_ERRORS = {
    "cuda": torch.OutOfMemoryError(CUDA),
    "cpu": RuntimeError(CPU),
    "mps": RuntimeError("MPS backend out of memory (MPS allocated: 8 GB, other allocations: 1 GB, max allowed: 9 GB)"),
    "cublas": RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    "python": MemoryError(),
}


def fail_in_step(number: int, error: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    """Raise ``error`` in that step, counted from 1."""
    step = loop.Trainer.step

    def failing(self, *batch):  # type: ignore[no-untyped-def]
        if self.steps_done == number - 1:
            raise error
        return step(self, *batch)

    monkeypatch.setattr(loop.Trainer, "step", failing)


@pytest.mark.parametrize("kind", MEMORY_ERRORS)
def test_out_of_memory_says_what_to_lower(
    kind: str, command: Command, tiny_config: Make, tiny_pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ["batch=8", "schedule.total_images=32", "schedule.save_every=2"]
    with monkeypatch.context() as patch:
        fail_in_step(4, MEMORY_ERRORS[kind], patch)
        refused = command("train", "tiny", *tiny_overrides(tiny_pictures, tmp_path / "run"), *arguments)
    assert refused.code == 2 and refused.out == ""
    said = refused.err.splitlines()[-1]
    assert said.startswith("error: out of memory at size 16, batch 8. ") and "Traceback" not in refused.err
    assert all(word in said for word in ("accumulate=2", "recompute=true", "precision=bfloat16", "a smaller batch"))
    assert newest_state(tmp_path / "run") == tmp_path / "run/step-0000002"


def test_the_advice_on_memory_can_be_followed(
    tiny_config: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is said to go on does, and what is said to need another folder is refused in this one."""
    arguments = ("batch=8", "schedule.total_images=32", "schedule.save_every=2")
    with monkeypatch.context() as patch:
        fail_in_step(4, torch.OutOfMemoryError(CUDA), patch)
        with pytest.raises(InputError) as refused:
            train(tiny_config(tmp_path / "run", *arguments))
    at_once, _, anew = str(refused.value).partition("to go on from the last state")
    assert re.findall(r"(\w+=\w+)", at_once) == ["accumulate=2", "recompute=true"]
    assert "another run_dir with precision=bfloat16 or a smaller batch" in anew
    for changed in ("precision=bfloat16", "batch=4"):
        with pytest.raises(InputError, match="Give the same values"):
            train(tiny_config(tmp_path / "run", *arguments, changed))
    assert train(tiny_config(tmp_path / "run", *arguments, "accumulate=2", "recompute=true")).finished


@pytest.mark.parametrize(
    ("overrides", "advised"),
    [
        (("batch=8", "accumulate=4", "recompute=true", "precision=bfloat16"), "Begin another run_dir with a smaller"),
        (("batch=24", "accumulate=2"), "accumulate=3"),
        (("batch=4", "accumulate=2"), "with recompute=true to"),
    ],
)
def test_nothing_is_advised_that_cannot_be(
    overrides: tuple[str, ...], advised: str, tiny_config: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch of 8 has 4 pictures for path length, so no more than 4 parts; one of 24 has no 2.5."""
    fail_in_step(1, torch.OutOfMemoryError(CUDA), monkeypatch)
    with pytest.raises(InputError, match=advised):
        train(tiny_config(tmp_path / "run", *overrides))


def test_another_error_keeps_its_traceback(
    command: Command, tiny_pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_in_step(2, RuntimeError("mat1 and mat2 shapes cannot be multiplied"), monkeypatch)
    with pytest.raises(RuntimeError, match="mat1 and mat2") as raised:
        command("train", "tiny", *tiny_overrides(tiny_pictures, tmp_path / "run"))
    assert raised.type is RuntimeError


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[int], Path]]:
    """``small_disk(kilobytes)``: a folder in a file system of its own."""
    mounted: list[Path] = []

    def make(kilobytes: int) -> Path:
        folder = tmp_path / f"disk-{len(mounted)}"
        folder.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(folder)]
        try:
            done = subprocess.run(command, capture_output=True, text=True)
        except FileNotFoundError:
            pytest.skip("there is no mount here")
        if done.returncode:
            pytest.skip(f"a small disk cannot be mounted here: {done.stderr.strip()}")
        mounted.append(folder)
        return folder

    yield make
    for folder in mounted:
        subprocess.run(["umount", "-l", str(folder)], check=True)


RARELY = ("schedule.total_images=24", "schedule.save_every=2", "schedule.sheet_every=6", "log_to=[]")


def test_a_full_disk_leaves_the_last_state(
    command: Command,
    small_disk: Callable[[int], Path],
    tiny_config: Make,
    tiny_pictures: Path,
    tmp_path: Path,
) -> None:
    """A state of the tiny recipe has 690 KB of training, 100 of model and its manifest: the disk ends in each."""
    train(tiny_config(tmp_path / "whole", *RARELY))
    sizes = {path.name: -(-path.stat().st_size // 4096) * 4 for path in (tmp_path / "whole/step-0000006").iterdir()}
    training, state_size = sizes["training.pt"], sum(sizes.values())
    for kilobytes in (training // 2, training - 4, training + 50, state_size - 8, state_size - 4):
        # One state, the configuration and the log, and so much of the second state.
        disk = small_disk(state_size + 8 + kilobytes)
        refused = command("train", "tiny", *tiny_overrides(tiny_pictures, disk / "run"), *RARELY)
        assert refused.code == 2 and refused.out == "", refused.err
        assert "Traceback" not in refused.err
        said = refused.err.splitlines()[-1]
        assert said.startswith("error: the state after step 4 could not be written, the disk is full or gone."), said
        run_dir = disk / "run"
        assert newest_state(run_dir) == run_dir / "step-0000002" and not litter(run_dir)
        assert load_state(run_dir / "step-0000002")["steps_done"] == 2
    roomy = tmp_path / "roomy"
    shutil.copytree(run_dir, roomy)
    assert train(tiny_config(roomy, *RARELY)).finished
    assert_same_run(roomy, tmp_path / "whole")
    assert not litter(roomy)


@pytest.mark.parametrize(
    ("where", "error"),
    [
        ("save", RuntimeError("[enforce fail at inline_container.cc:659] . unexpected pos 1024 vs 918")),
        ("save", RuntimeError("PytorchStreamWriter failed writing file data/3: file write failed")),
        ("save", RuntimeError("basic_ios::clear: iostream error")),
        ("manifest", OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))),
        ("manifest", OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))),
    ],
)
def test_ways_in_which_a_write_fails(
    where: str,
    error: Exception,
    command: Command,
    tiny_pictures: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What torch and the system say of a full disk, whether or not there is a small one to fill."""
    arguments = [*tiny_overrides(tiny_pictures, tmp_path / "run"), *RARELY]
    assert command("train", "tiny", *arguments, "schedule.total_images=8").code == 0

    def failing(*arguments: object, **keywords: object) -> None:
        raise error

    with monkeypatch.context() as patch:
        if where == "save":
            patch.setattr(torch, "save", failing)
        else:
            patch.setattr(state, "sha256_of", failing_after_reading(tmp_path / "run", error))
        refused = command("train", "tiny", *arguments)
    assert refused.code == 2 and refused.out == "" and "Traceback" not in refused.err
    assert refused.err.splitlines()[-1].startswith("error: the state after step 4 could not be written")
    assert newest_state(tmp_path / "run") == tmp_path / "run/step-0000002"
    assert command("train", "tiny", *arguments).result["finished"]
    assert not litter(tmp_path / "run")


def failing_after_reading(run_dir: Path, error: Exception) -> Callable[[Path], str]:
    """Digests of the published states, and ``error`` for what is written aside: the last word before the manifest."""
    digest = state.sha256_of

    def read(path: Path) -> str:
        if path.parent not in state_folders(run_dir):
            raise error
        return digest(path)

    return read


def test_another_error_of_a_save_keeps_its_traceback(
    tiny_config: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*arguments: object, **keywords: object) -> None:
        raise RuntimeError("cannot pickle a lambda")

    monkeypatch.setattr(torch, "save", failing)
    with pytest.raises(RuntimeError, match="lambda") as raised:
        train(tiny_config(tmp_path / "run", *RARELY))
    assert raised.type is RuntimeError
    assert not litter(tmp_path / "run")


@pytest.mark.skipif(os.name != "posix", reason="Windows has no SIGTERM that a process can answer")
@pytest.mark.parametrize("signals", [1, 3])
def test_sigterm_saves_and_ends_with_0_within_10_s(tiny_pictures: Path, tmp_path: Path, signals: int) -> None:
    """However often it is sent: schedulers tell a whole group, and launchers pass it on."""
    run_dir = tmp_path / "run"
    arguments = [*tiny_overrides(tiny_pictures, run_dir), "schedule.total_images=400000", "schedule.save_every=100000"]
    process = subprocess.Popen(
        [sys.executable, "tools/train.py", "configs/tiny.yaml", *arguments],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        stats, deadline = run_dir / "stats.jsonl", time.monotonic() + 120
        while not (stats.exists() and stats.stat().st_size):
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.02)
        sent = time.monotonic()
        for _ in range(signals):
            process.send_signal(signal.SIGTERM)
            time.sleep(0.005)  # or they arrive as one
        out, err = process.communicate(timeout=60)
        took = time.monotonic() - sent
    finally:
        process.kill()
    assert process.returncode == 0, err[-500:]
    assert took < 10, f"it took {took:.1f} s"
    assert '"finished": false' in out and "Traceback" not in err
    newest = newest_state(run_dir)
    assert newest is not None and not litter(run_dir)
    assert load_state(newest)["steps_done"] == len(stats.read_text().splitlines())
