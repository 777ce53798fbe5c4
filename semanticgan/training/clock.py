"""Speed, memory and learning rates of a training: for people, not for comparing runs."""

from __future__ import annotations

import sys
import time

import torch

from semanticgan.training.trainer import Trainer


class Clock:
    """Images per second since the last reading, peak memory and learning rates."""

    def __init__(self, trainer: Trainer) -> None:
        self._trainer, self._images, self._at = trainer, trainer.images_seen, time.monotonic()

    def read(self) -> dict[str, float]:
        trainer, now = self._trainer, time.monotonic()
        speed = (trainer.images_seen - self._images) / max(now - self._at, 1e-9)
        self._images, self._at = trainer.images_seen, now
        optimisers = trainer.method.optimisers.items()
        rates = {f"learning_rate/{name}": float(optimiser.param_groups[0]["lr"]) for name, optimiser in optimisers}
        peak = _peak_bytes(trainer.method.device) / 1e9
        return {"speed/images_per_second": speed, "memory/peak_gigabytes": peak, **rates}


def _peak_bytes(device: torch.device) -> int:
    """Most memory held at a time: of the device on CUDA, else of this process; 0 where the system does not tell."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    if sys.platform == "win32":
        return 0
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # macOS counts bytes, Linux kilobytes
