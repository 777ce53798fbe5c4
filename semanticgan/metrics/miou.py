"""How far a generator's own segmentation agrees with a parser's reading of its pictures, as intersection over union.

The parser's own scores stand beside: the agreement cannot be understood without."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from semanticgan.distributed import all_of, share
from semanticgan.metrics.evaluation import Evaluation, require_same_regions
from semanticgan.metrics.metric import Measured, Table, metric
from semanticgan.perception.overlap import Overlap, overlap


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


def measure_segmentation(evaluation: Evaluation) -> SegmentationScore:
    """Compare the label maps of sampled pictures with a parser's reading of these pictures as 8-bit files.

    Raises:
        InputError: a parser of other regions.
    """
    model, parser, processes = evaluation.model, evaluation.parser, evaluation.processes
    assert parser is not None
    require_same_regions(model, parser)
    parts = []
    for batch in evaluation.batches(share(evaluation.seeds, processes), "segmentation"):
        rendering = model.render(model.sample(seeds=batch, truncation=evaluation.truncation))
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
    compared=True,
    columns={"miou": "mIoU"},
)
def _segmentation(evaluation: Evaluation) -> Measured:
    """IoU of the model's own segmentation and the segmentation that a face parser computes from the same image, for
    each region and as mean. The IoU of the
    parser with the label maps of images that it was not trained on is printed beside it."""
    score = measure_segmentation(evaluation)
    found = score.to_dict()
    on_pairs = score.parser.get("iou", {})
    seen = [iou for iou in found["iou"].values() if iou is not None]
    rows = tuple((name, iou, on_pairs.get(name)) for name, iou in found["iou"].items())
    return Measured(
        {"miou": found["mean_iou"], "pixel_accuracy": found["pixel_accuracy"], "least_iou": min(seen)},
        f"parser, {score.parser.get('mean_iou', math.nan):.3f} on held-out pairs",
        True,
        0,
        evaluation.num_generated,
        table=Table(("region", "IoU", "the parser's IoU on held-out pairs"), rows),
        details=found,
    )
