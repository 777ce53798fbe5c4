"""A process that shares a training dies or freezes: the others name it and end, and the command continues."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.training.conftest import tiny_overrides
from tests.training.test_shared_resume import free_port

ROOT = Path(__file__).parents[2]
LENGTH = ("batch=8", "schedule.save_every=1", "log_to=[]")


def launch(program: list[str], *words: str) -> tuple[subprocess.CompletedProcess[str], float]:
    launcher = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node=2", f"--master_port={free_port()}"]
    began = time.monotonic()
    done = subprocess.run(
        [*launcher, *program, *words],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=200,
    )
    return done, time.monotonic() - began


@pytest.mark.skipif(os.name != "posix", reason="Windows has no such signals")
@pytest.mark.parametrize(
    ("how", "rank", "patience"),
    [("SIGKILL", 1, 60), ("SIGKILL", 0, 60), pytest.param("SIGSTOP", 1, 6, marks=pytest.mark.by_name)],
    ids=str,
)
def test_the_others_name_it_and_end(how: str, rank: int, patience: int, tiny_pictures: Path, tmp_path: Path) -> None:
    words = ["tiny", *tiny_overrides(tiny_pictures, tmp_path / "run"), *LENGTH]
    program = ["-m", "tests.training.shared_lost", how, str(rank), str(patience)]
    done, seconds = launch(program, *words, "schedule.total_images=8000")
    said = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert done.returncode and len(said) == 1, done.stderr[-3000:]
    assert said[0].startswith(f"error: process {rank} of the 2 that share this training died")
    # The launcher itself waits 30 s before it kills one that is frozen.
    assert seconds < patience + 90 if how == "SIGSTOP" else seconds < 90
    if how == "SIGKILL" and rank == 0:
        again, _ = launch(["tools/train.py"], *words, "schedule.total_images=48")
        assert again.returncode == 0, again.stderr[-3000:]
        assert '"finished": true' in again.stdout
