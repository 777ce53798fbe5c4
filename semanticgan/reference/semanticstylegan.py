"""The authors' checkpoints (seasonSH/SemanticStyleGAN): opened without running them, translated into our names.

A ``.pt`` file is a pickle of a dictionary with 'g_ema' and 'args', in training checkpoints also 'g' and 'd'. The
authors keep one module a region; here the local generators' weights are stacked over regions. Widths and counts are
read from the tensors; the few numbers that tensors do not tell come from 'args'.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from semanticgan.checkpoint import fill, require_shapes
from semanticgan.errors import WeightsError
from semanticgan.files import require_file
from semanticgan.formats.pickles import plain
from semanticgan.networks.config import DiscriminatorConfig, GeneratorConfig
from semanticgan.networks.discriminator import Discriminator
from semanticgan.networks.generator import Generator
from semanticgan.outline import outline
from semanticgan.reference.opening import Reader, TensorMap, layout_of, load_pickle, named_tensors, require_own_bytes
from semanticgan.regions import CELEBAMASK_13, RegionScheme


@dataclass(frozen=True)
class ReferenceCheckpoint:
    """What a checkpoint holds, in this package's terms.

    Attributes:
        generator: the EMA generator, with ``mean_latent`` estimated.
        discriminator: None in files that hold the generator only.
        iteration: training step that the file was written at, None where its name does not tell.
    """

    generator: Generator
    discriminator: Discriminator | None
    iteration: int | None


def read_checkpoint(source: str | Path) -> ReferenceCheckpoint:
    """Open an authors' ``.pt`` by restricted unpickling and build its networks.

    Raises:
        MissingFileError: no such file.
        WeightsError: not a checkpoint of SemanticStyleGAN, damaged, or holding more than tensors and arguments.
    """
    source = require_file(source, "checkpoint")
    return of_content(load_pickle(source), source)


def of_content(content: Any, source: Path) -> ReferenceCheckpoint:
    """The networks of a checkpoint's content, as :func:`read_checkpoint` says."""
    what = f"checkpoint {str(source)!r}"
    if not isinstance(content, dict) or "g_ema" not in content:
        texts = [key[:40] for key in content if isinstance(key, str)] if isinstance(content, dict) else []
        keys = f"holds {sorted(texts)[:8]}" if isinstance(content, dict) else "is no dictionary"
        raise WeightsError(f"{what} {keys}; one of SemanticStyleGAN has 'g_ema' and 'args'.")
    arguments = _arguments(content, what)
    weights = named_tensors(content["g_ema"], what)
    theirs_what = f"discriminator of {str(source)!r}"
    theirs = named_tensors(content["d"], theirs_what) if content.get("d") is not None else {}
    require_own_bytes((*weights.values(), *theirs.values()), source)
    with layout_of("SemanticStyleGAN", what):
        config = generator_config_from_reference(weights, arguments)
        generator = _fill_checked(Generator, config, generator_from_reference, weights, what)
        discriminator = None
        if theirs:
            theirs_config = discriminator_config_from_reference(theirs)
            discriminator = _fill_checked(
                Discriminator, theirs_config, discriminator_from_reference, theirs, theirs_what
            )
    generator.eval().estimate_mean_latent()
    iteration = int(source.stem) if source.stem.isascii() and source.stem.isdigit() else None
    return ReferenceCheckpoint(generator, discriminator, iteration)


def _arguments(content: Mapping[Any, Any], what: str) -> dict[str, Any]:
    """The training's arguments by name; none where the file has none."""
    given = content.get("args")
    if given is None:
        return {}
    if not isinstance(given, (dict, argparse.Namespace)):
        raise WeightsError(
            f"{what}: 'args' is of the type {type(given).__name__}; a dictionary or an argparse.Namespace is needed. "
            "Save the file again with one, or without 'args', which stands for the layers of the released models."
        )
    named = given if isinstance(given, dict) else vars(given)
    return {name: plain(value) for name, value in named.items() if isinstance(name, str)}


def _fill_checked(
    module: type[Generator] | type[Discriminator],
    config: GeneratorConfig | DiscriminatorConfig,
    translate: Callable[[TensorMap, Any], dict[str, Tensor]],
    tensors: TensorMap,
    what: str,
) -> Any:
    """The network with these weights; their shapes are compared with the config before anything is copied."""
    on_paper = {name: tensor.to("meta") if isinstance(tensor, Tensor) else tensor for name, tensor in tensors.items()}
    shapes = {name: tensor.shape for name, tensor in translate(on_paper, config).items()}
    num_stored = sum(tensor.numel() for tensor in tensors.values() if isinstance(tensor, Tensor))
    network = outline(lambda: module(config), num_stored, what)  # type: ignore[arg-type]
    wanted = network.state_dict()
    not_stored = {name: wanted.pop(name) for name in ("mean_latent",) if name in wanted}
    require_shapes({name: tensor.shape for name, tensor in wanted.items()}, shapes, what)
    fill(network, {**translate(tensors, config), **not_stored}, what)
    return network


