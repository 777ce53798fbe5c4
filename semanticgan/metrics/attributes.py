"""How often each attribute occurs in a model's pictures, and in the data it was trained on.

A classifier reads both, so that what it tends to overlook or to imagine is alike in both; what a model leaves out, or
overdoes, is the factor between the two. Counts are whole numbers: neither batches nor the order of pictures matter.

Shape legend: N pictures.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from semanticgan.distributed import all_of, share
from semanticgan.metrics.evaluation import Evaluation
from semanticgan.metrics.metric import SAMPLED, Measured, Table, metric
from semanticgan.metrics.samples import dataset_pictures
from semanticgan.perception.classifier import AttributeClassifier


@dataclass(frozen=True)
class AttributeCounts:
    """How many pictures show what.

    Attributes:
        binary: of each binary attribute, the pictures that have it.
        categories: of each category, the pictures that have each of its values.
        num_pictures: N.
    """

    binary: Mapping[str, int]
    categories: Mapping[str, Mapping[str, int]]
    num_pictures: int


@dataclass(frozen=True)
class Occurrence:
    """How often something is seen.

    Attributes:
        generated: share of the model's pictures, 0..1.
        real: share of the data's, None without data.
    """

    generated: float
    real: float | None

    @property
    def factor(self) -> float | None:
        """How many times as often the model shows it as the data; None without data, or where they never do."""
        return self.generated / self.real if self.real else None

    def to_dict(self) -> dict[str, float | None]:
        """JSON-able."""
        return {"generated": self.generated, "real": self.real, "factor": self.factor}


@dataclass(frozen=True)
class AttributeRates:
    """How often each attribute occurs in a model's pictures and in data.

    Attributes:
        binary: of each binary attribute.
        categories: of each category's values.
        num_generated: pictures of the model.
        num_real: pictures of the data, 0 without.
        truncation: psi of the model's pictures.
        classifier: the classifier's own scores on pictures it was not trained on, as its file has them; the rates
            cannot be understood without.
    """

    binary: Mapping[str, Occurrence]
    categories: Mapping[str, Mapping[str, Occurrence]]
    num_generated: int
    num_real: int
    truncation: float
    classifier: Mapping[str, Any]

    def known(self, least_accuracy: float = 0.75) -> dict[str, Occurrence]:
        """By name, "hat" or "hat_style cap", what the classifier tells at least that well; all if it does not say."""
        scores = {
            name: figures.get("balanced_accuracy", figures.get("accuracy"))
            for kind in ("binary", "categories")
            for name, figures in self.classifier.get(kind, {}).items()
        }
        unsure = {name for name, score in scores.items() if score is not None and score < least_accuracy}
        found = dict(self.binary)
        for name, values in self.categories.items():
            found |= {f"{name} {value}": each for value, each in values.items()}
        return {name: each for name, each in found.items() if name.partition(" ")[0] not in unsure}

    def to_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return {
            "binary": {name: each.to_dict() for name, each in self.binary.items()},
            "categories": {
                name: {value: each.to_dict() for value, each in values.items()}
                for name, values in self.categories.items()
            },
            "num_generated": self.num_generated,
            "num_real": self.num_real,
            "truncation": self.truncation,
            "classifier_held_out": dict(self.classifier),
        }


def count_attributes(pictures: Iterable[Tensor], classifier: AttributeClassifier) -> AttributeCounts:
    """Count what pictures show.

    Args:
        pictures: uint8 batches [n, 3, H, H], RGB.

    Raises:
        InputError: pictures of another type, or not square.
    """
    config = classifier.config
    binary = dict.fromkeys(config.binary, 0)
    categories = {name: [0] * len(values) for name, values in config.categories.items()}
    num_pictures = 0
    for batch in pictures:
        read = classifier.predict(batch)
        num_pictures += len(batch)
        for name, there in read.binary.items():
            binary[name] += int(there.sum())
        for name, chosen in read.categories.items():
            found = chosen.bincount(minlength=len(categories[name])).tolist()
            categories[name] = [before + new for before, new in zip(categories[name], found, strict=True)]
    named = {name: dict(zip(values, categories[name], strict=True)) for name, values in config.categories.items()}
    return AttributeCounts(binary, named, num_pictures)


def summed(parts: Sequence[AttributeCounts]) -> AttributeCounts:
    """The counts of several sets of pictures together."""
    first = parts[0]
    return AttributeCounts(
        {name: sum(part.binary[name] for part in parts) for name in first.binary},
        {
            name: {value: sum(part.categories[name][value] for part in parts) for value in values}
            for name, values in first.categories.items()
        },
        sum(part.num_pictures for part in parts),
    )


def measure_attributes(evaluation: Evaluation) -> AttributeRates:
    """Read how often each attribute occurs in sampled pictures, as 8-bit files, and in those of the data, if any.

    Raises:
        InputError: a picture that cannot be used.
    """
    classifier, processes = evaluation.classifier, evaluation.processes
    assert classifier is not None

    def counted(pictures: Iterable[Tensor]) -> AttributeCounts:
        return summed(all_of([count_attributes(pictures, classifier)], processes))

    own = evaluation.pictures(share(evaluation.seeds, processes), "attributes of the model")
    generated, real = counted(own), None
    if evaluation.dataset is not None:
        shown = dataset_pictures(
            evaluation.dataset,
            share(evaluation.indices, processes),
            batch_size=evaluation.batch_size,
            workers=evaluation.workers,
            progress=evaluation.told,
            what="attributes of the data",
        )
        real = counted(shown)
    return compared(generated, real, truncation=evaluation.truncation, classifier=classifier)


def compared(
    generated: AttributeCounts, real: AttributeCounts | None, *, truncation: float, classifier: AttributeClassifier
) -> AttributeRates:
    """The rates of two counts by the same classifier."""

    def rates(counts: Mapping[str, int], others: Mapping[str, int] | None) -> dict[str, Occurrence]:
        shares = {name: others[name] / real.num_pictures for name in counts} if real and others else {}
        return {name: Occurrence(num / generated.num_pictures, shares.get(name)) for name, num in counts.items()}

    binary = rates(generated.binary, real.binary if real else None)
    categories = {
        name: rates(counts, real.categories[name] if real else None) for name, counts in generated.categories.items()
    }
    return AttributeRates(
        binary,
        categories,
        generated.num_pictures,
        real.num_pictures if real else 0,
        truncation,
        dict(classifier.training.get("held_out", {})),
    )


@metric(
    "attributes",
    "how often portraits' attributes occur",
    needs=("classifier",),
    uses=(*SAMPLED, "dataset", "num_real"),
)
def _attributes(evaluation: Evaluation) -> Measured:
    """How often glasses, hats, beards and other attributes occur in the model's images and, with `--data` or
    `--data-kind`, divided by how often they occur in the data. For drawn portraits only."""
    rates = measure_attributes(evaluation)
    known = rates.known()
    factors = [each.factor for name, each in known.items() if name in rates.binary and each.factor is not None]
    rows = tuple((name, each.generated, each.real, each.factor) for name, each in known.items())
    return Measured(
        {"least_factor": min(factors, default=None), "greatest_factor": max(factors, default=None)},
        "attribute classifier",
        True,
        rates.num_real,
        rates.num_generated,
        table=Table(("attribute", "share of the model's", "share of the data's", "factor"), rows),
        details=rates.to_dict(),
    )
