"""How far a generator's own segmentation agrees with a parser's reading of its pictures, as intersection over union.

The parser's own scores stand beside: the agreement cannot be understood without."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from semanticgan.distributed import ALONE, Processes, all_of, share
from semanticgan.errors import InputError
from semanticgan.metrics.evaluation import Evaluation, require_same_regions
from semanticgan.metrics.metric import Measured, Table, metric
from semanticgan.metrics.samples import in_batches
from semanticgan.model import Model
from semanticgan.perception.overlap import Overlap, overlap
from semanticgan.perception.parser import FaceParser


@dataclass(frozen=True)
class SegmentationScore:
    """How far a generator's own segmentation agrees with a parser's reading of its pictures.

    Attributes:
        overlap: by picture, [N, K].
        names: of the regions.
        parser: the parser's own scores on pairs it was not trained on, as its file has them; the agreement cannot be
            understood without.
    """

    overlap: Overlap
    names: tuple[str, ...]
    parser: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return {
            **self.overlap.to_dict(self.names),
            "num_images": len(self.overlap.num_pixels),
            "parser_held_out": self.parser,
        }


def measure_segmentation(
    model: Model,
    parser: FaceParser,
    seeds: Sequence[int],
    *,
    truncation: float = 1.0,
    batch_size: int = 8,
    processes: Processes = ALONE,
    progress: bool = False,
) -> SegmentationScore:
    """Compare the label maps of sampled pictures with a parser's reading of these pictures as 8-bit files.

    Args:
        parser: of the same regions.
        seeds: one a picture.
        batch_size: pictures at a time; bounds the memory, not the result.
        processes: who takes part; each gets the whole result.

    Raises:
        InputError: no seed, or a parser of other regions.
    """
    require_same_regions(model, parser)
    if not seeds:
        raise InputError("a segmentation cannot be measured without pictures. Give at least one seed.")
    parts = []
    for batch in in_batches(share(seeds, processes), batch_size, "segmentation" if progress else None):
        rendering = model.render(model.sample(seeds=batch, truncation=truncation))
        read = parser.labels(rendering.to_uint8())
        parts.append(overlap(rendering.labels().cpu(), read, len(model.regions)))
    return SegmentationScore(
        Overlap.cat(all_of(parts, processes)), model.regions.names, dict(parser.training.get("held_out", {}))
    )


@metric(
    "miou",
    "IoU of the model's segmentation and a parser's reading",
    of_regions=True,
    needs=("parser",),
    else_because="another parser",
)
def _segmentation(evaluation: Evaluation) -> Measured:
    assert evaluation.parser is not None
    score = measure_segmentation(
        evaluation.model,
        evaluation.parser,
        evaluation.seeds,
        truncation=evaluation.truncation,
        batch_size=evaluation.batch_size,
        processes=evaluation.processes,
        progress=evaluation.shows_bars,
    )
    found = score.to_dict()
    on_pairs = score.parser.get("iou", {})
    seen = [iou for iou in found["iou"].values() if iou is not None]
    rows = tuple((name, iou, on_pairs.get(name)) for name, iou in found["iou"].items())
    return Measured(
        {
            "miou": found["mean_iou"],
            "pixel_accuracy": found["pixel_accuracy"],
            "least_iou": min(seen),
        },
        f"parser, {score.parser.get('mean_iou', math.nan):.3f} on held-out pairs",
        True,
        0,
        evaluation.num_generated,
        table=Table(("region", "IoU", "the parser's IoU on held-out pairs"), rows),
        details=found,
    )
