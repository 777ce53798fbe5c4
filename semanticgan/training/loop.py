"""The training loop: steps, logs, sheets, states; repeating the command continues the run."""

from __future__ import annotations

import contextlib
import math
import threading
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor
from tqdm import tqdm

from semanticgan.distributed import PATIENCE_IN_STEPS, Processes, device_of_process, joined
from semanticgan.errors import InputError, TrainingDiverged
from semanticgan.files import written_aside
from semanticgan.formats.provenance import Mark, save_marked
from semanticgan.model import choose_device
from semanticgan.runs.contents import CONFIG_FILE, SHEETS_FOLDER
from semanticgan.runs.hold import held
from semanticgan.runs.logs import RunLog
from semanticgan.runs.state import (
    MODEL_FILE,
    load_state,
    misfits_named,
    newest_state,
    remove_litter,
    save_state,
    state_folder,
)
from semanticgan.training import ranks
from semanticgan.training.clock import Clock
from semanticgan.training.folder import require_usable
from semanticgan.training.interruption import (
    advice_when_a_picture_is_unusable,
    advice_when_memory_ends,
    advice_when_the_disk_is_full,
    deterministic_where_possible,
    stop_requested,
)
from semanticgan.training.method import Prepared, prepared
from semanticgan.training.needs import require_installed
from semanticgan.training.scoring import Scoring
from semanticgan.training.sections import CommonConfig
from semanticgan.training.trainer import Trainer

_SHORT = {"D": "loss/discriminator", "G": "loss/generator", "agreement": "loss/agreement"}  # beside the bar


@dataclass(frozen=True)
class TrainingResult:
    """What a call of :func:`train` ended with.

    Attributes:
        run_dir: the run's folder.
        model: the averaged generator of the newest state.
        images: pictures seen in all.
        finished: false where it was stopped before ``schedule.total_images``.
        seconds: of this call.
    """

    run_dir: Path
    model: Path
    images: int
    finished: bool
    seconds: float


def train(config: CommonConfig, marked: bool = True) -> TrainingResult:
    """Train from the start, or go on from the newest state in ``config.run_dir``.

    SIGTERM and Ctrl-C save and return.

    Args:
        config: of the run.
        marked: whether the sheets of samples say in their XMP that a model made them.

    Raises:
        InputError: a configuration or data that cannot be used (nothing is written then), or a run folder of another
            configuration, of other data or of a process that is still training.
        TrainingDiverged: a loss is not finite; the last state is kept.
    """
    require_installed(config)
    device = device_of_process(choose_device(config.device))
    with joined(device, PATIENCE_IN_STEPS) as processes:
        return _train_among(processes, config, device, marked)


def _train_among(processes: Processes, config: CommonConfig, device: torch.device, marked: bool) -> TrainingResult:
    """:func:`train`, as one of the processes that share it; the first alone writes."""
    started = time.monotonic()
    run_dir = Path(config.run_dir or "")

    def configured() -> Prepared:
        chosen, opened = prepared(config)
        if processes.is_first:
            require_usable(chosen)
        return chosen, opened

    # The others read the run's folder only when the first has looked at it.
    config, opened = ranks.agreed(processes, configured, lambda made: ranks.of_config(made[0]))
    method = ranks.agreed(processes, lambda: opened(device, processes), lambda made: made.facts())
    trainer = Trainer(method, processes)
    scoring = Scoring(config, method, processes) if config.metrics.names else None
    with contextlib.ExitStack() as hold:

        def taken_up() -> dict[str, Tensor | float]:
            if processes.is_first:
                hold.enter_context(held(run_dir))
            recent = _resume(trainer, run_dir)
            if trainer.steps_done == 0:
                method.start()
            return recent

        recent = ranks.agreed(processes, taken_up, lambda _: ranks.of_weights(trainer))
        run = _Run(trainer, run_dir, recent, scoring, marked)
        if processes.is_first:
            with written_aside(run_dir / CONFIG_FILE, overwrite=True) as path:
                path.write_text(config.to_yaml(), encoding="utf-8")
            remove_litter(run_dir)
            run.log = hold.enter_context(RunLog(run_dir, trainer.steps_done, trainer.images_seen, config.log_to))
        with deterministic_where_possible(config.deterministic), stop_requested() as stop:
            _train(run, stop)
    processes.any(False)  # the first is still writing when the others are done
    newest = newest_state(run_dir)
    assert newest is not None
    seconds = time.monotonic() - started
    return TrainingResult(run_dir, newest / MODEL_FILE, trainer.images_seen, run.is_finished, seconds)


@dataclass
class _Run:
    """A training under way.

    Attributes:
        trainer: makes the steps.
        run_dir: the run's folder.
        recent: the last value of everything that was measured since the last line of the log.
        scoring: measures metrics, None where none are wanted.
        marked: whether sheets carry a mark.
        log: of the first process.
    """

    trainer: Trainer
    run_dir: Path
    recent: dict[str, Tensor | float]
    scoring: Scoring | None
    marked: bool = True
    log: RunLog | None = None

    @property
    def config(self) -> CommonConfig:
        return self.trainer.method.config

    @property
    def is_finished(self) -> bool:
        return self.trainer.images_seen >= self.config.schedule.total_images


