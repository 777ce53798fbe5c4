"""A process that shares a training dies or freezes: the others name it and end, and the command continues."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from tests.programs import run_well, torchrun
from tests.training.conftest import tiny_overrides

LENGTH = ("batch=8", "schedule.save_every=1", "log_to=[]")


@pytest.mark.skipif(os.name != "posix", reason="Windows has no such signals")
@pytest.mark.parametrize(
    ("how", "rank", "patience"),
    [("SIGKILL", 1, 60), ("SIGKILL", 0, 60), pytest.param("SIGSTOP", 1, 6, marks=pytest.mark.by_name)],
    ids=str,
)
def test_the_others_name_it_and_end(how: str, rank: int, patience: int, tiny_pictures: Path, tmp_path: Path) -> None:
    words = ["tiny", *tiny_overrides(tiny_pictures, tmp_path / "run"), *LENGTH]
    program = ["-m", "tests.training.shared_lost", how, str(rank), str(patience)]
    began = time.monotonic()
    done = torchrun([*program, *words, "schedule.total_images=8000"], 2)
    seconds = time.monotonic() - began
    said = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert done.returncode and len(said) == 1, done.stderr[-3000:]
    assert said[0].startswith(f"error: process {rank} of the 2 that share this training died")
    # The launcher itself waits 30 s before it kills one that is frozen.
    assert seconds < patience + 90 if how == "SIGSTOP" else seconds < 90
    if how == "SIGKILL" and rank == 0:
        again = run_well(["tools/train.py", *words, "schedule.total_images=48"], 2)
        assert '"finished": true' in again.stdout
