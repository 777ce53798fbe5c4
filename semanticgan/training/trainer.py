"""The steps of a training: parts of a batch, processes, random streams, averages and the exact state.

The numbers of a step depend on the configuration and the number of images seen alone: not on what was drawn before,
nor on how many processes share the batch, as long as each part of it that goes through the networks at once is a
multiple of 4.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from semanticgan.distributed import ALONE, Processes, shares_of
from semanticgan.training.draws import Draws
from semanticgan.training.method import Average, Method, Phase, Stage, Values


class Trainer:
    """Makes the steps of a method.

    Args:
        method: networks, optimisers and losses.
        processes: that share each batch.

    Attributes:
        steps_done: steps so far.
        images_seen: pictures so far, over all processes.
        stage: of the next step.

    Raises:
        InputError: a batch that processes and parts do not divide.
    """

    def __init__(self, method: Method, processes: Processes = ALONE) -> None:
        self.method, self.processes = method, processes
        self.steps_done = self.images_seen = 0
        self._rates = {name: [group["lr"] for group in o.param_groups] for name, o in method.optimisers.items()}
        for stage in method.schedule.values():
            for phase in method.phases(stage):
                self._parts(stage, phase)
        self.stage = method.stage(0)
        self._enter(self.stage)

    @property
    def positions(self) -> list[int]:
        """Which pictures of the next batch this process takes, in the order in which :meth:`step` wants them."""
        parts = shares_of(self.stage.batch, "batch", self.processes, self.method.config.accumulate)
        return [position for part in parts for position in part]

    def step(self, *batch: Tensor) -> Values:
        """One step on this process's share of a batch: the pictures of :attr:`positions`. Returns what is to be logged.

        What is logged is this process's own.
        """
        values: Values = {}
        averages = self.method.averages(self.stage)
        for phase in self.method.phases(self.stage):
            if phase.every and self.steps_done % phase.every == 0:
                values |= self.update(phase, *batch)
                self._update_averages([average for average in averages if average.after == phase.name])
        self._update_averages([average for average in averages if not average.after])
        self.steps_done += 1
        self.images_seen += self.stage.batch
        values |= self.method.finish_step(self.steps_done)
        self._advance()
        return values

    def update(self, phase: Phase, *batch: Tensor) -> Values:
        """One phase: gradients of all parts of the batch, averaged over the processes, then the optimisers' step."""
        optimisers = [self.method.optimisers[name] for name in phase.optimisers]
        for optimiser in optimisers:
            optimiser.zero_grad(set_to_none=True)
        parts = self._parts(self.stage, phase)
        logged: list[Values] = []
        with frozen(*phase.frozen):
            for index, positions in enumerate(parts):
                rows = slice(index * len(positions), (index + 1) * len(positions))
                part = tuple(tensor[rows] for tensor in batch) if phase.shrink == 1 else ()
                loss, values = phase.loss(part, self._draws(phase, positions))
                (loss / len(parts)).backward()
                logged.append({name: value.detach() for name, value in values.items()})
        parameters = [p for o in optimisers for group in o.param_groups for p in group["params"] if p.requires_grad]
        for parameter in parameters:
            if parameter.grad is None:  # a bias has no part in a regulariser; the optimiser counts all steps alike
                parameter.grad = torch.zeros_like(parameter)
        self.processes.average([parameter.grad for parameter in parameters])
        for optimiser in optimisers:
            optimiser.step()
        values = {name: torch.stack([values[name] for values in logged]).mean() for name in logged[0]}
        return values | (phase.after() if phase.after is not None else {})

    def _parts(self, stage: Stage, phase: Phase) -> list[list[int]]:
        """Positions in the phase's batch of each part of this process's share."""
        name = "batch" if phase.shrink == 1 else f"batch / {phase.shrink} ({phase.name})"
        return shares_of(stage.batch // phase.shrink, name, self.processes, self.method.config.accumulate)

    def _draws(self, phase: Phase, positions: list[int]) -> Draws:
        batch = self.stage.batch // phase.shrink
        return Draws(self.method.config.seed, self.steps_done, phase.name, batch, positions, self.method.device)

    @torch.no_grad()
    def _update_averages(self, averages: list[Average]) -> None:
        """average += (1 - 2^(-batch / half_life)) (network - average)"""
        for average in averages:
            half_life = average.half_life
            if average.ramp_up:
                half_life = min(half_life, max(self.images_seen, 1) * average.ramp_up)
            weight = 1.0 - 0.5 ** (self.stage.batch / half_life)
            torch._foreach_lerp_(list(average.average.parameters()), list(average.network.parameters()), weight)

    def _advance(self) -> None:
        """Go on to the stage of the next step."""
        before, self.stage = self.stage, self.method.stage(self.images_seen)
        if self.stage.name != before.name:
            for name in self.stage.anew:
                self.method.optimisers[name].state.clear()
        self._enter(self.stage)

    def _enter(self, stage: Stage) -> None:
        """Give every parameter and optimiser what the stage says."""
        if stage.in_use is not None:
            for name, network in self.method.networks.items():
                for path, parameter in network.named_parameters(name):
                    parameter.requires_grad_(any(f"{path}.".startswith(f"{part}.") for part in stage.in_use))
        for name, optimiser in self.method.optimisers.items():
            for group, rate in zip(optimiser.param_groups, self._rates[name], strict=True):
                group["lr"] = rate * stage.rate

    def state(self) -> dict[str, Any]:
        """All that a resumed run needs, the same of every process that shares the training; all call this together."""
        return {
            "steps_done": self.steps_done,
            "images_seen": self.images_seen,
            "networks": {name: network.state_dict() for name, network in self.method.networks.items()},
            "optimisers": {name: optimiser.state_dict() for name, optimiser in self.method.optimisers.items()},
            "method": self.method.state(),
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on from :meth:`state`."""
        for name, network in self.method.networks.items():
            network.load_state_dict(state["networks"][name])
        for name, optimiser in self.method.optimisers.items():
            optimiser.load_state_dict(state["optimisers"][name])
        self.method.load_state(state["method"])
        self.steps_done, images = state["steps_done"], state["images_seen"]
        self.images_seen = self.steps_done * self.stage.batch if images is None else images
        self.stage = self.method.stage(self.images_seen)
        self._enter(self.stage)


@contextmanager
def frozen(*networks: nn.Module) -> Iterator[None]:
    """Within the block the networks pass gradients on and get none."""
    learning = [p for network in networks for p in network.parameters() if p.requires_grad]
    with ExitStack() as stack:
        for parameter in learning:
            parameter.requires_grad_(False)
            stack.callback(parameter.requires_grad_)
        yield
