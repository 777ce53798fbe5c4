"""StyleGAN's variables (NVlabs/stylegan), as an ``.npz``: translated into our names.

Prefixes are ``G_mapping/``, ``G_synthesis/``, ``G/`` or ``Gs/`` for ``dlatent_avg``, and ``D/``. From 128 pixels up the
official layers that double the side are fused: they turn the stored kernel by 180 degrees, and so does this module.
"""

from __future__ import annotations

from collections.abc import Iterable

from torch import Tensor

from semanticgan.checkpoint import build
from semanticgan.networks.comparison.stylegan import (
    StyleGANConfig,
    StyleGANDiscriminator,
    StyleGANDiscriminatorConfig,
    StyleGANGenerator,
)
from semanticgan.reference import growing
from semanticgan.reference.growing import convolution, dense, turned, with_bias
from semanticgan.reference.opening import Reader, TensorMap, layout_of, require_known

SYSTEM = "StyleGAN"
MAPPING, SYNTHESIS, DISCRIMINATOR = "G_mapping/", "G_synthesis/", "D/"
FUSED_FROM = 128
_MEANS = ("G/dlatent_avg", "Gs/dlatent_avg")


def is_stylegan(names: Iterable[str]) -> bool:
    """Whether variables are those of such a model."""
    return f"{SYNTHESIS}4x4/Const/const" in set(names)


def of_variables(variables: TensorMap, what: str) -> tuple[StyleGANGenerator, StyleGANDiscriminator | None]:
    """The networks of a model; ``what`` begins messages.

    Raises:
        WeightsError: a variable is missing, unknown or of another shape.
    """
    mean = next((name for name in _MEANS if name in variables), _MEANS[0])
    require_known(variables, (MAPPING, SYNTHESIS, mean, DISCRIMINATOR), SYSTEM, what)
    with layout_of(SYSTEM, what):
        config = generator_config_from_reference(variables)
        ours = generator_from_reference(variables, config)
        ours["mean_latent"] = Reader(variables, SYSTEM)(mean)
        if "noise_0" not in ours:
            ours |= growing.drawn_noise(config.sides)
        generator = build(lambda: StyleGANGenerator(config), ours, what)
        if not any(name.startswith(DISCRIMINATOR) for name in variables):
            return generator.eval(), None
        sizes = discriminator_config_from_reference(variables)
        ours = discriminator_from_reference(variables, sizes)
        discriminator = build(lambda: StyleGANDiscriminator(sizes), ours, f"discriminator of {what}")
    return generator.eval(), discriminator.eval()


def generator_config_from_reference(variables: TensorMap) -> StyleGANConfig:
    """Sizes and level of a generator, all from its variables."""
    read, mapping = Reader(variables, SYSTEM, SYNTHESIS), Reader(variables, SYSTEM, MAPPING)
    size, num_layers = growing.size_of(read), len({name.split("/")[0] for name in mapping.tensors})
    first = mapping("Dense0/weight")
    return StyleGANConfig(
        size=size,
        style_dim=mapping(f"Dense{num_layers - 1}/weight").shape[1],
        latent_dim=first.shape[0],
        mapping_channels=first.shape[1],
        num_mapping_layers=num_layers,
        channels=growing.channels_of(read, "ToRGB", size),
        level=growing.level(read),
    )


def generator_from_reference(variables: TensorMap, config: StyleGANConfig) -> dict[str, Tensor]:
    """The authors' generator -> ours, without ``mean_latent``; noise maps where there are any."""
    read, mapping = Reader(variables, SYSTEM, SYNTHESIS), Reader(variables, SYSTEM, MAPPING)
    read.unread.discard("lod")
    ours: dict[str, Tensor] = {}
    for layer in range(config.num_mapping_layers):
        ours |= with_bias(mapping, f"Dense{layer}", f"mapping.layers.{layer}")
    mapping.finish()
    ours |= growing.colours(read, "ToRGB", "to_rgb", config.size)
    ours["constant"] = read("4x4/Const/const")
    for index, side in enumerate(config.sides):
        block, theirs = f"blocks.{index}", f"{side}x{side}"
        first, second = ("Conv0_up", "Conv1") if index else ("Const", "Conv")
        if index:
            weight = convolution(read(f"{theirs}/{first}/weight"))
            ours[f"{block}.upsample.weight"] = turned(weight) if side >= FUSED_FROM else weight
        ours[f"{block}.refine.weight"] = convolution(read(f"{theirs}/{second}/weight"))
        ours |= _epilogue(read, f"{theirs}/{first}", f"{block}.first")
        ours |= _epilogue(read, f"{theirs}/{second}", f"{block}.second")
    if any(name.startswith("noise") for name in read.tensors):
        ours |= {f"noise_{row}": read(f"noise{row}") for row in range(config.num_rows)}
    read.finish()
    return growing.own(ours)


def _epilogue(read: Reader, theirs: str, ours: str) -> dict[str, Tensor]:
    """Noise weights, bias and style of a layer."""
    return {
        f"{ours}.noise.weight": read(f"{theirs}/Noise/weight")[:, None, None],
        f"{ours}.bias": read(f"{theirs}/bias"),
        f"{ours}.adain.style.weight": dense(read(f"{theirs}/StyleMod/weight")),
        f"{ours}.adain.style.bias": read(f"{theirs}/StyleMod/bias"),
    }


def discriminator_config_from_reference(variables: TensorMap) -> StyleGANDiscriminatorConfig:
    """Sizes of a discriminator, all from its variables."""
    return StyleGANDiscriminatorConfig(*growing.discriminator_sizes(Reader(variables, SYSTEM, DISCRIMINATOR)))


def discriminator_from_reference(variables: TensorMap, config: StyleGANDiscriminatorConfig) -> dict[str, Tensor]:
    """The authors' discriminator -> ours."""
    return growing.discriminator_from_reference(Reader(variables, SYSTEM, DISCRIMINATOR), config)
