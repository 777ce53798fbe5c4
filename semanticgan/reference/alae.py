"""StyleALAE (podgorskiy/ALAE): its checkpoints, translated into our names.

A ``.pth`` file is a pickle of {"models": {name: state dict}, "auxiliary": state of the training}. Names of the models:

=============  ======================  ====================================
theirs         is                      here
=============  ======================  ====================================
mapping_fl     F                       ``mapping``
generator      G                       ``constant``, ``blocks``, ``to_rgb``
discriminator  E                       ``encoder``
mapping_tl     D                       the discriminator
dlatent_avg    mean of w, one per row  ``mean_latent``
=============  ======================  ====================================

and, but for the last, each with ``_s`` appended for the running average. Their parts of E are numbered from the full
size down, ours from 4x4 up. Sizes are read from the tensors.

Their tensors are products of weight and gain. Of D's last layer they use the output number D alone. The first
convolution of a block of G of 128 pixels and more is transposed there: [in, out, 3, 3], mirrored along both axes.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from semanticgan.checkpoint import build
from semanticgan.errors import WeightsError
from semanticgan.networks.comparison.alae import (
    ALAEConfig,
    ALAEDiscriminator,
    ALAEDiscriminatorConfig,
    ALAEGenerator,
)
from semanticgan.networks.kernels.resampling import fir_kernel
from semanticgan.networks.layers import BLUR_TAPS, coefficients, widened
from semanticgan.reference.growing import drawn_noise
from semanticgan.reference.layers import ReferenceLayers
from semanticgan.reference.opening import Reader, TensorMap, layout_of, named_tensors, require_own_bytes

SYSTEM = "StyleALAE"
_MODELS = {"mapping_f": "mapping_fl", "decoder": "generator", "encoder": "discriminator", "mapping_d": "mapping_tl"}
_MEAN = "dlatent_avg"
_BLUR = ".blur.weight"
_TRANSPOSED_FROM = 128  # pixels


def is_it(content: Any) -> bool:
    """Told by the names of its two mappings."""
    models = content.get("models") if isinstance(content, Mapping) else None
    return isinstance(models, Mapping) and "mapping_fl" in models and "mapping_tl" in models


def of_content(content: Mapping[str, Any], source: Path) -> ReferenceLayers:
    """The networks of a file, with stored noise of seed 0; the running averages where it has all of them.

    Raises:
        WeightsError: missing, unknown or misshapen tensors.
    """
    what = f"checkpoint {str(source)!r}"
    models = content["models"]
    averaged = all(f"{theirs}_s" in models for theirs in _MODELS.values())
    parts = {name: f"{theirs}_s" if averaged else theirs for name, theirs in _MODELS.items()} | {_MEAN: _MEAN}
    tensors: dict[str, Tensor] = {}
    for name, theirs in parts.items():
        if theirs not in models:
            raise WeightsError(f"{what} lacks the model {theirs!r}: it is not one of {SYSTEM}.")
        state = named_tensors(models[theirs], f"{theirs!r} of {what}", SYSTEM)
        tensors |= {f"{name}.{key}": tensor for key, tensor in state.items()}
    require_own_bytes(tensors.values(), source)
    with layout_of(SYSTEM, what):
        _require_blurs(tensors, what)
        config, theirs_config = configs_from_reference(tensors)
        ours, of_discriminator = weights_from_reference(tensors, config, theirs_config)
        generator: ALAEGenerator = build(lambda: ALAEGenerator(config), ours, what).eval()
        discriminator = build(lambda: ALAEDiscriminator(theirs_config), of_discriminator, what).eval()
    return ReferenceLayers(generator, discriminator, averaged, has_mean=True)


def configs_from_reference(tensors: TensorMap) -> tuple[ALAEConfig, ALAEDiscriminatorConfig]:
    """Sizes of all maps.

    Args:
        tensors: the authors' ``Model.state_dict()``: names begin with mapping_f, mapping_d, decoder, encoder,
            dlatent_avg.
    """
    read = Reader(tensors, SYSTEM)
    num_sides = read.count("decoder.decode_block.{}.bias_1")
    num_mapping, num_layers = (
        read.count("mapping_f.map_blocks.{}.fc.weight"),
        read.count("mapping_d.map_blocks.{}.bias"),
    )
    if not num_sides or not num_layers:
        raise WeightsError(f"the checkpoint holds no decoder or no mapping_d: it is not one of {SYSTEM}.")
    style_dim = read("decoder.decode_block.0.style_1.weight").shape[1]
    channels = {4 << index: read(f"decoder.decode_block.{index}.bias_1").shape[1] for index in range(num_sides)}
    config = ALAEConfig(
        size=4 << (num_sides - 1),
        style_dim=style_dim,
        num_mapping_layers=num_mapping,
        channels=channels,
        bottom_channels=read(f"encoder.encode_block.{num_sides - 1}.bias_2").shape[1],
    )
    return config, ALAEDiscriminatorConfig(style_dim, num_layers)


def weights_from_reference(
    tensors: TensorMap, config: ALAEConfig, discriminator: ALAEDiscriminatorConfig
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The authors' ``Model.state_dict()`` -> generator and discriminator of ours: renamed, divided by their gains."""
    with torch.device("meta"):
        networks: tuple[nn.Module, ...] = (ALAEGenerator(config), ALAEDiscriminator(discriminator))
    ours, of_discriminator = (
        {name: tensor.detach() / gains.get(name, 1.0) for name, tensor in renamed.items()}
        for renamed, gains in zip(
            renamed_from_reference(tensors, config, discriminator), map(coefficients, networks), strict=True
        )
    )
    return ours | drawn_noise(config.sides), of_discriminator


