"""Pictures as the networks of this room take them: checked, as floats, at one side, always as many together.

Shape legend: N pictures, H side of a picture, S side that a network takes.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from semanticgan.errors import InputError


def require_pictures(pictures: Tensor, reader: str, least: int = 0) -> None:
    """Check that these are square uint8 pictures [N, 3, H, H].

    Args:
        reader: begins the messages, such as "a parser".
        least: smallest N, 0 or 1.

    Raises:
        InputError: pictures of another type, too few, or not square.
    """
    shape = list(pictures.shape)
    if pictures.dtype != torch.uint8 or pictures.ndim != 4 or shape[1] != 3 or shape[0] < least:
        more = ", one or more" if least else ""
        raise InputError(f"{reader} reads uint8 pictures [N, 3, H, H]{more}, got {pictures.dtype} {shape}.")
    if shape[2] != shape[3]:
        raise InputError(f"{reader} reads square pictures, got {shape[3]} x {shape[2]}. Crop them first.")


def as_float(pictures: Tensor) -> Tensor:
    """uint8 0..255 -> float32 in [-1, 1]."""
    return pictures.float() / 127.5 - 1


def resized(images: Tensor, size: int) -> Tensor:
    """Floating maps [N, C, H, H] -> [N, C, size, size], bilinear and antialiased; gradients flow."""
    if images.shape[-1] == size:
        return images
    return F.interpolate(images, size, mode="bilinear", align_corners=False, antialias=True)


def two_convolutions(before: int, after: int, stride: int = 1) -> nn.Sequential:
    """3x3, batch normalisation, ReLU, twice: [N, before, H, H] -> [N, after, H / stride, H / stride]."""
    layers: list[nn.Module] = []
    for channels, step in ((before, 1), (after, stride)):
        layers.append(nn.Conv2d(channels, after, 3, stride=step, padding=1, bias=False))
        layers += [nn.BatchNorm2d(after), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)


def padded(rows: Tensor, count: int) -> Tensor:
    """Rows [N, ...] followed by zeros, ``count`` together: a batch of another size may be rounded otherwise."""
    return torch.cat([rows, rows.new_zeros(count - len(rows), *rows.shape[1:])])


def read_alone(rows: Tensor, read: Callable[[Tensor], Tensor], batch: int, device: torch.device | str) -> Tensor:
    """What a network reads in each row, which does not depend on the other rows.

    Args:
        rows: [N, ...]; uint8 pictures are read as floats in [-1, 1].
        read: takes exactly ``batch`` rows on ``device`` and returns as many.
        batch: rows at a time; the last rows are followed by zeros.

    Returns:
        [N, ...], where ``read`` put it.
    """
    found = []
    for part in rows.split(batch):
        there = part.to(device)
        images = as_float(there) if there.dtype == torch.uint8 else there
        found.append(read(padded(images, batch))[: len(part)])
    return torch.cat(found)
