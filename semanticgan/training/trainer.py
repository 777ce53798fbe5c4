"""The networks, optimisers and averages of a training, and its steps (Section 3 of arXiv 2112.02236).

A step's numbers depend on the configuration and the step alone: not on what was drawn before, nor on how many
processes share the batch, as long as each part of it that goes through the networks at once is a multiple of 4.

Shape legend: N images, K regions, S side of the picture, B base rows, D style width.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from semanticgan.distributed import ALONE, Processes, shares_of
from semanticgan.networks.discriminator import Discriminator
from semanticgan.networks.generator import Generator
from semanticgan.regions import RegionScheme
from semanticgan.rendering import Rendering
from semanticgan.seeds import derived
from semanticgan.training.added_losses import added_losses, require_registered
from semanticgan.training.augmentation import AdaptiveProbability, augment
from semanticgan.training.config import TrainingConfig
from semanticgan.training.draws import Draws, Phase
from semanticgan.training.judges import (
    Judgement,
    Judges,
    frozen,
    loss_before_judges,
    loss_of_judges,
    losses_of_labels,
    open_feature_judge,
    open_rates,
)
from semanticgan.training.losses import path_length_penalty, r1_penalty
from semanticgan.training.ownership import Ownership
from semanticgan.training.readers import open_reader

Values = dict[str, Tensor]


class Trainer:
    """Generator, discriminator and EMA with their optimisers.

    Args:
        config: the configuration.
        regions: the regions of the data.
        device: where to train.
        processes: those that share each batch.
        labelled: whether the data have label maps; without, pictures alone are judged.
    """

    def __init__(
        self,
        config: TrainingConfig,
        regions: RegionScheme,
        device: torch.device,
        processes: Processes = ALONE,
        labelled: bool = True,
    ) -> None:
        config.require_teacher()
        require_registered(config.loss.added)
        self.config, self.regions, self.device, self.processes = config, regions, device, processes
        self.labelled = labelled
        self.steps_done = 0
        self._parts = shares_of(config.batch, "batch", processes, config.accumulate)
        shrunk = config.batch // config.loss.path_length_batch_shrink
        name = "batch / loss.path_length_batch_shrink"
        self._path_length_parts = shares_of(shrunk, name, processes, config.accumulate)
        with torch.random.fork_rng(devices=[]):  # networks draw their first weights from the global stream
            torch.manual_seed(_weights_seed(config.seed))
            self.generator = Generator(config.generator_config(regions)).to(device)
            self.discriminator = Discriminator(config.discriminator_config(regions)).to(device)
            feature_judge = open_feature_judge(config.features, config.size, device)
            self.judges = Judges(self.discriminator, feature_judge).to(device)
        self.reader = open_reader(config, regions, self.generator, device)
        self._ownership = Ownership(config, regions, self.reader) if config.loss.owned else None
        self._rates = open_rates(config, device)
        self.average = copy.deepcopy(self.generator).eval().requires_grad_(False)
        self._freeze()
        for part in (
            self.generator.renderer,
            self.discriminator.image_branch,
            self.discriminator.segmentation_branch,
        ):
            part.recompute = config.recompute
        loss = config.loss
        self.generator_optimiser = self._adam({self.generator: 1.0}, loss.path_length_every)
        judges: dict[nn.Module, float] = {self.discriminator: 1.0}
        if feature_judge is not None:
            judges[feature_judge] = config.features.rate
        self.discriminator_optimiser = self._adam(judges, loss.r1_every)
        self.path_length_mean = torch.zeros((), device=device)
        self.augmentation = AdaptiveProbability(
            start=config.augmentation.probability,
            target=config.augmentation.target,
            images_to_one=config.augmentation.images_to_one,
            every=config.augmentation.every,
            batch=config.batch,
            device=device,
        )
        sides = torch.from_numpy(regions.flip_table()[: len(regions)]).long()
        self._flip_table = None if torch.equal(sides, torch.arange(len(regions))) else sides.to(device)
        # What is differentiated twice runs as written; the rest may be compiled.
        self._judge, self._render = self._shared(self.judges), self._shared(self.generator)
        self._judge_fast: Callable[..., Judgement] = self._judge
        self._render_fast: Callable[..., Rendering] = self._render
        self._judge_frozen: Callable[..., Judgement] = self.judges
        if config.compile:
            self._judge_fast, self._render_fast = torch.compile(self._judge), torch.compile(self._render)
            self._judge_frozen = torch.compile(self.judges)
        self._rehearsed = processes.count == 1

    @property
    def images_seen(self) -> int:
        return self.steps_done * self.config.batch

    @property
    def positions(self) -> list[int]:
        """Which pictures of a batch this process takes, in the order in which :meth:`step` wants them."""
        return [position for part in self._parts for position in part]

    def step(self, image: Tensor, segmentation: Tensor) -> Values:
        """One step of both networks on real pairs [N, 3, S, S] and [N, K, S, S]; returns what is to be logged.

        The pairs are those of :attr:`positions`. What is logged is this process's own.
        """
        loss, step = self.config.loss, self.steps_done
        if not self._rehearsed:
            part = slice(len(self._parts[0]))
            self._rehearse(image[part], segmentation[part])
        values = self._discriminator_step(image, segmentation) if loss.adversarial else {}
        if loss.adversarial and loss.r1_every and step % loss.r1_every == 0:
            values |= self._r1_step(image, segmentation)
        if self._rates is not None:
            for some in image.chunk(len(self._parts)):
                self._rates.observe_real(some)
        values |= self._generator_step(image, segmentation)
        if self._rates is not None:
            self._rates.update(self.processes.sum)
        if loss.path_length_every and step % loss.path_length_every == 0:
            values |= self._path_length_step()
        self._update_average()
        if self.config.augmentation.adaptive:
            self.augmentation.update(step + 1, self.processes.sum)
            values |= {"augmentation/probability": self.augmentation.value.clone()}
            values |= {"augmentation/sign": self.augmentation.last_sign.clone()}
        self.steps_done += 1
        return values

    def _discriminator_step(self, image: Tensor, segmentation: Tensor) -> Values:
        def part(draws: Draws, image: Tensor, segmentation: Tensor) -> tuple[Tensor, Values]:
            real_image, real_segmentation = self._augment(image, segmentation, draws, real=True)
            with self._autocast():
                with torch.no_grad():
                    fake = self._generate(draws)
                fake_image, fake_segmentation = self._augment(fake.image, fake.segmentation, draws, real=False)
                joint = None
                if real_segmentation is not None and fake_segmentation is not None:
                    joint = torch.cat([real_segmentation, fake_segmentation])
                judged = self._judge_fast(torch.cat([real_image, fake_image]), joint, num_sets=2)
            if self.config.augmentation.adaptive:
                real, fake_score = judged.score.chunk(2)
                self.augmentation.observe(real - fake_score if self.config.loss.relativistic else real)
            return loss_of_judges(judged, self.config.features.weight, self.config.loss.relativistic)

        return self._update(self.discriminator_optimiser, self._judge, Phase.DISCRIMINATOR, part, image, segmentation)

    def _r1_step(self, image: Tensor, segmentation: Tensor) -> Values:
        loss, weights = self.config.loss, self.config.r1_weights()

        def part(draws: Draws, image: Tensor, segmentation: Tensor) -> tuple[Tensor, Values]:
            # The gradient is taken where the discriminator looks: at the augmented pictures.
            penalty, logged = penalty_of(*self._augment(image, segmentation, draws, real=True))
            if loss.relativistic:
                with torch.no_grad(), self._autocast():
                    fake = self._generate(draws)
                of_fake, more = penalty_of(*self._augment(fake.image, fake.segmentation, draws, real=False))
                penalty = penalty + of_fake
                logged |= {name.replace("r1", "r2"): value for name, value in more.items()}
            return penalty, logged

        def penalty_of(image: Tensor, joint: Tensor | None) -> tuple[Tensor, Values]:
            image = image.detach().requires_grad_()
            joint = None if joint is None else joint.detach().requires_grad_()
            with self._autocast():
                judged: Judgement = self._judge(image, joint)
            r1 = r1_penalty(judged.score, image, joint)
            penalty = weights[0] / 2 * r1.image + weights[1] / 2 * r1.segmentation
            logged = {"r1/image": r1.image} | ({"r1/segmentation": r1.segmentation} if joint is not None else {})
            if judged.by_features is not None:
                by_features = r1_penalty(judged.by_features, image).image
                penalty = penalty + self.config.features.r1 / 2 * by_features
                logged |= {"r1/features": by_features}
            return self._tied(penalty * loss.r1_every, *filter(torch.is_tensor, judged)), logged

        return self._update(self.discriminator_optimiser, self._judge, Phase.R1, part, image, segmentation)

    def _generator_step(self, image: Tensor, segmentation: Tensor) -> Values:
        weights, step, images = self.config.loss, self.steps_done, self.images_seen

        def part(draws: Draws, image: Tensor, segmentation: Tensor) -> tuple[Tensor, Values]:
            with self._autocast():
                fake, judged = self._generate(draws), None
                if weights.adversarial:
                    shown = self._augment(fake.image, fake.segmentation, draws, real=False)
                    if weights.relativistic:
                        real = self._augment(image, segmentation, draws, real=True)
                        joint = None if real[1] is None or shown[1] is None else torch.cat([real[1], shown[1]])
                        judged = self._judge_frozen(torch.cat([real[0], shown[0]]), joint, num_sets=2)
                    else:
                        judged = self._judge_frozen(*shown)
                read = None if self.reader is None else self.reader.logits(fake.image, draws)
            loss, values = loss_before_judges(judged, self.config.features.weight, weights.relativistic)
            loss, parts = weights.adversarial * loss, losses_of_labels(fake, read, weights)
            if self._rates is not None:
                parts["rates"] = self._rates.divergence(fake.image)
            if self._ownership is not None and read is not None and self._ownership.due(step, images):
                visible = self._ownership.visible(draws)
                with self._autocast():
                    without = self._generate(draws, visible)
                    parts |= self._ownership.losses(without.image, fake.image, read, visible)
            for name, value in parts.items():
                loss = loss + getattr(weights, name) * value
            for name, value in added_losses(fake, weights.added).items():
                loss, parts[name] = loss + weights.added[name] * value, value
            return loss, {**values, **{f"loss/{name}": value for name, value in parts.items()}}

        with frozen(self.judges):
            return self._update(self.generator_optimiser, self._render, Phase.GENERATOR, part, image, segmentation)

    def _path_length_step(self) -> Values:
        loss = self.config.loss
        means = []

        def part(draws: Draws) -> tuple[Tensor, Values]:
            with self._autocast():
                latents = self.generator.expand(draws.latents(self.generator, loss.style_mixing))
                latents = latents if latents.requires_grad else latents.requires_grad_()  # a mapping that is frozen
                fake = self._render(latents, noise=draws.noise(self.generator.renderer.noise_sides))
            direction = draws.direction(fake.image)
            path = path_length_penalty(
                fake.image.float(),
                latents,
                self.path_length_mean,
                direction,
                loss.path_length_decay,
                self.processes.shared_mean,
            )
            means.append(path.mean)
            penalty = path.penalty * (loss.path_length * loss.path_length_every)
            return self._tied(penalty, fake.image, fake.segmentation), {"path_length/penalty": path.penalty}

        values = self._update(self.generator_optimiser, self._render, Phase.PATH_LENGTH, part)
        self.path_length_mean = torch.stack(means).mean()
        return {**values, "path_length/mean": self.path_length_mean}

    def _generate(self, draws: Draws, visible: Tensor | None = None) -> Rendering:
        """Pictures of fresh codes; of ``visible`` [N, K] regions alone, if given."""
        latents = draws.latents(self.generator, self.config.loss.style_mixing)
        return self._render_fast(latents, noise=draws.noise(self.generator.renderer.noise_sides), visible=visible)

    def _augment(self, image: Tensor, segmentation: Tensor, draws: Draws, real: bool) -> tuple[Tensor, Tensor | None]:
        """What the discriminator is shown of pictures: both, or the pictures alone, augmented if that is wanted."""
        joint = segmentation if self.labelled else None
        values = self.config.augmentation
        if not values.wanted:
            return image, joint
        return augment(
            image,
            joint,
            self.augmentation.value,
            draws.streams(real),
            flip_table=self._flip_table,
            geometric=values.geometric,
            colour=values.colour,
        )

    def _update(
        self,
        optimiser: torch.optim.Optimizer,
        network: nn.Module,
        phase: Phase,
        part: Callable[..., tuple[Tensor, Values]],
        *pairs: Tensor,
    ) -> Values:
        """One update from the losses of all parts of this process's share; returns the means of what they log.

        Args:
            optimiser: of the network that learns.
            network: that network, shared with the other processes if there are any.
            phase: of the step.
            part: the loss of one part, and what is logged of it, from its draws and its share of ``pairs``.
            pairs: tensors of this process's real pictures.
        """
        optimiser.zero_grad(set_to_none=True)
        parts, batch = self._parts, self.config.batch
        if phase is Phase.PATH_LENGTH:
            parts, batch = self._path_length_parts, batch // self.config.loss.path_length_batch_shrink
        logged: list[Values] = []
        for index, positions in enumerate(parts):
            draws = Draws(self.config.seed, self.steps_done, phase, batch, positions, self.device)
            rows = slice(index * len(positions), (index + 1) * len(positions))
            last = index == len(parts) - 1
            # Gradients are exchanged once, with those of the last part.
            with contextlib.nullcontext() if last or self.processes.count == 1 else network.no_sync():  # type: ignore[operator]
                loss, values = part(draws, *(pair[rows] for pair in pairs))
                (loss / len(parts)).backward()
            logged.append({name: value.detach() for name, value in values.items()})
        for parameter in (parameter for group in optimiser.param_groups for parameter in group["params"]):
            if parameter.grad is None:  # of a regulariser that a bias has no part in; the optimiser counts steps alike
                parameter.grad = torch.zeros_like(parameter)
        optimiser.step()
        return {name: torch.stack([values[name] for values in logged]).mean() for name in logged[0]}

    def _tied(self, loss: Tensor, *outputs: Tensor) -> Tensor:
        """The loss, with a gradient of 0 for every weight behind ``outputs``: processes wait for one from each."""
        if self.processes.count == 1:
            return loss
        return loss + 0.0 * torch.stack([output.float().sum() for output in outputs]).sum()

    def _freeze(self) -> None:
        """Take out of the training what the configuration or the data say."""
        freeze = self.config.freeze
        for name in freeze.generator:
            self.generator.get_submodule(name).requires_grad_(False)
        self.discriminator.image_branch.freeze(freeze.discriminator_blocks)
        self.discriminator.segmentation_branch.freeze(freeze.discriminator_blocks)
        if not self.labelled:
            self.discriminator.segmentation_branch.requires_grad_(False)

    def _shared(self, network: nn.Module) -> nn.Module:
        """The network itself, or one whose gradients are averaged over the processes."""
        if self.processes.count == 1:
            return network
        return DistributedDataParallel(network, broadcast_buffers=False, gradient_as_bucket_view=True)

    def _rehearse(self, image: Tensor, segmentation: Tensor) -> None:
        """A first backward through both networks, whose gradients are dropped.

        After its first backward DistributedDataParallel orders the gradients anew, and sums over three processes or
        more round by that order: the steps after a resume must not be summed in another one than those before.
        """
        draws = Draws(self.config.seed, 0, Phase.GENERATOR, self.config.batch, self.positions[:1], self.device)
        with self._autocast():
            judged: Judgement = self._judge(image, segmentation if self.labelled else None)
            latents = draws.latents(self.generator, 0.0)
            fake = self._render(latents, noise=draws.noise(self.generator.renderer.noise_sides))
        zero = torch.zeros((), device=self.device)
        scores = filter(torch.is_tensor, judged)
        (self._tied(zero, *scores) + self._tied(zero, fake.image, fake.segmentation)).backward()
        for network in (self.generator, self.judges):
            network.zero_grad(set_to_none=True)
        self._rehearsed = True

    def _autocast(self) -> contextlib.AbstractContextManager[object]:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.config.precision == "bfloat16")

    def _adam(self, networks: Mapping[nn.Module, float], lazy_every: int) -> torch.optim.Adam:
        """Adam of networks at their relative rates, and betas, that account for the extra lazy updates."""
        values = self.config.optimiser
        share = lazy_every / (lazy_every + 1) if lazy_every else 1.0
        fused = self.device.type == "cuda"  # that of the CPU repeats no bits after a resume
        return torch.optim.Adam(
            [
                {
                    "params": [parameter for parameter in network.parameters() if parameter.requires_grad],
                    "lr": values.learning_rate * share * rate,
                }
                for network, rate in networks.items()
            ],
            betas=(float(values.beta1**share), float(values.beta2**share)),
            eps=values.epsilon,
            fused=fused,
            foreach=not fused,
        )

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
        """All that a resumed run needs, the same of every process that shares the training; all call this together."""
        return {
            "steps_done": self.steps_done,
            "generator": self.generator.state_dict(),
            "discriminator": self.discriminator.state_dict(),
            "average": self.average.state_dict(),
            "generator_optimiser": self.generator_optimiser.state_dict(),
            "discriminator_optimiser": self.discriminator_optimiser.state_dict(),
            "path_length_mean": self.path_length_mean,
            "augmentation": self.augmentation.state(self.processes.sum),
            "feature_judge": None if self.judges.features is None else self.judges.features.state_dict(),
            "rates": None if self._rates is None else self._rates.state(),
            "reader": None if self.reader is None else self.reader.state(),
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on from :meth:`state`."""
        self.generator.load_state_dict(state["generator"])
        self.discriminator.load_state_dict(state["discriminator"])
        self.average.load_state_dict(state["average"])
        if self.judges.features is not None:
            self.judges.features.load_state_dict(state["feature_judge"])
        if self._rates is not None:
            self._rates.load_state(state["rates"])
        if self.reader is not None:
            self.reader.load_state(state.get("reader"))  # those of before had parsers alone
        self.generator_optimiser.load_state_dict(state["generator_optimiser"])
        self.discriminator_optimiser.load_state_dict(state["discriminator_optimiser"])
        self.path_length_mean = state["path_length_mean"].to(self.device)
        if "augmentation" in state:  # not in those of version 0.1
            self.augmentation.load_state(state["augmentation"], self.processes.is_first)
        self.steps_done = state["steps_done"]


def _weights_seed(seed: int) -> int:
    return derived(seed, 0, Phase.WEIGHTS)