def default_regions(num_regions: int, transparent: tuple[int, ...]) -> RegionScheme:
    """The scheme of a checkpoint, which does not name its regions: the released models' 13, else numbered names."""
    names = CELEBAMASK_13.names
    if num_regions != len(names):
        names = ("background", *(f"region-{label}" for label in range(1, num_regions)))
    return RegionScheme(names=names, transparent=tuple(names[label] for label in transparent))


def generator_config_from_reference(tensors: TensorMap, arguments: Mapping[str, Any]) -> GeneratorConfig:
    """Numbers of a generator, from its tensors wherever they tell.

    Args:
        tensors: the authors' generator state dict.
        arguments: the checkpoint's arguments by the authors' names; ``base_layers``, ``depth_layers``,
            ``residual_refine`` and ``transparent_dims`` are read, and missing ones are those of the released models.
    """
    read = Reader(tensors)
    num_blocks = read.count("render_net.to_rgbs.{}.bias")
    num_regions = read.count("local_nets.{}.to_feat.bias")
    if not num_blocks or not num_regions:
        raise WeightsError(
            "the checkpoint holds no renderer or no local generators: it is not one of SemanticStyleGAN."
        )
    feature_channels, local_channels = read("local_nets.0.to_feat.conv.weight").shape[:2]
    side = read("render_net.noises.noise_0").shape[-1]
    min_feature_size = side // 2
    coarse_size = int(arguments.get("coarse_size") or GeneratorConfig.coarse_size)
    channels: dict[int, int] = {}
    width = feature_channels
    for block in range(num_blocks):
        width_out, width_in = read(f"render_net.convs.{2 * block}.weight").shape[:2]
        if width_in == width + feature_channels:  # the fused feature map comes in here
            coarse_size = side // 2
        channels[side] = width = width_out
        side *= 2
    released_transparent = GeneratorConfig.transparent if num_regions == len(CELEBAMASK_13) else ()
    transparent = arguments.get("transparent_dims", released_transparent) or ()
    return GeneratorConfig(
        size=max(channels),
        style_dim=read("style.1.weight").shape[0],
        num_mapping_layers=read.count("style.{}.weight", first=1),
        num_regions=num_regions,
        coarse_size=coarse_size,
        min_feature_size=min_feature_size,
        num_local_layers=read.count("local_nets.0.linears.{}.conv.weight"),
        local_channels=local_channels,
        feature_channels=feature_channels,
        num_base_layers=int(arguments.get("base_layers", GeneratorConfig.num_base_layers)),
        num_structure_layers=int(arguments.get("depth_layers", GeneratorConfig.num_structure_layers)),
        residual_segmentation=bool(arguments.get("residual_refine", GeneratorConfig.residual_segmentation)),
        transparent=tuple(int(label) for label in transparent),
        channels=channels,
    )


