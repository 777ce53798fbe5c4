"""The training loop: data, steps, logs, sheets, states; repeating the command continues the run."""

from __future__ import annotations

import json
import math
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
from semanticgan.errors import ExistingFileError, InputError, TrainingDiverged
from semanticgan.files import require_free, written_aside
from semanticgan.model import choose_device
from semanticgan.training.config import TrainingConfig, load_config
from semanticgan.training.hold import LOCK_FILE, held
from semanticgan.training.logs import RunLog
from semanticgan.training.sheets import write_sheet
from semanticgan.training.state import MODEL_FILE, load_state, newest_state, remove_litter, save_state
from semanticgan.training.trainer import Trainer

CONFIG_FILE = "config.yaml"
# A run may be continued with other values of these; every other key must be what it was.
_FREE_ON_RESUME = ("run_dir", "device", "description", "expected", "licence", "data_licence")
_FREE_SECTIONS_ON_RESUME = {"schedule": None, "data": ("path", "workers", "cache_gigabytes")}


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
    started = time.monotonic()
    run_dir = _require_usable(config)
    device = choose_device(config.device)
    dataset = _open_data(config)
    trainer = Trainer(config, dataset.regions, device)
    data_key = dataset.key()
    total_steps = -(-config.schedule.total_images // config.batch)
    with held(run_dir):
        run = _Run(trainer, dataset, run_dir, data_key, _resume(trainer, data_key, run_dir))
        with written_aside(run_dir / CONFIG_FILE, overwrite=True) as aside:
            aside.write_text(config.to_yaml(), encoding="utf-8")
        remove_litter(run_dir)
        with (
            RunLog(run_dir, trainer.steps_done, trainer.images_seen) as log,
            _deterministic(config.deterministic),
            _stop_requested() as stop,
        ):
            _train(run, total_steps, log, stop)
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
    """

    trainer: Trainer
    dataset: PairDataset
    run_dir: Path
    data_key: str
    recent: dict[str, Tensor | float]


def _resume(trainer: Trainer, data_key: str, run_dir: Path) -> dict[str, Tensor | float]:
    """Take up the newest state, if there is one; returns what it measured since its last line of the log.

    Raises:
        InputError: it was trained on other data, or every state is damaged.
    """
    newest = newest_state(run_dir)
    if newest is None:
        return {}
    state = load_state(newest)
    if state["data_key"] != data_key:
        raise InputError(
            f"the data at {trainer.config.data.path!r} are not those that {str(run_dir)!r} was trained on. "
            "Give the same data, or another run_dir."
        )
    trainer.load_state(state)
    return dict(state.get("recent", {}))


def _train(run: _Run, total_steps: int, log: RunLog, stop: threading.Event) -> None:
    trainer, dataset = run.trainer, run.dataset
    config, schedule = trainer.config, trainer.config.schedule
    pairs = batches(
        dataset,
        config.batch,
        start_step=trainer.steps_done,
        seed=config.seed,
        flip=config.data.flip,
        workers=0 if isinstance(dataset, CachedPairs) else config.data.workers,
        pin_memory=trainer.device.type == "cuda",
    )
    bar = tqdm(total=total_steps * config.batch, initial=trainer.images_seen, unit="img", desc=config.name)
    logged_images, logged_at = trainer.images_seen, time.monotonic()
    with bar:
        while trainer.steps_done < total_steps and not stop.is_set():
            image, segmentation = to_network(next(pairs), len(dataset.regions), trainer.device)
            run.recent |= trainer.step(image, segmentation)
            bar.update(config.batch)
            step = trainer.steps_done
            if step % schedule.log_every == 0 or step == total_steps:
                values, now = _finite_values(run), time.monotonic()
                speed = (trainer.images_seen - logged_images) / max(now - logged_at, 1e-9)
                log.write(step, trainer.images_seen, values, {"speed/images_per_second": speed})
                bar.set_postfix_str(
                    f"D {values['loss/discriminator']:.2f} G {values['loss/generator']:.2f}", refresh=False
                )
                run.recent, logged_images, logged_at = {}, trainer.images_seen, now
            if step % schedule.sheet_every == 0 or step == total_steps:
                _write_sheet(trainer, run.run_dir)
            if step % schedule.save_every == 0 or step == total_steps:
                _save(run)
        if stop.is_set():
            _save(run)


def _save(run: _Run) -> None:
    """Publish the state.

    Raises:
        TrainingDiverged: something measured since the last line of the log is not finite.
    """
    trainer, config = run.trainer, run.trainer.config
    recent = _finite_values(run)
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

    state = {**trainer.state(), "data_key": run.data_key, "recent": recent}
    save_state(run.run_dir, trainer.steps_done, state, write_model, config.schedule.keep)


def _write_sheet(trainer: Trainer, run_dir: Path) -> None:
    path = run_dir / "sheets" / f"step-{trainer.steps_done:07d}.png"
    write_sheet(trainer.average, trainer.regions, trainer.config.schedule.sheet_images, trainer.config.seed, path)


def _finite_values(run: _Run) -> dict[str, float]:
    values = {name: float(value) for name, value in run.recent.items()}
    broken = [name for name, value in values.items() if not math.isfinite(value)]
    if broken:
        raise TrainingDiverged(
            f"training diverged: {', '.join(broken)} not finite at step {run.trainer.steps_done}. The last state in "
            f"{str(run.run_dir)!r} is kept. Train with a lower optimiser.learning_rate or a higher loss.r1_image, in "
            "another run_dir."
        )
    return values


def _open_data(config: TrainingConfig) -> PairDataset:
    data = config.data
    if data.kind in KINDS and data.kind != "portraits" and data.path is None:
        raise InputError(f"no data given for data.kind={data.kind}. Add data.path=FOLDER_OR_ZIP.")
    dataset = open_dataset(
        data.kind,
        data.path,
        config.size,
        scheme=data.scheme,
        split=data.split,
        length=data.length,
        seed=config.seed,
        label_order=data.label_order,
    )
    return cached_if_small(dataset, int(data.cache_gigabytes * 1e9), workers=data.workers, progress=True)


def _require_usable(config: TrainingConfig) -> Path:
    """The run's folder, checked without writing anything: data may still turn out to be unusable.

    Raises:
        InputError: no run_dir, one that cannot be written, or one that holds another configuration.
    """
    if not config.run_dir:
        raise InputError("no run folder given. Add run_dir=runs/NAME.")
    run_dir = Path(config.run_dir)
    if run_dir.exists() and not run_dir.is_dir():
        raise ExistingFileError(f"run_dir {str(run_dir)!r} is a file. Choose another.")
    path = require_free(run_dir / CONFIG_FILE, overwrite=True)
    if path.exists():
        changed = _difference(load_config(path), config)
        if changed:
            raise InputError(
                f"run_dir {str(run_dir)!r} holds a run with other values of {', '.join(changed)}. Give the same values "
                "to continue it, or another run_dir."
            )
    elif run_dir.exists() and any(found.name != LOCK_FILE for found in run_dir.iterdir()):
        raise InputError(f"run_dir {str(run_dir)!r} holds files that are no run of this package. Choose another.")
    return run_dir


def _difference(old: TrainingConfig, new: TrainingConfig) -> list[str]:
    """Keys whose values differ, of those that decide a run's numbers."""
    from omegaconf import OmegaConf

    changed = []
    before, after = (_flat(OmegaConf.to_container(OmegaConf.structured(config))) for config in (old, new))
    for key in sorted(before.keys() | after.keys()):
        section, _, name = key.partition(".")
        if section in _FREE_ON_RESUME:
            continue
        free = _FREE_SECTIONS_ON_RESUME.get(section, ())
        if free is None or name in free:
            continue
        if before.get(key) != after.get(key):
            changed.append(f"{key} ({json.dumps(before.get(key))} there, {json.dumps(after.get(key))} given)")
    return changed


def _flat(values: Any, prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = value
    return flat


@contextmanager
def _deterministic(wanted: bool) -> Iterator[None]:
    """Operations that repeat their bits wherever there are such; the process's own setting comes back afterwards."""
    before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    if wanted:
        torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])


@contextmanager
def _stop_requested() -> Iterator[threading.Event]:
    """An event that SIGTERM and Ctrl-C set; a second one interrupts at once. Signals reach the main thread only."""
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def request(number: int, frame: Any) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()
        sys.stderr.write("\nstopping after this step; the state is being saved.\n")

    before = {number: signal.signal(number, request) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
