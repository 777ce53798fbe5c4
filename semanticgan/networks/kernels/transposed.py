"""A transposed 3x3 convolution of stride 2 without gradients on a CPU: four plain convolutions, one per parity.

Shape legend: N images, C channels in, E channels out, H W sides.
"""

from __future__ import annotations

import itertools

import torch
import torch.nn.functional as F
from torch import Tensor


def parity_kernels(weight: Tensor) -> list[Tensor]:
    """The kernels that a transposed convolution of stride 2 applies to its even and odd output rows and columns.

    An even row takes taps 2 and 0 of the kernel, an odd row tap 1, and so do columns.

    Args:
        weight: [C, E, 3, 3], as ``conv_transpose2d`` takes it.

    Returns:
        (even, even), (even, odd), (odd, even), (odd, odd): [E, C, 2, 2], [E, C, 2, 1], [E, C, 1, 2], [E, C, 1, 1].
    """
    weight = weight.transpose(0, 1)
    taps = ([2, 0], [1])
    kernels = [weight[:, :, rows][:, :, :, columns] for rows in taps for columns in taps]
    return [kernel.contiguous(memory_format=torch.channels_last) for kernel in kernels]


def conv_transpose_by_parity(x: Tensor, kernels: list[Tensor]) -> Tensor:
    """A transposed 3x3 convolution of stride 2, [N, C, H, W] -> [N, E, 2H + 1, 2W + 1].

    The same products and sums as ``conv_transpose2d`` of the weight that ``kernels`` were taken from; on a CPU they
    run faster than it.
    """
    num_images, _, height, width = x.shape
    output: Tensor | None = None
    for kernel, (row, column) in zip(kernels, itertools.product((0, 1), (0, 1)), strict=True):
        part = F.conv2d(x, kernel, padding=(1 - row, 1 - column))
        if output is None:
            output = part.new_empty(num_images, 2 * height + 1, 2 * width + 1, part.shape[1]).permute(0, 3, 1, 2)
        output[:, :, row::2, column::2] = part
    assert output is not None
    return output
