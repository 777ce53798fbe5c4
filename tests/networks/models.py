"""Small generators with all their numbers perturbed, so that no term of the formulas is hidden by an initial 0 or 1."""

from __future__ import annotations

import dataclasses

import torch

from semanticgan.networks.config import GeneratorConfig
from semanticgan.networks.generator import Generator

CONFIGS = {
    "13-regions-transparent": GeneratorConfig(
        size=32,
        style_dim=24,
        num_mapping_layers=3,
        num_regions=13,
        coarse_size=16,
        min_feature_size=8,
        num_local_layers=5,
        local_channels=6,
        feature_channels=10,
        num_base_layers=2,
        num_structure_layers=3,
        transparent=(10, 12),
        channels={16: 12, 32: 8},
    ),
    "5-regions-opaque": GeneratorConfig(
        size=64,
        style_dim=16,
        num_mapping_layers=2,
        num_regions=5,
        coarse_size=16,
        min_feature_size=8,
        num_local_layers=4,
        local_channels=8,
        feature_channels=12,
        num_base_layers=1,
        num_structure_layers=2,
        residual_segmentation=False,
        transparent=(),
        channels={16: 12, 32: 8, 64: 6},
    ),
    "5-regions-from-the-coarse-side": GeneratorConfig(
        size=16,
        style_dim=16,
        num_mapping_layers=2,
        num_regions=5,
        coarse_size=8,
        min_feature_size=8,
        num_local_layers=4,
        local_channels=8,
        feature_channels=12,
        num_base_layers=0,
        num_structure_layers=2,
        transparent=(4,),
        channels={16: 12},
    ),
    "5-regions-at-full-side": GeneratorConfig(
        size=16,
        style_dim=16,
        num_mapping_layers=2,
        num_regions=5,
        coarse_size=16,
        min_feature_size=8,
        num_local_layers=4,
        local_channels=8,
        feature_channels=12,
        num_base_layers=2,
        num_structure_layers=2,
        transparent=(),
        channels={16: 12},
    ),
}
CONFIGS["5-regions-labelled"] = dataclasses.replace(CONFIGS["5-regions-opaque"], label_channels=6)
CONFIGS["13-regions-floored"] = dataclasses.replace(CONFIGS["13-regions-transparent"], mask_floor=0.07)


def perturbed_generator(config: GeneratorConfig, seed: int = 0) -> Generator:
    """Random weights; biases, scales and noise strengths moved off their initial values."""
    source = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        generator = Generator(config)
    with torch.no_grad():
        for name, tensor in sorted(generator.state_dict().items()):
            drawn = torch.randn(tensor.shape, generator=source)
            if name.startswith("mapping.layers"):  # stored as N(0, 1) / 0.01
                tensor.copy_(100.0 * drawn if name.endswith("weight") else 30.0 * drawn)
            elif name.endswith("scale") or name.endswith("style_bias"):
                tensor.copy_(1.0 + 0.3 * drawn)
            elif name.endswith("bias") or name.endswith("noise.weight"):
                tensor.copy_(0.3 * drawn)
            else:
                tensor.copy_(drawn)
    return generator.eval()
