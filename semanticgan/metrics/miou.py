"""How far two label maps agree: intersection over union, by region and on average (Everingham et al. 2010, Section 4).

Counts of pixels are whole numbers, summed over all pictures before anything is divided, so that neither batches nor
the order of pictures matter. A region that is in neither map has no IoU and is left out of the mean.

Shape legend: N pictures, K regions, S side of the picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from semanticgan.errors import InputError
from semanticgan.perception.overlap import Overlap, overlap

if TYPE_CHECKING:
    from semanticgan.model import Model
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
    progress: bool = False,
) -> SegmentationScore:
    """Compare the label maps of sampled pictures with a parser's reading of these pictures as 8-bit files.

    Args:
        model: what samples.
        parser: of the same regions.
        seeds: one a picture.
        truncation: psi.
        batch_size: pictures at a time; bounds the memory, not the result.
        progress: show a bar on stderr.

    Raises:
        InputError: no seed, or a parser of other regions.
    """
    from tqdm import tqdm

    require_same_regions(model, parser)
    if not seeds:
        raise InputError("a segmentation cannot be measured without pictures. Give at least one seed.")
    parts = []
    with tqdm(total=len(seeds), unit="image", desc="segmentation", disable=None if progress else True) as bar:
        for start in range(0, len(seeds), batch_size):
            batch = seeds[start : start + batch_size]
            rendering = model.render(model.sample(seeds=list(batch), truncation=truncation))
            read = parser.labels(rendering.to_uint8())
            parts.append(overlap(rendering.labels().cpu(), read, len(model.regions)))
            bar.update(len(batch))
    return SegmentationScore(Overlap.cat(parts), model.regions.names, dict(parser.training.get("held_out", {})))


def require_same_regions(model: Model, parser: FaceParser) -> None:
    """Check that a parser tells the regions of a model, in their order.

    Raises:
        InputError: it does not.
    """
    if model.regions.names != parser.regions.names:
        raise InputError(
            f"the parser tells {', '.join(parser.regions.names)}, the model has {', '.join(model.regions.names)}. "
            "Give a parser trained on the model's regions (train-parser)."
        )
