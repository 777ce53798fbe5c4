"""How much each resolution adds to a StyleGAN2 picture, over a training (arXiv 1912.04958, Figure 8)."""

from __future__ import annotations

import torch
from torch import Tensor

from semanticgan.networks.comparison.stylegan2 import StyleGAN2Generator
from semanticgan.seeds import stream

PREFIX = "output_share/"


@torch.no_grad()
def output_shares(generator: StyleGAN2Generator, num_samples: int = 16) -> dict[str, Tensor]:
    """Standard deviation of each resolution's RGB addition over samples, pixels and channels, divided by their sum.

    Args:
        generator: of skip architecture.
        num_samples: random codes, always the same.

    Returns:
        "output_share/4", "output_share/8", ... -> a number; they add up to 1.
    """
    z = torch.randn(num_samples, generator.config.style_dim, generator=stream(0)).to(generator.mean_latent)
    codes = generator.expand(generator.map(z))
    additions = generator.contributions(codes, generator.noise_maps("fixed", codes))
    deviations = torch.stack([addition.float().std() for addition in additions])
    shares = deviations / deviations.sum()
    return {f"{PREFIX}{side}": share for side, share in zip(generator.config.sides, shares, strict=True)}
