"""StyleALAE as a method of the training loop (Pidhorskyi et al. 2020, arXiv 2004.04467, Algorithm 1).

The networks grow from 4x4, each resolution faded in. A step has three updates, x real pictures, w = F(z)::

    discriminator    E and D  lower  softplus(D(E(G(w)))) + softplus(-D(E(x))) + gamma / 2 |grad_x D(E(x))|^2
    generator        F and G  lower  softplus(-D(E(G(w))))
    reconstruction   all but D lower (w - E(G(w)))^2, w itself no target that learns

Then the average. F, G and E are one network; its optimisers are "encoder", of E and D, and "decoder", of F and G.

Shape legend: N images, S full side of the picture, s side at the level of growth.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from semanticgan.networks.comparison.alae import ALAEGenerator
from semanticgan.training.draws import Draws
from semanticgan.training.judges import Judgement
from semanticgan.training.layered import LayeredMethod, at_level, prepared_layered
from semanticgan.training.lreq_adam import LreqAdam, groups_by_coefficient
from semanticgan.training.method import Batch, Phase, Stage, Values, register
from semanticgan.training.methods.alae_config import ALAETrainingConfig
from semanticgan.training.methods.alae_losses import encoder_loss, generator_loss, reconstruction_loss


class ALAE(LayeredMethod):
    """The three losses of the paper."""

    sheet_kind = "composite"
    config: ALAETrainingConfig
    generator: ALAEGenerator

    def _optimisers(self) -> dict[str, torch.optim.Optimizer]:
        encoder, values = self.generator.encoder, self.config.optimiser
        groups = {
            "encoder": groups_by_coefficient(encoder) + groups_by_coefficient(self.discriminator),
            "decoder": groups_by_coefficient(self.generator, without=encoder),
        }
        return {
            name: LreqAdam(of, lr=values.learning_rate, beta=values.beta2, eps=values.epsilon)
            for name, of in groups.items()
        }

    def _judge(self, image: Tensor, segmentation: None = None, num_sets: int = 1) -> Judgement:
        """D(E(x)) at the level of this step."""
        return Judgement(self.discriminator(self.generator.encode(image, self.level)), None)

    def r1_weights(self) -> tuple[float, float]:
        """Of pictures at the level of growth: in the authors' step gamma is not scaled by the resolution."""
        return self.config.loss.r1_of(self.config.size, self.config.batch), 0.0

    def own_phases(self, stage: Stage) -> Sequence[Phase]:
        encoder, discriminator = self.generator.encoder, self.discriminator
        every = 1 if self.config.loss.reconstruction else 0
        return [
            Phase("discriminator", ("encoder",), self._discriminator_loss),
            Phase("generator", ("decoder",), self._generator_loss, frozen=(encoder, discriminator)),
            Phase("reconstruction", ("encoder", "decoder"), self._reconstruction_loss, every, frozen=(discriminator,)),
        ]

    def _discriminator_loss(self, batch: Batch, draws: Draws) -> tuple[Tensor, Values]:
        real, _ = self.augmented(batch[0], None, draws, real=True)
        real = real.detach().requires_grad_()
        with self.autocast():
            with torch.no_grad():
                fake, _ = self.augmented(self.generate(draws).image, None, draws, real=False)
            real_score, fake_score = self.judge(real).score, self.judge_compiled(fake).score
        self.observe_scores(real_score.detach())
        adversarial = encoder_loss(real_score, fake_score, real, gamma=0.0)
        gamma, _ = self.r1_weights()
        loss = encoder_loss(real_score, fake_score, real, gamma)
        values = {"loss/discriminator": adversarial, "score/real": real_score.mean(), "score/fake": fake_score.mean()}
        return loss, values | ({"r1/image": 2.0 * (loss - adversarial) / gamma} if gamma else {})

    def _generator_loss(self, batch: Batch, draws: Draws) -> tuple[Tensor, Values]:
        score = self.score_of_generated(draws)
        with self.autocast():
            loss = generator_loss(score)
        return loss, {"loss/generator": loss}

    def _reconstruction_loss(self, batch: Batch, draws: Draws) -> tuple[Tensor, Values]:
        w = draws.latents(self.generator, mixing=0.0)[:, 0]
        with self.autocast():
            image = self._render_compiled(w, draws.noise(self.generator.noise_sides)).image
            found = self.generator.encode(image, self.level)
        loss = reconstruction_loss(w, found)
        # what a constant guess would lose: the variance of w over the batch
        share = loss / w.detach().var(0, unbiased=False).mean().clamp(min=1e-12)
        return self.config.loss.reconstruction * loss, {
            "loss/reconstruction": loss,
            "reconstruction/of_variance": share,
        }

    @torch.no_grad()
    def preview(self) -> np.ndarray:
        """Samples, then real pictures and below them their reconstructions: uint8 [3 s, num_images s, 3]."""
        samples = super().preview()
        if self.dataset is None:
            return samples
        average = self.average
        assert isinstance(average, ALAEGenerator)
        count = self.config.schedule.sheet_images
        pictures = [self.dataset[index % len(self.dataset)].image for index in range(count)]
        real = at_level((torch.stack(pictures).float() / 127.5 - 1.0).to(self.device), self.level)
        found = [average(average.encode(one[None], self.level), level=self.level).image[0] for one in real]
        rows = torch.cat([torch.cat(list(row), dim=2) for row in (real, found)], dim=1)  # [3, 2 s, count s]
        levels = ((rows.clamp(-1, 1) + 1.0) * 127.5).round().byte().movedim(0, 2).cpu().numpy()
        return np.concatenate([samples, levels])


register(ALAETrainingConfig, lambda config: prepared_layered(config, ALAE))
