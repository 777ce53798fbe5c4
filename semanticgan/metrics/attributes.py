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

from semanticgan.data.pairs import PairDataset
from semanticgan.distributed import ALONE, Processes, all_of, share
from semanticgan.errors import InputError
from semanticgan.metrics.evaluation import Evaluation
from semanticgan.metrics.metric import SAMPLED, Measured, Table, metric
from semanticgan.metrics.samples import DEFAULT_BATCH_SIZE, dataset_pictures, generated_pictures
from semanticgan.model import Model
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


def measure_attributes(
    model: Model,
    classifier: AttributeClassifier,
    seeds: Sequence[int],
    dataset: PairDataset | None = None,
    *,
    indices: Sequence[int] | None = None,
    truncation: float = 1.0,
    batch_size: int = DEFAULT_BATCH_SIZE,
    workers: int = 0,
    processes: Processes = ALONE,
    progress: bool = False,
) -> AttributeRates:
    """Read how often each attribute occurs in sampled pictures, as 8-bit files, and in those of a dataset.

    Args:
        classifier: reads pictures of any side at its own.
        seeds: one a picture.
        dataset: what to compare with; None for no comparison.
        indices: which of its pictures; None for all.
        batch_size: pictures at a time; bounds the memory, not the result.
        workers: processes that read the dataset.
        processes: who takes part; each gets the whole result.

    Raises:
        InputError: no seed, no picture to compare with, or a picture that cannot be used.
    """
    if not seeds:
        raise InputError("attributes cannot be measured without pictures. Give at least one seed.")
    chosen: Sequence[int] = ()
    if dataset is not None:
        chosen = range(len(dataset)) if indices is None else indices
        if not chosen:
            raise InputError("attributes cannot be compared with no pictures of the data. Give at least one index.")

    def counted(pictures: Iterable[Tensor]) -> AttributeCounts:
        return summed(all_of([count_attributes(pictures, classifier)], processes))

    bars = [f"attributes of {whose}" if progress else None for whose in ("the model", "the data")]
    own = generated_pictures(
        model, share(seeds, processes), truncation=truncation, batch_size=batch_size, progress=bars[0]
    )
    generated, real = counted(own), None
    if dataset is not None:
        shown = dataset_pictures(
            dataset, share(chosen, processes), batch_size=batch_size, workers=workers, progress=bars[1]
        )
        real = counted(shown)
    return compared(generated, real, truncation=truncation, classifier=classifier)


def compared(
    generated: AttributeCounts, real: AttributeCounts | None, *, truncation: float, classifier: AttributeClassifier
) -> AttributeRates:
    """The rates of two counts by the same classifier."""
    binary = {
        name: Occurrence(count / generated.num_pictures, real.binary[name] / real.num_pictures if real else None)
        for name, count in generated.binary.items()
    }
    categories = {
        name: {
            value: Occurrence(
                count / generated.num_pictures, real.categories[name][value] / real.num_pictures if real else None
            )
            for value, count in values.items()
        }
        for name, values in generated.categories.items()
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
    assert evaluation.classifier is not None
    rates = measure_attributes(
        evaluation.model,
        evaluation.classifier,
        evaluation.seeds,
        evaluation.dataset,
        indices=evaluation.indices if evaluation.dataset else None,
        truncation=evaluation.truncation,
        batch_size=evaluation.batch_size,
        workers=evaluation.workers,
        processes=evaluation.processes,
        progress=evaluation.shows_bars,
    )
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
