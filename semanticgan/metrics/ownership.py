"""Who paints a region: what pictures still show of it when they are drawn without it, and what else is then missing.

A region that is left out has no part in the fusion (``visible`` of the generator), and what lies behind it shows. If
others paint it too, a parser still reads it there, and its own code moves it little; if it paints more than itself,
something else goes with it. Pictures are compared as 8-bit files.

Shape legend: N pictures, K regions, S side of the picture.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from semanticgan.editing.change import measure_change
from semanticgan.editing.compositing import feather
from semanticgan.metrics.evaluation import Evaluation, require_same_regions
from semanticgan.metrics.metric import SAMPLED, Measured, Table, metric

SEEN = 8
"""Pixels that a parser has to read as a region for a picture to show it."""


@dataclass(frozen=True)
class RegionOwnership:
    """What is left of a region in pictures drawn without it.

    Attributes:
        region: its name.
        num_images: pictures that show it; without one, the figures are None.
        left: share of its pixels in the whole pictures that the parser still reads as it: 0 where no other region
            paints it, 1 where leaving it out changes nothing.
        change_outside: mean absolute change outside its place in levels of 0..255, 0 where it paints nothing else.
    """

    region: str
    num_images: int
    left: float | None
    change_outside: float | None

    def to_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return dict(vars(self))


def measure_ownership(evaluation: Evaluation, region: str) -> RegionOwnership:
    """Draw sampled pictures that show a region again without it.

    In batches of another size pictures are the same up to :data:`semanticgan.model.ROUNDING`, which moves
    ``change_outside`` by less than 0.01 levels.

    Raises:
        InputError: an unknown region, or a parser of other regions.
    """
    model, parser = evaluation.model, evaluation.parser
    assert parser is not None
    require_same_regions(model, parser)
    label = model.regions.index(region)
    name = model.regions.names[label]
    pixels, left, outside = 0, 0, []
    for batch in evaluation.batches(evaluation.edited_seeds, f"without {name}"):
        code = model.sample(seeds=batch, truncation=evaluation.truncation)
        whole = model.render(code).to_uint8()
        place = parser.labels(whole) == label
        visible = torch.ones(len(batch), len(model.regions))
        visible[:, label] = 0.0
        without = model.render(code, visible=visible).to_uint8()
        again = parser.labels(without) == label
        shown = place.sum((1, 2)) >= SEEN
        pixels += int(place[shown].sum())
        left += int((place & again)[shown].sum())
        change = measure_change(whole.cpu(), without.cpu(), feather(place))
        outside += change.outside[shown].tolist()
    if not outside:
        return RegionOwnership(name, 0, None, None)
    return RegionOwnership(name, len(outside), left / pixels, sum(outside) / len(outside))


@metric(
    "ownership",
    "what is left of each region in pictures drawn without it",
    of_regions=True,
    needs=("parser",),
    uses=(*SAMPLED, "regions", "num_edits"),
)
def _ownership(evaluation: Evaluation) -> Measured:
    """Share of the pixels of a region that a face parser still labels as this region after the image is rendered
    without it, and the change outside the region. A share of 0 means that no other local generator renders the region.
    A share of 1 means that leaving the region out changes nothing."""
    found = evaluation.by_region(lambda region: measure_ownership(evaluation, region))
    rows = tuple((one.region, one.left, one.change_outside, float(one.num_images)) for one in found)
    return Measured(
        {one.region: one.left for one in found},
        "parser",
        True,
        0,
        len(evaluation.edited_seeds),
        table=Table(("drawn without", "left of it", "change outside", "pictures that show it"), rows),
        details={one.region: one.to_dict() for one in found},
    )
