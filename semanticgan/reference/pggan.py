"""PGGAN's variables (tkarras/progressive_growing_of_gans), as an ``.npz``: translated into our names.

Prefixes are ``G/`` or ``Gs/`` (the averaged generator) and ``D/``. Layers of older files that are not fused have other
names, ``Conv0`` for ``Conv0_up`` and ``Conv1`` for ``Conv1_down``; such a discriminator averages pixels last.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from semanticgan.checkpoint import build
from semanticgan.networks.comparison.pggan import (
    PGGANConfig,
    PGGANDiscriminator,
    PGGANDiscriminatorConfig,
    PGGANGenerator,
)
from semanticgan.reference import growing
from semanticgan.reference.growing import convolution, dense, turned, with_bias
from semanticgan.reference.opening import Reader, TensorMap, layout_of, require_known

SYSTEM = "PGGAN"
GENERATORS, DISCRIMINATOR = ("G/", "Gs/"), "D/"


def is_pggan(names: Iterable[str]) -> bool:
    """Whether variables are those of such a model."""
    return not {f"{prefix}4x4/Dense/weight" for prefix in GENERATORS}.isdisjoint(names)


def of_variables(variables: TensorMap, what: str) -> tuple[PGGANGenerator, PGGANDiscriminator | None]:
    """The networks of a model; ``what`` begins messages.

    Raises:
        WeightsError: a variable is missing, unknown or of another shape, or there are two generators.
    """
    prefix = next((prefix for prefix in GENERATORS if f"{prefix}4x4/Dense/weight" in variables), GENERATORS[0])
    require_known(variables, (prefix, DISCRIMINATOR), SYSTEM, what)
    with layout_of(SYSTEM, what):
        config = generator_config_from_reference(variables, prefix)
        ours = generator_from_reference(variables, config, prefix)
        ours["mean_latent"] = torch.zeros(config.style_dim)
        generator = build(lambda: PGGANGenerator(config), ours, what)
        if not any(name.startswith(DISCRIMINATOR) for name in variables):
            return generator.eval(), None
        sizes = discriminator_config_from_reference(variables)
        ours = discriminator_from_reference(variables, sizes)
        discriminator = build(lambda: PGGANDiscriminator(sizes), ours, f"discriminator of {what}")
    return generator.eval(), discriminator.eval()


def generator_config_from_reference(variables: TensorMap, prefix: str = GENERATORS[0]) -> PGGANConfig:
    """Sizes and level of a generator, all from its variables."""
    read = Reader(variables, SYSTEM, prefix)
    size = growing.size_of(read)
    return PGGANConfig(
        size=size,
        style_dim=read("4x4/Dense/weight").shape[0],
        channels=growing.channels_of(read, "ToRGB", size),
        level=growing.level(read),
    )


def generator_from_reference(
    variables: TensorMap, config: PGGANConfig, prefix: str = GENERATORS[0]
) -> dict[str, Tensor]:
    """The authors' generator -> ours, without ``mean_latent``, which is 0."""
    read = Reader(variables, SYSTEM, prefix)
    read.unread.discard("lod")
    ours = growing.colours(read, "ToRGB", "to_rgb", config.size)
    ours["blocks.0.dense.weight"] = dense(read("4x4/Dense/weight"))[:, :, None, None]
    ours["blocks.0.bias"] = read("4x4/Dense/bias")
    ours |= with_bias(read, "4x4/Conv", "blocks.0.refine")
    for index, side in enumerate(config.sides[1:], start=1):
        name, theirs = f"blocks.{index}.upsample", f"{side}x{side}/Conv0"
        if f"{theirs}/weight" in read.tensors:
            ours |= with_bias(read, theirs, name)
        else:  # fused: [k, k, E, C]
            weight = read(f"{theirs}_up/weight").transpose(2, 3)
            ours |= {f"{name}.weight": turned(convolution(weight)), f"{name}.bias": read(f"{theirs}_up/bias")}
        ours |= with_bias(read, f"{side}x{side}/Conv1", f"blocks.{index}.refine")
    read.finish()
    return growing.own(ours)


def discriminator_config_from_reference(variables: TensorMap) -> PGGANDiscriminatorConfig:
    """Sizes of a discriminator, all from its variables."""
    read = Reader(variables, SYSTEM, DISCRIMINATOR)
    return PGGANDiscriminatorConfig(*growing.discriminator_sizes(read), mean_last="8x8/Conv1/weight" in read.tensors)


def discriminator_from_reference(variables: TensorMap, config: PGGANDiscriminatorConfig) -> dict[str, Tensor]:
    """The authors' discriminator -> ours."""
    return growing.discriminator_from_reference(Reader(variables, SYSTEM, DISCRIMINATOR), config)
