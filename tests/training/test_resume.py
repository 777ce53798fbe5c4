"""A run that was stopped, however, ends in the same bits as one that was not."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from semanticgan.errors import InputError, TrainingDiverged
from semanticgan.runs.state import newest_state, state_folders
from semanticgan.training import loop, opening
from semanticgan.training.config import TrainingConfig
from semanticgan.training.loop import train
from tests.programs import run, run_well
from tests.training.conftest import tiny_overrides
from tests.training.exactness import assert_same, assert_same_run, litter, stop_after

Make = Callable[..., TrainingConfig]
ROOT = Path(__file__).parents[2]
STEPS, BATCH = 40, 4


@pytest.fixture(scope="module")
def whole_run(tiny_pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """40 steps in one go."""
    from semanticgan.training.config import load_config

    run_dir = tmp_path_factory.mktemp("runs") / "whole"
    result = train(load_config("tiny", tiny_overrides(tiny_pictures, run_dir)))
    assert result.finished and result.images == STEPS * BATCH
    return run_dir


def test_stop_and_resume_is_exact(
    tiny_config: Make, whole_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        stop_after(17, patch)
        stopped = train(tiny_config(tmp_path / "run"))
    assert not stopped.finished and stopped.images == 17 * BATCH
    resumed = train(tiny_config(tmp_path / "run"))
    assert resumed.finished
    assert_same_run(tmp_path / "run", whole_run)


def test_resume_across_epochs_with_everything_on(
    tiny_config: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One run is stopped three times: before a batch of two epochs, before a step with R1, and after it.

    20 pictures in batches of 8: the third step begins the second epoch. R1 and path length come in the fifth, and p
    moves after the fourth and the eighth.
    """
    everything = (
        "batch=8",
        "accumulate=2",
        "recompute=true",
        "data.length=20",
        "augmentation.adaptive=true",
        "augmentation.probability=0.3",
        "augmentation.images_to_one=200",
        "schedule.total_images=64",
    )
    train(tiny_config(tmp_path / "whole", *everything))
    for steps in (2, 4, 5):
        with monkeypatch.context() as patch:
            stop_after(steps, patch)
            assert train(tiny_config(tmp_path / "run", *everything)).images == 8 * steps
    assert train(tiny_config(tmp_path / "run", *everything)).finished
    assert_same_run(tmp_path / "run", tmp_path / "whole")
    lines = [json.loads(line) for line in (tmp_path / "run/stats.jsonl").read_text().splitlines()]
    probability = [line["augmentation/probability"] for line in lines]
    assert probability[0] != probability[3] != probability[7], "p never moved"
    assert ["r1/image" in line for line in lines] == [True, False, False, False, True, False, False, False]


