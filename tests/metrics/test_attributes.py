"""Rates of attributes: those of a classifier whose answers are known, whatever the batches."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from semanticgan.data.pairs import Pair, PairDataset
from semanticgan.errors import InputError
from semanticgan.metrics.attributes import AttributeRates, Occurrence, compared, count_attributes, measure_attributes
from semanticgan.metrics.evaluation import Evaluation
from semanticgan.model import load
from semanticgan.perception.classifier import AttributeClassifier, ClassifierConfig, ClassifierNetwork
from semanticgan.regions import RegionScheme

SIZE = 16


def brightness_classifier() -> AttributeClassifier:
    """Tells bright pictures, and dark, medium and bright ones apart: one channel that is the mean of the picture."""
    config = ClassifierConfig(SIZE, ("bright", "any"), {"tone": ("dark", "medium", "bright")}, (), (1,))
    network = ClassifierNetwork(config)
    first, second = (layer for layer in network.stages[0] if isinstance(layer, torch.nn.Conv2d))
    with torch.no_grad():
        for convolution in (first, second):
            convolution.weight.zero_()
            convolution.weight[:, :, 1, 1] = 1 / convolution.in_channels
        norm = network.stages[0][1]
        norm.bias.fill_(1.0)  # type: ignore[union-attr,operator]  # [-1, 1] -> [0, 2], or the ReLU would cut it off
        network.head.weight.copy_(torch.tensor([[1.0], [0.0], [0.0], [1.0], [2.0]]))
        # Bright above 1.2; medium from 0.7 on, bright from 1.3 on: lines that cross there.
        network.head.bias.copy_(torch.tensor([-1.2, 1.0, 0.0, -0.7, -2.0]))
    return AttributeClassifier(network, {"held_out": {"num_portraits": 9}})


def grey(*levels: int) -> Tensor:
    return torch.tensor(levels, dtype=torch.uint8)[:, None, None, None].expand(-1, 3, SIZE, SIZE).clone()


class Greys(PairDataset):
    """One grey picture a level."""

    def __init__(self, *levels: int) -> None:
        self.regions, self.size, self._images = RegionScheme(("background", "face")), SIZE, grey(*levels)

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, index: int) -> Pair:
        return Pair(self._images[index], torch.zeros(SIZE, SIZE, dtype=torch.uint8))

    def key(self) -> str:
        return "greys"


def test_what_was_never_held_out_counts_as_known() -> None:
    rate = Occurrence(0.5, 0.25)
    scores = {"binary": {"hat": {"balanced_accuracy": None}, "smile": {"balanced_accuracy": 0.6}}}
    rates = AttributeRates({"hat": rate, "smile": rate}, {}, 4, 4, 1.0, scores)
    assert list(rates.known()) == ["hat"] and list(rates.known(0.5)) == ["hat", "smile"]


def test_counts_by_hand() -> None:
    classifier = brightness_classifier()
    levels = (10, 50, 120, 130, 140, 200, 250)
    for parts in ((7,), (3, 4), (1,) * 7):
        counts = count_attributes(grey(*levels).split(list(parts)), classifier)
        assert counts.binary == {"bright": 2, "any": 7}
        assert counts.categories == {"tone": {"dark": 2, "medium": 3, "bright": 2}}
        assert counts.num_pictures == 7


def test_factors_by_hand() -> None:
    classifier = brightness_classifier()
    generated = count_attributes([grey(250, 10, 10, 10)], classifier)
    real = count_attributes([grey(250, 10)], classifier)
    rates = compared(generated, real, truncation=0.7, classifier=classifier)
    assert rates.binary["bright"] == Occurrence(0.25, 0.5) and rates.binary["bright"].factor == 0.5
    assert rates.categories["tone"]["dark"].factor == 1.5
    assert rates.categories["tone"]["medium"].factor is None  # never in either
    described = json.loads(json.dumps(rates.to_dict()))
    assert described["binary"]["any"] == {"generated": 1.0, "real": 1.0, "factor": 1.0}
    assert (described["num_generated"], described["num_real"], described["truncation"]) == (4, 2, 0.7)
    assert described["classifier_held_out"] == {"num_portraits": 9}


def test_a_models_rates_do_not_depend_on_the_batches(tiny_model_file: Path) -> None:
    model, classifier = load(tiny_model_file, device="cpu"), brightness_classifier()
    data = Greys(*np.linspace(0, 255, 20).astype(int))
    first, second = (
        measure_attributes(
            Evaluation(model, 6, truncation=0.5, dataset=data, num_real=20, classifier=classifier, batch_size=size)
        )
        for size in (1, 4)
    )
    # Rounding may carry one of the 6 pictures over a threshold.
    for name, rate in first.binary.items():
        assert second.binary[name].generated == pytest.approx(rate.generated, abs=0.17)
        assert second.binary[name].real == rate.real
    assert (first.num_generated, first.num_real, first.truncation) == (6, 20, 0.5)
    assert sum(each.generated for each in first.categories["tone"].values()) == pytest.approx(1)
    assert first.binary["bright"].real == 0.4  # 8 of 20 levels lie above 152
    few = measure_attributes(Evaluation(model, 1, dataset=Greys(0, 255, 255), num_real=2, classifier=classifier))
    assert few.binary["bright"].real == 0.5 and few.num_real == 2


def test_without_data_there_is_no_factor(tiny_model_file: Path) -> None:
    model, classifier = load(tiny_model_file, device="cpu"), brightness_classifier()
    rates = measure_attributes(Evaluation(model, 2, 3, classifier=classifier))
    assert rates.num_real == 0 and rates.binary["any"].to_dict() == {"generated": 1.0, "real": None, "factor": None}
    with pytest.raises(InputError, match="at least one seed"):
        Evaluation(model, 0, classifier=classifier)
    with pytest.raises(InputError, match="0 pictures were asked for"):
        measure_attributes(Evaluation(model, 1, dataset=Greys(1), num_real=0, classifier=classifier))
