"""The directions in the package do what their names say, by a classifier that labelled nothing."""

from __future__ import annotations

import pytest
import torch

import semanticgan as sg
from semanticgan.directions.labels import ClassifierLabels
from semanticgan.latents import LatentCode
from semanticgan.model import Model
from semanticgan.perception.classifier import load_classifier


@pytest.fixture(scope="module")
def model() -> Model:
    return sg.load("portraits-64", device="cpu")


@pytest.fixture(scope="module")
def code(model: Model) -> LatentCode:
    return model.sample(seed=700_000, n=12)


@pytest.fixture(scope="module")
def judge() -> ClassifierLabels:
    return ClassifierLabels(load_classifier("attributes-64", "cpu"), "attributes-64")


@pytest.mark.parametrize(
    ("name", "attribute"),
    [
        ("smile", "smile"),
        ("age", "age"),
        ("masculine", "presentation.masculine"),
        ("yaw", "yaw"),
        ("pitch", "pitch"),
        ("glasses", "glasses"),
        ("bald", "bald"),
        ("skin_tone", "skin_tone"),
    ],
)
def test_it_moves_its_attribute(
    name: str, attribute: str, model: Model, code: LatentCode, judge: ClassifierLabels
) -> None:
    column = [each.name for each in judge.attributes].index(attribute)
    less, more = (judge(model.render(sg.move(code, model.directions[name], s)))[:, column] for s in (-6.0, 6.0))
    assert int((more > less).sum()) >= 10
    assert float((more - less).mean()) > 0.5 * float(torch.cat([more, less]).std())


def test_every_direction_says_how_well_it_holds(model: Model) -> None:
    assert len(model.directions) >= 15
    for each in model.directions.values():
        assert each.figures["accuracy"] >= 0.8, each
        assert set(each.rows) <= set(model.rows.names)


def test_hair_colours_move_hair_alone(model: Model) -> None:
    for name in ("black_hair", "blond_hair", "grey_hair"):
        assert model.directions[name].rows == ("hair.texture",)
