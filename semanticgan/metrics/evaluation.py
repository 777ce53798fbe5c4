"""What is measured and with what."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

import torch
from torch import Tensor

from semanticgan.data.pairs import PairDataset
from semanticgan.distributed import ALONE, Processes, all_of, share
from semanticgan.errors import InputError
from semanticgan.metrics.samples import DEFAULT_BATCH_SIZE, first_indices, generated_pictures, in_batches
from semanticgan.metrics.statistics import FeatureCache, FeatureSet, dataset_features, extract_all
from semanticgan.model import Model
from semanticgan.perception.classifier import AttributeClassifier
from semanticgan.perception.extractors import Extractor
from semanticgan.perception.identity import IdentityJudge
from semanticgan.perception.parser import FaceParser, require_regions
from semanticgan.perception.perceptual import Distance
from semanticgan.perception.pictures import as_float
from semanticgan.progress import Progress

Found = TypeVar("Found")
Item = TypeVar("Item")


def require_same_regions(model: Model, parser: FaceParser) -> None:
    """Check that a parser tells the regions of a model, in their order.

    Raises:
        InputError: it does not.
    """
    require_regions(
        parser, model.regions, "the model has", "Give a parser trained on the model's regions (train-parser)."
    )


@dataclass
class Evaluation:
    """A model, and what it is measured with.

    Attributes:
        model: what is measured.
        num_generated: how many of its pictures are.
        seeds_from: seed of the first; the others follow.
        truncation: psi of the pictures and of path lengths.
        dataset: what its pictures are compared with, or None.
        num_real: how many of the data's pictures; ``num_generated``, or all where there are fewer, if None.
        reconstructions: what is to be like the data, picture by picture, or None.
        extractor: what computes features, or None.
        distance: perceptual distance of two pictures, or None.
        parser: what reads the regions of a picture, or None.
        classifier: what tells attributes, or None.
        identity: what tells people apart, or None.
        num_edits: pictures in which each region is edited; ``num_generated`` where that is less.
        num_variations: of each region in each picture, whose diversity is measured.
        regions: names or aliases of the regions that are measured one by one; all if empty.
        num_paths: paths of a path length; ``num_generated`` if None.
        paths: spaces and samplings of path lengths, such as "w-end".
        num_projections: pictures of each kind that are projected.
        projection_steps: of each projection.
        cache: of the data's features, or None.
        batch_size: pictures at a time; changes nothing but the memory.
        workers: processes that read the data.
        processes: who takes part; each finds the whole result.
        progress: told of every batch by the first process.

    Raises:
        InputError: no picture to measure.
    """

    model: Model
    num_generated: int
    seeds_from: int = 0
    truncation: float = 1.0
    dataset: PairDataset | None = None
    num_real: int | None = None
    reconstructions: PairDataset | None = None
    extractor: Extractor | None = None
    distance: Distance | None = None
    parser: FaceParser | None = None
    classifier: AttributeClassifier | None = None
    identity: IdentityJudge | None = None
    num_edits: int = 100
    num_variations: int = 8
    regions: Sequence[str] = ()
    num_paths: int | None = None
    paths: Sequence[str] = ("w-end",)
    num_projections: int = 40
    projection_steps: int = 200
    cache: FeatureCache | None = None
    batch_size: int = DEFAULT_BATCH_SIZE
    workers: int = 0
    processes: Processes = ALONE
    progress: Progress | bool = False
    seconds: dict[str, float] = field(default_factory=dict, init=False)
    """What the metrics share -> how long it took."""
    _found: dict[str, Any] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        if self.num_generated < 1:
            raise InputError("nothing can be measured without pictures. Give at least one seed (num_generated=1).")

    @property
    def seeds(self) -> range:
        return range(self.seeds_from, self.seeds_from + self.num_generated)

    @property
    def edited_seeds(self) -> range:
        """Of the pictures that are edited."""
        return self.seeds[: self.num_edits]

    @property
    def path_seeds(self) -> range:
        num = self.num_generated if self.num_paths is None else self.num_paths
        return range(self.seeds_from, self.seeds_from + num)

    @property
    def region_names(self) -> tuple[str, ...]:
        """The regions that are measured one by one.

        Raises:
            InputError: an unknown region.
        """
        names = self.model.regions.names
        return tuple(names[label] for label in self.model.regions.indices(self.regions)) if self.regions else names

    @cached_property
    def indices(self) -> range:
        """Of the data's pictures that are compared."""
        assert self.dataset is not None
        num = min(self.num_generated, len(self.dataset)) if self.num_real is None else self.num_real
        return first_indices(self.dataset, num)

    @cached_property
    def matches(self) -> list[tuple[int, int]]:
        """Index of each reconstruction and of its picture in the data, which has a file of the same name.

        What ``invert`` and ``reconstruct`` write beside the reconstructions is left out: sheet and NAME-aligned.

        Raises:
            InputError: a reconstruction of no picture, or two of one.
        """
        assert self.dataset is not None and self.reconstructions is not None
        places = {self.dataset.stem(index): index for index in range(len(self.dataset))}
        found: dict[str, tuple[int, int]] = {}
        for index in range(len(self.reconstructions)):
            stem = self.reconstructions.stem(index)
            if stem not in places and (stem == "sheet" or stem.removesuffix("-aligned") in places):
                continue
            if stem not in places or stem in found:
                what = "comes twice" if stem in found else f"is of no picture of the data, such as {min(places)!r}"
                raise InputError(f"the reconstruction {stem!r} {what}. Give each the name of its picture's file.")
            found[stem] = (index, places[stem])
        return list(found.values())

    @cached_property
    def real(self) -> FeatureSet:
        """Features of the data."""
        assert self.dataset is not None and self.extractor is not None
        with self._timed("features of the data"):
            return dataset_features(
                self.dataset,
                self.indices,
                self.extractor,
                cache=self.cache,
                batch_size=self.batch_size,
                workers=self.workers,
                processes=self.processes,
                progress=self.told,
            )

    @cached_property
    def generated(self) -> FeatureSet:
        """Features of the model's pictures."""
        assert self.extractor is not None
        with self._timed("features of the model"):
            return self.extracted([self.extractor])[0]

    def extracted(self, extractors: Sequence[Extractor]) -> list[FeatureSet]:
        """Features of the model's pictures by each extractor; the pictures are rendered once."""
        shown = self.pictures(share(self.seeds, self.processes), "features of the model")
        return extract_all(shown, extractors, self.num_generated, self.processes)

    def once(self, name: str, find: Callable[[Evaluation], Found]) -> Found:
        """What ``find`` finds, found once for all who ask for that name."""
        if name not in self._found:
            self._found[name] = find(self)
        return self._found[name]

    def require_fitting(self) -> None:
        """Check that what was given fits together.

        Raises:
            InputError: an unknown region, a parser of other regions, data of another resolution,
                reconstructions of other pictures, or an extractor or distance that takes no pictures of this side.
        """
        layered = self.model.rows.regions is None
        if self.regions or not layered:
            _ = self.region_names
        if self.parser is not None and not layered:
            require_same_regions(self.model, self.parser)
        if self.dataset is not None and self.dataset.size != self.model.size:
            raise InputError(
                f"the model's pictures have {self.model.size} pixels, the data's {self.dataset.size}. "
                f"Open the data at {self.model.size}."
            )
        if self.dataset is not None and self.reconstructions is not None:
            _ = self.matches
        # Whether they take pictures of this side shows on a blank one.
        blank = torch.zeros(1, 3, self.model.size, self.model.size, dtype=torch.uint8)
        if self.extractor is not None:
            self.extractor(blank)
        if self.distance is not None:
            self.distance(as_float(blank), as_float(blank))

    def pictures(self, seeds: Sequence[int], what: str) -> Iterator[Tensor]:
        """The model's pictures of these seeds, uint8, in batches; ``what`` is what progress is told."""
        return generated_pictures(
            self.model,
            seeds,
            truncation=self.truncation,
            batch_size=self.batch_size,
            progress=self.told,
            what=what,
        )

    def batches(self, items: Sequence[Item], what: str, batch_size: int | None = None) -> Iterator[list[Item]]:
        """The items, such as seeds, in batches; ``what`` is what progress is told."""
        return in_batches(items, batch_size or self.batch_size, self.told, what)

    def pairs(self, what: str) -> Iterator[tuple[Tensor, Tensor]]:
        """This process's share of the pictures of the data and of their reconstructions, uint8, in batches."""
        assert self.dataset is not None and self.reconstructions is not None
        for batch in self.batches(share(self.matches, self.processes), what):
            pictures = torch.stack([self.dataset[index].image for _, index in batch])
            yield pictures, torch.stack([self.reconstructions[index].image for index, _ in batch])

    @property
    def told(self) -> Progress | bool:
        """Progress of this process."""
        return self.processes.is_first and self.progress

    def by_region(self, measure: Callable[[str], Found]) -> list[Found]:
        """What is measured of each region; processes share the regions."""
        return all_of([measure(name) for name in share(self.region_names, self.processes)], self.processes)

    @contextmanager
    def _timed(self, what: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.seconds[what] = time.perf_counter() - start
