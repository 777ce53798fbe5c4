"""Whether an edit stays where it belongs, for each region and for its structure and texture apart.

In each picture the region's code is replaced by that of another. What may change is the region's own place: its mask
before and after, with a soft edge of 1/32 of the side (:mod:`semanticgan.editing.compositing`). All pictures are
compared as 8-bit files, in levels of 0..255.

The score of an edit is the mean absolute change outside that place over that inside, at most 1: 0 where nothing else
changes, 1 where everything changes as much as the region. An edit that changes nothing inside has no score.

Shape legend: N pictures, K regions, S side of the picture.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from semanticgan.choices import SWAP_OFFSET
from semanticgan.distributed import all_of, share
from semanticgan.editing.change import Change
from semanticgan.editing.regions import EditResult, edit
from semanticgan.latents import LatentCode, swap
from semanticgan.metrics.evaluation import Evaluation
from semanticgan.metrics.metric import EDITED, SAMPLED, Measured, Table, metric
from semanticgan.model import Model
from semanticgan.perception.masked import PictureDistance, apart, laid_over
from semanticgan.perception.overlap import Overlap, overlap
from semanticgan.seeds import following

CHANGED = 4.0
"""A pixel counts as changed if the mean over its channels changes by more than so many levels."""

Swap = tuple[Sequence[str], str]
"""Regions that are swapped together, and "structure", "texture" or "both"."""


def swaps_of(
    model: Model,
    batches: Iterable[Sequence[int]],
    swaps: Sequence[Swap],
    *,
    source: LatentCode | None = None,
    offset: int = SWAP_OFFSET,
    truncation: float = 1.0,
    include_base: bool = False,
) -> Iterator[tuple[int, EditResult]]:
    """Swap regions of sampled pictures with those of other seeds: the place of each swap, and its edits of a batch.

    Args:
        batches: seeds of the pictures.
        source: edited in place of the seeds' own pictures; of one image, or as many as the only batch has seeds.
        offset: the other code is that of seed + offset.
        include_base: swap the base rows, too.

    Raises:
        InputError: an unknown region or part of its code.
    """
    for seeds in batches:
        code = model.sample(seeds=seeds, truncation=truncation) if source is None else source
        other = model.sample(seeds=[following(seed, offset) for seed in seeds], truncation=truncation)
        before = model.render(code)
        for place, (regions, what) in enumerate(swaps):
            edited = swap(code, other, regions, what, include_base)
            yield place, edit(model, code, edited, regions, before=before)


@dataclass(frozen=True)
class EditChange:
    """What an edit of one region changed in each of N pictures, float64.

    Attributes:
        change: mean absolute change outside the region's place and inside it; NaN inside where it is not seen.
        share_outside: share of the pixels outside that changed, in [0, 1].
        perceptual_outside: perceptual distance of the pictures made equal inside; None without a distance.
        by_region: [N, K], mean absolute change of the pixels that showed a region before and lie outside; of the
            edited region that inside. NaN where there are no such pixels.
        masks: the masks before and after.
    """

    change: Change
    share_outside: Tensor
    perceptual_outside: Tensor | None
    by_region: Tensor
    masks: Overlap


def measure_edit(
    edited: EditResult, region: int, num_regions: int, distance: PictureDistance | None = None
) -> EditChange:
    """What an edit of one region changed.

    Args:
        edited: as many images before as after.
        region: label of the edited region.
    """
    before, after = edited.source_pictures(), edited.pictures()
    labels_before = edited.source.labels().cpu()
    outside = edited.opacity == 0
    levels = (after.double() - before.double()).abs().mean(1)  # [N, S, S]
    num_outside = outside.sum((1, 2)).clamp(min=1)
    perceptual = None
    if distance is not None:
        perceptual = apart(distance, before, laid_over(after, before, outside))
    return EditChange(
        change=edited.change(),
        share_outside=((levels > CHANGED) & outside).sum((1, 2)).double() / num_outside,
        perceptual_outside=perceptual,
        by_region=_by_region(levels, torch.where(outside, labels_before.long(), region), num_regions),
        masks=overlap(labels_before, edited.result.labels().cpu(), num_regions),
    )


def _by_region(levels: Tensor, labels: Tensor, num_regions: int) -> Tensor:
    """Mean of levels, float64 [N, S, S], over each label of an int64 [N, S, S] -> [N, K], NaN without a pixel."""
    sums = torch.zeros(len(levels), num_regions, dtype=torch.float64)
    counts = torch.zeros_like(sums)
    flat = labels.flatten(1)
    sums.scatter_add_(1, flat, levels.flatten(1))
    counts.scatter_add_(1, flat, torch.ones_like(levels.flatten(1)))
    return sums / counts  # 0 / 0 is NaN


@dataclass(frozen=True)
class RegionLocality:
    """How local edits of one region are, over the pictures in which it is seen.

    Attributes:
        region: its name.
        what: "structure" or "texture".
        num_images: pictures in which it is seen before or after; without one, all figures are None.
        score: 0 if the edit touches only its region, up to 1 if it touches everything as much; None if it does nothing.
        change_inside: mean absolute change in levels of 0..255.
        change_outside: the same outside the feathered region.
        share_outside: share of the pixels outside that change by more than :data:`CHANGED` levels.
        perceptual_outside: mean perceptual distance outside, if one was asked for.
        iou_others: mean IoU of the other regions' masks before and after.
        change_unseen: mean absolute change in the pictures in which the region is not seen; None without one.
        by_region: mean absolute change in each region, None for one that is nowhere.
    """

    region: str
    what: str
    num_images: int
    score: float | None
    change_inside: float | None
    change_outside: float | None
    share_outside: float | None
    perceptual_outside: float | None
    iou_others: float | None
    change_unseen: float | None
    by_region: tuple[float | None, ...]


@dataclass(frozen=True)
class Locality:
    """How local edits of each region are.

    Attributes:
        edits: one for each region and each of structure and texture.
        names: of all regions.
        num_seeds: pictures that were edited.
    """

    edits: tuple[RegionLocality, ...]
    names: tuple[str, ...]
    num_seeds: int

    def of(self, what: str) -> tuple[RegionLocality, ...]:
        """The edits of the regions' "structure" or "texture"."""
        return tuple(each for each in self.edits if each.what == what)

    def matrix(self, what: str) -> np.ndarray:
        """Edited region x changed region: mean absolute change, float64, NaN where there is none."""
        return np.array([each.by_region for each in self.of(what)], dtype=np.float64)

    def to_dict(self) -> dict[str, Any]:
        """JSON-able."""
        regions: dict[str, dict[str, Any]] = {}
        for each in self.edits:
            figures = {name: value for name, value in vars(each).items() if name not in ("region", "what", "by_region")}
            figures["by_region"] = dict(zip(self.names, each.by_region, strict=True))
            regions.setdefault(each.what, {})[each.region] = figures
        scores = {what: [each.score for each in self.of(what) if each.score is not None] for what in regions}
        return {
            "num_seeds": self.num_seeds,
            "changed_means_more_than_levels": CHANGED,
            "mean_score": {what: float(np.mean(found)) if found else None for what, found in scores.items()},
            **regions,
        }


