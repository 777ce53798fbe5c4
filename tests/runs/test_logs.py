"""The log of a run: its sinks are chosen by name, told everything, and decide nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from semanticgan.errors import DataWarning, InputError, UnwritableError
from semanticgan.runs.logs import SINKS, RunLog, chosen_sinks


class FakeWandb(ModuleType):
    """Stands for the package: remembers what it is told, and runs by id as the service does."""

    def __init__(self) -> None:
        super().__init__("wandb")
        self.calls: list[dict[str, Any]] = []
        self.logged: list[dict[str, float]] = []
        self.finished = 0

    def init(self, **options: Any) -> Any:
        self.calls.append(options)
        there = self.logged[-1]["images"] if self.logged and options["id"] == self.calls[0]["id"] else 0
        return SimpleNamespace(
            summary={"images": there},
            define_metric=lambda *_, **__: None,
            log=self.logged.append,
            finish=self._finish,
        )

    def _finish(self) -> None:
        self.finished += 1


@pytest.fixture
def wandb(monkeypatch: pytest.MonkeyPatch) -> FakeWandb:
    fake = FakeWandb()
    monkeypatch.setitem(sys.modules, "wandb", fake)
    return fake


def write_lines(run_dir: Path, start_step: int, steps: range, sinks: tuple[str, ...]) -> None:
    with RunLog(run_dir, start_step, start_step * 8, sinks) as log:
        for step in steps:
            log.write(step, step * 8, {"loss/generator": step / 10}, {"speed/images_per_second": 5.0})


@pytest.mark.parametrize("sinks", [(), ("tensorboard",), ("wandb",), ("wandb", "tensorboard", "wandb")])
def test_sinks_change_nothing_in_the_statistics(sinks: tuple[str, ...], wandb: FakeWandb, tmp_path: Path) -> None:
    write_lines(tmp_path, 0, range(1, 4), sinks)
    lines = [json.loads(line) for line in (tmp_path / "stats.jsonl").read_text().splitlines()]
    assert lines == [{"step": step, "images": 8 * step, "loss/generator": step / 10} for step in (1, 2, 3)]
    assert (tmp_path / "tensorboard").exists() == ("tensorboard" in sinks)
    assert len(wandb.calls) == wandb.finished == ("wandb" in sinks)


def test_tensorboard_is_told_the_clock_too(tmp_path: Path) -> None:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    write_lines(tmp_path, 0, range(1, 4), ("tensorboard",))
    events = accumulator.EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    assert [(event.step, round(event.value, 6)) for event in events.Scalars("loss/generator")] == [
        (8, 0.1),
        (16, 0.2),
        (24, 0.3),
    ]
    assert [event.value for event in events.Scalars("speed/images_per_second")] == [5.0] * 3


def test_wandb_takes_a_resumed_run_up_and_repeats_nothing(wandb: FakeWandb, tmp_path: Path) -> None:
    write_lines(tmp_path, 0, range(1, 5), ("wandb",))
    write_lines(tmp_path, 2, range(3, 7), ("wandb",))  # killed after step 4, resumed from the state of step 2
    assert [values["images"] for values in wandb.logged] == [8, 16, 24, 32, 40, 48]
    assert wandb.logged[0] == {"images": 8, "loss/generator": 0.1, "speed/images_per_second": 5.0}
    first, second = wandb.calls
    assert first["id"] == second["id"] and first["resume"] == "allow" and first["name"] == tmp_path.name


def test_another_folder_is_another_wandb_run(wandb: FakeWandb, tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        write_lines(tmp_path / name, 0, range(1, 2), ("wandb",))
    assert wandb.calls[0]["id"] != wandb.calls[1]["id"]


def test_wandb_is_imported_only_when_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)  # importing it raises ImportError
    write_lines(tmp_path, 0, range(1, 2), ())
    with pytest.raises(InputError, match=r"not installed\. Run `pip install wandb`"):
        RunLog(tmp_path, 0, 0, ("wandb",))


@pytest.mark.parametrize("open_log", [chosen_sinks, lambda names: RunLog(Path("none"), 0, 0, names)])
def test_an_unknown_sink_names_the_nearest(open_log: Callable[[list[str]], Any]) -> None:
    with pytest.raises(InputError, match=r"unknown sink in log_to 'tensorbord'\. Did you mean 'tensorboard'"):
        open_log(["tensorbord"])


def test_a_refused_sink_leaves_the_statistics_alone(tmp_path: Path) -> None:
    """Opening a log drops what lies beyond its start; a mistake in the configuration must not."""
    write_lines(tmp_path, 0, range(1, 5), ())
    before = (tmp_path / "stats.jsonl").read_bytes()
    with pytest.raises(InputError):
        RunLog(tmp_path, 1, 8, ("tensorboard", "mlflow"))
    assert (tmp_path / "stats.jsonl").read_bytes() == before


def test_every_sink_is_a_sink() -> None:
    assert set(SINKS) == {"tensorboard", "wandb"}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the test forks")
def test_a_line_that_cannot_be_written_leaves_whole_lines(tmp_path: Path) -> None:
    process = os.fork()
    if not process:
        import resource

        code = 1
        try:
            log = RunLog(tmp_path, 0, 0, [])
            log.write(1, 4, {"loss": 0.5}, {})
            resource.setrlimit(resource.RLIMIT_FSIZE, (60, 60))
            log.write(2, 8, {"loss": 0.5}, {})
        except UnwritableError as error:
            code = 0 if "step 2" in str(error) else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 0
    assert [json.loads(line)["step"] for line in (tmp_path / "stats.jsonl").read_text().splitlines()] == [1]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="sets a limit on the size of files")
def test_a_full_disk_under_tensorboard_is_one_line(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    program = """
import resource, sys
from pathlib import Path
from semanticgan.errors import UnwritableError
from semanticgan.runs.logs import RunLog

log = RunLog(Path(sys.argv[1]), 0, 0, ["tensorboard"])
resource.setrlimit(resource.RLIMIT_FSIZE, (4000, 4000))
try:
    for step in range(1, 40):
        log.write(step, step, {}, {f"speed/{name}": 0.5 for name in range(20)})
    log.close()
except UnwritableError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", program, tmp_path], capture_output=True, text=True, cwd=Path(__file__).parents[2]
    )
    assert "could not be written" in done.stdout and done.stdout.count("\n") == 1, done.stderr
    assert "Traceback" not in done.stderr, done.stderr


def test_damaged_lines_are_left_out_with_a_warning(tmp_path: Path) -> None:
    path = tmp_path / "stats.jsonl"
    whole = [json.dumps({"step": step, "images": 8 * step}) + "\n" for step in (1, 2, 3, 4)]
    path.write_bytes(whole[0].encode() + b"\x00\xff[\n" + b"7\n" + "".join(whole[1:]).encode() + b'{"step": 5')
    with pytest.warns(DataWarning, match="2 damaged lines of .*stats.jsonl' left out"):
        RunLog(tmp_path, 3, 24, []).close()
    assert path.read_text() == "".join(whole[:3])


def test_a_line_cut_off_by_a_kill_is_dropped_without_a_word(tmp_path: Path) -> None:
    path = tmp_path / "stats.jsonl"
    path.write_text('{"step": 1, "images": 8}\n{"step": 2, "ima')
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        RunLog(tmp_path, 2, 16, []).close()
    assert path.read_text() == '{"step": 1, "images": 8}\n'
