"""How often attributes appear in generated pictures, brought to how often they do in real ones.

A discriminator looks at one picture at a time: pictures with a hat may all be good and yet too few. The mean of what a
frozen classifier says is matched instead (feature matching, Salimans et al. 2016, arXiv 1606.03498, Section 3.1), with
means that run over many batches, since eight pictures say little of something that one in ten shows.

Shape legend: N pictures, S their side, R rates: one of each binary attribute and of each value of a category.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from semanticgan.errors import InputError
from semanticgan.formats.fields import key
from semanticgan.networks.layers import widened
from semanticgan.training.method import Values
from semanticgan.training.objectives import GeneratorStep, Objective, Setting, Terms

if TYPE_CHECKING:
    from semanticgan.perception.classifier import AttributeClassifier


@dataclass
class RatesKeys:
    """Keys of the attribute rates."""

    classifier: str | None = key(
        None,
        "attribute classifier, a file of train-classifier or a name; generated attributes become as frequent as in "
        "the data.",
        path="PATH",
    )
    rates: float = key(
        1.0, "weight of the divergence between the attribute rates of generated and real pictures.", ge=0
    )
    rates_half_life: float = key(2000.0, "half-life of the running attribute rates, in images.", gt=0, unit="images")


PRIOR = 0.5
"""Where both running rates begin: alike, so that the first batches, which say little, push little."""
RAREST = 0.002
"""Running rates are taken as no nearer to 0 or 1 than this."""
REAL, GENERATED = 0, 1


class AttributeRates:
    """Running rates of attributes in real and in generated pictures, and the divergence between them.

    Args:
        classifier: frozen; it reads pictures of any side.
        half_life: of the running rates, in pictures.
        batch: pictures a step, over all processes.

    Raises:
        InputError: a classifier of numbers alone.

    Attributes:
        running: float64 (on MPS float32) [2, R], of real and of generated pictures.
    """

    def __init__(self, classifier: AttributeClassifier, half_life: float, batch: int) -> None:
        self._classifier, self._batch = classifier, batch
        self._share = 1.0 - 0.5 ** (batch / half_life)
        binary, *categories, _ = classifier.config.outputs
        if not binary + sum(categories):
            raise InputError("the classifier tells numbers alone, which have no rates. Give one that tells attributes.")
        # Sums over parts of a batch then are those over all of it; MPS has no float64.
        dtype = torch.float32 if classifier.device.type == "mps" else torch.float64
        self.running = torch.full((2, binary + sum(categories)), PRIOR, dtype=dtype, device=classifier.device)
        self._sums = torch.zeros_like(self.running)  # of this step's probabilities

    def probabilities(self, images: Tensor) -> Tensor:
        """What the classifier makes of images [N, 3, S, S] in [-1, 1]: [N, R], through which gradients flow."""
        logits = self._classifier.network(self._classifier.resized(images))
        parts = [widened(logits.binary).sigmoid(), *(widened(values).softmax(1) for values in logits.categories)]
        return torch.cat(parts, dim=1)

    @torch.no_grad()
    def observe_real(self, images: Tensor) -> None:
        """Take note of this process's real images [N, 3, S, S] in [-1, 1]."""
        self._sums[REAL] += self.probabilities(images).sum(0)

    def divergence(self, images: Tensor) -> Tensor:
        """Kullback-Leibler divergence of each rate in real pictures from that in generated ones, summed over R.

        Its value is that of the running rates before this step, its gradient as if these were the images' own: a
        picture that the classifier is in doubt about is moved, one that it is sure of is left alone.

        Args:
            images: this process's generated images [N, 3, S, S] in [-1, 1], which are taken note of, too.
        """
        found = self.probabilities(images)
        self._sums[GENERATED] += found.detach().sum(0)
        real, generated = self.running.clamp(RAREST, 1.0 - RAREST)
        mean = found.mean(0).to(generated.dtype)
        generated = generated + (mean - mean.detach())
        there, absent = real * (real / generated).log(), (1.0 - real) * ((1.0 - real) / (1.0 - generated)).log()
        divergence: Tensor = (there + absent).sum()
        return divergence.to(found.dtype)

    @torch.no_grad()
    def update(self, reduce: Callable[[Tensor], Tensor]) -> None:
        """End a step. Args: reduce: sums a tensor over the processes."""
        self.running.lerp_(reduce(self._sums) / self._batch, self._share)
        self._sums.zero_()


class Rates(Objective):
    """Its weight is ``loss.rates``; ``loss.classifier`` names the classifier."""

    name = "rates"

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting)
        from semanticgan.perception.classifier import load_classifier

        config = setting.config
        classifier = load_classifier(config.loss.classifier or "", setting.device)
        self.rates = AttributeRates(classifier, config.loss.rates_half_life, config.batch)

    @classmethod
    def wanted(cls, config: Any) -> bool:
        return config.loss.classifier is not None

    def terms(self, step: GeneratorStep) -> Terms:
        self.rates.observe_real(step.real[0])
        return {"rates": (self.setting.config.loss.rates, self.rates.divergence(step.fake.image))}

    def finish_step(self) -> Values:
        self.rates.update(self.setting.processes.sum)
        return {}

    def state(self) -> Tensor:
        return self.rates.running

    def load_state(self, state: Tensor) -> None:
        self.rates.running.copy_(state)