def generator_from_reference(tensors: TensorMap, config: GeneratorConfig) -> dict[str, Tensor]:
    """The authors' generator state dict -> ours. ``mean_latent``, which the authors do not store, is left out."""
    read = Reader(tensors)
    regions, layers = range(config.num_regions), range(config.num_local_layers)
    ours: dict[str, Tensor] = {}
    for layer in range(config.num_mapping_layers):
        ours[f"mapping.layers.{layer}.weight"] = read(f"style.{layer + 1}.weight")
        ours[f"mapping.layers.{layer}.bias"] = read(f"style.{layer + 1}.bias")

    ours["local.fourier_weight"] = read("pos_embed.weights").flatten(1)
    for layer in layers:
        for name, theirs in _LOCAL_NAMES.items():
            stacked = torch.stack([read(f"local_nets.{k}.linears.{layer}.{theirs}") for k in regions])
            # Convolution weights [K, 1, C', C, 1, 1] become [K, C', C].
            ours[f"local.layers.{layer}.{name}"] = stacked[:, 0, :, :, 0, 0] if name == "weight" else stacked
    ours |= _stacked_head(read, "local.depth_head", "to_depth", regions[1:])
    ours |= _stacked_head(read, "fusion.feature_head", "to_feat", regions)

    num_convs = read.count("render_net.convs.{}.weight")
    for index in range(num_convs):
        name = f"renderer.blocks.{index // 2}.{'refine' if index % 2 else 'upsample'}"
        theirs = f"render_net.convs.{index}"
        ours[f"{name}.conv.weight"] = read(f"{theirs}.weight")
        ours[f"{name}.conv.scale"] = read(f"{theirs}.modulation").flatten()
        ours[f"{name}.noise.weight"] = read(f"{theirs}.noise.weight").reshape(())
        ours[f"{name}.bias"] = read(f"{theirs}.activate.bias")
        ours[f"renderer.noise_{index}"] = read(f"render_net.noises.noise_{index}")
    for block in range(num_convs // 2):
        for name, theirs in (("to_rgb", "to_rgbs"), ("to_segmentation", "to_segs")):
            head, their_head = f"renderer.blocks.{block}.{name}", f"render_net.{theirs}.{block}"
            ours[f"{head}.conv.weight"] = read(f"{their_head}.conv.weight")
            ours[f"{head}.conv.scale"] = read(f"{their_head}.conv.modulation").flatten()
            ours[f"{head}.bias"] = read(f"{their_head}.bias").flatten()
    read.finish()
    return {name: tensor.detach().clone().contiguous() for name, tensor in ours.items()}


_LOCAL_NAMES: Mapping[str, str] = {
    "weight": "conv.weight",
    "style_weight": "conv.modulation.weight",
    "style_bias": "conv.modulation.bias",
    "bias": "activate.bias",
}


def _stacked_head(read: Reader, name: str, theirs: str, regions: range) -> dict[str, Tensor]:
    prefix = "local_nets.{}." + theirs
    return {
        f"{name}.weight": torch.stack([read(prefix.format(k) + ".conv.weight")[:, :, 0, 0] for k in regions]),
        f"{name}.scale": torch.stack([read(prefix.format(k) + ".conv.modulation").flatten() for k in regions]),
        f"{name}.bias": torch.stack([read(prefix.format(k) + ".bias").flatten() for k in regions]),
    }


def discriminator_config_from_reference(tensors: TensorMap) -> DiscriminatorConfig:
    """Numbers of a discriminator, all from its tensors."""
    read = Reader(tensors)
    num_blocks = read.count("convs_img.{}.skip.1.weight", first=1)
    size = 4 * 2**num_blocks
    branches = {}
    for branch in ("img", "seg"):
        widths = {size: read(f"convs_{branch}.0.0.weight").shape[0]}
        for block in range(1, num_blocks + 1):
            widths[size >> block] = read(f"convs_{branch}.{block}.skip.1.weight").shape[0]
        branches[branch] = widths
    return DiscriminatorConfig(
        size=size,
        num_regions=read("convs_seg.0.0.weight").shape[1],
        channels=branches["img"],
        segmentation_channels=branches["seg"],
    )


def discriminator_from_reference(tensors: TensorMap, config: DiscriminatorConfig) -> dict[str, Tensor]:
    """The authors' discriminator state dict -> ours."""
    read = Reader(tensors)
    num_blocks = config.size.bit_length() - 3
    ours: dict[str, Tensor] = {}
    for name, theirs in (("image_branch", "convs_img"), ("segmentation_branch", "convs_seg")):
        ours |= branch_from_reference(read, f"{name}.", theirs, num_blocks)
    ours |= scores_from_reference(read)
    read.finish()
    return {name: tensor.detach().clone().contiguous() for name, tensor in ours.items()}


def branch_from_reference(read: Reader, name: str, theirs: str, num_blocks: int) -> dict[str, Tensor]:
    """The stem and residual blocks of a branch, which StyleGAN2's discriminator has as well."""
    ours = {f"{name}stem.weight": read(f"{theirs}.0.0.weight"), f"{name}stem.bias": read(f"{theirs}.0.1.bias")}
    for block in range(num_blocks):
        ours_block, their_block = f"{name}blocks.{block}", f"{theirs}.{block + 1}"
        for conv, place in (("conv1", 0), ("conv2", 1)):
            ours[f"{ours_block}.{conv}.weight"] = read(f"{their_block}.{conv}.{place}.weight")
            ours[f"{ours_block}.{conv}.bias"] = read(f"{their_block}.{conv}.{place + 1}.bias")
        ours[f"{ours_block}.skip.weight"] = read(f"{their_block}.skip.1.weight")
    return ours


def scores_from_reference(read: Reader) -> dict[str, Tensor]:
    """The last convolution and the two dense layers."""
    ours = {"final_conv.weight": read("final_conv.0.weight"), "final_conv.bias": read("final_conv.1.bias")}
    for name, theirs in (("final_linear", "final_linear.0"), ("score", "final_linear.1")):
        ours[f"{name}.weight"], ours[f"{name}.bias"] = read(f"{theirs}.weight"), read(f"{theirs}.bias")
    return ours
