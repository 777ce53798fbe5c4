"""The training loop: data, steps, logs, sheets, states; repeating the command continues the run."""

from __future__ import annotations

import contextlib
import math
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from semanticgan.checkpoint import save_model
from semanticgan.data import (
    KINDS,
    CachedPairs,
    PairDataset,
    batches,
    cached_if_small,
    open_dataset,
    to_network,
)
from semanticgan.data.forgiving import ForgivingPairs
from semanticgan.distributed import PATIENCE_IN_STEPS, Processes, device_of_process, joined
from semanticgan.errors import InputError, TrainingDiverged
from semanticgan.files import written_aside
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
from semanticgan.training.config import TrainingConfig
from semanticgan.training.folder import require_usable
from semanticgan.training.interruption import (
    advice_when_a_picture_is_unusable,
    advice_when_memory_ends,
    advice_when_the_disk_is_full,
    deterministic_where_possible,
    stop_requested,
)
from semanticgan.training.needs import require_installed
from semanticgan.training.scoring import Scoring
from semanticgan.training.sheets import write_sheet
from semanticgan.training.start import Start
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


def train(config: TrainingConfig) -> TrainingResult:
    """Train from the start, or go on from the newest state in ``config.run_dir``.

    SIGTERM and Ctrl-C save and return.

    Raises:
        InputError: a configuration or data that cannot be used (nothing is written then), or a run folder of another
            configuration, of other data or of a process that is still training.
        TrainingDiverged: a loss is not finite; the last state is kept.
    """
    require_installed(config)
    device = device_of_process(choose_device(config.device))
    with joined(device, PATIENCE_IN_STEPS) as processes:
        return _train_among(processes, config, device)


