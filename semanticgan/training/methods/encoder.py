"""ReStyle over pSp as a method of the training loop: an encoder that finds the codes of a frozen generator.

Every pass t of a step (arXiv 2104.02699, Section 3; w_0 is the mean, x_0 = G(w_0)):

    w_{t+1} = w_t + E(y, x_t),   x_{t+1} = G(w_{t+1}),   w_t and x_t without gradients
    loss_t = pixel |x - y|^2 + perceptual d(x, y) + identity (1 - <r(x), r(y)>) + w_norm |w - mean|
             + segmentation (1 - dice(s(w), labels of y)) + code |w - w*|^2 / var(w)

While it trains, the encoder puts out the change in units in which w has the covariance I: delta = u A with A^T A the
covariance of w. So a step of one size is as likely in every direction. A is folded into the heads of the exported file.

y are real pictures with their labels. With ``loss.code`` as many pictures of the generator itself join, whose codes w*
are known; they have this loss alone. Labels are what others cannot compare with: s(w) is the generator's own
segmentation of what it draws.

Shape legend: N pictures, K regions, S side, R rows, D style width.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from semanticgan.data import PairDataset
from semanticgan.data.unlabelled import NO_REGIONS
from semanticgan.distributed import Processes
from semanticgan.encoder_files import LoadedEncoder, save_encoder
from semanticgan.errors import InputError
from semanticgan.inversion.encode import one_pass, pooled_to
from semanticgan.inversion.objective import segmentation_loss
from semanticgan.inversion.regularisers import w_norm
from semanticgan.model import Model, load
from semanticgan.networks.encoder import Encoder
from semanticgan.perception.judges import network_name
from semanticgan.perception.perceptual import open_distance
from semanticgan.seeds import derived
from semanticgan.training.draws import Draws, stream_of
from semanticgan.training.method import Average, Batch, Method, Phase, Prepared, Stage, Values, register
from semanticgan.training.methods.encoder_config import EncoderTrainingConfig
from semanticgan.training.opening import batches_of, open_pairs
from semanticgan.training.optimisers import adam
from semanticgan.training.ranger import Ranger

_SHEET_PICTURES = 8
_FIRST_SCALE = 0.1  # of the heads' first weights, so that the first codes are near the mean


class EncoderMethod(Method):
    """An encoder and its average.

    Args:
        config: the configuration.
        model: whose codes are found; it does not learn.
        device: where to train.
        processes: those that share each batch.
        dataset: the real pictures.

    Raises:
        InputError: pictures of another side or of other regions than the model's.
    """

    sheet_kind = "composite"
    config: EncoderTrainingConfig

    def __init__(
        self,
        config: EncoderTrainingConfig,
        model: Model,
        device: torch.device,
        processes: Processes,
        dataset: PairDataset,
    ) -> None:
        self.config, self.model, self.device, self.processes, self.dataset = config, model, device, processes, dataset
        if config.loss.segmentation and model.rows.regions is None:
            raise InputError(f"the model has {model.rows.counted}, no regions. Give loss.segmentation=0.")
        if config.loss.segmentation and dataset.regions.names != model.regions.names:
            raise InputError(
                f"the data have {', '.join(dataset.regions.names)}, the model has {', '.join(model.regions.names)}. "
                "Give data with the model's regions, or loss.segmentation=0."
            )
        self.data_key = dataset.key()
        self.generator = model.generator
        self.schedule = {0: Stage("all", config.batch, config.size)}
        with torch.random.fork_rng(devices=[]):  # networks draw their first weights from the global stream
            torch.manual_seed(derived(config.seed, 0, stream_of("weights")))
            encoder = Encoder(config.encoder_config(model.rows, model.config.style_dim)).to(device)
        encoder.heads.weight.data *= _FIRST_SCALE
        self.mean = self.generator.mean_latent.expand(len(model.rows), -1).clone()  # [R, D]
        covariance = _covariance_of_w(model)
        self.variance = covariance.diagonal().mean()
        values, axes = torch.linalg.eigh(covariance.double())
        self.axes = (values.clamp_min(0).sqrt()[:, None] * axes.T).float()  # A [D, D]
        self.first = self.generator(self.mean[None], noise="fixed").image  # [1, 3, S, S]
        wanted = config.loss.perceptual > 0 and config.loss.distance is not None
        self.distance = open_distance(str(config.loss.distance), device=device) if wanted else None
        self.identity = _open_identity(config, device)
        self.average = copy.deepcopy(encoder).eval().requires_grad_(False)
        self.networks = {"encoder": encoder, "average": self.average}
        self.optimisers = {"encoder": _optimiser(encoder, config, device)}

    def stage(self, images: int) -> Stage:
        share = images / self.config.schedule.total_images
        start = self.config.decay_from
        rate = 1.0 if share <= start else max(0.0, (1.0 - share) / (1.0 - start))
        return Stage("all", self.config.batch, self.config.size, rate=rate)

    def batches(self, stage: Stage, images: int, positions: Sequence[int]) -> Iterator[Batch]:
        return batches_of(self.config, self.dataset, stage, images, positions, self.device)

    def phases(self, stage: Stage) -> Sequence[Phase]:
        return [Phase("encoder", ("encoder",), self._loss)]

    def _loss(self, batch: Batch, draws: Draws) -> tuple[Tensor, Values]:
        """The sum over the passes; every term is a mean over the pictures."""
        picture, labels = batch
        known = self._own_pictures(draws) if self.config.loss.code else None
        num_real, config = len(picture), self.config
        at_encoder = picture if known is None else torch.cat([picture, pooled_to(known[0], config.size)])
        seen = self.first.expand(len(at_encoder), -1, -1, -1)
        code = self.mean.expand(len(at_encoder), -1, -1)
        noise = draws.noise(self.generator.noise_sides)
        loss, values = picture.new_zeros(()), {}
        for index in range(config.passes):
            code = one_pass(self._scaled(self._network), at_encoder, code.detach(), seen)
            rendering = self.generator(code[:num_real], noise=noise)
            terms = self._picture_terms(pooled_to(rendering.image, config.size), picture)
            terms["w_norm"] = (config.loss.w_norm, w_norm(code, self.mean))
            if config.loss.segmentation:
                lost = segmentation_loss(pooled_to(rendering.segmentation, config.size), labels / 2 + 0.5).mean()
                terms["segmentation"] = (config.loss.segmentation, lost)
            if known is not None:
                error = (code[num_real:] - known[1]).square().mean() / self.variance
                terms["code"] = (config.loss.code, error)
            for name, (weight, value) in terms.items():
                loss = loss + weight * value
                values[f"loss/{name}"] = value  # of the last pass
            if index + 1 < config.passes:
                seen = rendering.image.detach()
                if known is not None:
                    with torch.no_grad():
                        seen = torch.cat([seen, self.generator(code[num_real:], noise=noise).image])
        return loss, {**values, "loss/encoder": loss}

    @property
    def _network(self) -> Encoder:
        network = self.networks["encoder"]
        assert isinstance(network, Encoder)
        return network

    def _scaled(self, network: Encoder) -> Callable[[Tensor], Tensor]:
        """The encoder with delta = u A."""
        return lambda pair: network(pair) @ self.axes

    def folded(self) -> Encoder:
        """The average with A in its heads, which puts out delta itself."""
        encoder = copy.deepcopy(self.average)
        heads = encoder.heads
        heads.weight.copy_(torch.einsum("rue,ud->rde", heads.weight, self.axes))
        heads.bias.copy_(heads.bias @ self.axes)
        return encoder

    def _picture_terms(self, image: Tensor, picture: Tensor) -> dict[str, tuple[float, Tensor]]:
        weights = self.config.loss
        terms = {"pixel": (weights.pixel, (image - picture).square().mean())}
        if self.distance is not None:
            terms["perceptual"] = (weights.perceptual, self.distance(image, picture).mean())
        if self.identity is not None:
            with torch.no_grad():
                wanted = torch.nn.functional.normalize(self.identity(picture), dim=1)
            found = torch.nn.functional.normalize(self.identity(image), dim=1)
            terms["identity"] = (weights.identity, 1.0 - (wanted * found).sum(1).mean())
        return terms

    @torch.no_grad()
    def _own_pictures(self, draws: Draws) -> tuple[Tensor, Tensor]:
        """Pictures of the generator [N, 3, S, S] and their codes [N, R, D]."""
        code = draws.latents(self.generator, self.config.loss.style_mixing)
        image: Tensor = self.generator(code, noise=draws.noise(self.generator.noise_sides)).image
        return image, code

    def averages(self, stage: Stage) -> Sequence[Average]:
        return [Average(self._network, self.average, self.config.ema.half_life, self.config.ema.ramp_up)]

    def state(self) -> dict[str, Any]:
        return {"model": self.model.metadata.digest}

    def load_state(self, state: dict[str, Any]) -> None:  # type: ignore[override]
        if state["model"] != self.model.metadata.digest:
            raise InputError(f"the run was begun with another model than {self.config.model!r}. Give the same model.")

    @torch.no_grad()
    def preview(self) -> np.ndarray:
        """The first real pictures, then what the passes find, one column a picture."""
        pairs = [self.dataset[index] for index in range(min(_SHEET_PICTURES, len(self.dataset)))]
        picture = (torch.stack([pair.image for pair in pairs]).float() / 127.5 - 1.0).to(self.device)
        rows, code = [picture], self.mean.expand(len(picture), -1, -1)
        seen = self.first.expand(len(picture), -1, -1, -1)
        for _ in range(self.config.passes):
            code = one_pass(self._scaled(self.average), picture, code, seen)
            seen = self.generator(code, noise="fixed").image
            rows.append(pooled_to(seen, self.config.size))
        sheet = torch.cat([torch.cat(list(row), dim=2) for row in rows], dim=1)  # [3, rows S, N S]
        return ((sheet.clamp(-1, 1) + 1.0) * 127.5).round().byte().movedim(0, 2).cpu().numpy()

    def export(self, path: Path, images: int) -> None:
        config = self.config
        judges = [] if self.distance is None else [network_name("distance", str(config.loss.distance))]
        judges += [] if self.identity is None else [network_name("identity", "face-api")]
        training = {**self.figures(images), "passes": config.passes, "perception": judges}
        model = {"name": config.model, "digest": self.model.metadata.digest}
        about = (config.licence, config.data_licence, config.description)
        save_encoder(path, LoadedEncoder(self.folded(), self.mean, self.model.rows, model, training, *about))


@torch.no_grad()
def _covariance_of_w(model: Model, count: int = 10_000) -> Tensor:
    """[D, D], of mapped codes of a fixed stream."""
    z = torch.randn(count, model.generator.latent_dim, generator=torch.Generator().manual_seed(0))
    return torch.cov(model.generator.map(z.to(model.device)).T)


def _optimiser(encoder: Encoder, config: EncoderTrainingConfig, device: torch.device) -> torch.optim.Optimizer:
    values = config.optimiser
    if not config.ranger:
        return adam({encoder: 1.0}, values, device)
    return Ranger(encoder.parameters(), values.learning_rate, (values.beta1, values.beta2), values.epsilon)


def _open_identity(config: EncoderTrainingConfig, device: torch.device) -> Any:
    if not config.loss.identity:
        return None
    from semanticgan.perception.face_api import open_identity

    return open_identity(device)


def prepare(config: EncoderTrainingConfig) -> Prepared:
    """The method opens the model and the data."""

    def opened(device: torch.device, processes: Processes) -> Method:
        model = load(config.model, device)
        data = open_pairs(config, None, processes.is_first, model.rows.regions or NO_REGIONS)
        return EncoderMethod(config, model, device, processes, data)

    return config, opened


register(EncoderTrainingConfig, prepare)
