"""Files of encoders: one ``.safetensors`` file with the network and the code that the first pass starts from.

Tensors: those of the network under ``encoder.``, and ``mean`` [R, D]. The metadata, all text, beside those of
:mod:`semanticgan.formats.weights`:

==================  ==================================================================================
format              "semanticgan-encoder"
config              JSON of the EncoderConfig
rows                JSON of the Rows of its codes
model               JSON: "name" and "digest" of the model whose codes it finds; empty where that is not known
training            JSON of whatever the training says of itself; "perception" names the networks it learnt from
licence             terms of the weights
data_licence        terms of the training data
==================  ==================================================================================
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from semanticgan.checkpoint import build
from semanticgan.errors import InputError, WeightsError
from semanticgan.formats.strict_json import parse_object
from semanticgan.formats.weights import read_weights, write_weights
from semanticgan.networks.encoder import Encoder, EncoderConfig
from semanticgan.rows import Rows

FORMAT = "semanticgan-encoder"
_PREFIX = "encoder."
_REQUIRED = ("config", "rows", "model", "training", "licence", "data_licence", "description")


@dataclass(frozen=True)
class LoadedEncoder:
    """An encoder in memory.

    Attributes:
        encoder: the network, in eval mode, its parameters frozen.
        mean: [R, D], the code that the first pass starts from.
        rows: of its codes.
        model: "name" and "digest" of the model whose codes it finds; empty where that is not known.
        training: figures of its training.
        licence: terms of the weights.
        data_licence: terms of the training data.
        description: one line.
    """

    encoder: Encoder
    mean: Tensor
    rows: Rows
    model: Mapping[str, str] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)
    licence: str = "not stated"
    data_licence: str = "not stated"
    description: str = ""

    @property
    def size(self) -> int:
        """S, the side of the pictures that it looks at."""
        return self.encoder.config.size


def save_encoder(path: str | Path, loaded: LoadedEncoder, precision: str = "float32", overwrite: bool = False) -> None:
    """Write an encoder.

    Raises:
        InputError: rows or a mean that do not fit, weights that are not finite, another suffix, an existing file.
    """
    config = loaded.encoder.config
    wanted = [config.num_rows, config.style_dim]
    if len(loaded.rows) != config.num_rows or list(loaded.mean.shape) != wanted:
        raise InputError(f"the encoder needs {config.num_rows} rows and a mean of {wanted}, got {len(loaded.rows)}.")
    state = {_PREFIX + name: value for name, value in loaded.encoder.state_dict().items() if value.is_floating_point()}
    texts = {
        "description": loaded.description or f"an encoder of {config.size} pixels to {loaded.rows.counted}",
        "config": json.dumps(config.to_dict()),
        "rows": json.dumps(loaded.rows.to_dict()),
        "model": json.dumps(dict(loaded.model)),
        "training": json.dumps(dict(loaded.training)),
        "licence": loaded.licence,
        "data_licence": loaded.data_licence,
    }
    write_weights(path, FORMAT, {**state, "mean": loaded.mean}, texts, precision, overwrite)


def load_encoder(path: str | Path) -> LoadedEncoder:
    """Read an encoder and verify every tensor in its file.

    Raises:
        MissingFileError: no such file.
        WeightsError: the file is damaged, unsafe, or of something else.
    """
    raw, tensors = read_weights(path, FORMAT, _REQUIRED)
    what = f"encoder {str(path)!r}"
    try:
        config = EncoderConfig.from_dict(parse_object(raw["config"]))
        rows = Rows.from_dict(parse_object(raw["rows"]))
        model = {name: str(text) for name, text in parse_object(raw["model"], numbers_only=False).items()}
        training = parse_object(raw["training"], numbers_only=False)
        mean = tensors.pop("mean")
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
        raise WeightsError(f"metadata of {what} cannot be used: {error}") from error
    if len(rows) != config.num_rows or tuple(mean.shape) != (config.num_rows, config.style_dim):
        raise WeightsError(f"{what} has {len(rows)} rows, a mean of {list(mean.shape)} and a network of other rows.")
    weights = {name.removeprefix(_PREFIX): value for name, value in tensors.items()}
    encoder = build(lambda: Encoder(config), weights, what).eval().requires_grad_(False)
    return LoadedEncoder(encoder, mean, rows, model, training, raw["licence"], raw["data_licence"], raw["description"])
