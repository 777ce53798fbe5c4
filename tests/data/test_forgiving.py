"""A damaged picture: the training stops with its name, or goes on without it and says so once."""

from __future__ import annotations

import logging
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import pytest
import torch

from semanticgan.data import batches, cached_if_small
from semanticgan.data.folders import FolderDataset
from semanticgan.data.forgiving import ForgivingPairs
from semanticgan.errors import InputError
from semanticgan.runs.state import load_state, newest_state
from tests.conftest import Run
from tests.programs import run_well

Make = Callable[..., Path]
Command = Callable[..., Run]
SCHEME = "photographs-11"


@pytest.fixture
def damaged(make_folder: Make) -> Path:
    """Ten pairs: picture 3 is cut off, label map 4 has a label too high, picture 9 is not a picture."""
    folder = make_folder(10, "damaged")
    picture = folder / "image/0003.png"
    picture.write_bytes(picture.read_bytes()[:200])
    (folder / "image/0009.png").write_bytes(b"no picture")
    from PIL import Image

    Image.new("L", (24, 24), 200).save(folder / "label/0004.png")
    return folder


BROKEN = ("image/0003.png", "label/0004.png", "image/0009.png")


def named(text: str) -> list[int]:
    """How often each broken file is named."""
    return [text.count(name) for name in BROKEN]


def overrides(folder: Path, run_dir: Path, *more: str) -> list[str]:
    data = ["data.kind=folder", f"data.path={folder}", f"data.scheme={SCHEME}", "data.length=null"]
    return [f"run_dir={run_dir}", *data, "device=cpu", "schedule.total_images=40", "log_to=[]", *more]


def test_the_next_usable_pair_stands_in(damaged: Path, make_folder: Make) -> None:
    whole, forgiving = FolderDataset(make_folder(10), 16, SCHEME), ForgivingPairs(FolderDataset(damaged, 16, SCHEME))
    assert len(forgiving) == 10 and forgiving.regions == whole.regions and forgiving.size == 16
    for index, instead in enumerate([0, 1, 2, 5, 5, 5, 6, 7, 8, 0]):
        assert torch.equal(forgiving[index].image, whole[instead].image)
        assert torch.equal(forgiving[index].labels, whole[instead].labels)


def test_its_key_is_that_of_the_dataset(damaged: Path) -> None:
    """So that a run may change its mind about damaged pictures."""
    dataset = FolderDataset(damaged, 16, SCHEME)
    assert ForgivingPairs(dataset).key() == dataset.key()


@pytest.mark.parametrize("cached", [True, False])
def test_each_file_is_named_once(damaged: Path, cached: bool, caplog: pytest.LogCaptureFixture) -> None:
    dataset = cached_if_small(ForgivingPairs(FolderDataset(damaged, 16, SCHEME)), 10**9 if cached else 0)
    assert len(list(islice(batches(dataset, 4), 10))) == 10  # four epochs
    assert named(caplog.text) == [1, 1, 1]
    assert all(record.levelno == logging.WARNING for record in caplog.records)


def test_none_usable_is_an_error(make_folder: Make, caplog: pytest.LogCaptureFixture) -> None:
    folder = make_folder(3)
    for path in (folder / "image").iterdir():
        path.write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"no usable picture among 3 in a row\. The last: .*0000\.png"):
        ForgivingPairs(FolderDataset(folder, 16, SCHEME))[1]


def test_it_can_be_sent_to_another_process(damaged: Path) -> None:
    """As processes that are not forked want it."""
    reader = batches(ForgivingPairs(FolderDataset(damaged, 16, SCHEME)), 5, workers=1, start_method="spawn")
    alone = batches(ForgivingPairs(FolderDataset(damaged, 16, SCHEME)), 5)
    assert torch.equal(next(reader).image, next(alone).image)


def test_training_goes_on_from_a_cache(damaged: Path, command: Command, caplog: pytest.LogCaptureFixture) -> None:
    done = command("train", "tiny", *overrides(damaged, Path("run"), "data.on_error=skip"))
    assert done.result["finished"]
    assert named(caplog.text) == [1, 1, 1]


def test_training_goes_on_with_processes_that_read_ahead(damaged: Path, tmp_path: Path) -> None:
    """On stderr, where a user sees it; two processes read the same files again in every epoch."""
    more = overrides(damaged, tmp_path / "run", "data.on_error=skip", "data.workers=2", "data.cache_gigabytes=0")
    done = run_well(["tools/train.py", "configs/tiny.yaml", *more])
    assert '"finished": true' in done.stdout, done.stderr[-2000:]
    assert named(done.stderr) == [1, 1, 1], done.stderr


def test_training_stops_before_anything_is_written(damaged: Path, command: Command, tmp_path: Path) -> None:
    stopped = command("train", "tiny", *overrides(damaged, tmp_path / "run"))
    assert "damaged/image/0003.png" in stopped.complaint
    assert "data.on_error=skip" in stopped.complaint
    assert not (tmp_path / "run").exists()


def test_training_that_reads_ahead_stops_and_can_go_on_without_the_picture(
    damaged: Path, command: Command, tmp_path: Path
) -> None:
    """What was saved before is whole, and the command with data.on_error=skip goes on from it."""
    more = ["data.workers=2", "data.cache_gigabytes=0", "batch=1", "loss.path_length_batch_shrink=1"]
    more += ["schedule.save_every=1", "schedule.total_images=12", "seed=3"]
    stopped = command("train", "tiny", *overrides(damaged, tmp_path / "run", *more))
    assert stopped.code == 2 and stopped.out == "" and "Traceback" not in stopped.err
    said = stopped.err.splitlines()[-1]
    assert said.startswith("error: ") and sum(named(said)) == 1 and "data.on_error=skip" in said
    newest = newest_state(tmp_path / "run")
    assert newest is not None and load_state(newest)["steps_done"] >= 1
    done = command("train", "tiny", *overrides(damaged, tmp_path / "run", *more, "data.on_error=skip"))
    assert done.result["finished"]


def test_an_all_damaged_dataset_trains_nothing(damaged: Path, command: Command, tmp_path: Path) -> None:
    for path in (damaged / "image").iterdir():
        path.write_bytes(b"no picture")
    refused = command("train", "tiny", *overrides(damaged, tmp_path / "run", "data.on_error=skip"))
    assert refused.code == 2 and refused.out == "" and "Traceback" not in refused.err
    assert "no usable picture among 10 in a row" in refused.err.splitlines()[-1]
    assert not (tmp_path / "run").exists()
