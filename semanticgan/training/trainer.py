"""The networks, optimisers and averages of a training, and its steps (Section 3 of arXiv 2112.02236).

Every draw of step t comes from a generator seeded by (seed, rank, t, phase), so that a resumed run needs no random
state and repeats the same bits.

Shape legend: N images, K regions, S side of the picture, B base rows, D style width.
"""

from __future__ import annotations

import contextlib
import copy
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from semanticgan.networks.discriminator import Discriminator
from semanticgan.networks.generator import Generator, Rendering
from semanticgan.regions import RegionScheme
from semanticgan.training.config import TrainingConfig
from semanticgan.training.losses import (
    discriminator_loss,
    generator_loss,
    mask_loss,
    path_length_penalty,
    r1_penalty,
)

# Each part of a step draws from its own stream.
_DISCRIMINATOR, _GENERATOR, _PATH_LENGTH, _WEIGHTS = range(4)


class Trainer:
    """Generator, discriminator and EMA with their optimisers.

    Args:
        config: the configuration.
        regions: the regions of the data.
        device: where to train.
        rank: number of this process among several.
    """

    def __init__(self, config: TrainingConfig, regions: RegionScheme, device: torch.device, rank: int = 0) -> None:
        self.config, self.regions, self.device, self.rank = config, regions, device, rank
        with torch.random.fork_rng(devices=[]):  # networks draw their first weights from the global stream
            torch.manual_seed(_seed_of(config.seed, 0, 0, _WEIGHTS))
            self.generator = Generator(config.generator_config(regions)).to(device)
            self.discriminator = Discriminator(config.discriminator_config(regions)).to(device)
        self.average = copy.deepcopy(self.generator).eval().requires_grad_(False)
        loss = config.loss
        self.generator_optimiser = self._adam(self.generator, loss.path_length_every)
        self.discriminator_optimiser = self._adam(self.discriminator, loss.r1_every)
        self.path_length_mean = torch.zeros((), device=device)
        self.steps_done = 0

    @property
    def images_seen(self) -> int:
        return self.steps_done * self.config.batch

    def step(self, image: Tensor, segmentation: Tensor) -> dict[str, Tensor]:
        """One step of both networks on real pairs [N, 3, S, S] and [N, K, S, S]; returns what is to be logged."""
        loss, step = self.config.loss, self.steps_done
        values = self._discriminator_step(image, segmentation)
        if loss.r1_every and step % loss.r1_every == 0:
            values |= self._r1_step(image, segmentation)
        values |= self._generator_step()
        if loss.path_length_every and step % loss.path_length_every == 0:
            values |= self._path_length_step()
        self._update_average()
        self.steps_done += 1
        return values

    def _discriminator_step(self, image: Tensor, segmentation: Tensor) -> dict[str, Tensor]:
        draws = self._draws(_DISCRIMINATOR)
        with self._autocast():
            with torch.no_grad():
                fake = self._generate(draws, self.config.batch)
            real_score = self.discriminator(image, segmentation)
            fake_score = self.discriminator(fake.image, fake.segmentation)
        loss = discriminator_loss(real_score.float(), fake_score.float())
        self._update(self.discriminator_optimiser, loss)
        return {
            "loss/discriminator": loss.detach(),
            "score/real": real_score.detach().mean(),
            "score/fake": fake_score.detach().mean(),
        }

    def _r1_step(self, image: Tensor, segmentation: Tensor) -> dict[str, Tensor]:
        loss = self.config.loss
        image, segmentation = image.detach().requires_grad_(), segmentation.detach().requires_grad_()
        with self._autocast():
            score = self.discriminator(image, segmentation)
        r1 = r1_penalty(score, image, segmentation)
        penalty = loss.r1_image / 2 * r1.image + loss.r1_segmentation / 2 * r1.segmentation
        self._update(self.discriminator_optimiser, penalty * loss.r1_every)
        return {"r1/image": r1.image.detach(), "r1/segmentation": r1.segmentation.detach()}

    def _generator_step(self) -> dict[str, Tensor]:
        draws = self._draws(_GENERATOR)
        self.discriminator.requires_grad_(False)
        with self._autocast():
            fake = self._generate(draws, self.config.batch)
            score = self.discriminator(fake.image, fake.segmentation)
        adversarial, mask = generator_loss(score.float()), mask_loss(fake)
        self._update(self.generator_optimiser, adversarial + self.config.loss.mask * mask)
        self.discriminator.requires_grad_(True)
        return {"loss/generator": adversarial.detach(), "loss/mask": mask.detach()}

    def _path_length_step(self) -> dict[str, Tensor]:
        loss, draws = self.config.loss, self._draws(_PATH_LENGTH)
        num_images = self.config.batch // loss.path_length_batch_shrink
        with self._autocast():
            latents = self.generator.expand(self._latents(draws, num_images))
            image = self.generator(latents, noise=draws).image
        direction = torch.randn(image.shape, generator=draws).to(self.device)
        path = path_length_penalty(image.float(), latents, self.path_length_mean, direction, loss.path_length_decay)
        self.path_length_mean = path.mean
        self._update(self.generator_optimiser, path.penalty * (loss.path_length * loss.path_length_every))
        return {"path_length/penalty": path.penalty.detach(), "path_length/mean": path.mean}

    def _generate(self, draws: torch.Generator, num_images: int) -> Rendering:
        rendering: Rendering = self.generator(self._latents(draws, num_images), noise=draws)
        return rendering

    def _latents(self, draws: torch.Generator, num_images: int) -> Tensor:
        """Latent codes of fresh z, mixed with the configured probability, [N, B + 2K, D]."""
        config = self.generator.config
        mixed = torch.rand((), generator=draws).item() < self.config.loss.style_mixing
        z = torch.randn(2 if mixed else 1, num_images, config.style_dim, generator=draws)
        codes = self.generator.map(z.to(self.device).flatten(0, 1)).unflatten(0, z.shape[:2])
        codes = codes.unsqueeze(2).expand(-1, -1, config.num_rows, -1)
        if not mixed:
            return codes[0]
        choice = torch.randint(3, (num_images, config.num_regions), generator=draws).to(self.device)
        return torch.where(mixing_rows(choice, config.num_base_layers).unsqueeze(-1), codes[1], codes[0])

    def _draws(self, phase: int) -> torch.Generator:
        """The random stream of one part of this step, on the CPU so that devices agree."""
        return torch.Generator().manual_seed(_seed_of(self.config.seed, self.rank, self.steps_done, phase))

    def _autocast(self) -> contextlib.AbstractContextManager[object]:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.config.precision == "bfloat16")

    def _adam(self, network: nn.Module, lazy_every: int) -> torch.optim.Adam:
        """Adam whose rate and betas account for the extra updates of lazy regularisation."""
        values = self.config.optimiser
        share = lazy_every / (lazy_every + 1) if lazy_every else 1.0
        return torch.optim.Adam(
            network.parameters(),
            lr=values.learning_rate * share,
            betas=(float(values.beta1**share), float(values.beta2**share)),
            eps=values.epsilon,
            foreach=True,
        )

    @staticmethod
    def _update(optimiser: torch.optim.Optimizer, loss: Tensor) -> None:
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()

    @torch.no_grad()
    def _update_average(self) -> None:
        """EMA of the generator's parameters; the half-life is given in images."""
        ema = self.config.ema
        half_life = ema.half_life
        if ema.ramp_up:
            half_life = min(half_life, max(self.images_seen, 1) * ema.ramp_up)
        weight = 1.0 - 0.5 ** (self.config.batch / half_life)
        torch._foreach_lerp_(list(self.average.parameters()), list(self.generator.parameters()), weight)

    def state(self) -> dict[str, Any]:
        """All that a resumed run needs."""
        return {
            "steps_done": self.steps_done,
            "generator": self.generator.state_dict(),
            "discriminator": self.discriminator.state_dict(),
            "average": self.average.state_dict(),
            "generator_optimiser": self.generator_optimiser.state_dict(),
            "discriminator_optimiser": self.discriminator_optimiser.state_dict(),
            "path_length_mean": self.path_length_mean,
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on from :meth:`state`."""
        self.generator.load_state_dict(state["generator"])
        self.discriminator.load_state_dict(state["discriminator"])
        self.average.load_state_dict(state["average"])
        self.generator_optimiser.load_state_dict(state["generator_optimiser"])
        self.discriminator_optimiser.load_state_dict(state["discriminator_optimiser"])
        self.path_length_mean = state["path_length_mean"].to(self.device)
        self.steps_done = state["steps_done"]


def mixing_rows(choice: Tensor, num_base_layers: int) -> Tensor:
    """Which rows of a mixed code come from the second code, bool [N, B + 2K].

    Args:
        choice: [N, K] of 0 (both rows of the region from the first), 1 (its texture from the second) or 2 (both).
        num_base_layers: B; base rows are always the first code's.
    """
    rows = torch.stack([choice == 2, choice >= 1], dim=-1).flatten(1)
    return torch.cat([rows.new_zeros(len(rows), num_base_layers), rows], dim=1)


def _seed_of(seed: int, rank: int, step: int, phase: int) -> int:
    return int(np.random.SeedSequence([seed, rank, step, phase]).generate_state(1, np.uint64)[0] >> np.uint64(1))