def renamed_from_reference(
    tensors: TensorMap, config: ALAEConfig, discriminator: ALAEDiscriminatorConfig
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The authors' tensors by our names, in our shapes, with their values: of generator and discriminator."""
    read = Reader({name: tensor for name, tensor in tensors.items() if not name.endswith(_BLUR)}, SYSTEM)
    ours: dict[str, Tensor] = {}

    def take(name: str, theirs: str, parts: tuple[str, ...] = ("weight", "bias")) -> None:
        for part in parts:
            ours[f"{name}.{part}"] = widened(read(f"{theirs}.{part}"))

    for layer in range(config.num_mapping_layers):
        take(f"mapping.layers.{layer}", f"mapping_f.map_blocks.{layer}.fc")
    ours["constant"], ours["mean_latent"] = widened(read("decoder.const")), widened(read(f"{_MEAN}.buff"))
    for index, side in enumerate(config.sides):
        name, theirs = f"blocks.{index}", f"decoder.decode_block.{index}"
        for half in (1, 2):
            take(f"{name}.style{half}.adain.style", f"{theirs}.style_{half}")
            ours[f"{name}.style{half}.bias"] = widened(read(f"{theirs}.bias_{half}"))[0]
            ours[f"{name}.style{half}.noise.weight"] = widened(read(f"{theirs}.noise_weight_{half}"))[0]
        if index:
            take(f"{name}.upsample", f"{theirs}.conv_1", ("weight",))
            if side >= _TRANSPOSED_FROM:
                ours[f"{name}.upsample.weight"] = ours[f"{name}.upsample.weight"].transpose(0, 1).flip(2, 3)
        take(f"{name}.refine", f"{theirs}.conv_2", ("weight",))
        take(f"to_rgb.{index}", f"decoder.to_rgb.{index}.to_rgb")

        downwards = len(config.sides) - 1 - index
        name, theirs = f"encoder.blocks.{index}", f"encoder.encode_block.{downwards}"
        for half in (1, 2):
            take(f"{name}.conv{half}", f"{theirs}.conv_{half}", ("weight",))
            ours[f"{name}.conv{half}.bias"] = widened(read(f"{theirs}.bias_{half}")).flatten()
            take(f"{name}.style{half}", f"{theirs}.style_{half}")
        take(f"encoder.from_rgb.{index}", f"encoder.from_rgb.{downwards}.from_rgb")

    generator, ours = ours, {}
    for layer in range(discriminator.num_layers):
        take(f"layers.{layer}", f"mapping_d.map_blocks.{layer}")
    last, score = f"layers.{discriminator.num_layers - 1}", config.style_dim
    for part in ("weight", "bias"):
        ours[f"{last}.{part}"] = ours[f"{last}.{part}"][score : score + 1]
    read.finish()
    return generator, ours


def _require_blurs(tensors: TensorMap, what: str) -> None:
    """Raises: WeightsError: a blur other than [1, 2, 1] x [1, 2, 1] / 16, which is no weight here."""
    for name, tensor in tensors.items():
        if name.endswith(_BLUR):
            blur = widened(tensor)
            if not torch.allclose(blur, fir_kernel(len(blur), 1.0, blur, BLUR_TAPS), rtol=0, atol=1e-6):
                raise WeightsError(f"{what}: tensor {name!a} is no blur by [1, 2, 1]: it is not one of {SYSTEM}.")
