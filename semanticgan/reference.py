"""The layout of the authors' checkpoints (seasonSH/SemanticStyleGAN) and its translation into this package's names.

The authors keep one module a region; here the local generators' weights are stacked over regions. Widths are read
from the tensors, since the checkpoints' arguments do not record them all.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from semanticgan.errors import WeightsError
from semanticgan.networks.discriminator import DiscriminatorConfig
from semanticgan.networks.generator import GeneratorConfig

TensorMap = Mapping[str, Tensor]


class _Reader:
    """Hands out tensors by name and knows which were never asked for."""

    def __init__(self, tensors: TensorMap) -> None:
        self.tensors = {name: tensor for name, tensor in tensors.items() if not name.endswith(".kernel")}
        self.unread = set(self.tensors)

    def __call__(self, name: str) -> Tensor:
        if name not in self.tensors:
            raise WeightsError(f"the checkpoint lacks the tensor {name!r}: it is not one of SemanticStyleGAN.")
        self.unread.discard(name)
        return self.tensors[name]

    def __contains__(self, name: str) -> bool:
        return name in self.tensors

    def count(self, pattern: str) -> int:
        """How many of ``pattern.format(0)``, ``pattern.format(1)``, ... there are."""
        number = 0
        while pattern.format(number) in self.tensors:
            number += 1
        return number

    def finish(self) -> None:
        if self.unread:
            raise WeightsError(f"the checkpoint holds tensors unknown to SemanticStyleGAN: {sorted(self.unread)[:3]}.")


def generator_config_from_reference(
    tensors: TensorMap,
    residual_segmentation: bool,
    transparent: tuple[int, ...],
    num_base_layers: int,
    num_structure_layers: int,
    coarse_size: int,
    min_feature_size: int,
) -> GeneratorConfig:
    """Read widths and counts from a generator's tensors; what tensors do not tell comes from the checkpoint's arguments."""
    read = _Reader(tensors)
    num_blocks = read.count("render_net.to_rgbs.{}.bias")
    if not num_blocks:
        raise WeightsError("the checkpoint holds no renderer: it is not one of SemanticStyleGAN.")
    channels = {
        min_feature_size * 2 ** (block + 1): read(f"render_net.convs.{2 * block}.weight").shape[0]
        for block in range(num_blocks)
    }
    feature_channels, local_channels = read("local_nets.0.to_feat.conv.weight").shape[:2]
    return GeneratorConfig(
        size=max(channels),
        style_dim=read("style.1.weight").shape[0],
        num_mapping_layers=_count_from_one(read, "style.{}.weight"),
        num_regions=read.count("local_nets.{}.to_feat.bias"),
        coarse_size=coarse_size,
        min_feature_size=min_feature_size,
        num_local_layers=read.count("local_nets.0.linears.{}.conv.weight"),
        local_channels=local_channels,
        feature_channels=feature_channels,
        num_base_layers=num_base_layers,
        num_structure_layers=num_structure_layers,
        residual_segmentation=residual_segmentation,
        transparent=transparent,
        channels=channels,
    )


def _count_from_one(read: _Reader, pattern: str) -> int:
    number = 1
    while pattern.format(number) in read:
        number += 1
    return number - 1


def generator_from_reference(tensors: TensorMap, config: GeneratorConfig) -> dict[str, Tensor]:
    """The authors' generator state dict -> ours. ``mean_latent``, which the authors do not store, is left out."""
    read = _Reader(tensors)
    regions, layers = range(config.num_regions), range(config.num_local_layers)
    ours: dict[str, Tensor] = {}
    for layer in range(config.num_mapping_layers):
        ours[f"mapping.layers.{layer}.weight"] = read(f"style.{layer + 1}.weight")
        ours[f"mapping.layers.{layer}.bias"] = read(f"style.{layer + 1}.bias")

    ours["local.fourier_weight"] = read("pos_embed.weights").flatten(1)
    for layer in layers:
        for name, theirs in _LOCAL_NAMES.items():
            stacked = torch.stack([read(f"local_nets.{k}.linears.{layer}.{theirs}") for k in regions])
            ours[f"local.layers.{layer}.{name}"] = _squeezed(stacked, name)
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


def _squeezed(stacked: Tensor, name: str) -> Tensor:
    """[K, 1, C', C, 1, 1] -> [K, C', C] for convolution weights; the others have their shape already."""
    return stacked[:, 0, :, :, 0, 0] if name == "weight" else stacked


def _stacked_head(read: _Reader, name: str, theirs: str, regions: range) -> dict[str, Tensor]:
    prefix = "local_nets.{}." + theirs
    return {
        f"{name}.weight": torch.stack([read(prefix.format(k) + ".conv.weight")[:, :, 0, 0] for k in regions]),
        f"{name}.scale": torch.stack([read(prefix.format(k) + ".conv.modulation").flatten() for k in regions]),
        f"{name}.bias": torch.stack([read(prefix.format(k) + ".bias").flatten() for k in regions]),
    }


def discriminator_config_from_reference(tensors: TensorMap) -> DiscriminatorConfig:
    """Read widths from a discriminator's tensors."""
    read = _Reader(tensors)
    num_blocks = _count_from_one(read, "convs_img.{}.skip.1.weight")
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
    read = _Reader(tensors)
    num_blocks = config.size.bit_length() - 3
    ours: dict[str, Tensor] = {}
    for name, theirs in (("image_branch", "convs_img"), ("segmentation_branch", "convs_seg")):
        ours[f"{name}.stem.weight"] = read(f"{theirs}.0.0.weight")
        ours[f"{name}.stem.bias"] = read(f"{theirs}.0.1.bias")
        for block in range(num_blocks):
            ours_block, their_block = f"{name}.blocks.{block}", f"{theirs}.{block + 1}"
            ours[f"{ours_block}.conv1.weight"] = read(f"{their_block}.conv1.0.weight")
            ours[f"{ours_block}.conv1.bias"] = read(f"{their_block}.conv1.1.bias")
            ours[f"{ours_block}.conv2.weight"] = read(f"{their_block}.conv2.1.weight")
            ours[f"{ours_block}.conv2.bias"] = read(f"{their_block}.conv2.2.bias")
            ours[f"{ours_block}.skip.weight"] = read(f"{their_block}.skip.1.weight")
    ours["final_conv.weight"], ours["final_conv.bias"] = read("final_conv.0.weight"), read("final_conv.1.bias")
    for name, theirs in (("final_linear", "final_linear.0"), ("score", "final_linear.1")):
        ours[f"{name}.weight"], ours[f"{name}.bias"] = read(f"{theirs}.weight"), read(f"{theirs}.bias")
    read.finish()
    return {name: tensor.detach().clone().contiguous() for name, tensor in ours.items()}
