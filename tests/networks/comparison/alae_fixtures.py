"""StyleALAE with the weights of a fixture, and its cases in this package's terms."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from semanticgan.networks.comparison.alae import ALAEDiscriminator, ALAEGenerator
from semanticgan.networks.layers import coefficients
from semanticgan.reference import alae as reference
from tests.networks.fixtures import Case


def networks_of(given: Case, dtype: torch.dtype = torch.float32) -> tuple[ALAEGenerator, ALAEDiscriminator]:
    """Translated in float64."""
    tensors = {name: tensor.double() for name, tensor in given.starting("sd/").items()}
    config, sizes = reference.configs_from_reference(tensors)
    generator, discriminator = ALAEGenerator(config).to(dtype), ALAEDiscriminator(sizes).to(dtype)
    states = reference.weights_from_reference(tensors, config, sizes)
    for network, state in zip((generator, discriminator), states, strict=True):
        network.load_state_dict(state)
    return generator, discriminator


def renamed(
    given: Mapping[str, Tensor], generator: ALAEGenerator, discriminator: ALAEDiscriminator
) -> dict[str, Tensor]:
    """Their tensors by our names after ``generator.`` and ``discriminator.``, with their values."""
    parts = reference.renamed_from_reference(given, generator.config, discriminator.config)
    return {
        f"{network}.{name}": tensor
        for network, part in zip(("generator", "discriminator"), parts, strict=True)
        for name, tensor in part.items()
    }


def by_name(generator: ALAEGenerator, discriminator: ALAEDiscriminator) -> dict[str, tuple[torch.nn.Parameter, float]]:
    """Every parameter and what multiplies it at run time, by the names of :func:`renamed`."""
    found = {}
    for prefix, network in (("generator", generator), ("discriminator", discriminator)):
        gains = coefficients(network)
        for name, parameter in network.named_parameters():
            found[f"{prefix}.{name}"] = parameter, gains[name]
    return found


def level_of_case(given: Case, name: str, num_sides: int) -> float:
    """Their number of blocks and weight of the last one -> level. ``name`` has lod and blend: encode_lod2_blend0.75."""
    if f"in/{name}/lod" in given:
        lod, blend = int(given[f"in/{name}/lod"]), round(float(given[f"in/{name}/blend"]), 6)
    else:
        lod_text, _, blend_text = name.partition("lod")[2].partition("_blend")
        lod, blend = int(lod_text), float(blend_text or 1)
    return num_sides - 1 - lod + 1.0 - blend
