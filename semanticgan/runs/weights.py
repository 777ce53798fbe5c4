"""The weights of a run, or of a model file, as another training or a metric takes them up."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from semanticgan.checkpoint import ModelMetadata, fill, load_model
from semanticgan.errors import InputError
from semanticgan.files import user_path
from semanticgan.formats.typed_yaml import read_plain
from semanticgan.model import Model, load
from semanticgan.networks.architectures import architecture
from semanticgan.networks.config import NetworkConfig
from semanticgan.registry import resolve
from semanticgan.runs.contents import CONFIG_FILE, is_plain_file, read_text, require_plain
from semanticgan.runs.state import MODEL_FILE, TRAINING_FILE, is_valid, load_state, misfits_named, newest_state


def discriminator_config(run_dir: Path, model: ModelMetadata) -> NetworkConfig | None:
    """Sizes of a run's discriminator; None where it has no configuration, or one without a discriminator.

    Args:
        run_dir: the run's folder.
        model: that it trains.

    Raises:
        InputError: sizes that are not allowed.
    """
    path = run_dir / CONFIG_FILE
    config = read_plain(read_text(path)) if is_plain_file(path) else None
    section = config.get("discriminator") if isinstance(config, Mapping) else None
    if not isinstance(config, Mapping) or not isinstance(section, Mapping):
        return None
    kind = architecture(model.architecture).discriminator_config
    names = [item.name for item in dataclasses.fields(kind)]
    of_run = {"size": config.get("size"), "style_dim": model.config.style_dim}
    if model.regions is not None:
        of_run["num_regions"] = len(model.regions)
    sizes = {name: value for name, value in of_run.items() if name in names}
    return kind.from_dict(sizes | {name: section[name] for name in names if section.get(name) is not None})


@dataclass(frozen=True)
class Weights:
    """What a training left, or a model file.

    Attributes:
        name: as it was given.
        model: the averaged generator.
        state: the networks as they were training, or None where only a model is known.
        folder: of the state.
        discriminator: of the state or, where it has one, of the model file; else None.
    """

    name: str
    model: Model
    state: dict[str, Any] | None = None
    folder: Path | None = None
    discriminator: nn.Module | None = None


def read_weights(path_or_name: str, what: str = "start") -> Weights:
    """Read a run's folder (its newest state), one of its states, a model file, or a known model by name.

    Args:
        path_or_name: of one of these.
        what: what the caller wants it for, for messages.

    Raises:
        InputError: none of these, or damaged.
    """
    path = user_path(path_or_name, what)
    if not path.is_dir():
        loaded = load_model(resolve(path_or_name), with_discriminator=True)
        return Weights(path_or_name, Model(loaded), discriminator=loaded.discriminator)
    require_plain(path)
    folder = path if is_plain_file(path / TRAINING_FILE) else newest_state(path)
    if folder is None or not is_valid(folder):
        raise InputError(
            f"{what} {path_or_name!r} holds no whole training state. Give a run's folder, one of its step-* folders, a "
            "model file, or the name of a model."
        )
    if folder == path:
        require_plain(path.absolute().parent)
    model, state, discriminator = load(folder / MODEL_FILE, device="cpu"), load_state(folder), None
    config = discriminator_config(folder.parent, model.metadata)
    if config is not None:
        with torch.random.fork_rng(devices=[]):
            discriminator = architecture(model.metadata.architecture).discriminator(config)
        with misfits_named(folder):
            fill(discriminator, state["networks"]["discriminator"], f"the discriminator of {what} {path_or_name!r}")
    return Weights(path_or_name, model, state, folder, discriminator)
