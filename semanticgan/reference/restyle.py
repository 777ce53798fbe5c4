"""ReStyle encoders over pSp (yuval-alaluf/restyle-encoder, seasonSH/SemanticStyleGAN): translated into our names.

A ``.pt`` file is a pickle of a dictionary with 'state_dict', whose names begin with ``encoder.`` (and ``decoder.``,
which is left out), and 'latent_avg'. Sizes are read from the tensors. Heads, one module each there, are stacked here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from semanticgan.checkpoint import build
from semanticgan.errors import WeightsError
from semanticgan.networks.encoder import Encoder, EncoderConfig
from semanticgan.reference.opening import Reader, TensorMap, layout_of, named_tensors, require_own_bytes
from semanticgan.regions import CELEBAMASK_13
from semanticgan.rows import Rows

PREFIX = "encoder."
_SYSTEM = "ReStyle"
_NUM_BASE = 2  # base rows of SemanticStyleGAN


@dataclass(frozen=True)
class ReferenceEncoder:
    """What a checkpoint holds, in this package's terms.

    Attributes:
        encoder: the network, in eval mode.
        mean: [R, D], the code that the first pass starts from.
        rows: of the code: those of SemanticStyleGAN's 13 regions where there are 28, else layers.
    """

    encoder: Encoder
    mean: Tensor
    rows: Rows


def is_encoder(content: Any) -> bool:
    """Whether a checkpoint's content is that of such an encoder."""
    state = content.get("state_dict") if isinstance(content, Mapping) else None
    return isinstance(state, Mapping) and any(str(name).startswith(PREFIX) for name in state)


def of_content(content: Mapping[str, Any], source: Path) -> ReferenceEncoder:
    """The encoder of a checkpoint's content.

    Raises:
        WeightsError: the tensors are not those of such an encoder.
    """
    what = f"checkpoint {str(source)!r}"
    state = named_tensors(content["state_dict"], what, _SYSTEM)
    weights = {name.removeprefix(PREFIX): value for name, value in state.items() if name.startswith(PREFIX)}
    require_own_bytes(weights.values(), source)
    with layout_of(_SYSTEM, what):
        config = encoder_config_from_reference(weights)
        ours = encoder_from_reference(weights, config)
        encoder: Encoder = build(lambda: Encoder(config), ours, what).eval()
        mean = _mean(content.get("latent_avg"), config, what)
    shape = config.num_rows - _NUM_BASE == 2 * len(CELEBAMASK_13)
    rows = Rows.of_regions(CELEBAMASK_13, _NUM_BASE) if shape else Rows.of_layers(config.num_rows)
    return ReferenceEncoder(encoder, mean, rows)


def _mean(given: Any, config: EncoderConfig, what: str) -> Tensor:
    """The average code [R, D]; a single row [D] serves all."""
    width = config.style_dim
    if not isinstance(given, Tensor) or given.numel() not in (width, config.num_rows * width):
        shape = list(given.shape) if isinstance(given, Tensor) else None
        raise WeightsError(f"{what}: 'latent_avg' has {shape}, [{config.num_rows}, {width}] or [{width}] is needed.")
    return given.detach().float().reshape(-1, width).expand(config.num_rows, width).clone()


def encoder_config_from_reference(tensors: TensorMap) -> EncoderConfig:
    """Sizes of an encoder, all from its tensors. A block whose shortcut is a convolution begins a stage."""
    read = Reader(tensors, _SYSTEM)
    num_rows = read.count("styles.{}.linear.weight")
    num_blocks = read.count("body.{}.res_layer.1.weight")
    if not num_rows or not num_blocks:
        raise WeightsError("the checkpoint holds no heads or no body: it is not one of ReStyle over pSp.")
    channels: list[int] = []
    blocks: list[int] = []
    for block in range(num_blocks):
        if block == 0 or f"body.{block}.shortcut_layer.0.weight" in tensors:
            channels.append(read(f"body.{block}.res_layer.1.weight").shape[0])
            blocks.append(0)
        blocks[-1] += 1
    convolutions = read.count("styles.0.convs.{}.weight", by=2)
    return EncoderConfig(
        stem=read("input_layer.0.weight").shape[0],
        channels=channels,
        blocks=blocks,
        head_channels=read("styles.0.convs.0.weight").shape[0],
        head_convolutions=convolutions,
        norm="batch",
        size=2 ** (convolutions + len(channels)),
        num_rows=num_rows,
        style_dim=read("styles.0.linear.weight").shape[0],
    )


def encoder_from_reference(tensors: TensorMap, config: EncoderConfig) -> dict[str, Tensor]:
    """The authors' encoder state dict -> ours."""
    read = Reader(tensors, _SYSTEM)
    ours: dict[str, Tensor] = {}

    def norm(name: str, theirs: str) -> None:
        for part in ("weight", "bias", "running_mean", "running_var"):
            ours[f"{name}.{part}"] = read(f"{theirs}.{part}")
        read.unread.discard(f"{theirs}.num_batches_tracked")

    ours["stem.0.weight"], ours["stem.2.weight"] = read("input_layer.0.weight"), read("input_layer.2.weight")
    norm("stem.1", "input_layer.1")
    for block in range(sum(config.blocks)):
        name, theirs = f"body.{block}.residual", f"body.{block}.res_layer"
        norm(f"{name}.0", f"{theirs}.0")
        norm(f"{name}.4", f"{theirs}.4")
        for index in (1, 2, 3):
            ours[f"{name}.{index}.weight"] = read(f"{theirs}.{index}.weight")
        for part, their_part in (("squeeze", "fc1"), ("excite", "fc2")):
            ours[f"{name}.5.{part}.weight"] = read(f"{theirs}.5.{their_part}.weight").flatten(1)
        if f"body.{block}.shortcut_layer.0.weight" in tensors:
            ours[f"body.{block}.shortcut.0.weight"] = read(f"body.{block}.shortcut_layer.0.weight")
            norm(f"body.{block}.shortcut.1", f"body.{block}.shortcut_layer.1")
    rows = range(config.num_rows)
    for layer in range(config.head_convolutions):
        for part in ("weight", "bias"):
            ours[f"heads.layers.{layer}.{part}"] = torch.cat(
                [read(f"styles.{r}.convs.{2 * layer}.{part}") for r in rows]
            )
    for part in ("weight", "bias"):
        ours[f"heads.{part}"] = torch.stack([read(f"styles.{r}.linear.{part}") for r in rows])
    read.finish()
    return {name: tensor.detach().clone().contiguous() for name, tensor in ours.items()}
