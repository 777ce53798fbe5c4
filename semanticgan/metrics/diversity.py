"""How different the variations of one region are from one another, inside its mask.

For each picture a region gets the codes of other seeds. Two of these variations are compared where either shows the
region, before or after; elsewhere both are the source. Their distance is divided by the share of the picture that this
place takes, so that small regions compare with large ones, and a mean over pixels becomes one over the place's pixels.

Shape legend: M variations, S side of the picture.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import torch
from torch import Tensor

from semanticgan.editing.regions import vary_regions
from semanticgan.errors import InputError
from semanticgan.metrics.evaluation import Evaluation
from semanticgan.metrics.metric import SAMPLED, Measured, metric
from semanticgan.perception.masked import PictureDistance, apart, laid_over, mean_absolute_difference
from semanticgan.seeds import derived

_PAIRS_AT_A_TIME = 8
_OFFSET = 20_000  # seeds of the variations lie beyond those of the pictures
_SPACING = 1_000


@dataclass(frozen=True)
class Diversity:
    """How different variations of one region are.

    Attributes:
        region: its name.
        what: "structure", "texture" or "both".
        mean: over the pictures in which it is seen, of the mean over all pairs of variations; None without one.
        deviation: standard deviation of the pictures' means; None for fewer than two.
        num_images: pictures in which it is seen.
        num_variations: of each.
    """

    region: str
    what: str
    mean: float | None
    deviation: float | None
    num_images: int
    num_variations: int

    def to_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return dict(vars(self))


def distance_among(
    source: Tensor, variations: Tensor, mask: Tensor, distance: PictureDistance = mean_absolute_difference
) -> float | None:
    """Mean distance of all pairs of variations of one picture inside their masks, per share of the picture.

    Args:
        source: the picture, uint8 [1, 3, S, S].
        variations: uint8 [M, 3, S, S], two or more.
        mask: bool [M, S, S], where each may differ from the source.
        distance: a mean over pixels.

    Returns:
        The mean over pairs whose masks are not empty; None if all are.

    Raises:
        InputError: fewer than two variations, or shapes that do not fit.
    """
    num_variations = len(variations)
    if num_variations < 2:
        raise InputError(f"diversity is among variations, got {num_variations}. Give at least 2.")
    if source.shape != (1, *variations.shape[1:]) or mask.shape != (num_variations, *variations.shape[2:]):
        raise InputError(
            f"a picture {list(source.shape)}, variations {list(variations.shape)} and masks {list(mask.shape)} do not "
            "fit. Give one picture, and a mask for each variation."
        )
    pairs = torch.tensor(list(combinations(range(num_variations), 2)))
    found = []
    for part in pairs.split(_PAIRS_AT_A_TIME):
        one, other = part.unbind(1)
        where = mask[one] | mask[other]
        share = where.double().mean((1, 2)).cpu()
        apart_by = apart(
            distance, laid_over(variations[one], source, where), laid_over(variations[other], source, where)
        )
        found.append((apart_by / share)[share > 0])
    distances = torch.cat(found)
    return float(distances.mean()) if len(distances) else None


def measure_diversity(evaluation: Evaluation, region: str, what: str = "both") -> Diversity:
    """Vary a region of sampled pictures. Variation j of seed s has the region of seed 20,000 + 1,000 s + j,
    from s = 2^32 on that of a hashed seed. Without a perceptual distance it is in levels of 0..255.

    Args:
        what: "structure", "texture" or "both".

    Raises:
        InputError: an unknown region or ``what``, or variations that are not 2 to 1,000.
    """
    model, truncation, num_variations = evaluation.model, evaluation.truncation, evaluation.num_variations
    if not 2 <= num_variations <= _SPACING:
        raise InputError(f"{num_variations} variations were asked for. Give 2 to {_SPACING} variations.")
    distance = evaluation.distance or mean_absolute_difference
    (label,) = model.regions.indices([region])
    found = []
    for (seed,) in evaluation.batches(evaluation.edited_seeds, "diversity", batch_size=1):
        source = model.sample(seed=seed, truncation=truncation)
        edit = vary_regions(model, source, [region], _variations(seed, num_variations), what, truncation)
        found.append(distance_among(edit.source_pictures()[:1], edit.pictures(), edit.mask, distance))
    values = np.array([value for value in found if value is not None])
    return Diversity(
        region=model.regions.names[label],
        what=what,
        mean=float(values.mean()) if len(values) else None,
        deviation=float(values.std(ddof=1)) if len(values) > 1 else None,
        num_images=len(values),
        num_variations=num_variations,
    )


def _variations(seed: int, num: int) -> list[int]:
    """Seeds of a picture's variations; large ones are hashed, because 1,000 times as much is not a seed any more."""
    if seed < 2**32:
        return [_OFFSET + _SPACING * seed + number for number in range(num)]
    return [derived(seed, _OFFSET, number) for number in range(num)]


@metric(
    "diversity",
    "how different the variations of each region are",
    of_regions=True,
    uses=(*SAMPLED, "distance", "regions", "num_edits", "num_variations"),
)
def _diversity(evaluation: Evaluation) -> Measured:
    """How much variations of one region differ inside the mask of the region. The unit is that of `--distance` if the
    option is given, and else the mean absolute difference on the 0 to 255 scale: the default of `--distance` does not
    apply here."""
    found = evaluation.by_region(lambda region: measure_diversity(evaluation, region))
    return Measured(
        {one.region: one.mean for one in found},
        evaluation.distance.label if evaluation.distance else "levels of 0..255",
        evaluation.distance is None or evaluation.distance.stand_in,
        0,
        len(evaluation.edited_seeds) * evaluation.num_variations,
        details={one.region: one.to_dict() for one in found},
    )
