"""Processes that differ in configuration, data, weights or state do not train together: all end with one line."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from semanticgan.commands import main
from semanticgan.errors import InputError
from semanticgan.training.config import load_config
from semanticgan.training.ranks import _require_equal, of_config
from tests.programs import run_well

SHORT = ["device=cpu", "schedule.total_images=4", "log_to=[]", "schedule.sheet_every=100"]


def together(tmp_path: Path, shared: list[str], **own: list[str]) -> list[dict[str, Any]]:
    """What two processes ended with; `own` has the overrides of rank_0 and rank_1."""
    program = ["-m", "tests.training.shared_ranks", json.dumps([*SHORT, *shared])]
    program += [json.dumps({name.removeprefix("rank_"): values for name, values in own.items()}), str(tmp_path)]
    run_well(program, 2)
    return [json.loads((tmp_path / f"rank-{rank}.json").read_text()) for rank in range(2)]


def refused(ended: list[dict[str, Any]], *words: str) -> None:
    for one in ended:
        assert one["code"] == 2, one
        lines = [line for line in one["err"].splitlines() if line.startswith("error: ")]
        assert len(lines) == 1 and "Traceback" not in one["err"], one["err"]
        assert all(word in lines[0] for word in words), lines[0]


def pairs(folder: Path, seed: int = 0) -> Path:
    """Uncompressed: other pixels of the same names and byte counts."""
    for name in ("image", "label"):
        (folder / name).mkdir(parents=True)
    for number, pixels in enumerate(np.random.default_rng(seed).integers(0, 256, (4, 16, 16, 3), dtype=np.uint8)):
        Image.fromarray(pixels).save(folder / "image" / f"{number}.png", compress_level=0)
        Image.fromarray(pixels[..., 0] % 13).save(folder / "label" / f"{number}.png", compress_level=0)
    return folder


def test_the_same_trains(tmp_path: Path) -> None:
    """Paths and workers may differ."""
    data = [["data.kind=folder", f"data.path={pairs(tmp_path / name)}"] for name in ("a", "b")]
    shared = [f"run_dir={tmp_path}/run", "data.scheme=celebamask-13"]
    ended = together(tmp_path, shared, rank_0=data[0], rank_1=[*data[1], "data.workers=1"])
    assert [one["code"] for one in ended] == [0, 0], ended


def test_another_value_is_named_with_its_processes(tmp_path: Path) -> None:
    ended = together(tmp_path, [f"run_dir={tmp_path}/run"], rank_1=["loss.r1_image=5"])
    refused(ended, "loss.r1_image is 10.0 in process 0, 5.0 in process 1")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("kept", ["2", "0"], ids=["in memory", "from files"])
def test_other_pixels_of_the_same_names_and_sizes(kept: str, tmp_path: Path) -> None:
    one, other = pairs(tmp_path / "a"), pairs(tmp_path / "b", 1)
    shared = [f"run_dir={tmp_path}/run", "data.kind=folder", "data.scheme=celebamask-13"]
    shared += [f"data.cache_gigabytes={kept}"]
    ended = together(tmp_path, shared, rank_0=[f"data.path={one}"], rank_1=[f"data.path={other}"])
    refused(ended, "the digest of data.path", "in process 0", "in process 1")


def test_data_that_one_process_lacks_end_all(tmp_path: Path) -> None:
    one = pairs(tmp_path / "a")
    shared = [f"run_dir={tmp_path}/run", "data.kind=folder", "data.scheme=celebamask-13"]
    ended = together(tmp_path, shared, rank_0=[f"data.path={one}"], rank_1=["data.path=nowhere"])
    refused(ended, "'nowhere' does not exist")
    assert "process 1 of this training cannot begin" in ended[0]["err"]


def test_another_state_or_start(tmp_path: Path) -> None:
    """A run's folder that one process does not see, and two models of one configuration to start from."""
    for seed in (1, 2):
        assert not main(["train", "tiny", *SHORT, f"run_dir={tmp_path}/start-{seed}", f"seed={seed}"])
    shutil.copytree(tmp_path / "start-1", tmp_path / "run")
    shared = ["seed=1", "schedule.total_images=8"]
    (tmp_path / "elsewhere").mkdir()
    runs = [[f"run_dir={tmp_path}/{name}"] for name in ("run", "elsewhere")]
    ended = together(tmp_path, shared, rank_0=runs[0], rank_1=runs[1])
    refused(ended, "the step to go on from is 1 in process 0, 0 in process 1")
    starts = [[f"start={tmp_path}/start-{seed}"] for seed in (1, 2)]
    ended = together(tmp_path, [f"run_dir={tmp_path}/new"], rank_0=starts[0], rank_1=starts[1])
    refused(ended, "the digest of the generator's weights")


def test_many_processes_are_named_by_value() -> None:
    told = [{"batch": "8", "seed": "0"}] * 3 + [{"batch": "4", "seed": "0"}, {"seed": "0"}]
    with pytest.raises(InputError, match=r"batch is 8 in processes 0, 1, 2, 4 in process 3, not there in process 4\."):
        _require_equal(told)
    with pytest.raises(InputError, match="; and 2 more"):
        _require_equal([dict.fromkeys("abcde", "1"), dict.fromkeys("abcde", "2")])
    _require_equal([{"batch": "8"}] * 9)


def test_what_may_differ_is_not_compared() -> None:
    one = of_config(load_config("tiny"))
    other = load_config("tiny", ["run_dir=a", "device=cpu", "data.workers=3", "data.path=x", "expected.fid=3"])
    assert of_config(other) == one
    for override in (
        "batch=8",
        "seed=1",
        "compile=true",
        "loss.owned.eye=2",
        "generator.channels.32=4",
    ):
        assert of_config(load_config("tiny", [override])) != one
