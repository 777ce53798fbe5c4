"""Ranger, the optimiser that ReStyle encoders are trained with (https://github.com/lessw2020/Ranger-Deep-Learning-Optimizer).

Three parts, for a parameter p with gradient g at step t:

- centred gradient: of a tensor of two or more axes, g - mean of g over all axes but the first (arXiv 2004.01461);
- RAdam (arXiv 1908.03265): m = b1 m + (1 - b1) g, v = b2 v + (1 - b2) g^2, r_max = 2 / (1 - b2) - 1,
  r = r_max - 2 t b2^t / (1 - b2^t), and

      p -= rate / (1 - b1^t) * c m / (sqrt(v) + eps)
      c = sqrt((1 - b2^t) (r - 4) (r - 2) r_max / ((r_max - 4) (r_max - 2) r))

  where r > 5, else p -= rate / (1 - b1^t) * m;
- lookahead (arXiv 1907.08610): every 6 steps s += 0.5 (p - s), p = s, where s starts as p before the first step.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from semanticgan.errors import InputError
from semanticgan.training.parameterwise import Parameterwise

_RECTIFIED_FROM = 5.0  # r, the length of the approximated moving average


class Ranger(Parameterwise):
    """RAdam with centred gradients and lookahead.

    Args:
        parameters: what is optimised, or groups of it, as every optimiser of PyTorch takes them.
        lr: learning rate.
        betas: b1 and b2.
        eps: added to sqrt(v).
        lookahead_every: steps between two moves of the slow weights.
        lookahead: how far the slow weights move, 0 to 1.

    Raises:
        InputError: a number out of range.
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter] | Iterable[dict[str, Any]],
        lr: float = 1e-4,
        betas: tuple[float, float] = (0.95, 0.999),
        eps: float = 1e-5,
        lookahead_every: int = 6,
        lookahead: float = 0.5,
    ) -> None:
        if lr < 0 or not all(0 <= beta < 1 for beta in betas) or not 0 <= lookahead <= 1 or lookahead_every < 1:
            raise InputError(
                f"Ranger takes lr of at least 0, betas in [0, 1), lookahead in [0, 1] and lookahead_every of at least "
                f"1, got {lr}, {betas}, {lookahead}, {lookahead_every}."
            )
        numbers = {"lookahead_every": lookahead_every, "lookahead": lookahead}
        super().__init__(parameters, {"lr": lr, "betas": betas, "eps": eps, **numbers})

    def update(self, parameter: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        state = self.state[parameter]
        if not state:
            state["step"] = torch.tensor(0.0)
            state["exp_avg"], state["exp_avg_sq"] = torch.zeros_like(parameter), torch.zeros_like(parameter)
            state["slow"] = parameter.clone()
        state["step"] += 1
        step, (beta1, beta2) = int(state["step"]), group["betas"]
        if gradient.ndim > 1:
            gradient = gradient - gradient.mean(tuple(range(1, gradient.ndim)), keepdim=True)
        mean = state["exp_avg"].mul_(beta1).add_(gradient, alpha=1 - beta1)
        square = state["exp_avg_sq"].mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)

        rate = group["lr"] / (1 - beta1**step)
        correction = _rectification(step, beta2)
        if correction is None:
            parameter.sub_(mean, alpha=rate)
        else:
            parameter.addcdiv_(mean, square.sqrt().add_(group["eps"]), value=-rate * correction)
        if step % group["lookahead_every"] == 0:
            parameter.copy_(state["slow"].lerp_(parameter, group["lookahead"]))


def _rectification(step: int, beta2: float) -> float | None:
    """c of the step; None where the variance is not yet known well enough."""
    longest = 2 / (1 - beta2) - 1
    power = beta2**step
    length = longest - 2 * step * power / (1 - power)
    if length <= _RECTIFIED_FROM:
        return None
    ratio = (length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length)
    return math.sqrt((1 - power) * ratio)
