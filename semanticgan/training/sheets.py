"""Sheets of samples from fixed seeds: picture, segmentation, coarse mask and pseudo-depths, one column a sample."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

from semanticgan.networks.generator import Generator
from semanticgan.networks.latent_generator import LatentGenerator
from semanticgan.regions import RegionScheme
from semanticgan.rendering import Rendering
from semanticgan.seeds import following, stream

_BATCH = 4  # samples rendered at a time: beside a training there is little memory left


def sheet_latents(generator: LatentGenerator, num_images: int, seed: int) -> torch.Tensor:
    """z [num_images, D] from fixed seeds, the same at every step of a run."""
    draws = [torch.randn(generator.latent_dim, generator=stream(following(seed, index))) for index in range(num_images)]
    return torch.stack(draws).to(generator.mean_latent.device)


def sheet_columns(rendering: Rendering, regions: RegionScheme) -> np.ndarray:
    """One column a sample: picture, segmentation, coarse mask, then the pseudo-depth of each region (white is near).

    Returns:
        uint8 [(3 + K) S, N S, 3].
    """
    side = rendering.image.shape[-1]
    images = rendering.to_uint8().permute(0, 2, 3, 1).cpu().numpy()
    coarse = F.interpolate(rendering.coarse_segmentation.float(), size=side).argmax(1).to(torch.uint8)
    rows = [images, *(regions.colourise(labels.cpu().numpy()) for labels in (rendering.labels(), coarse))]
    depth = F.interpolate(rendering.depth.float(), size=side)
    low, high = depth.amin((1, 2, 3), keepdim=True), depth.amax((1, 2, 3), keepdim=True)
    grey = ((depth - low) / (high - low + 1e-8) * 255.0).round().to(torch.uint8).cpu().numpy()
    rows += [np.repeat(grey[:, region, :, :, None], 3, axis=-1) for region in range(grey.shape[1])]
    return np.concatenate([np.concatenate(list(row), axis=1) for row in rows], axis=0)


@torch.no_grad()
def draw_sheet(generator: Generator, regions: RegionScheme, num_images: int, seed: int) -> np.ndarray:
    """The fixed samples, one column a sample: uint8 [(3 + K) S, num_images S, 3]."""
    w = generator.map(sheet_latents(generator, num_images, seed))
    return np.concatenate([sheet_columns(generator(some), regions) for some in w.split(_BATCH)], axis=1)
