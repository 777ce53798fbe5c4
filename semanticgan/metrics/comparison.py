"""Several models measured alike, on the same data: what a table and charts of a comparison show.

Shape legend: N pictures, S side of the picture.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from semanticgan.data.pairs import PairDataset
from semanticgan.errors import InputError
from semanticgan.metrics.path_length import without_extremes
from semanticgan.metrics.precision_recall import NUM_NEIGHBOURS
from semanticgan.metrics.projection import STEPS, Projections
from semanticgan.metrics.samples import DEFAULT_BATCH_SIZE, first_indices
from semanticgan.metrics.statistics import FeatureCache
from semanticgan.metrics.training_facts import TrainingFacts
from semanticgan.model import Model
from semanticgan.perception.extractors import Extractor
from semanticgan.perception.judges import require_strangers
from semanticgan.perception.parser import FaceParser
from semanticgan.perception.perceptual import Distance
from semanticgan.perception.pictures import as_float
from semanticgan.seeds import MAX_SEED, require_seed

SPEED_BATCH = 8
"""Pictures at a time where the speed of sampling is measured."""
NUM_ENDS = 3
"""Pictures shown of the shortest and of the longest paths."""


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

    def objection(self, kind: str, judge: str) -> str:
        """Why a network must not judge this model; "" where it may.

        Args:
            kind: "extractor", "distance" or "parser".
            judge: its name or file.
        """
        try:
            require_strangers(self.model.metadata.perception, **{kind: judge})
        except InputError:
            return f"learnt from {judge}, which does not judge it"
        return ""


@dataclass(frozen=True)
class Comparison:
    """What is measured of each model, and with what.

    Attributes:
        contenders: the models, of pictures of one size.
        dataset: what their pictures are compared with.
        extractors: name as it was given -> what computes features.
        distance: name as it was given and the perceptual distance of path lengths and projections; None: neither.
        parsers: name -> parsers, of which a model of regions gets the first that tells its regions.
        num_generated: pictures of each model.
        num_real: of the data's; ``num_generated``, or all where there are fewer, if None.
        seeds_from: seed of the first picture.
        truncation: psi of the pictures; path lengths are of psi 1.
        num_paths: paths of each model.
        path: space and sampling of path lengths, such as "w-end".
        num_edits: pictures in which each region is edited, of models of regions.
        num_projections: pictures of each kind that are projected; 0 for none.
        projection_steps: of each projection.
        cache: of the data's features, or None.
        batch_size: pictures at a time; changes nothing but the memory.
        workers: processes that read the data.
    """

    contenders: Sequence[Contender]
    dataset: PairDataset
    extractors: Mapping[str, Extractor]
    distance: tuple[str, Distance] | None
    parsers: Mapping[str, FaceParser]
    num_generated: int
    num_real: int | None = None
    seeds_from: int = 0
    truncation: float = 1.0
    num_paths: int = 500
    path: str = "w-end"
    num_edits: int = 100
    num_projections: int = 0
    projection_steps: int = STEPS
    cache: FeatureCache | None = None
    batch_size: int = DEFAULT_BATCH_SIZE
    workers: int = 0

    @property
    def size(self) -> int:
        """S."""
        return self.contenders[0].model.size

    @property
    def seeds(self) -> range:
        return range(self.seeds_from, self.seeds_from + self.num_generated)

    @property
    def indices(self) -> range:
        """Of the data's pictures that are compared."""
        num = min(self.num_generated, len(self.dataset)) if self.num_real is None else self.num_real
        return first_indices(self.dataset, num)

    def real_pictures(self, num: int) -> Tensor:
        """The data's first pictures, uint8 [N, 3, S, S]."""
        return torch.stack([self.dataset[index].image for index in self.indices[:num]])

    def parser_of(self, model: Model) -> tuple[str, FaceParser] | None:
        """The name and the first parser that tells a model's regions, None for a layered model or without one."""
        regions = model.rows.regions
        fitting = (item for item in self.parsers.items() if regions and item[1].regions.names == regions.names)
        return next(fitting, None)


@dataclass(frozen=True)
class SetScores:
    """How near a model's pictures are to the data, by one extractor."""

    frechet: float
    kernel: float
    precision: float
    recall: float


@dataclass(frozen=True)
class Paths:
    """Path lengths of a model.

    Attributes:
        lengths: of each path, float64 [num_paths].
        shortest, longest: pictures uint8 [n, 3, S, S] at which the n shortest and the n longest are measured.
    """

    lengths: np.ndarray
    shortest: Tensor
    longest: Tensor

    @property
    def mean(self) -> float:
        """Without the extreme hundredths, as the literature takes it."""
        return float(without_extremes(self.lengths).mean())


@dataclass
class Found:
    """What was found of a model.

    Attributes:
        contender: it.
        num_generator: numbers that its generator learns.
        images_per_second: of sampling, :data:`SPEED_BATCH` at a time.
        scores: by the names of the extractors that may judge it.
        paths, projections: None where they were not measured.
        miou: None without regions or a parser of them.
        parser: name of the parser.
        locality: mean score of structure and texture; empty without regions.
        why_not: name of a network, or "miou" -> why it does not judge this model.
    """

    contender: Contender
    num_generator: int
    images_per_second: float = math.nan
    scores: dict[str, SetScores] = field(default_factory=dict)
    paths: Paths | None = None
    projections: Projections | None = None
    miou: float | None = None
    parser: str = ""
    locality: dict[str, float | None] = field(default_factory=dict)
    why_not: dict[str, str] = field(default_factory=dict)


def require_one_size(contenders: Sequence[Contender]) -> None:
    """Raises: InputError: no model, or models of different sizes."""
    sizes = {each.name: each.model.size for each in contenders}
    if len(set(sizes.values())) != 1:
        shown = ", ".join(f"{name} of {size} pixels" for name, size in sizes.items()) or "no model"
        raise InputError(f"models of one size are compared, got {shown}. Leave out the others.")


def require_comparable(comparison: Comparison) -> None:
    """Check what can be checked before anything is computed.

    Raises:
        InputError: no model, models or data of different sizes, too few pictures, or an extractor or distance that
            takes no pictures of this side.
    """
    require_one_size(comparison.contenders)
    if comparison.dataset.size != comparison.size:
        raise InputError(f"the data have {comparison.dataset.size} pixels, the models {comparison.size}.")
    last = require_seed(comparison.seeds_from) + max(comparison.num_generated, comparison.num_paths)
    if last > MAX_SEED:
        raise InputError(f"the seeds from {comparison.seeds_from} on go beyond 2^63-1. Begin with a smaller seed.")
    for num, whose in ((comparison.num_generated, "each model"), (len(comparison.indices), "the data")):
        least = max(NUM_NEIGHBOURS + 1, comparison.num_projections)
        if num < least:
            raise InputError(f"{num} pictures of {whose} are too few for this comparison. Take {least} or more.")
    blank = torch.zeros(1, 3, comparison.size, comparison.size, dtype=torch.uint8)
    for extractor in comparison.extractors.values():
        extractor(blank)
    if comparison.distance is not None:
        comparison.distance[1](as_float(blank), as_float(blank))