def _resume(trainer: Trainer, run_dir: Path) -> dict[str, Tensor | float]:
    """Take up the newest state, if there is one; returns what it measured since its last line of the log.

    Raises:
        InputError: it was trained on other data, it does not fit, or every state is damaged.
    """
    newest = newest_state(run_dir)
    if newest is None:
        return {}
    state = load_state(newest)
    with misfits_named(newest):
        known = state["data_key"]
    if known != trainer.method.data_key:
        raise InputError(
            f"the data at {trainer.method.config.data.path!r} are not those that {str(run_dir)!r} was trained on. "
            "Give the same data, or another run_dir."
        )
    with misfits_named(newest):
        trainer.load_state(state)
        if newest != state_folder(run_dir, trainer.steps_done):
            raise ValueError(f"it says of itself that it is of step {trainer.steps_done}")
        return {str(name): float(value) for name, value in dict(state.get("recent", {})).items()}


def _train(run: _Run, stop: threading.Event) -> None:
    trainer, config, schedule = run.trainer, run.config, run.config.schedule
    processes, clock = trainer.processes, Clock(trainer)
    shrink = max(phase.shrink for phase in trainer.method.phases(trainer.stage))
    total = -(-schedule.total_images // config.batch) * config.batch
    stage, batches = None, None
    with tqdm(
        total=total, initial=trainer.images_seen, unit="img", desc=config.name, disable=not processes.is_first
    ) as bar:
        while not run.is_finished and not processes.any(stop.is_set()):
            if batches is None or stage != trainer.stage.name:
                stage = trainer.stage.name
                batches = trainer.method.batches(trainer.stage, trainer.images_seen, trainer.positions)
            with advice_when_memory_ends(config, processes.count, shrink), advice_when_a_picture_is_unusable(config):
                batch = next(batches)
            with advice_when_memory_ends(config, processes.count, shrink):
                run.recent |= trainer.step(*batch)
            bar.update(trainer.images_seen - bar.n)
            step, ends = trainer.steps_done, run.is_finished
            if run.scoring is not None and step % config.metrics.every == 0:
                with advice_when_memory_ends(config, processes.count, measuring=True):
                    run.recent |= run.scoring.measure()
            if step % schedule.log_every == 0 or ends:
                _log(run, clock, bar)
            if step % schedule.sheet_every == 0 or ends:
                _write_sheet(run)
            if step % schedule.save_every == 0 or ends:
                _save(run)
        if not run.is_finished:
            _save(run)
            _write_sheet(run)  # after the state: who stops a training may not wait for a picture


def _log(run: _Run, clock: Clock, bar: tqdm[None]) -> None:
    values = _finite_values(run)
    if run.log is not None:
        run.log.write(run.trainer.steps_done, run.trainer.images_seen, values, clock.read())
    scores = [f"{short} {values[name]:.2f}" for short, name in _SHORT.items() if name in values]
    bar.set_postfix_str(" ".join(scores), refresh=False)
    run.recent = {}


def _save(run: _Run) -> None:
    """Publish the state; of several processes the first does.

    Raises:
        TrainingDiverged: something measured since the last line of the log is not finite.
        UnwritableError: the disk is full; the states that are there stay.
    """
    trainer = run.trainer
    method, step = trainer.method, trainer.steps_done
    state = {**trainer.state(), "data_key": method.data_key, "recent": _finite_values(run)}
    export = partial(method.export, images=trainer.images_seen)
    if trainer.processes.is_first:
        with advice_when_the_disk_is_full(f"the state after step {step}"):
            save_state(run.run_dir, step, state, export, run.config.schedule.keep)


def _write_sheet(run: _Run) -> None:
    """Draw the samples, replacing a sheet of the same step from before a resume."""
    sheet = run.trainer.method.preview() if run.trainer.processes.is_first else None
    if sheet is not None:
        path = run.run_dir / SHEETS_FOLDER / f"step-{run.trainer.steps_done:07d}.png"
        with written_aside(path, overwrite=True) as aside:
            mark = Mark(run.trainer.method.sheet_kind) if run.marked else None
            save_marked(Image.fromarray(sheet), aside, mark)


def _finite_values(run: _Run) -> dict[str, float]:
    """What was measured since the last line of the log, averaged over the processes."""
    device = run.trainer.method.device
    measured = {name: torch.as_tensor(value, device=device) for name, value in sorted(run.recent.items())}
    values = {name: float(value) for name, value in run.trainer.processes.mean(measured).items()}
    broken = [name for name, value in values.items() if not math.isfinite(value)]
    if broken:
        raise TrainingDiverged(
            f"training diverged: {', '.join(broken)} not finite at step {run.trainer.steps_done}. The last state in "
            f"{str(run.run_dir)!r} is kept. Train with a lower optimiser.learning_rate or a higher loss.r1_image, in "
            "another run_dir."
        )
    return values
