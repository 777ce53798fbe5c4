"""Work on pairs of image and region without gradients on a CPU, a few at a time.

What one layer writes is then still in a core's second cache when the next layer reads it.

Shape legend: N images, K regions, M = N K pairs, C channels, P points.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

STATES_IN_CACHE = 2**19
"""Bytes of hidden states that a thread works on at once; they stay in its second cache."""


def few_at_a_time(
    run: Callable[[slice], tuple[Tensor, Tensor]], points: Tensor, num_regions: int
) -> tuple[Tensor, Tensor]:
    """``run(slice(0, M))``, computed for some pairs of one image at a time.

    Args:
        run: pairs -> two tensors with one entry a pair.
        points: [M, P, C], which tells how large a state is.
        num_regions: K.
    """
    state = points.shape[1] * points.shape[2] * points.element_size()
    step = torch.get_num_threads() * max(1, STATES_IN_CACHE // state)
    few = [
        slice(image + region, image + min(region + step, num_regions))
        for image in range(0, points.shape[0], num_regions)
        for region in range(0, num_regions, step)
    ]
    first, second = zip(*map(run, few), strict=True)
    return torch.cat(first), torch.cat(second)
