"""Training pictures varied a little, since generated ones are softer, noisier and less well placed than real ones.

image <- clamp(c image + b + n), blurred now and then before: c a contrast, b a tint for each channel, n noise. All
random numbers are drawn by (seed, step) on the CPU, whatever the device.

Shape legend: N pictures, S side of the picture.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from semanticgan.seeds import derived

BLUR_CHANCE = 0.3


def numbers_of(seed: int, step: int) -> torch.Generator:
    """The source of a step's random numbers."""
    return torch.Generator().manual_seed(derived(seed, step))


def draw_numbers(
    random: torch.Generator, num_images: int, normal: Sequence[str], uniform: Sequence[str]
) -> dict[str, Tensor]:
    """Random numbers [N] by what they are for, and "tint", normal [N, 3]; uniform ones are in [0, 1)."""
    numbers = {name: torch.randn(num_images, generator=random) for name in normal}
    numbers["tint"] = torch.randn(num_images, 3, generator=random)
    return numbers | {name: torch.rand(num_images, generator=random) for name in uniform}


def blurred(image: Tensor, uniform: Tensor) -> Tensor:
    """Now and then a mean over 3x3 pixels, [N, 3, S, S] -> the same; what lies beyond the edge repeats the edge."""
    blurry = F.avg_pool2d(F.pad(image, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
    return torch.lerp(image, blurry, sometimes(uniform, BLUR_CHANCE))


def recoloured(
    image: Tensor, numbers: Mapping[str, Tensor], brightness: float, contrast: float, noise: Tensor | float = 0.0
) -> Tensor:
    """Pictures in other light, [N, 3, S, S] -> the same in [-1, 1].

    Args:
        image: in [-1, 1].
        numbers: with "brightness" and "contrast" [N] and "tint" [N, 3], standard normal.
        brightness: standard deviation of what is added.
        contrast: standard deviation of the binary logarithm of the factor.
        noise: added to every value.
    """
    factor = 2 ** (contrast * numbers["contrast"])[:, None, None, None]
    tint = numbers["brightness"][:, None] + numbers["tint"] / 2  # [N, 3]
    return (image * factor + brightness * tint[:, :, None, None] + noise).clamp(-1, 1)


def sometimes(uniform: Tensor, chance: float) -> Tensor:
    """[N] in [0, 1) -> [N, 1, 1, 1] in [0, 1): 0 but for a share ``chance``, uniform there."""
    return torch.where(uniform < chance, uniform / chance, torch.zeros_like(uniform))[:, None, None, None]
