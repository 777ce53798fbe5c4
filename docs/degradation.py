"""Pictures made worse by a known amount, which a metric has to notice: blur, noise, and regions of other pictures.

Pictures are uint8 [N, 3, S, S] RGB. Blur and noise are a picture's own, whatever batch it comes in; regions are
exchanged within one.
"""

from __future__ import annotations

import torch
from torch import Tensor

from semanticgan.errors import InputError
from semanticgan.seeds import stream
from semanticgan.torchvision_import import import_torchvision


def blurred(pictures: Tensor, deviation: float) -> Tensor:
    """A Gaussian blur, uint8 [N, 3, S, S] -> the same.

    Args:
        pictures: what is blurred.
        deviation: of the Gaussian, as a share of the side; 0 changes nothing.

    Raises:
        InputError: a negative deviation.
    """
    _require_not_negative("deviation", deviation)
    pixels = deviation * pictures.shape[-1]
    if not pixels:
        return pictures.clone()
    import_torchvision()
    from torchvision.transforms.v2.functional import gaussian_blur

    width = min(2 * int(4 * pixels + 0.5) + 1, 2 * pictures.shape[-1] - 1)  # four deviations; it reflects at the edges
    floats = gaussian_blur(pictures.float(), [width, width], [pixels, pixels])
    return floats.round().to(torch.uint8)


def noisy(pictures: Tensor, deviation: float, first: int = 0, seed: int = 0) -> Tensor:
    """Gaussian noise on every value, uint8 [N, 3, S, S] -> the same.

    Args:
        pictures: what the noise is added to.
        deviation: of the noise, as a share of the range of values; 0.05 is "5 % pixel noise".
        first: number of the first picture.
        seed: of the noise.

    Raises:
        InputError: a negative deviation.
    """
    _require_not_negative("deviation", deviation)
    noise = torch.stack(
        [torch.randn(pictures.shape[1:], generator=stream(seed, first + i)) for i in range(len(pictures))]
    )
    return (pictures + 255 * deviation * noise).round().clamp(0, 255).to(torch.uint8)


def with_shuffled_regions(pictures: Tensor, labels: Tensor, share: float, seed: int = 0) -> Tensor:
    """Regions filled with what another picture shows at their place, uint8 [N, 3, S, S] -> the same.

    Args:
        pictures: N of them, two or more, each of which lends to others.
        labels: their label maps, uint8 [N, S, S].
        share: probability that a region of a picture is filled from another.
        seed: of which regions, and from where.

    Raises:
        InputError: a share that is no probability, fewer than two pictures, or shapes that do not fit.
    """
    num = len(pictures)
    if not 0 <= share <= 1:
        raise InputError(f"the share of shuffled regions is a probability, got {share}. Give 0 to 1.")
    if num < 2 or labels.shape != (num, *pictures.shape[2:]):
        raise InputError(
            f"regions of pictures {list(pictures.shape)} with label maps {list(labels.shape)} cannot be shuffled. Give "
            "two pictures or more, and a label map of each."
        )
    num_regions = int(labels.max()) + 1
    result = pictures.clone()
    for index, (picture, own) in enumerate(zip(result, labels.long(), strict=True)):
        drawn = stream(seed, index)
        chosen = torch.rand(num_regions, generator=drawn) < share
        lenders = (index + torch.randint(1, num, (num_regions,), generator=drawn)) % num  # never itself
        for region in chosen.nonzero().flatten().tolist():
            here = own == region
            picture[:, here] = pictures[lenders[region]][:, here]
    return result


def _require_not_negative(name: str, value: float) -> None:
    if not value >= 0:
        raise InputError(f"the {name} is {value}. Give 0 or more.")
