"""A tiny StyleALAE with random weights as a file, for tests of the facade and of the command line."""

from __future__ import annotations

from pathlib import Path

import torch

from semanticgan.checkpoint import save_model
from semanticgan.networks.comparison.alae import ALAEConfig, ALAEGenerator

CONFIG = ALAEConfig(size=16, style_dim=12, num_mapping_layers=2, channels={4: 8, 8: 8, 16: 6})


def write(path: Path) -> None:
    """Its biases and noise scales are random, too: at 0 they would hide mistakes."""
    torch.manual_seed(5)
    generator = ALAEGenerator(CONFIG).eval()
    for name, parameter in generator.named_parameters():
        if "bias" in name or "noise" in name:
            parameter.data.normal_(0.0, 0.3)
    generator.estimate_mean_latent(256)
    save_model(path, generator, None, training={}, licence="Apache-2.0", data_licence="none: random weights")
