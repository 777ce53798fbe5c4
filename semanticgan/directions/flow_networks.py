"""The parts of StyleFlow (arXiv 2008.02401, Section 4): gated layers, vector field, conditional ODE, moving batch norm.

One vector field transforms every row of a code; rows do not see each other::

    u = (t, c)                                           the context
    y = (W x + b) * sigmoid(G u + g) + H u               a gated layer; tanh follows all but the last
    dx/dt = f(x, t, c)                                   t from 0 to T = s^2, or back
    dl/dt = -e^T (df/dx) e,  e ~ N(0, 1)                 the log density by Hutchinson's estimate

The product (df/dx) e is carried through the layers beside x, as a tangent.

Shape legend: N codes, R rows, D style width, C conditions, H hidden width.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from semanticgan import extras
from semanticgan.errors import InputError

EPSILON = 1e-4  # added to the variance
DECAY = 0.1  # share of a batch in the running statistics
_SHARPER = 0.1  # tolerance of codes alone, relative to that of codes with their log density

State = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Solver:
    """How the ODE is solved: dopri5.

    Attributes:
        tolerance: relative and absolute error of a step that is accepted.
        adjoint: gradients by the adjoint equation, as in the paper, solved with the same tolerance. Without it they are
            those of the steps that were made, their sizes fixed: within some 4 % of a tensor's largest, in less than
            half the time for a small flow, with all steps kept in memory.
    """

    tolerance: float = 1e-5
    adjoint: bool = True


class GatedLayer(nn.Module):
    """(W x + b) * sigmoid(G u + g) + H u; gate and bias are shared by the rows of a code."""

    def __init__(self, width_in: int, width_out: int, num_context: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width_in, width_out)
        self.gate = nn.Linear(num_context, width_out)
        self.bias = nn.Linear(num_context, width_out, bias=False)

    def forward(self, x: Tensor, tangent: Tensor | None, context: Tensor) -> tuple[Tensor, Tensor | None]:
        """x [N, R, in], its tangent of that shape or None, context [N, 1, 1 + C] -> both [N, R, out]."""
        gate = torch.sigmoid(self.gate(context))
        y = torch.addcmul(self.bias(context), self.linear(x), gate)
        return y, None if tangent is None else F.linear(tangent, self.linear.weight) * gate


class VectorField(nn.Module):
    """f(x, t, c): gated layers with tanh between them."""

    def __init__(self, style_dim: int, num_conditions: int, hidden: Sequence[int]) -> None:
        super().__init__()
        widths = [style_dim, *hidden, style_dim]
        self.layers = nn.ModuleList(GatedLayer(before, after, 1 + num_conditions) for before, after in pairwise(widths))

    def forward(
        self, x: Tensor, time: Tensor, conditions: Tensor, probe: Tensor | None
    ) -> tuple[Tensor, Tensor | None]:
        """f and, with a probe, the estimate of the trace of df/dx.

        Args:
            x: [N, R, D].
            time: a number.
            conditions: [N, C].
            probe: e [N, R, D].

        Returns:
            f [N, R, D] and e^T (df/dx) e [N, R, 1].
        """
        clock = time.to(x).expand(len(conditions), 1)
        context = torch.cat([clock, conditions], dim=1)[:, None]  # [N, 1, 1 + C]
        y, tangent = x, probe
        last = len(self.layers) - 1
        for index, layer in enumerate(self.layers):
            y, tangent = layer(y, tangent, context)
            if index < last:
                y = torch.tanh(y)
                tangent = None if tangent is None else tangent * (1.0 - y.square())
        if probe is None or tangent is None:
            return y, None
        return y, (probe * tangent).sum(-1, keepdim=True)


class ConditionalODE(nn.Module):
    """x(0) -> x(T) along the vector field, and back.

    Conditions do not change along the way: they need no place in the solver's state, and have no error that it could
    measure.
    """

    def __init__(self, style_dim: int, num_conditions: int, hidden: Sequence[int]) -> None:
        super().__init__()
        self.field = VectorField(style_dim, num_conditions, hidden)
        self.root_of_end = nn.Parameter(torch.tensor(1.0))  # s

    def forward(
        self, x: Tensor, density: Tensor, conditions: Tensor, probe: Tensor, reverse: bool, solver: Solver
    ) -> State:
        """x [N, R, D] and its log density [N, R, 1] at the other end."""

        def slope(time: Tensor, state: State) -> State:
            change, trace = self.field(state[0], time, conditions, probe)
            assert trace is not None
            return change, -trace

        ended = self._solve(slope, (x, density), reverse, solver)
        return ended[0], ended[1]

    def codes(self, x: Tensor, conditions: Tensor, reverse: bool, solver: Solver) -> Tensor:
        """x alone. The steps are sharper: there is no log density whose error bounds them as well."""

        def slope(time: Tensor, state: tuple[Tensor]) -> tuple[Tensor]:
            return (self.field(state[0], time, conditions, None)[0],)

        sharper = replace(solver, tolerance=_SHARPER * solver.tolerance)
        return self._solve(slope, (x,), reverse, sharper)[0]

    def _solve(
        self, slope: Callable[..., tuple[Tensor, ...]], state: tuple[Tensor, ...], reverse: bool, solver: Solver
    ) -> tuple[Tensor, ...]:
        end = self.root_of_end.square()
        times = torch.stack([end, torch.zeros_like(end)] if reverse else [torch.zeros_like(end), end])
        # The last step ends at the end: what the solver puts between its steps is less exact than they are. The package
        # solves backwards in time by changing its sign, and the adjoint equation with that sign.
        ends = times.detach()
        given: dict[str, Any] = {"method": "dopri5", "options": {"step_t": ends[1:]}}
        adjoint_options = {"step_t": -ends[:1] if reverse else ends[:1]}
        given |= {"rtol": solver.tolerance, "atol": solver.tolerance}
        package = torchdiffeq()
        try:
            if solver.adjoint and torch.is_grad_enabled():
                weights = tuple(self.field.parameters())
                given |= {"adjoint_params": weights, "adjoint_options": adjoint_options}
                path = package.odeint_adjoint(slope, state, times, **given)
            else:
                path = package.odeint(slope, state, times, **given)
        except AssertionError as error:  # of the solver: its step has become 0, or numbers are not finite
            raise InputError(
                f"the flow cannot be solved here ({' '.join(str(error).split())[:60]}). Give codes and conditions "
                "such as it was trained on, or a higher tolerance."
            ) from error
        return tuple(part[-1] for part in path)


class MovingNorm(nn.Module):
    """(x - m) / sqrt(v + 1e-4) * exp(w) + b, with running m and v, in training too.

    In training the statistics of what passes are collected; :meth:`fold` ends a step and moves m and v to them.

    Attributes:
        collected: [1 + 2 D], of all rows since the last :meth:`fold`: their number, the sums of x - m and its squares.
    """

    running_mean: Tensor
    running_var: Tensor
    collected: Tensor

    def __init__(self, style_dim: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(style_dim))
        self.bias = nn.Parameter(torch.zeros(style_dim))
        self.register_buffer("running_mean", torch.zeros(style_dim))
        self.register_buffer("running_var", torch.ones(style_dim))
        self.register_buffer("collected", torch.zeros(1 + 2 * style_dim), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            rows = (x.detach() - self.running_mean).flatten(0, -2)
            self.collected += torch.cat([rows.new_tensor([len(rows)]), rows.sum(0), rows.square().sum(0)])
        return self.normed(x)

    def normed(self, x: Tensor) -> Tensor:
        """y, with nothing collected."""
        return (x - self.running_mean) * (self.running_var + EPSILON).rsqrt() * self.weight.exp() + self.bias

    def inverse(self, y: Tensor) -> Tensor:
        return (y - self.bias) * (-self.weight).exp() * (self.running_var + EPSILON).sqrt() + self.running_mean

    def log_gain(self) -> Tensor:
        """log |dy/dx| of a row."""
        return (self.weight - 0.5 * (self.running_var + EPSILON).log()).sum()

    @torch.no_grad()
    def fold(self, reduce: Callable[[Tensor], Tensor] = lambda tensor: tensor) -> None:
        """m += 0.1 (batch mean - m), and v likewise with the unbiased variance.

        Args:
            reduce: sums a tensor over the processes.
        """
        count, total, squares = reduce(self.collected).split([1, *[len(self.running_mean)] * 2])
        if count >= 2:
            away = total / count  # of the batch mean from m
            variance = (squares - count * away.square()) / (count - 1)
            self.running_mean += DECAY * away
            self.running_var.lerp_(variance.clamp_min(0), DECAY)
        self.collected.zero_()


def torchdiffeq() -> Any:
    """The package of the solver.

    Raises:
        InputError: it is not installed.
    """
    extras.require("flow")
    import torchdiffeq as package

    return package