def measure_locality(evaluation: Evaluation, regions: Sequence[str] | None = None) -> Locality:
    """Swap each region's structure and texture in sampled pictures, and measure what else changes.

    Args:
        regions: those to edit; None for those of the evaluation.

    Raises:
        InputError: an unknown region.
    """
    model, seeds = evaluation.model, evaluation.edited_seeds
    names = model.regions.names
    swaps = [((name,), what) for what in EDITED for name in (evaluation.region_names if regions is None else regions)]
    parts: list[list[EditChange]] = [[] for _ in swaps]
    batches = evaluation.batches(seeds, "locality")
    for place, edited in swaps_of(model, batches, swaps, truncation=evaluation.truncation):
        label = names.index(edited.regions[0])
        parts[place].append(measure_edit(edited, label, len(names), evaluation.distance))
    found = zip(swaps, parts, strict=True)
    edits = tuple(_summed_up(names, names.index(name), what, changes) for ((name,), what), changes in found)
    return Locality(edits, names, len(seeds))


def _summed_up(names: Sequence[str], label: int, what: str, parts: Sequence[EditChange]) -> RegionLocality:
    """The figures of all pictures together."""
    change = Change.cat([part.change for part in parts])
    seen = change.seen
    inside, outside = _mean(change.inside[seen]), _mean(change.outside[seen])
    perceptual = [part.perceptual_outside for part in parts if part.perceptual_outside is not None]
    by_region = torch.cat([part.by_region for part in parts])[seen]
    return RegionLocality(
        region=names[label],
        what=what,
        num_images=int(seen.sum()),
        score=locality_score(inside, outside),
        change_inside=inside,
        change_outside=outside,
        share_outside=_mean(torch.cat([part.share_outside for part in parts])[seen]),
        perceptual_outside=_mean(torch.cat(perceptual)[seen]) if perceptual else None,
        iou_others=_iou_of_others(Overlap.cat([part.masks for part in parts]), seen.numpy(), label),
        change_unseen=_mean(change.outside[~seen]),
        by_region=tuple(_mean(column[~column.isnan()]) for column in by_region.unbind(1)),
    )


