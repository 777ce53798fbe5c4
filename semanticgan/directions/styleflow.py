"""StyleFlow (arXiv 2008.02401): codes to z and back by a flow that knows their attributes.

    z = flow.encode(w, a)           norm, then (conditional ODE, norm) per block
    w' = flow.decode(z, a')         the reverse

With a' = a the code comes back; with another a' it is the code that would have the same z. :mod:`flow_networks
<semanticgan.directions.flow_networks>` has the formulas.

Shape legend: N codes, R rows (1 or more), D style width, C conditions, B blocks.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from semanticgan.checkpoint import build
from semanticgan.directions.flow_networks import ConditionalODE, MovingNorm, Solver
from semanticgan.errors import InputError, WeightsError
from semanticgan.rendering import is_finite
from semanticgan.wrong_arguments import require_dense, require_type, whole_number

MOST_BLOCKS = 16
"""Conditional ODEs of a flow."""

_MOST_LAYERS = 64  # hidden ones of a vector field


@dataclass(frozen=True)
class Flowed:
    """Codes at the other end of the flow.

    Attributes:
        codes: [N, R, D].
        log_density: [N, R, 1]: what was given, minus ``log |dz/dw|`` (plus it in reverse).
    """

    codes: Tensor
    log_density: Tensor


class StyleFlow(nn.Module):
    """A conditional flow of code rows.

    Args:
        style_dim: D.
        num_conditions: C.
        hidden: widths of the vector field's hidden layers.
        num_blocks: B.

    Attributes:
        solver: how its ODEs are solved; it may be set.

    Raises:
        InputError: a width or a number below 1, or too many layers or blocks.
    """

    def __init__(
        self, style_dim: int, num_conditions: int, hidden: Sequence[int] = (512,) * 5, num_blocks: int = 1
    ) -> None:
        super().__init__()
        self.style_dim = whole_number("style_dim", style_dim, 1)
        self.num_conditions = whole_number("num_conditions", num_conditions, 1)
        whole_number("the number of hidden layers", len(hidden), 0, _MOST_LAYERS)
        self.hidden = tuple(whole_number("a hidden width", width, 1) for width in hidden)
        self.num_blocks = whole_number("num_blocks", num_blocks, 1, MOST_BLOCKS)
        self.solver = Solver()
        self.norms = nn.ModuleList(MovingNorm(self.style_dim) for _ in range(self.num_blocks + 1))
        self.blocks = nn.ModuleList(
            ConditionalODE(self.style_dim, self.num_conditions, self.hidden) for _ in range(self.num_blocks)
        )

    def forward(
        self,
        codes: Tensor,
        conditions: Tensor,
        log_density: Tensor | None = None,
        probes: Tensor | None = None,
        reverse: bool = False,
    ) -> Flowed:
        """Codes and their log density at the other end; differentiable in codes and weights.

        All codes share the solver's steps.

        Args:
            codes: w [N, R, D], in reverse z.
            conditions: [N, C].
            log_density: [N, R, 1] at this end; None is 0.
            probes: e [N, B, R, D], standard normal, one per block; None draws them from torch's global stream.
            reverse: z to w.
        """
        density = codes.new_zeros(*codes.shape[:2], 1) if log_density is None else log_density
        if probes is None:
            probes = torch.randn(len(codes), self.num_blocks, *codes.shape[1:]).to(codes)
        for index, part in self._parts(reverse):
            if not isinstance(part, MovingNorm):
                codes, density = part(codes, density, conditions, probes[:, index], reverse, self.solver)
            elif reverse:
                codes, density = part.inverse(codes), density + part.log_gain()
            else:
                codes, density = part(codes), density - part.log_gain()
        return Flowed(codes, density)

    def _parts(self, reverse: bool) -> list[tuple[int, nn.Module]]:
        """Norms and blocks with their numbers, in the order in which codes pass them."""
        parts = [(0, self.norms[0])]
        for index, block in enumerate(self.blocks):
            parts += [(index, block), (index + 1, self.norms[index + 1])]
        return parts[::-1] if reverse else parts

    @torch.no_grad()
    def encode(self, codes: Tensor, conditions: Tensor) -> Tensor:
        """z of codes.

        Each code is solved by itself, so that it does not depend on the others.

        Args:
            codes: w, floating [N, R, D], or [N, D] for codes of one row.
            conditions: [N, C] or [1, C], as in the training; axes of length 1 may follow.

        Returns:
            z, shaped as the codes.

        Raises:
            InputError: shapes that do not fit, numbers that are not finite, or no torchdiffeq.
        """
        return self._alone(codes, conditions, reverse=False)

    @torch.no_grad()
    def decode(self, z: Tensor, conditions: Tensor) -> Tensor:
        """Codes of z; arguments and errors as of :meth:`encode`."""
        return self._alone(z, conditions, reverse=True)

    def edit(
        self, codes: Tensor, from_conditions: Tensor, to_conditions: Tensor, rows: Sequence[int] | None = None
    ) -> Tensor:
        """Codes with other attributes: encoded with the old, decoded with the new, then only chosen rows are taken.

        Args:
            codes: w [N, R, D].
            from_conditions: [N, C] or [1, C], those that the codes have.
            to_conditions: those that they are to have.
            rows: numbers of the rows that may change; None is all.

        Raises:
            InputError: as :meth:`encode`, or no such row.
        """
        edited = self.decode(self.encode(codes, from_conditions), to_conditions)
        return edited if rows is None else with_rows(codes, edited, rows)

    def _alone(self, codes: Tensor, conditions: Tensor, reverse: bool) -> Tensor:
        rows, given = self._checked(codes, conditions)
        found = [self._codes(*pair, reverse) for pair in zip(rows.split(1), given.split(1), strict=True)]
        return torch.cat(found).view(codes.shape)

    def _codes(self, codes: Tensor, conditions: Tensor, reverse: bool) -> Tensor:
        """:meth:`forward` without the log density."""
        for _, part in self._parts(reverse):
            if isinstance(part, ConditionalODE):
                codes = part.codes(codes, conditions, reverse, self.solver)
            elif isinstance(part, MovingNorm):
                codes = part.inverse(codes) if reverse else part.normed(codes)
        return codes

    def _checked(self, codes: Any, conditions: Any) -> tuple[Tensor, Tensor]:
        """Codes [N, R, D] and conditions [N, C] in the type and on the device of the weights."""
        weights = self.norms[0].weight
        assert isinstance(weights, Tensor)
        for name, given in (("codes", codes), ("conditions", conditions)):
            require_type(name, given, Tensor, "a torch.Tensor")
            require_dense(name, given, meta=False)
        if codes.ndim not in (2, 3) or not len(codes) or codes.shape[-1] != self.style_dim or codes.is_complex():
            raise InputError(f"the flow takes codes [N, R, {self.style_dim}], got {list(codes.shape)}.")
        flat = conditions.flatten(1) if conditions.ndim > 1 else conditions
        if flat.ndim != 2 or flat.shape[1] != self.num_conditions or len(flat) not in (1, len(codes)):
            raise InputError(
                f"the flow takes conditions [{len(codes)}, {self.num_conditions}] here, got {list(conditions.shape)}."
            )
        rows, flat = codes.to(weights), flat.to(weights)
        if not (is_finite(rows) and is_finite(flat)):
            raise InputError("codes or conditions hold numbers that are not finite. Give finite ones.")
        rows = rows[:, None] if rows.ndim == 2 else rows
        return rows, flat.expand(len(rows), -1)


def with_rows(codes: Tensor, edited: Tensor, rows: Sequence[int]) -> Tensor:
    """``codes`` [N, R, D] with some rows taken from ``edited``.

    Raises:
        InputError: no row, or one that there is not.
    """
    chosen = sorted({whole_number("a row", row, 0, codes.shape[1] - 1) for row in rows})
    if not chosen:
        raise InputError(f"no row is chosen. Give numbers from 0 to {codes.shape[1] - 1}.")
    taken = codes.to(edited).clone()
    taken[:, chosen] = edited[:, chosen]
    return taken


def log_likelihood(flowed: Flowed) -> Tensor:
    """log p(w | a) of each code [N], summed over its rows: log N(z; 0, 1) - l, with l begun at 0.

    The released training script adds D times the constant of a row to it; gradients are the same.
    """
    z = flowed.codes
    normal = -0.5 * (z.square() + math.log(2.0 * math.pi))
    return normal.sum((1, 2)) - flowed.log_density.sum((1, 2))


_NORM = re.compile(r"chain\.(\d+)\.(weight|bias|running_mean|running_var)")
_END = re.compile(r"chain\.(\d+)\.sqrt_end_time")
_LAYER = re.compile(r"chain\.(\d+)\.odefunc\.diffeq\.layers\.(\d+)\.(_layer|_hyper_bias|_hyper_gate)\.(weight|bias)")
_PARTS = {"_layer": "linear", "_hyper_bias": "bias", "_hyper_gate": "gate"}
_COUNTS = (".step", "._num_evals")  # of steps and evaluations so far: nothing reads them


def from_reference(state_dict: Mapping[str, Tensor]) -> StyleFlow:
    """A flow with the weights of the authors' code; sizes are read from the tensors.

    Args:
        state_dict: ``chain.0.weight``, ``chain.1.odefunc.diffeq.layers.0._layer.weight``, ...

    Raises:
        WeightsError: missing, unknown or misshapen tensors.
    """
    tensors = {_own_name(name): tensor for name, tensor in state_dict.items() if not name.endswith(_COUNTS)}
    try:
        num_blocks = 1 + max(int(name.split(".")[1]) for name in tensors if name.startswith("blocks."))
        num_layers = 1 + max(int(name.split(".")[4]) for name in tensors if name.startswith("blocks.0.field."))
        inner = [f"blocks.0.field.layers.{index}.linear.weight" for index in range(num_layers)]
        style_dim, hidden = tensors[inner[0]].shape[1], [tensors[name].shape[0] for name in inner[:-1]]
        num_conditions = tensors["blocks.0.field.layers.0.gate.weight"].shape[1] - 1
    except (KeyError, ValueError, IndexError) as error:
        raise WeightsError(
            "the state dict is not one of StyleFlow: it lacks layers such as "
            "chain.1.odefunc.diffeq.layers.0._layer.weight. Give the authors' modellarge10k.pt."
        ) from error
    flow = build(
        lambda: StyleFlow(style_dim, num_conditions, hidden, num_blocks), tensors, "the state dict of StyleFlow"
    )
    return flow.eval().requires_grad_(False)


def _own_name(name: str) -> str:
    if (match := _NORM.fullmatch(name)) and int(match[1]) % 2 == 0:
        return f"norms.{int(match[1]) // 2}.{match[2]}"
    if (match := _END.fullmatch(name)) and int(match[1]) % 2:
        return f"blocks.{int(match[1]) // 2}.root_of_end"
    if (match := _LAYER.fullmatch(name)) and int(match[1]) % 2:
        return f"blocks.{int(match[1]) // 2}.field.layers.{match[2]}.{_PARTS[match[3]]}.{match[4]}"
    return name