def test_lines_of_the_log_between_which_a_run_stopped(
    tiny_config: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R1 is measured in step 17, the run stopped after it, and the line is written in step 20."""
    rare = ("schedule.total_images=80", "schedule.log_every=10")
    train(tiny_config(tmp_path / "whole", *rare))
    with monkeypatch.context() as patch:
        stop_after(17, patch)
        train(tiny_config(tmp_path / "run", *rare))
    train(tiny_config(tmp_path / "run", *rare))
    lines = (tmp_path / "run/stats.jsonl").read_text().splitlines()
    assert lines == (tmp_path / "whole/stats.jsonl").read_text().splitlines()
    assert len(lines) == 2 and "r1/image" in lines[1]


def test_order_of_data_is_part_of_the_state(tiny_config: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A resume that began the data anew would be seen: the pictures of steps 17 to 19 decide the losses."""
    seen: list[torch.Tensor] = []
    convert = opening.to_network

    def recorded(batch, *arguments, **options):  # type: ignore[no-untyped-def]
        seen.append(batch.image.clone())
        return convert(batch, *arguments, **options)

    monkeypatch.setattr(opening, "to_network", recorded)
    train(tiny_config(tmp_path / "whole", "schedule.total_images=80"))
    whole, seen[:] = list(seen), []
    with monkeypatch.context() as patch:
        stop_after(17, patch)
        train(tiny_config(tmp_path / "run", "schedule.total_images=80"))
    train(tiny_config(tmp_path / "run", "schedule.total_images=80"))
    assert_same(seen, whole, "pictures")


_KILLED_IN_SAVE = """
import os, signal, sys
import torch
from semanticgan.commands import main
save = torch.save
def killed(state, path, *arguments, **keywords):
    if state["steps_done"] == 40:
        with open(path, "wb") as file:
            file.write(b"half a file")
            file.flush()
        os.kill(os.getpid(), signal.SIGKILL)
    save(state, path, *arguments, **keywords)
torch.save = killed
sys.exit(main(["train", "tiny", *sys.argv[1:]]))
"""


def test_killed_in_the_middle_of_a_save(whole_run: Path, tiny_pictures: Path, tmp_path: Path) -> None:
    overrides = tiny_overrides(tiny_pictures, tmp_path / "run")
    killed = run(["-c", _KILLED_IN_SAVE, *overrides])
    assert killed.codes == (-signal.SIGKILL,), killed.stderr[-500:]
    assert litter(tmp_path / "run"), "the kill left no litter"
    assert [path.name for path in state_folders(tmp_path / "run")] == ["step-0000020"]
    run_well(["tools/train.py", "configs/tiny.yaml", *overrides])
    assert_same_run(tmp_path / "run", whole_run)
    assert not litter(tmp_path / "run")


def test_divergence_keeps_the_last_state(tiny_config: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    step = loop.Trainer.step

    def diverging(self, *batch):  # type: ignore[no-untyped-def]
        values = step(self, *batch)
        if self.steps_done == 25:
            values["loss/generator"] = torch.tensor(float("nan"))
        return values

    monkeypatch.setattr(loop.Trainer, "step", diverging)
    with pytest.raises(TrainingDiverged, match="loss/generator not finite at step 25"):
        train(tiny_config(tmp_path / "run"))
    assert newest_state(tmp_path / "run") == tmp_path / "run/step-0000020"


def test_divergence_between_lines_of_the_log_is_not_saved(
    tiny_config: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = loop.Trainer.step

    def diverging(self, *batch):  # type: ignore[no-untyped-def]
        values = step(self, *batch)
        if self.steps_done == 7:
            values["loss/discriminator"] = torch.tensor(float("inf"))
            os.kill(os.getpid(), signal.SIGTERM)
        return values

    monkeypatch.setattr(loop.Trainer, "step", diverging)
    with pytest.raises(TrainingDiverged, match="loss/discriminator not finite at step 7"):
        train(tiny_config(tmp_path / "run", "schedule.log_every=10"))
    assert newest_state(tmp_path / "run") is None


def test_global_settings_are_as_before(tiny_config: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    step, during = loop.Trainer.step, []

    def modes() -> tuple[bool, bool]:
        return torch.are_deterministic_algorithms_enabled(), torch.utils.deterministic.fill_uninitialized_memory

    def watched(self, *batch):  # type: ignore[no-untyped-def]
        during.append(modes())
        return step(self, *batch)

    monkeypatch.setattr(loop.Trainer, "step", watched)
    handlers = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    before = modes()
    train(tiny_config(tmp_path / "run", "schedule.total_images=4"))
    assert during == [(True, False)]  # new tensors are not filled with NaN, which takes about an eighth of a step
    assert modes() == before == (False, True)
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == handlers


def test_tensorboard_hides_nothing_that_was_saved(
    tiny_config: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its curves go by images, and what begins at ``purge_step`` or later is hidden."""
    tensorboard = pytest.importorskip("torch.utils.tensorboard")
    purged = []
    writer = tensorboard.SummaryWriter

    def recorded(folder: str, purge_step: int) -> object:
        purged.append(purge_step)
        return writer(folder, purge_step=purge_step)

    monkeypatch.setattr(tensorboard, "SummaryWriter", recorded)
    for images in (16, 24):
        train(tiny_config(tmp_path / "run", f"schedule.total_images={images}"))
    assert purged == [1, 17]


def test_a_run_without_tensorboard(tiny_config: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    train(tiny_config(tmp_path / "run", "schedule.total_images=8"))
    assert len((tmp_path / "run/stats.jsonl").read_text().splitlines()) == 2
    assert not (tmp_path / "run/tensorboard").exists()


def test_another_configuration_is_refused(tiny_config: Make, whole_run: Path) -> None:
    before = sorted(path.name for path in whole_run.rglob("*"))
    with pytest.raises(InputError, match=r"optimiser\.learning_rate \(0.002 there, 0.001 given\)"):
        train(tiny_config(whole_run, "optimiser.learning_rate=0.001"))
    assert sorted(path.name for path in whole_run.rglob("*")) == before


def test_a_finished_run_can_be_made_longer(tiny_config: Make, tmp_path: Path) -> None:
    train(tiny_config(tmp_path / "run", "schedule.total_images=16"))
    longer = train(tiny_config(tmp_path / "run", "schedule.total_images=24"))
    assert longer.finished and longer.images == 24


def test_other_data_are_refused(tiny_config: Make, tmp_path: Path) -> None:
    train(tiny_config(tmp_path / "run", "schedule.total_images=8"))
    with pytest.raises(InputError, match=r"data\.length"):
        train(tiny_config(tmp_path / "run", "data.length=20"))


def test_other_data_at_another_path_are_refused(tiny_config: Make, tiny_pictures: Path, tmp_path: Path) -> None:
    """A path may change between runs, what lies there may not."""
    train(tiny_config(tmp_path / "run", "schedule.total_images=8"))
    same, fewer = tmp_path / "same", tmp_path / "fewer"
    shutil.copytree(tiny_pictures, same)
    shutil.copytree(tiny_pictures, fewer)
    for kind in ("image", "label"):
        (fewer / kind / "0023.png").unlink()
    with pytest.raises(InputError, match=r"are not those that .* was trained on"):
        train(tiny_config(tmp_path / "run", f"data.path={fewer}", "schedule.total_images=16"))
    assert train(tiny_config(tmp_path / "run", f"data.path={same}", "schedule.total_images=16")).images == 16


def test_run_dir_of_something_else_is_left_alone(tiny_config: Make, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("precious")
    with pytest.raises(InputError, match="not a run of this package"):
        train(tiny_config(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


_HOLDS = """
import sys, time
from pathlib import Path
from semanticgan.runs.hold import held
with held(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_two_processes_never_train_into_one_folder(tiny_config: Make, tmp_path: Path) -> None:
    run_dir = tmp_path / "run"
    other = subprocess.Popen([sys.executable, "-c", _HOLDS, str(run_dir)], cwd=ROOT, stdout=subprocess.PIPE)
    try:
        assert other.stdout is not None and other.stdout.readline() == b"held\n"
        with pytest.raises(InputError, match="another process is training in run_dir"):
            train(tiny_config(run_dir, "schedule.total_images=8"))
        assert [path.name for path in run_dir.iterdir()] == [".lock"]
    finally:
        other.kill()
        other.wait()
    assert train(tiny_config(run_dir, "schedule.total_images=8")).finished


@pytest.mark.skipif(os.name != "posix", reason="needs process groups")
def test_ctrl_c_which_reaches_the_workers_too_saves(tiny_pictures: Path, tmp_path: Path) -> None:
    run_dir = tmp_path / "run"
    reading = ("data.cache_gigabytes=0", "data.workers=2", "schedule.total_images=400000")
    command = [sys.executable, "tools/train.py", "tiny", *tiny_overrides(tiny_pictures, run_dir), *reading]
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        stats, deadline = run_dir / "stats.jsonl", time.monotonic() + 120
        while not (stats.exists() and stats.stat().st_size):
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 0, err[-500:]
    assert err.count("stopping after this step") == 1 and "Traceback" not in err
    assert '"finished": false' in out and newest_state(run_dir) is not None
