"""Some steps of a training in float64, alone or as one of several processes; run by ``test_processes.py``.

``python -m tests.training.shared_steps OUT KEY=VALUE...``: what the first process measured and ended with.
"""

from __future__ import annotations

import sys
from typing import Any

import torch
from torch import Tensor

from semanticgan.data import Batch, to_network
from semanticgan.data.batches import batch_indices
from semanticgan.data.portraits import PortraitDataset
from semanticgan.distributed import Processes, joined
from semanticgan.training.config import TrainingConfig, load_config
from tests.training.trainers import trainer_of

STEPS = 9  # R1 in the first, the fifth and the ninth, path length in every second
CPU = torch.device("cpu")


def steps(config: TrainingConfig, processes: Processes) -> dict[str, Any]:
    """What was logged, the gradients after each step, and the state at the end."""
    dataset = PortraitDataset(config.size, length=32)
    trainer = trainer_of(config, dataset.regions, CPU, processes)
    for network in (trainer.method.generator, trainer.method.average):
        network.double()  # the buffers that are float32 whatever the default
    logged: list[dict[str, Tensor]] = []
    gradients: list[Tensor] = []
    for step in range(STEPS):
        indices = batch_indices(step, config.batch, len(dataset), config.seed)
        pairs = [dataset[indices[position]] for position in trainer.positions]
        batch = Batch(torch.stack([pair.image for pair in pairs]), torch.stack([pair.labels for pair in pairs]))
        values = trainer.step(*to_network(batch, len(dataset.regions), CPU, torch.float64))
        logged.append(processes.mean(values))
        last = [
            parameter.grad
            for network in (trainer.method.generator, trainer.method.discriminator)
            for parameter in network.parameters()
        ]
        gradients.append(torch.cat([gradient.flatten() for gradient in last if gradient is not None]))
    return {"logged": logged, "gradients": gradients, "state": trainer.state()}


def main(out: str, overrides: list[str]) -> None:
    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float64)  # differences are then not of rounding
    with joined(CPU) as processes:
        result = steps(load_config("tiny", overrides), processes)
        if processes.is_first:
            torch.save(result, out)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
