"""Adam for lazily regularised networks."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from semanticgan.training.sections import OptimiserSection


def adam(
    networks: Mapping[nn.Module, float], values: OptimiserSection, device: torch.device, lazy_every: int = 0
) -> torch.optim.Adam:
    """Adam of networks at their relative learning rates.

    A regulariser that runs every n steps makes n + 1 updates of n. With c = n / (n + 1), the rate is multiplied by c
    and the betas are raised to the power c (Karras et al. 2019, arXiv 1912.04958, Appendix B).

    Args:
        networks: and the learning rate of each, relative to ``values.learning_rate``.
        values: rate, betas and epsilon.
        device: of the networks.
        lazy_every: n; 0 where there is no such regulariser.
    """
    share = lazy_every / (lazy_every + 1) if lazy_every else 1.0
    fused = device.type == "cuda"  # that of the CPU repeats no bits after a resume
    groups = [
        {
            "params": [parameter for parameter in network.parameters() if parameter.requires_grad],
            "lr": values.learning_rate * share * rate,
        }
        for network, rate in networks.items()
    ]
    betas = (float(values.beta1**share), float(values.beta2**share))
    return torch.optim.Adam(groups, betas=betas, eps=values.epsilon, fused=fused, foreach=not fused)
