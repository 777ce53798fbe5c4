"""Adam with equalised learning rates, which StyleALAE is trained with (Pidhorskyi et al. 2020, arXiv 2004.04467).

For a weight in effect w with gradient g at step t, and c the gain of its layer (arXiv 1710.10196, Section 4.1)::

    v = b v + (1 - b) g^2,    w -= rate c sqrt(1 - b^t) g / (sqrt(v) + eps)

The authors' code stores w. Here p is stored, and w = c p is computed at run time. Then the gradient of p is
g_p = c g, and the same w is made by::

    v = b v + (1 - b) g_p^2,  p -= rate sqrt(1 - b^t) g_p / (sqrt(v) + c eps)

There is no running mean of the gradient.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from semanticgan.errors import InputError
from semanticgan.networks.layers import coefficients
from semanticgan.training.parameterwise import Parameterwise


class LreqAdam(Parameterwise):
    """Adam without momentum, of parameters that are multiplied by a coefficient at run time.

    Args:
        parameters: what is optimised, or groups of it, such as :func:`groups_by_coefficient` of a network. A group's
            ``coefficient`` is c; 1 where it has none.
        lr: rate.
        beta: b.
        eps: added to sqrt(v) of the weights in effect.

    Raises:
        InputError: a number out of range.
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter] | Iterable[dict[str, Any]],
        lr: float = 0.0015,
        beta: float = 0.99,
        eps: float = 1e-8,
    ) -> None:
        if lr < 0 or not 0 <= beta < 1 or eps < 0:
            raise InputError(
                f"LreqAdam takes lr and eps of at least 0 and beta in [0, 1), got {lr}, {eps} and {beta}. The paper's "
                "are 0.0015, 1e-8 and 0.99."
            )
        super().__init__(parameters, {"lr": lr, "beta": beta, "eps": eps, "coefficient": 1.0})

    def update(self, parameter: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        state, beta = self.state[parameter], group["beta"]
        if not state:
            state["step"], state["exp_avg_sq"] = torch.tensor(0.0), torch.zeros_like(parameter)
        state["step"] += 1
        square = state["exp_avg_sq"].mul_(beta).addcmul_(gradient, gradient, value=1 - beta)
        rate = group["lr"] * math.sqrt(1 - beta ** int(state["step"]))
        parameter.addcdiv_(gradient, square.sqrt().add_(group["eps"] * group["coefficient"]), value=-rate)


def groups_by_coefficient(network: nn.Module, without: nn.Module | None = None) -> list[dict[str, Any]]:
    """The parameters of a network as groups of one coefficient each, in the order of their first parameters.

    Args:
        network: any.
        without: a part of it whose parameters are left out.
    """
    gains = coefficients(network)
    left_out = set() if without is None else set(without.parameters())
    groups: dict[float, list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        if parameter in left_out:
            continue
        groups.setdefault(gains[name], []).append(parameter)
    return [{"params": members, "coefficient": gain} for gain, members in groups.items()]
