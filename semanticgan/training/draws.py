"""Where the random numbers of a training come from.

Every picture of a step has streams of its own, seeded by (seed, step, phase, purpose) and its position in the batch.
So the numbers depend neither on how many processes share a batch nor on how it is cut into parts, and a resumed run
needs no random state.

Shape legend: N pictures, R rows of a latent code, D style width.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import torch
from torch import Tensor

from semanticgan.networks.latent_generator import LatentGenerator
from semanticgan.seeds import sequence

_STREAMS = {"discriminator": 0, "generator": 1, "path_length": 2, "weights": 3, "r1": 4}


def stream_of(phase: str) -> int:
    """The number that keeps the streams of a phase apart from those of the others."""
    return _STREAMS.get(phase, 16 + zlib.crc32(phase.encode()))


class _Purpose(IntEnum):
    LATENT = 0
    MIXING = 1
    NOISE = 2
    DIRECTION = 3
    REAL = 4
    FAKE = 5
    HIDDEN = 6
    SHARE = 7


@dataclass(frozen=True)
class Draws:
    """The random numbers of some pictures in one phase of one step.

    Attributes:
        seed: of the training.
        step: counted from 0.
        phase: name of the part of the step.
        batch: pictures of the whole phase.
        positions: those of the batch that are meant, N.
        device: where the numbers are wanted. CUDA and MPS draw them themselves, with other values than the CPU.
    """

    seed: int
    step: int
    phase: str
    batch: int
    positions: Sequence[int]
    device: torch.device

    def latents(self, generator: LatentGenerator, mixing: float, level: float | None = None) -> Tensor:
        """Latent codes of fresh z, [N, R, D]; with probability ``mixing`` each is mixed from two.

        Args:
            generator: maps z, and says how codes are mixed.
            mixing: a probability per batch.
            level: of a generator that grows.
        """
        z = self._normal(_Purpose.LATENT, (2, generator.latent_dim))
        mixed, choices = self._mixing(mixing, generator.num_choices)
        if not mixed:
            z = z[:, :1]
        codes: Tensor = generator.map(z.flatten(0, 1)).unflatten(0, z.shape[:2])  # [N, 1 or 2, D]
        rows = codes[:, 0].unsqueeze(1).expand(-1, generator.config.num_rows, -1)
        if not mixed:
            return rows
        second = generator.second_rows(choices.to(self.device), level)
        return torch.where(second.unsqueeze(-1), codes[:, 1].unsqueeze(1), rows)

    def noise(self, sides: Sequence[int]) -> list[Tensor]:
        """A map [N, 1, side, side] for each convolution of the renderer."""
        sizes = [side * side for side in sides]
        flat = self._normal(_Purpose.NOISE, (sum(sizes),))
        return [part.unflatten(1, (1, side, side)) for part, side in zip(flat.split(sizes, 1), sides, strict=True)]

    def shares(self) -> Tensor:
        """Uniform numbers in [0, 1), one a picture: [N, 1, 1, 1]."""
        drawn = [torch.rand(1, generator=torch.Generator().manual_seed(seed)) for seed in self._seeds(_Purpose.SHARE)]
        return torch.stack(drawn).view(-1, 1, 1, 1).to(self.device)

    def hidden(self, num_regions: int) -> Tensor:
        """Which of some regions each picture is drawn without, one half of them: bool [N, num_regions]."""
        words = sequence(self.seed, self.step, stream_of(self.phase), _Purpose.HIDDEN)
        flips = words.generate_state(self.batch * num_regions).reshape(self.batch, num_regions) % 2
        return torch.from_numpy(flips[list(self.positions)] == 1).to(self.device)

    def direction(self, image: Tensor) -> Tensor:
        """Standard normal numbers of the shape of a picture [N, 3, S, S]."""
        return self._normal(_Purpose.DIRECTION, tuple(image.shape[1:]))

    def streams(self, real: bool) -> list[torch.Generator]:
        """One stream on the CPU for each picture: what augmentation draws from, for the real or the generated ones."""
        purpose = _Purpose.REAL if real else _Purpose.FAKE
        return [torch.Generator().manual_seed(seed) for seed in self._seeds(purpose)]

    def _mixing(self, probability: float, num_choices: int) -> tuple[bool, Tensor]:
        """Whether codes of this step are mixed, and random words that say how, int64 [N, num_choices]."""
        state = sequence(self.seed, self.step, stream_of(self.phase), _Purpose.MIXING)
        words = state.generate_state(1 + self.batch * num_choices)
        choices = words[1:].reshape(self.batch, num_choices)[list(self.positions)]
        return bool(words[0] < probability * 2**32), torch.from_numpy(choices.astype(np.int64))

    def _normal(self, purpose: _Purpose, shape: tuple[int, ...]) -> Tensor:
        """Standard normal numbers [N, *shape]."""
        source = torch.Generator(self.device if self.device.type in ("cuda", "mps") else "cpu")
        drawn = [
            torch.randn(shape, generator=source.manual_seed(seed), device=source.device)
            for seed in self._seeds(purpose)
        ]
        return torch.stack(drawn).to(self.device)

    def _seeds(self, purpose: _Purpose) -> list[int]:
        words = sequence(self.seed, self.step, stream_of(self.phase), purpose)
        seeds = words.generate_state(self.batch, np.uint64) >> np.uint64(1)
        return [int(seeds[position]) for position in self.positions]
