"""The training loop: data, steps, logs, sheets, states; repeating the command continues the run."""

from __future__ import annotations

import json
import os
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
from semanticgan.data import batches, cached_if_small, open_dataset, to_network
from semanticgan.data.pairs import PairDataset
from semanticgan.errors import InputError, UnwritableError
from semanticgan.files import written_aside
from semanticgan.model import choose_device
from semanticgan.training.config import TrainingConfig, load_config
from semanticgan.training.logs import RunLog
from semanticgan.training.sheets import write_sheet
from semanticgan.training.state import MODEL_FILE, load_state, newest_state, remove_litter, save_state
from semanticgan.training.trainer import Trainer, TrainingDiverged

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
        InputError: a configuration or data that cannot be used, or a run folder of another configuration.
        TrainingDiverged: a loss is not finite; the last state is kept.
    """
    started = time.monotonic()
    run_dir = _open_run(config)
    device = choose_device(config.device)
    if config.deterministic:
        torch.use_deterministic_algorithms(True, warn_only=True)
    dataset = _open_data(config)
    trainer = Trainer(config, dataset.regions, device)
    newest = newest_state(run_dir)
    if newest is not None:
        state = load_state(newest, device)
        if state["data_key"] != dataset.key():
            raise InputError(
                f"the data at {config.data.path!r} are not those that {str(run_dir)!r} was trained on. "
                "Give the same data, or another run_dir."
            )
        trainer.load_state(state)
    total_steps = -(-config.schedule.total_images // config.batch)
    with RunLog(run_dir, trainer.steps_done) as log, _stop_requested() as stop:
        _run(trainer, dataset, total_steps, run_dir, log, stop)
    model = newest_state(run_dir)
    assert model is not None
    return TrainingResult(
        run_dir, model / MODEL_FILE, trainer.images_seen, trainer.steps_done >= total_steps, time.monotonic() - started
    )


def _run(
    trainer: Trainer, dataset: PairDataset, total_steps: int, run_dir: Path, log: RunLog, stop: threading.Event
) -> None:
    config, schedule = trainer.config, trainer.config.schedule
    pairs = batches(
        dataset,
        config.batch,
        start_step=trainer.steps_done,
        seed=config.seed,
        flip=config.data.flip,
        workers=0 if _in_memory(dataset) else config.data.workers,
    )
    bar = tqdm(total=total_steps * config.batch, initial=trainer.images_seen, unit="img", desc=config.name)
    recent: dict[str, Tensor] = {}
    log_start = time.monotonic()
    with bar:
        while trainer.steps_done < total_steps and not stop.is_set():
            image, segmentation = to_network(next(pairs), len(dataset.regions), trainer.device)
            recent |= trainer.step(image, segmentation)
            bar.update(config.batch)
            step = trainer.steps_done
            if step % schedule.log_every == 0 or step == total_steps:
                values = _finite({name: float(value) for name, value in recent.items()}, step, run_dir)
                now = time.monotonic()
                log.write(step, trainer.images_seen, values, _clock(config, now - log_start))
                bar.set_postfix_str(
                    f"D {values['loss/discriminator']:.2f} G {values['loss/generator']:.2f}", refresh=False
                )
                recent, log_start = {}, now
            if step % schedule.sheet_every == 0 or step == total_steps:
                _write_sheet(trainer, run_dir)
            if step % schedule.save_every == 0 or step == total_steps:
                _save(trainer, dataset, run_dir)
        if stop.is_set():
            _save(trainer, dataset, run_dir)


def _save(trainer: Trainer, dataset: PairDataset, run_dir: Path) -> None:
    config = trainer.config
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

    state = {**trainer.state(), "data_key": dataset.key()}
    save_state(run_dir, trainer.steps_done, state, write_model, config.schedule.keep)


def _write_sheet(trainer: Trainer, run_dir: Path) -> None:
    path = run_dir / "sheets" / f"step-{trainer.steps_done:07d}.png"
    write_sheet(trainer.average, trainer.regions, trainer.config.schedule.sheet_images, trainer.config.seed, path)


def _finite(values: dict[str, float], step: int, run_dir: Path) -> dict[str, float]:
    broken = [name for name, value in values.items() if not abs(value) < float("inf")]
    if broken:
        raise TrainingDiverged(
            f"{', '.join(broken)} is not finite at step {step}. The last state in {str(run_dir)!r} is kept; go on from "
            "it with a lower optimiser.learning_rate or a higher loss.r1_image, in another run_dir."
        )
    return values


def _clock(config: TrainingConfig, seconds: float) -> dict[str, float]:
    return {"speed/images_per_second": config.schedule.log_every * config.batch / max(seconds, 1e-9)}


def _open_data(config: TrainingConfig) -> PairDataset:
    data = config.data
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


def _in_memory(dataset: PairDataset) -> bool:
    from semanticgan.data import CachedPairs

    return isinstance(dataset, CachedPairs)


def _open_run(config: TrainingConfig) -> Path:
    """The run's folder with its configuration written down, or checked against the one there.

    Raises:
        InputError: no run_dir, one that cannot be written, or one that holds another configuration.
    """
    if not config.run_dir:
        raise InputError("no run folder given. Add run_dir=runs/NAME.")
    run_dir = Path(config.run_dir)
    try:
        run_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UnwritableError(f"cannot create run_dir {str(run_dir)!r} ({error.strerror}). Choose another.") from error
    if not os.access(run_dir, os.W_OK):
        raise UnwritableError(f"cannot write to run_dir {str(run_dir)!r}. Choose another.")
    path = run_dir / CONFIG_FILE
    if path.exists():
        changed = _difference(load_config(path), config)
        if changed:
            raise InputError(
                f"run_dir {str(run_dir)!r} holds a run with other values of {', '.join(changed)}. Give the same values "
                "to continue it, or another run_dir."
            )
    elif any(run_dir.iterdir()):
        raise InputError(f"run_dir {str(run_dir)!r} holds files that are no run of this package. Choose another.")
    remove_litter(run_dir)
    with written_aside(path, overwrite=True) as aside:
        aside.write_text(config.to_yaml())
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
