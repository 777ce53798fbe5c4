"""States of a training on disk: published whole, checked when read, and the newest whole one never lost."""

from __future__ import annotations

import contextlib
import errno
import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest
import torch

from semanticgan.errors import InputError
from semanticgan.files import folder_written_aside, written_aside
from semanticgan.runs.state import is_valid, load_state, newest_state, save_state, state_folders
from tests.training.exactness import litter

KILLS = 50


def saving(run_dir: Path, step: int, told: int) -> NoReturn:
    """Save states without end, and tell of each by a byte: what a child of the test does until it is killed."""
    with contextlib.suppress(BaseException):
        torch.set_num_threads(1)  # threads of the parent are not in its child
        while True:
            step += 1
            # Three tensors, so that a state has parts that a kill can part.
            state = {"steps_done": step, "x": [torch.full((30_000,), float(step)) for _ in range(3)]}
            save_state(run_dir, step, state, lambda path: path.write_bytes(b"model" * 20_000), keep=2)
            os.write(told, b".")
    os._exit(1)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the test forks, so that a kill costs no start of Python")
def test_kills_at_any_time_leave_a_valid_state(tmp_path: Path) -> None:
    """50 processes that save in a loop, each killed at a random moment: the newest state always loads."""
    pauses = random.Random(3)
    step = hits = 0
    for _ in range(KILLS):
        hears, told = os.pipe()
        process = os.fork()
        if not process:
            saving(tmp_path, step, told)
        os.close(told)
        assert os.read(hears, 1) == b".", "the child could not save"
        time.sleep(pauses.uniform(0, 0.03))
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)
        os.close(hears)
        hits += bool(litter(tmp_path))
        newest = newest_state(tmp_path)
        assert newest is not None
        state = load_state(newest)
        assert newest.name == f"step-{state['steps_done']:07d}"
        assert all(torch.equal(x, torch.full((30_000,), float(state["steps_done"]))) for x in state["x"])
        assert state["steps_done"] > step, "a state that was published is gone"
        assert all(is_valid(folder) for folder in state_folders(tmp_path)), "half a state was published"
        step = state["steps_done"]
    assert hits >= KILLS // 5, f"only {hits} kills fell into a save: the test shows too little"
    save(tmp_path, step + 1, keep=2)
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"step-{step:07d}", f"step-{step + 1:07d}"]


def save(run_dir: Path, step: int, keep: int = 1) -> Path:
    return save_state(run_dir, step, {"steps_done": step}, lambda path: path.write_bytes(b"model"), keep=keep)


def fails(error: Exception) -> Callable[..., None]:
    """A writer that gives up in the middle of a file."""

    def write(*arguments: object) -> None:
        path = next(argument for argument in arguments if isinstance(argument, Path))
        path.write_bytes(b"half a fi")
        raise error

    return write


@pytest.mark.parametrize("part", ["training", "model", "manifest"])
def test_a_save_that_fails_half_way_takes_nothing_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    """Even where a single state is kept, the old one goes only after the new one is there."""
    save(tmp_path, 1)
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    with monkeypatch.context() as patch:
        if part == "training":
            patch.setattr(torch, "save", fails(full))
        if part == "manifest":
            patch.setattr(Path, "write_text", lambda *arguments, **keywords: fails(full)(*arguments))
        write_model = fails(full) if part == "model" else lambda path: None
        with pytest.raises(OSError, match="No space left"):
            save_state(tmp_path, 2, {"steps_done": 2}, write_model, keep=1)
    assert [path.name for path in tmp_path.iterdir()] == ["step-0000001"]
    assert newest_state(tmp_path) == tmp_path / "step-0000001"
    assert load_state(tmp_path / "step-0000001") == {"steps_done": 1}
    save(tmp_path, 2)
    assert [path.name for path in tmp_path.iterdir()] == ["step-0000002"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the test forks")
def test_litter_alone_is_removed(tmp_path: Path) -> None:
    """What a process leaves that is killed while it writes a state, a sheet and a configuration."""
    for name in (".step-0000003-abc", ".step-0000001-dropped", ".step-notes", ".cache"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "training.pt").write_bytes(b"half")
    mine = ("sheets/step-0000001.png", "sheets/.mine.png", ".config-mine.yaml", "config.yaml", "stats.jsonl")
    (tmp_path / "sheets").mkdir()
    for name in mine:
        (tmp_path / name).write_text("whole")
    process = os.fork()
    if not process:
        with (
            written_aside(tmp_path / "config.yaml", overwrite=True),
            written_aside(tmp_path / "sheets/step-0000003.png"),
            folder_written_aside(tmp_path / "step-0000004"),
        ):
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(process, 0)
    assert len(list(tmp_path.glob(".config-*"))) == len(list(tmp_path.glob("sheets/.step-*"))) + 1 == 2
    save(tmp_path, 4)
    found = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    states = {f"step-0000004/{name}" for name in ("training.pt", "model.safetensors", "manifest.json")}
    assert found == {*mine, *states, ".step-notes/training.pt", ".cache/training.pt"}
    assert len(list(tmp_path.glob(".step-*"))) == 1


def test_damaged_state_is_passed_over(tmp_path: Path) -> None:
    for step in (1, 2):
        save_state(tmp_path, step, {"steps_done": step}, lambda path: path.write_bytes(b"model"), keep=5)
    newest = tmp_path / "step-0000002"
    assert newest_state(tmp_path) == newest
    with open(newest / "training.pt", "r+b") as file:
        file.seek(100)
        byte = file.read(1)
        file.seek(100)
        file.write(bytes([byte[0] ^ 1]))
    assert not is_valid(newest)
    assert newest_state(tmp_path) == tmp_path / "step-0000001"
    (tmp_path / "step-0000001/training.pt").unlink()
    with pytest.raises(InputError, match="every training state"):
        newest_state(tmp_path)


def test_a_damaged_state_is_written_anew_and_pushes_no_valid_one_out(tmp_path: Path) -> None:
    def save(step: int) -> None:
        save_state(tmp_path, step, {"steps_done": step}, lambda path: path.write_bytes(b"model"), keep=1)

    save(40)
    (tmp_path / "step-0000040/training.pt").write_bytes(b"half")
    save(25)  # a run resumed from an earlier state, and stopped before step 40
    assert newest_state(tmp_path) == tmp_path / "step-0000025"
    save(40)
    assert [path.name for path in tmp_path.iterdir()] == ["step-0000040"]
    assert load_state(tmp_path / "step-0000040") == {"steps_done": 40}


@pytest.mark.parametrize("manifest", ["", "[]", '{"sha256": 3}', '{"sha256": {"none.pt": ""}}'])
def test_a_damaged_manifest_makes_no_valid_state(tmp_path: Path, manifest: str) -> None:
    folder = save_state(tmp_path, 1, {"steps_done": 1}, lambda path: path.write_bytes(b"model"), keep=1)
    (folder / "manifest.json").write_text(manifest)
    assert not is_valid(folder)


def test_only_the_newest_states_are_kept(tmp_path: Path) -> None:
    for step in range(1, 6):
        save_state(tmp_path, step, {"steps_done": step}, lambda path: path.write_bytes(b"model"), keep=2)
    assert [path.name for path in state_folders(tmp_path)] == ["step-0000004", "step-0000005"]