def locality_score(inside: float | None, outside: float | None) -> float | None:
    """Change outside over change inside, at most 1; None for an edit that changes nothing inside."""
    if not inside or outside is None:
        return None
    return min(1.0, outside / inside)


def _iou_of_others(masks: Overlap, seen: np.ndarray, label: int) -> float | None:
    """Mean IoU before and after of all regions but one, over the pictures that count."""
    iou = np.delete(Overlap(masks.intersection[seen], masks.union[seen], masks.num_pixels[seen]).total().iou, label)
    present = iou[~np.isnan(iou)]
    return float(present.mean()) if len(present) else None


def _mean(values: Tensor) -> float | None:
    return float(values.mean()) if len(values) else None


def locality_of(evaluation: Evaluation) -> Locality:
    """What edits of each region change; measured once for all who ask."""
    return evaluation.once("locality", _shared)


def _shared(evaluation: Evaluation) -> Locality:
    """By all processes, each some regions."""
    regions = share(evaluation.region_names, evaluation.processes)
    part = measure_locality(evaluation, regions).edits if regions else ()
    edits = all_of(part, evaluation.processes)
    edits.sort(key=lambda edit: (EDITED.index(edit.what), evaluation.region_names.index(edit.region)))
    return Locality(tuple(edits), evaluation.model.regions.names, len(evaluation.edited_seeds))


@metric(
    "locality",
    "what else changes when a region is swapped",
    of_regions=True,
    uses=(*SAMPLED, "distance", "regions", "num_edits"),
    compared=True,
    columns={what: f"locality of {what}" for what in EDITED},
)
def _locality(evaluation: Evaluation) -> Measured:
    """Mean absolute change of the pixels outside a swapped region, divided by the change inside. 0 means that only the
    region changes."""
    locality = locality_of(evaluation)
    found = locality.to_dict()
    figures = ["region", "what", "score", "change_inside", "change_outside"]
    figures += ["share_outside", "iou_others", "num_images"]
    rows = tuple(tuple(getattr(edit, figure) for figure in figures) for edit in locality.edits)
    headings = ("region", "code", "score", "inside", "outside", "share of pixels outside", "IoU of others", "pictures")
    return Measured(
        {what: found["mean_score"][what] for what in EDITED},
        "levels of 0..255" + (f", {evaluation.distance.label}" if evaluation.distance else ""),
        True,
        0,
        2 * len(evaluation.edited_seeds),
        table=Table(headings, rows),
        details=found,
    )
