"""What a run has written so far, read back while it may still be writing."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch

from semanticgan import extras
from semanticgan.checkpoint import ModelMetadata, read_metadata
from semanticgan.errors import InputError, MissingFileError
from semanticgan.files import user_path
from semanticgan.formats.typed_yaml import read_plain
from semanticgan.runs.contents import (
    CONFIG_FILE,
    SHEETS_FOLDER,
    STATS_FILE,
    TENSORBOARD_FOLDER,
    is_plain_file,
    read_lines,
    read_text,
    require_plain,
)
from semanticgan.runs.curves import Curve
from semanticgan.runs.state import MODEL_FILE, state_folders
from semanticgan.terminal import printable

_SHEET = re.compile(r"step-(\d{7,15})\.png")
_LARGEST = 2**53  # whole numbers up to here are exact as float64


@dataclass(frozen=True)
class Clock:
    """What depends on the machine, from the files of TensorBoard.

    Attributes:
        curves: by name, ``speed/images_per_second``; empty where TensorBoard is not installed or wrote nothing.
        seconds: spent in all calls of the training, or None where it is not known.
    """

    curves: Mapping[str, Curve]
    seconds: float | None


@dataclass(frozen=True)
class RunRecord:
    """A run as it stands.

    Attributes:
        run_dir: its folder.
        config: its configuration, as it was written.
        config_text: the same as YAML.
        curves: every scalar of ``stats.jsonl`` by name, in order of first appearance.
        step: steps done at the newest line of the log.
        images: pictures seen then.
        written: when that line was written, local time.
        problems: what could not be read, one sentence each.
        sheets: step and path of each sheet, oldest first.
        model: what the newest state's model says of itself, or None before the first state.
        num_parameters: of each network, as far as known.
        clock: speed and time.
    """

    run_dir: Path
    config: Mapping[str, Any]
    config_text: str
    curves: Mapping[str, Curve]
    step: int
    images: int
    written: datetime
    problems: tuple[str, ...]
    sheets: tuple[tuple[int, Path], ...]
    model: ModelMetadata | None
    num_parameters: Mapping[str, int]
    clock: Clock

    @property
    def name(self) -> str:
        return str(self.config.get("name") or self.run_dir.name)

    @property
    def total_images(self) -> int | None:
        """Where the training ends, if the configuration says so."""
        total = self.section("schedule").get("total_images")
        return total if _is_count(total) else None

    def section(self, name: str) -> Mapping[str, Any]:
        """A section of the configuration, empty where there is none."""
        section = self.config.get(name)
        return section if isinstance(section, dict) else {}

    def images_at(self, step: int) -> int:
        """Pictures seen after ``step`` steps, all of one batch size."""
        return round(step * self.images / self.step)


def read_record(run_dir: str | Path) -> RunRecord:
    """Read a run's folder; nothing in it is changed or held.

    Raises:
        InputError: no folder, no run, a configuration that cannot be read, or no line of the log yet.
    """
    run_dir = user_path(run_dir, "run folder")
    if not run_dir.is_dir():
        raise MissingFileError(f"run folder {str(run_dir)!r} does not exist. Give the run_dir of a training.")
    require_plain(run_dir)
    config, text = _read_config(run_dir)
    curves, step, images, problems = _read_stats(run_dir, config)
    model = _read_model(run_dir)
    return RunRecord(
        run_dir=run_dir,
        config=config,
        config_text=text,
        curves=curves,
        step=step,
        images=images,
        written=datetime.fromtimestamp((run_dir / STATS_FILE).stat().st_mtime),
        problems=problems,
        sheets=_find_sheets(run_dir),
        model=model,
        num_parameters=_count_parameters(run_dir, model),
        clock=_read_clock(run_dir / TENSORBOARD_FOLDER, curves),
    )


def _read_config(run_dir: Path) -> tuple[dict[str, Any], str]:
    path = run_dir / CONFIG_FILE
    if not path.is_file():
        raise InputError(
            f"{str(run_dir)!r} is not a run folder: it has no {CONFIG_FILE}. Give the run_dir of a training."
        )
    try:
        text = read_text(path)
        # Not load_config: a run of an older or newer version can still be looked at.
        config = read_plain(text)
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())[:200].rstrip(".")
        raise InputError(f"{str(path)!r} cannot be read: {reason}. Give the run_dir of a training.") from error
    if not isinstance(config, dict):
        raise InputError(f"{str(path)!r} is not a configuration. Give the run_dir of a training.")
    return _shown(config), printable(text, keep="\n")


def _shown(value: Any) -> Any:
    """A configuration whose texts may be shown."""
    if isinstance(value, dict):
        return {printable(str(name)): _shown(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_shown(inner) for inner in value]
    return printable(value) if isinstance(value, str) else value


def _read_stats(run_dir: Path, config: Mapping[str, Any]) -> tuple[dict[str, Curve], int, int, tuple[str, ...]]:
    """Curves by name, steps and images at the newest line, and which lines are damaged."""
    path = run_dir / STATS_FILE
    lines: list[dict[str, Any]] = []
    damaged: list[int] = []
    line = "\n"
    for number, line in enumerate(read_lines(path) if is_plain_file(path) else (), start=1):
        parsed = _parse_line(line)
        if parsed is not None and (not lines or parsed["images"] > lines[-1]["images"]):
            lines.append(parsed)
        elif line.strip():
            damaged.append(number)
    if damaged and not line.endswith("\n") and damaged[-1] == number:
        damaged.pop()  # being written as we read
    if not lines and damaged:
        raise InputError(
            f"no line of {str(path)!r} can be read ({len(damaged)} are damaged). Restore the file from a copy, or "
            "remove it and continue the training, which writes it again from there on."
        )
    if not lines:
        schedule = config.get("schedule")
        every = schedule.get("log_every") if isinstance(schedule, dict) else None
        first = f" The first comes after step {every}." if every else ""
        raise InputError(f"run {str(run_dir)!r} has no line in {STATS_FILE} yet.{first} Try again then.")
    names = dict.fromkeys(name for line in lines for name in line if name not in ("step", "images"))
    curves = {name: _curve(name, lines) for name in names}
    shown = ", ".join(map(str, damaged[:10])) + (", ..." if len(damaged) > 10 else "")
    problem = f"{STATS_FILE}: damaged and left out: line {shown}." if damaged else ""
    return curves, lines[-1]["step"], lines[-1]["images"], (problem,) if problem else ()


def _parse_line(line: str) -> dict[str, Any] | None:
    """The numbers of one line of the log, or None where it is damaged."""
    try:
        values = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(values, dict) or not all(_is_count(values.get(name)) for name in ("step", "images")):
        return None
    numbers = {name: value for name, value in values.items() if type(value) in (int, float)}
    return {printable(name): value for name, value in numbers.items() if type(value) is float or abs(value) < _LARGEST}


def _is_count(value: object) -> bool:
    return type(value) is int and 0 < value < _LARGEST


def _curve(name: str, lines: list[dict[str, Any]]) -> Curve:
    points = [(line["images"], line[name]) for line in lines if name in line]
    images, values = np.array(points, dtype=np.float64).T
    return Curve(name, images, values)


def _find_sheets(run_dir: Path) -> tuple[tuple[int, Path], ...]:
    found = ((_SHEET.fullmatch(path.name), path) for path in (run_dir / SHEETS_FOLDER).glob("step-*.png"))
    return tuple(sorted((int(match[1]), path) for match, path in found if match and is_plain_file(path)))


def _read_model(run_dir: Path) -> ModelMetadata | None:
    """Read from the newest state that can be; the training may drop one while we look."""
    for folder in reversed(state_folders(run_dir)):
        try:
            return read_metadata(folder / MODEL_FILE)
        except (InputError, OSError):
            continue
    return None


def _count_parameters(run_dir: Path, model: ModelMetadata | None) -> dict[str, int]:
    """Trainable numbers of each network, built without memory for them."""
    from semanticgan.networks.architectures import architecture
    from semanticgan.runs.weights import discriminator_config

    counts: dict[str, int] = {}
    if model is None:
        return counts
    kind = architecture(model.architecture)
    with torch.device("meta"):
        counts["generator"] = sum(weight.numel() for weight in kind.generator(model.config).parameters())
        try:
            config = discriminator_config(run_dir, model)
        except InputError:  # a configuration of another version
            config = None
        if config is not None:
            counts["discriminator"] = sum(weight.numel() for weight in kind.discriminator(config).parameters())
    return counts


def _read_clock(folder: Path, logged: Mapping[str, Curve]) -> Clock:
    """Scalars that are not in ``stats.jsonl``, and the time between first and last event of every call."""
    if extras.problem("tensorboard"):
        return Clock({}, None)
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

    points: dict[str, dict[int, float]] = {}
    seconds, known = 0.0, False
    for path in sorted(folder.glob("events.out.tfevents.*")):
        first = last = None
        for event in EventFileLoader(str(path)).Load():
            first, last = first if first is not None else event.wall_time, event.wall_time
            if event.HasField("session_log"):  # a resumed run writes anew what comes from here on
                for values in points.values():
                    for images in [images for images in values if images >= event.step]:
                        del values[images]
            for value in event.summary.value:
                number = value.tensor.float_val[0] if value.tensor.float_val else value.simple_value
                if value.tag not in logged and math.isfinite(number):
                    points.setdefault(value.tag, {})[int(event.step)] = float(number)
        if first is not None and last is not None:
            seconds, known = seconds + last - first, True
    curves = {}
    for name, values in points.items():
        if values:
            images, numbers = np.array(sorted(values.items()), dtype=np.float64).T
            curves[name] = Curve(name, images, numbers)
    return Clock(curves, seconds if known else None)
