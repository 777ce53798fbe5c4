"""What is left of a region in pictures drawn without it: a model that is known by hand, and the bundled one."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from semanticgan.errors import InputError
from semanticgan.metrics.evaluation import Evaluation
from semanticgan.metrics.ownership import RegionOwnership, measure_ownership
from semanticgan.model import load
from semanticgan.perception.parser import load_parser
from semanticgan.regions import RegionScheme

SIDE = 32


class Painter:
    """Paints an eye of 4 x 4 pixels and a mouth of 4 x 8, half of which the eye's generator paints as well.

    With the mouth, a corner of 8 x 8 pixels turns from 0 to 60. Odd seeds have no mouth.
    """

    regions = RegionScheme(("background", "eye", "mouth"))

    def sample(self, seeds: list[int], truncation: float) -> list[int]:
        return seeds

    def render(self, code: list[int], visible: Tensor | None = None) -> Any:
        visible = torch.ones(len(code), 3) if visible is None else visible
        pictures = torch.zeros(len(code), 3, SIDE, SIDE, dtype=torch.uint8)
        for picture, seed, (_, eye, mouth) in zip(pictures, code, visible, strict=True):
            if mouth and seed % 2 == 0:
                picture[1, 20:24, 8:16] = 200
                picture[2, :8, :8] = 60
            if eye:
                picture[0, 4:8, 16:20] = 200
                picture[1, 20:24, 8:12] = 200 if seed % 2 == 0 else 0
        return SimpleNamespace(to_uint8=lambda: pictures)


class ColourParser:
    """Reads red as eye and green as mouth."""

    regions = Painter.regions

    def labels(self, pictures: Tensor) -> Tensor:
        return (pictures[:, 0] > 100).byte() + 2 * (pictures[:, 1] > 100).byte()


def measured(model: Any, parser: Any, region: str, num: int, seeds_from: int = 0, batch: int = 8) -> RegionOwnership:
    return measure_ownership(Evaluation(model, num, seeds_from, parser=parser, batch_size=batch), region)


def test_by_hand() -> None:
    model: Any = Painter()
    parser: Any = ColourParser()
    eye = measured(model, parser, "eyes", 6, batch=4)
    assert (eye.region, eye.num_images, eye.left, eye.change_outside) == ("eye", 6, 0.0, 0.0)
    mouth = measured(model, parser, "mouth", 6, batch=4)
    assert mouth.num_images == 3 and mouth.left == 0.5
    # 64 of the pixels outside change by 60 in one of three channels.
    num_outside = 3 * 64 * 60 / 3 / 3 / mouth.change_outside  # type: ignore[operator]
    assert SIDE * SIDE - 6 * 10 <= num_outside <= SIDE * SIDE - 4 * 8
    assert measured(model, parser, "mouth", 1, seeds_from=1).left is None


def test_what_cannot_be_measured() -> None:
    model: Any = Painter()
    parser: Any = ColourParser()
    with pytest.raises(InputError, match="at least one seed"):
        measured(model, parser, "eye", 0)
    with pytest.raises(InputError, match="unknown region 'hat'"):
        measured(model, parser, "hat", 1)
    with pytest.raises(InputError, match="trained on the model's regions"):
        measured(model, load_parser("portraits-64"), "eye", 1)


def test_hair_of_the_bundled_model_goes_with_its_region() -> None:
    model, parser = load("portraits-64", device="cpu"), load_parser("portraits-64")
    hair = measured(model, parser, "hair", 12)
    assert hair.num_images > 6 and hair.left is not None and hair.left < 0.5
    other = measured(model, parser, "hair", 12, batch=5)
    # Another batch size rounds differently: a level here and there, and seldom a label.
    assert other.num_images == hair.num_images
    assert other.left == pytest.approx(hair.left, abs=1e-3)
    assert other.change_outside == pytest.approx(hair.change_outside, abs=0.01)
