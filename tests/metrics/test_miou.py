"""A generator's own segmentation against a parser's reading of its pictures."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from semanticgan.errors import InputError
from semanticgan.metrics.evaluation import Evaluation
from semanticgan.metrics.miou import measure_segmentation
from semanticgan.model import load
from semanticgan.regions import CELEBAMASK_13


class Oracle:
    """A parser that knows what the model drew, but takes one region for another."""

    regions = CELEBAMASK_13
    training = {"held_out": {"mean_iou": 0.9}}  # noqa: RUF012

    def __init__(self, model: Any, seeds: list[int], mistaken: int) -> None:
        rendering = model.render(model.sample(seeds=seeds))
        self.pictures, self.known = rendering.to_uint8().int(), rendering.labels()
        self.mistaken = mistaken

    def labels(self, pictures: torch.Tensor) -> torch.Tensor:
        # The nearest, since another batch rounds a level here and there.
        away = (pictures.int().unsqueeze(1) - self.pictures).abs().float().mean((2, 3, 4))
        labels = self.known[away.argmin(1)]
        return torch.where(labels == self.mistaken, 0, labels)


def test_a_generator_read_by_a_parser() -> None:
    model: Any = load("portraits-64", device="cpu")
    seeds = [3, 4, 5]
    hair = model.regions.index("hair")
    parser: Any = Oracle(model, seeds, hair)
    score = measure_segmentation(Evaluation(model, 3, 3, parser=parser, batch_size=2))
    labels = model.render(model.sample(seeds=seeds)).labels()
    figures = score.to_dict()
    assert figures["iou"]["hair"] == 0 and figures["iou"]["face"] == 1
    num_background, num_hair = int((labels == 0).sum()), int((labels == hair).sum())
    # Rendered in other batches, a pixel on an edge may have the other label.
    assert figures["iou"]["background"] == pytest.approx(num_background / (num_background + num_hair), rel=1e-2)
    assert figures["num_images"] == 3 and figures["parser_held_out"] == {"mean_iou": 0.9}
    one_by_one = measure_segmentation(Evaluation(model, 3, 3, parser=parser, batch_size=1)).to_dict()
    assert one_by_one["iou"] == pytest.approx(figures["iou"], abs=0.05)
    assert one_by_one["mean_iou"] == pytest.approx(figures["mean_iou"], abs=0.01)
    with pytest.raises(InputError, match="at least one seed"):
        Evaluation(model, 0, parser=parser)
    parser.regions = type(parser.regions)(("background", "face"))
    with pytest.raises(InputError, match="trained on the model's regions"):
        measure_segmentation(Evaluation(model, 3, 3, parser=parser))
