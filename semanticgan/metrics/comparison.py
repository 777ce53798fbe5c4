"""Several models measured alike, on the same data: what a table and charts of a comparison show.

Shape legend: N pictures, S side of the picture.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor

from semanticgan.errors import InputError
from semanticgan.metrics.evaluate import require_known, require_measurable
from semanticgan.metrics.evaluation import Evaluation
from semanticgan.metrics.metric import METRICS, Measured
from semanticgan.metrics.opening import NETWORKS
from semanticgan.metrics.training_facts import TrainingFacts
from semanticgan.model import Model
from semanticgan.perception.judges import require_strangers

SPEED_BATCH = 8
"""Pictures at a time where the speed of sampling is measured."""
OPTIONS: Mapping[str, str] = MappingProxyType(
    {"dataset": "--data", "reconstructions": "reconstructions, which a comparison lacks"}
)
"""How the verb ``compare`` gives what a metric needs."""

Key = tuple[str, str]
"""A metric, and the name of the extractor that it rests on; "" for none."""


@dataclass(frozen=True)
class Contender:
    """One of the models.

    Attributes:
        name: what it is called in the table.
        model: it.
        training: what is known of its training.
    """

    name: str
    model: Model
    training: TrainingFacts = field(default_factory=TrainingFacts)

    def objection(self, judges: Mapping[str, str]) -> tuple[str, str] | None:
        """The first of some networks that must not judge this model, and why; None where all may.

        Args:
            judges: kind, such as "extractor" -> name or file.
        """
        for kind, judge in judges.items():
            try:
                require_strangers(self.model.metadata.perception, **{kind: judge})
            except InputError:
                return judge, f"learnt from {judge}, which does not judge it"
        return None


@dataclass(frozen=True)
class Comparison:
    """What is measured of each model, and with what.

    Attributes:
        contenders: the models, of pictures of one size.
        names: metrics; those of regions are measured of models of regions.
        asked: the evaluation of the first model, without networks: counts, seeds and data, which serve all.
        networks: kind, an attribute of an evaluation -> name as it was given -> network. Every extractor is used; of
            the others the first that fits a model.
    """

    contenders: Sequence[Contender]
    names: Sequence[str]
    asked: Evaluation
    networks: Mapping[str, Mapping[str, Any]]

    @property
    def size(self) -> int:
        """S."""
        return self.contenders[0].model.size

    def real_pictures(self, num: int) -> Tensor:
        """The data's first pictures, uint8 [N, 3, S, S]."""
        assert self.asked.dataset is not None
        return torch.stack([self.asked.dataset[index].image for index in self.asked.indices[:num]])

    def judges(self, model: Model) -> dict[Key, dict[str, str]]:
        """What is measured of a model, by kind and name of the networks; what none of them fits is left out."""
        regions, found = model.rows.regions, {}
        fitting = {
            kind: [
                name
                for name, each in networks.items()
                if kind != "parser" or (regions is not None and each.regions.names == regions.names)
            ]
            for kind, networks in self.networks.items()
        }
        for metric in self.names:
            kinds = [kind for kind in METRICS[metric].needs if kind in NETWORKS]
            if (regions is None and METRICS[metric].of_regions) or not all(fitting.get(kind) for kind in kinds):
                continue
            for extractor in fitting["extractor"] if "extractor" in kinds else ("",):
                found[metric, extractor] = {
                    kind: extractor if kind == "extractor" else fitting[kind][0] for kind in kinds
                }
        return found

    def evaluation(self, model: Model, judges: Mapping[str, str], **about: Any) -> Evaluation:
        """Of a model, by some networks."""
        networks = {kind: self.networks[kind][name] for kind, name in judges.items()}
        return replace(self.asked, model=model, **networks, **about)


@dataclass
class Found:
    """What was found of a model.

    Attributes:
        contender: it.
        num_generator: numbers that its generator learns.
        images_per_second: of sampling, :data:`SPEED_BATCH` at a time.
        measured: what the networks found that may judge it.
        why_not: what was not measured -> the network that must not judge this model, and why.
    """

    contender: Contender
    num_generator: int
    images_per_second: float = math.nan
    measured: dict[Key, Measured] = field(default_factory=dict)
    why_not: dict[Key, tuple[str, str]] = field(default_factory=dict)


def require_one_size(contenders: Sequence[Contender]) -> None:
    """Raises: InputError: no model, or models of different sizes."""
    sizes = {each.name: each.model.size for each in contenders}
    if len(set(sizes.values())) != 1:
        shown = ", ".join(f"{name} of {size} pixels" for name, size in sizes.items()) or "no model"
        raise InputError(f"models of one size are compared, got {shown}. Leave out the others.")


def require_comparable(comparison: Comparison) -> None:
    """Check what can be checked before anything is computed.

    Raises:
        InputError: no model, models of different sizes, or what a metric refuses.
    """
    require_one_size(comparison.contenders)
    require_known(comparison.names)
    for contender in comparison.contenders:
        for (metric, _), judges in comparison.judges(contender.model).items():
            if contender.objection(judges) is None:
                require_measurable(comparison.evaluation(contender.model, judges), [metric], OPTIONS)
