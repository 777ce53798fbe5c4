"""What is known of the training of a model: pictures seen, hours, speed, parameters."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from semanticgan.checkpoint import ModelMetadata
from semanticgan.errors import InputError
from semanticgan.networks.architectures import architecture
from semanticgan.registry import RELEASES, bundled
from semanticgan.runs.record import RunRecord, read_record
from semanticgan.runs.state import TRAINING_FILE


@dataclass(frozen=True)
class TrainingFacts:
    """None where something is not known.

    Attributes:
        images: pictures that the model has seen in training.
        hours: of training, as the clock on the wall counts them, all calls together.
        core_hours: these, times the cores.
        images_per_second: mean over the whole training.
        num_discriminator: numbers that the discriminator learns.
    """

    images: int | None = None
    hours: float | None = None
    core_hours: float | None = None
    images_per_second: float | None = None
    num_discriminator: int | None = None


def training_facts(name_or_path: str, metadata: ModelMetadata, cores: int | None = None) -> TrainingFacts:
    """What a model's file and, where it is a run's, the run's log say.

    Args:
        name_or_path: how the model was given.
        metadata: of its file; ``training`` may have "images", "images_before", "hours" and "core_hours".
        cores: that trained it; None where that is not known, and then core-hours are those of the file.
    """
    training, record = metadata.training, _record_of(name_or_path)
    images = sum(int(_number(training, name) or 0) for name in ("images", "images_before")) or None
    hours, speed = _number(training, "hours"), None
    if record is not None and record.clock.seconds:
        speed = record.images / record.clock.seconds
        hours = record.clock.seconds / 3600 * min(1.0, (images or record.images) / record.images)
    core_hours = _number(training, "core_hours")
    if core_hours is None and hours is not None and cores is not None:
        core_hours = hours * cores
    return TrainingFacts(images, hours, core_hours, speed, _num_discriminator(metadata, record))


def num_parameters(network: nn.Module) -> int:
    """Numbers that a network learns."""
    return sum(weight.numel() for weight in network.parameters())


def _record_of(name_or_path: str) -> RunRecord | None:
    """The run that a folder is of, None where it is of none or has no log yet."""
    path = Path(name_or_path)
    if name_or_path in bundled() or name_or_path in RELEASES or not path.is_dir():
        return None
    try:
        return read_record(path.absolute().parent if (path / TRAINING_FILE).is_file() else path)
    except InputError:
        return None


def _num_discriminator(metadata: ModelMetadata, record: RunRecord | None) -> int | None:
    if record is not None and "discriminator" in record.num_parameters:
        return record.num_parameters["discriminator"]
    if metadata.discriminator is None:
        return None
    make: Callable[[Any], nn.Module] = architecture(metadata.architecture).discriminator
    with torch.device("meta"):
        return num_parameters(make(metadata.discriminator))


def _number(training: Mapping[str, Any], name: str) -> float | None:
    """A finite number above 0 of a file that others may have written."""
    value = training.get(name)
    known = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value) and value > 0
    return float(value) if known and value is not None else None