def _train_among(processes: Processes, config: TrainingConfig, device: torch.device) -> TrainingResult:
    """:func:`train`, as one of the processes that share it; the first alone writes."""
    started = time.monotonic()
    run_dir = Path(config.run_dir or "")

    def configured() -> tuple[Start | None, TrainingConfig]:
        start = _start_of(config, run_dir)
        chosen = config if start is None else start.configure(config)
        if processes.is_first:
            require_usable(chosen)
        return start, chosen

    # The others read the run's folder only when the first has looked at it.
    start, config = ranks.agreed(processes, configured, lambda made: ranks.of_config(made[1]))
    dataset = ranks.agreed(processes, lambda: _open_data(config, start, processes.is_first), ranks.of_data)
    trainer = Trainer(config, dataset.regions, device, processes, dataset.labelled)
    scoring = Scoring(config, trainer, dataset) if config.metrics.names else None
    data_key = dataset.key()
    total_steps = -(-config.schedule.total_images // config.batch)
    with contextlib.ExitStack() as hold:

        def taken_up() -> dict[str, Tensor | float]:
            if processes.is_first:
                hold.enter_context(held(run_dir))
            recent = _resume(trainer, data_key, run_dir)
            if trainer.steps_done == 0 and start is not None:
                start.fill(trainer)
            return recent

        recent = ranks.agreed(processes, taken_up, lambda _: ranks.of_weights(trainer))
        run = _Run(trainer, dataset, run_dir, data_key, recent, scoring)
        log: RunLog | None = None
        if processes.is_first:
            with written_aside(run_dir / CONFIG_FILE, overwrite=True) as aside:
                aside.write_text(config.to_yaml(), encoding="utf-8")
            remove_litter(run_dir)
            log = RunLog(run_dir, trainer.steps_done, trainer.images_seen, config.log_to)
        with (
            log or contextlib.nullcontext(),
            deterministic_where_possible(config.deterministic),
            stop_requested() as stop,
        ):
            _train(run, total_steps, log, stop)
    processes.any(False)  # the first is still writing when the others are done
    newest = newest_state(run_dir)
    assert newest is not None
    return TrainingResult(
        run_dir, newest / MODEL_FILE, trainer.images_seen, trainer.steps_done >= total_steps, time.monotonic() - started
    )


@dataclass
class _Run:
    """A training under way.

    Attributes:
        trainer: networks and optimisers.
        dataset: what is trained on.
        run_dir: the run's folder.
        data_key: digest of the dataset.
        recent: the last value of everything that was measured since the last line of the log.
        scoring: measures metrics, None where none are wanted.
    """

    trainer: Trainer
    dataset: PairDataset
    run_dir: Path
    data_key: str
    recent: dict[str, Tensor | float]
    scoring: Scoring | None


def _resume(trainer: Trainer, data_key: str, run_dir: Path) -> dict[str, Tensor | float]:
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
    if known != data_key:
        raise InputError(
            f"the data at {trainer.config.data.path!r} are not those that {str(run_dir)!r} was trained on. "
            "Give the same data, or another run_dir."
        )
    with misfits_named(newest):
        trainer.load_state(state)
        if newest != state_folder(run_dir, trainer.steps_done):
            raise ValueError(f"it says of itself that it is of step {trainer.steps_done}")
        return {str(name): float(value) for name, value in dict(state.get("recent", {})).items()}


def _train(run: _Run, total_steps: int, log: RunLog | None, stop: threading.Event) -> None:
    trainer, dataset, processes = run.trainer, run.dataset, run.trainer.processes
    config, schedule = trainer.config, trainer.config.schedule
    pairs = batches(
        dataset,
        config.batch,
        start_step=trainer.steps_done,
        seed=config.seed,
        flip=config.data.flip,
        workers=0 if isinstance(dataset, CachedPairs) else config.data.workers,
        pin_memory=trainer.device.type == "cuda",
        positions=trainer.positions,
    )
    bar = tqdm(
        total=total_steps * config.batch,
        initial=trainer.images_seen,
        unit="img",
        desc=config.name,
        disable=not processes.is_first,
    )
    clock = _Clock(trainer)
    with bar:
        while trainer.steps_done < total_steps and not processes.any(stop.is_set()):
            with advice_when_a_picture_is_unusable(config):
                pair = next(pairs)
            with advice_when_memory_ends(config, processes.count):
                image, segmentation = to_network(
                    pair, len(dataset.regions), trainer.device, soft_edges=config.data.soft_edges
                )
                run.recent |= trainer.step(image, segmentation)
            bar.update(config.batch)
            step = trainer.steps_done
            if run.scoring is not None and step % config.metrics.every == 0:
                with advice_when_memory_ends(config, processes.count, measuring=True):
                    run.recent |= run.scoring.measure()
            if step % schedule.log_every == 0 or step == total_steps:
                values = _finite_values(run)
                if log is not None:
                    log.write(step, trainer.images_seen, values, clock.read())
                scores = [f"{short} {values[name]:.2f}" for short, name in _SHORT.items() if name in values]
                bar.set_postfix_str(" ".join(scores), refresh=False)
                run.recent = {}
            if processes.is_first and (step % schedule.sheet_every == 0 or step == total_steps):
                _write_sheet(trainer, run.run_dir)
            if step % schedule.save_every == 0 or step == total_steps:
                _save(run)
        if trainer.steps_done < total_steps:
            _save(run)
            if processes.is_first:  # after the state: who stops a training may not wait for a picture
                _write_sheet(trainer, run.run_dir)


class _Clock:
    """Speed since the last reading, peak memory and learning rates: what is for people, not for comparing runs."""

    def __init__(self, trainer: Trainer) -> None:
        self._trainer, self._images, self._at = trainer, trainer.images_seen, time.monotonic()

    def read(self) -> dict[str, float]:
        trainer, now = self._trainer, time.monotonic()
        speed = (trainer.images_seen - self._images) / max(now - self._at, 1e-9)
        self._images, self._at = trainer.images_seen, now
        rates = {
            f"learning_rate/{name}": float(optimiser.param_groups[0]["lr"])
            for name, optimiser in (
                ("generator", trainer.generator_optimiser),
                ("discriminator", trainer.discriminator_optimiser),
            )
        }
        return {"speed/images_per_second": speed, "memory/peak_gigabytes": _peak_bytes(trainer.device) / 1e9, **rates}


def _peak_bytes(device: torch.device) -> int:
    """Most memory held at a time: of the device on CUDA, else of this process; 0 where the system does not tell."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    if sys.platform == "win32":
        return 0
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # macOS counts bytes, Linux kilobytes


def _save(run: _Run) -> None:
    """Publish the state; of several processes the first does.

    Raises:
        TrainingDiverged: something measured since the last line of the log is not finite.
        UnwritableError: the disk is full; the states that are there stay.
    """
    trainer, config = run.trainer, run.trainer.config
    state = {**trainer.state(), "data_key": run.data_key, "recent": _finite_values(run)}
    if not trainer.processes.is_first:
        return
    trainer.average.estimate_mean_latent()

    def write_model(path: Path) -> None:
        save_model(
            path,
            trainer.average,
            trainer.regions,
            training={"recipe": config.name, "images": trainer.images_seen, "seed": config.seed, "batch": config.batch},
            licence=config.licence,
            data_licence=config.data_licence,
            description=config.description,
        )

    with advice_when_the_disk_is_full(f"the state after step {trainer.steps_done}"):
        save_state(run.run_dir, trainer.steps_done, state, write_model, config.schedule.keep)


def _write_sheet(trainer: Trainer, run_dir: Path) -> None:
    path = run_dir / SHEETS_FOLDER / f"step-{trainer.steps_done:07d}.png"
    write_sheet(trainer.average, trainer.regions, trainer.config.schedule.sheet_images, trainer.config.seed, path)


def _finite_values(run: _Run) -> dict[str, float]:
    """What was measured since the last line of the log, averaged over the processes."""
    measured = {name: torch.as_tensor(value, device=run.trainer.device) for name, value in sorted(run.recent.items())}
    values = {name: float(value) for name, value in run.trainer.processes.mean(measured).items()}
    broken = [name for name, value in values.items() if not math.isfinite(value)]
    if broken:
        raise TrainingDiverged(
            f"training diverged: {', '.join(broken)} not finite at step {run.trainer.steps_done}. The last state in "
            f"{str(run.run_dir)!r} is kept. Train with a lower optimiser.learning_rate or a higher loss.r1_image, in "
            "another run_dir."
        )
    return values


def _start_of(config: TrainingConfig, run_dir: Path) -> Start | None:
    """Where the run begins. One that has a state of its own needs its start no more, which may be gone by then."""
    if not config.start:
        return None
    try:
        return Start.read(config.start)
    except InputError:
        own = newest_state(run_dir)
        if own is None:
            raise
        return Start.read(str(own))


def _open_data(config: TrainingConfig, start: Start | None, progress: bool) -> PairDataset:
    data = config.data
    if data.kind in KINDS and data.kind != "portraits" and data.path is None:
        raise InputError(f"no data given for data.kind={data.kind}. Add data.path=FOLDER_OR_ZIP.")
    dataset = open_dataset(
        data.kind,
        data.path,
        config.size,
        scheme=start.regions if data.kind == "pictures" and start is not None else data.scheme,
        split=data.split,
        length=data.length,
        seed=config.seed,
        label_order=data.label_order,
        missing=data.missing,
        style=data.style,
        max_megapixels=data.max_megapixels,
    )
    if data.on_error == "skip":
        dataset = ForgivingPairs(dataset)
    with advice_when_a_picture_is_unusable(config):
        dataset = cached_if_small(dataset, int(data.cache_gigabytes * 1e9), workers=data.workers, progress=progress)
    if start is not None:
        start.require_regions(dataset.regions)
    return dataset
