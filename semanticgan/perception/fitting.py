"""How the small networks of this room are trained: one loop, one schedule, one source of random numbers.

Step t of T: theta <- AdamW(theta, gradient of loss(network(x_t), y_t)) at the rate r s(t), with
s(t) = (t + 1) / R for t < R = T / 20, then (1 + cos(pi (t - R) / (T - R))) / 2
(Loshchilov and Hutter 2019, arXiv 1711.05101; 2017, arXiv 1608.03983).

The last examples of the data are held out and scored. The same seed gives the same network on the same machine.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from semanticgan.errors import TrainingDiverged
from semanticgan.perception.settings import Fitting
from semanticgan.seeds import seed_global_stream

Network = TypeVar("Network", bound=nn.Module)
Target = TypeVar("Target")


def seeded(make: Callable[[], Network], seed: int) -> Network:
    """A network whose first weights are those of a seed; PyTorch's global stream stays as it is."""
    with torch.random.fork_rng(devices=[]):
        seed_global_stream(seed)
        return make()


def fit(
    network: nn.Module,
    batches: Iterable[tuple[Tensor, Target]],
    loss: Callable[[Any, Target], Tensor],
    fitting: Fitting,
    progress: bool = False,
) -> float:
    """Train a network in place.

    Args:
        network: on the device where to compute.
        batches: images [N, 3, S, S] in [-1, 1] on that device and what they show, one for each step, varied already.
        loss: of what the network puts out and of what the images show; a scalar.

    Returns:
        How long it took, in seconds.

    Raises:
        TrainingDiverged: the loss is not finite any more.
    """
    from tqdm import tqdm

    start = time.perf_counter()
    optimiser = torch.optim.AdamW(network.parameters(), lr=fitting.learning_rate, weight_decay=fitting.weight_decay)
    # Channels last, convolutions are faster on a CPU.
    network.train().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    bar = tqdm(
        total=fitting.num_steps, unit="step", desc=f"training a {fitting.kind}", disable=None if progress else True
    )
    with bar:
        for step, (image, shown) in zip(range(fitting.num_steps), batches, strict=False):
            for group in optimiser.param_groups:
                group["lr"] = fitting.learning_rate * rate_at(step, fitting.num_steps)
            with torch.autocast(image.device.type, torch.bfloat16, enabled=fitting.precision == "bfloat16"):
                value = loss(network(image.contiguous(memory_format=torch.channels_last)), shown)
            if not math.isfinite(value.item()):
                raise TrainingDiverged(
                    f"the loss of the {fitting.kind} is {value.item()} at step {step}. Nothing was written; train "
                    "again with a lower learning rate."
                )
            optimiser.zero_grad(set_to_none=True)
            value.backward()
            optimiser.step()
            bar.update()
            bar.set_postfix(loss=f"{value.item():.3f}", refresh=False)
    # As it is after a file: other strides round otherwise.
    network.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    return time.perf_counter() - start


def rate_at(step: int, num_steps: int) -> float:
    """s, the share of the highest learning rate: up over the first twentieth, then down to 0 as half a cosine."""
    num_rising = max(1, num_steps // 20)
    if step < num_rising:
        return (step + 1) / num_rising
    return (1 + math.cos(math.pi * (step - num_rising) / max(1, num_steps - num_rising))) / 2
