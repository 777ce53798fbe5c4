"""A run of several processes that was stopped ends in the same bits as one that was not.

Three processes: the sum of two numbers rounds alike in either order, that of three does not.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from semanticgan.runs.state import load_state, newest_state
from semanticgan.training.config import load_config
from semanticgan.training.loop import train
from tests.programs import Ended, run_well
from tests.training.conftest import tiny_overrides
from tests.training.exactness import assert_same_run

PROCESSES, STEPS, BATCH, STOP = 3, 12, 12, 5
# Two steps an epoch, R1 in steps 1, 5 and 9, path length in every second; p moves after every fourth.
RECIPE = (
    f"batch={BATCH}",
    f"schedule.total_images={STEPS * BATCH}",
    "augmentation.adaptive=true",
    "augmentation.probability=0.3",
    "augmentation.images_to_one=400",
    "schedule.save_every=100",
)


def launched(program: list[str], pictures: Path, run_dir: Path) -> Ended:
    """``PROGRAM tiny ...`` in connected processes, which have to end with 0."""
    return run_well([*program, "tiny", *tiny_overrides(pictures, run_dir), *RECIPE], PROCESSES)


@pytest.fixture(scope="module")
def whole(tiny_pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, str]:
    """12 steps in one go: the run's folder, and what was said on stdout and stderr."""
    run_dir = tmp_path_factory.mktemp("runs") / "whole"
    done = launched(["tools/train.py"], tiny_pictures, run_dir)
    return run_dir, done.stdout, done.stderr


@pytest.fixture(scope="module")
def interrupted(tiny_pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The same, stopped after 5 steps: the run's folder, and what was said on stderr."""
    run_dir = tmp_path_factory.mktemp("runs") / "stopped"
    done = launched(["-m", "tests.training.shared_stop", str(STOP)], tiny_pictures, run_dir)
    return run_dir, done.stderr


@pytest.fixture(scope="module")
def stopped(interrupted: tuple[Path, str]) -> Path:
    return interrupted[0]


def lines(run_dir: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run_dir / "stats.jsonl").read_text().splitlines()]


def test_only_the_first_process_writes(whole: tuple[Path, str, str]) -> None:
    run_dir, result, said = whole
    assert json.loads(result)["finished"], "more than one line on stdout"
    assert "Warning" not in said
    assert sorted(path.name for path in run_dir.iterdir() if path.name != "tensorboard") == [
        ".lock",
        "config.yaml",
        "sheets",
        "stats.jsonl",
        "step-0000012",
    ]
    assert [line["step"] for line in lines(run_dir)] == list(range(1, STEPS + 1))
    assert len(list((run_dir / "tensorboard").glob("events.*"))) <= 1
    assert said.count(f"| 0/{STEPS * BATCH} [") == 1, "more bars than one"


def test_a_signal_to_one_process_stops_all_with_their_state_saved(stopped: Path) -> None:
    newest = newest_state(stopped)
    assert newest == stopped / "step-0000005"
    assert len(lines(stopped)) == STOP


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells the names of threads")
def test_no_thread_of_the_group_outlives_the_training(interrupted: tuple[Path, str]) -> None:
    """One that still runs when the interpreter ends may abort the process, and the whole training with it."""
    said = interrupted[1]
    assert said.count("threads: ") == PROCESSES
    assert "gloo" not in said[said.index("threads: ") :]


def test_resume_on_as_many_processes_is_exact(
    whole: tuple[Path, str, str], stopped: Path, tiny_pictures: Path, tmp_path: Path
) -> None:
    shutil.copytree(stopped, tmp_path / "run")
    launched(["tools/train.py"], tiny_pictures, tmp_path / "run")
    assert_same_run(tmp_path / "run", whole[0])
    probability = [line["augmentation/probability"] for line in lines(whole[0])]
    assert probability[2] != probability[3], "p never moved"


def test_resume_on_one_process_goes_on_within_rounding(
    whole: tuple[Path, str, str], stopped: Path, tiny_pictures: Path, tmp_path: Path
) -> None:
    shutil.copytree(stopped, tmp_path / "run")
    result = train(load_config("tiny", [*tiny_overrides(tiny_pictures, tmp_path / "run"), *RECIPE]))
    assert result.finished and result.images == STEPS * BATCH
    # Measured: 3e-6 of the logged values, 1e-6 of the weights.
    for found, expected in zip(lines(tmp_path / "run"), lines(whole[0]), strict=True):
        assert found.keys() == expected.keys()
        for name in found:
            assert found[name] == pytest.approx(expected[name], rel=1e-4, abs=1e-4), name
    one, other = (load_state(newest) for run in (tmp_path / "run", whole[0]) if (newest := newest_state(run)))
    for network in ("generator", "discriminator", "average"):
        for name, tensor in other["networks"][network].items():
            torch.testing.assert_close(
                one["networks"][network][name], tensor, rtol=1e-4, atol=1e-4, msg=f"{network}.{name}"
            )
