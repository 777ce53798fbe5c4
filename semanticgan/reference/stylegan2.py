"""StyleGAN2 in the layout of rosinality's PyTorch implementation, the common exchange form of its weights.

A converted file has ``g_ema``, ``d`` and often ``latent_avg``, the mean of w; a training's file has ``g_ema``, ``g``,
``d`` and no mean, which is estimated then. Widths are read from the tensors.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from semanticgan.checkpoint import build
from semanticgan.networks.comparison.stylegan2 import (
    StyleGAN2Config,
    StyleGAN2Discriminator,
    StyleGAN2DiscriminatorConfig,
    StyleGAN2Generator,
)
from semanticgan.reference.layers import ReferenceLayers
from semanticgan.reference.opening import Reader, TensorMap, layout_of, named_tensors, require_own_bytes
from semanticgan.reference.semanticstylegan import branch_from_reference, scores_from_reference

SYSTEM = "StyleGAN2"


def is_it(content: Any) -> bool:
    """Told by its learnt constant and its colour layers."""
    weights = content.get("g_ema") if isinstance(content, Mapping) else None
    names = set(map(str, weights)) if isinstance(weights, Mapping) else set()
    return any(name.endswith("input.input") for name in names) and any("to_rgb1." in name for name in names)


def of_content(content: Mapping[str, Any], source: Path) -> ReferenceLayers:
    """The networks of a file.

    Raises:
        WeightsError: missing, unknown or misshapen tensors.
    """
    what = f"checkpoint {str(source)!r}"
    weights = named_tensors(content["g_ema"], what, SYSTEM)
    theirs = named_tensors(content["d"], what, SYSTEM) if content.get("d") is not None else {}
    mean = content.get("latent_avg")
    require_own_bytes((*weights.values(), *theirs.values()), source)
    with layout_of(SYSTEM, what):
        config = generator_config(weights)
        state = generator_from_reference(weights, config)
        state["mean_latent"] = torch.zeros(config.style_dim) if mean is None else mean.float().reshape(-1).clone()
        generator = build(lambda: StyleGAN2Generator(config), state, what)
        discriminator = None
        if theirs:
            sizes = discriminator_config(theirs)
            discriminator = build(
                lambda: StyleGAN2Discriminator(sizes), discriminator_from_reference(theirs, sizes), what
            ).eval()
    if mean is None:
        generator.estimate_mean_latent()
    return ReferenceLayers(generator.eval(), discriminator, True, mean is not None)


def generator_config(tensors: TensorMap) -> StyleGAN2Config:
    """All numbers of a generator, from its tensors."""
    read = Reader(tensors, SYSTEM)
    channels = {4: read("input.input").shape[1]}
    num_blocks = read.count("to_rgbs.{}.bias")
    for block in range(num_blocks):
        channels[8 << block] = read(f"convs.{2 * block}.conv.weight").shape[1]
    return StyleGAN2Config(
        size=4 << num_blocks,
        style_dim=read("style.1.weight").shape[0],
        num_mapping_layers=read.count("style.{}.weight", first=1),
        channels=channels,
    )


def generator_from_reference(tensors: TensorMap, config: StyleGAN2Config) -> dict[str, Tensor]:
    """Their generator's state dict -> ours, without ``mean_latent``."""
    read = Reader(tensors, SYSTEM)
    ours: dict[str, Tensor] = {"constant": read("input.input")}
    for layer in range(config.num_mapping_layers):
        for part in ("weight", "bias"):
            ours[f"mapping.layers.{layer}.{part}"] = read(f"style.{layer + 1}.{part}")
    for index in range(len(config.sides)):
        block = f"blocks.{index}"
        convs = {"upsample": f"convs.{2 * index - 2}", "refine": f"convs.{2 * index - 1}"}
        for name, theirs in convs.items() if index else [("refine", "conv1")]:
            ours[f"{block}.{name}.conv.weight"] = read(f"{theirs}.conv.weight")[0]
            ours |= _style(read, f"{block}.{name}", theirs)
            ours[f"{block}.{name}.noise.weight"] = read(f"{theirs}.noise.weight").reshape(())
            ours[f"{block}.{name}.bias"] = read(f"{theirs}.activate.bias")
        theirs = f"to_rgbs.{index - 1}" if index else "to_rgb1"
        ours[f"{block}.to_rgb.conv.weight"] = read(f"{theirs}.conv.weight")[0]
        ours |= _style(read, f"{block}.to_rgb", theirs)
        ours[f"{block}.to_rgb.bias"] = read(f"{theirs}.bias").flatten()
    for index in range(config.num_rows - 1):
        ours[f"noise_{index}"] = read(f"noises.noise_{index}")
    read.finish()
    return {name: tensor.detach().clone().contiguous() for name, tensor in ours.items()}


def _style(read: Reader, name: str, theirs: str) -> dict[str, Tensor]:
    return {f"{name}.conv.style.{part}": read(f"{theirs}.conv.modulation.{part}") for part in ("weight", "bias")}


def discriminator_config(tensors: TensorMap) -> StyleGAN2DiscriminatorConfig:
    """All numbers of a discriminator, from its tensors."""
    read = Reader(tensors, SYSTEM)
    num_blocks = read.count("convs.{}.skip.1.weight", first=1)
    size = 4 << num_blocks
    channels = {size: read("convs.0.0.weight").shape[0]}
    channels |= {size >> block: read(f"convs.{block}.skip.1.weight").shape[0] for block in range(1, num_blocks + 1)}
    return StyleGAN2DiscriminatorConfig(size=size, channels=channels)


def discriminator_from_reference(tensors: TensorMap, config: StyleGAN2DiscriminatorConfig) -> dict[str, Tensor]:
    """Their discriminator's state dict -> ours."""
    read = Reader(tensors, SYSTEM)
    ours = branch_from_reference(read, "", "convs", config.size.bit_length() - 3) | scores_from_reference(read)
    read.finish()
    return {name: tensor.detach().clone().contiguous() for name, tensor in ours.items()}
