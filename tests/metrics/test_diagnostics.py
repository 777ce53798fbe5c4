"""Droplets and shifts of pictures whose answer is known."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

import semanticgan as sg
from docs.diagnostics import (
    centres,
    droplets,
    peak_over_median,
    shift_along_yaw,
    shift_in_portraits,
    slope,
    yaw_direction,
)
from semanticgan.checkpoint import LoadedModel, ModelMetadata
from semanticgan.data.portraits import PortraitDataset
from semanticgan.networks.architectures import architecture
from semanticgan.perception.classifier import load_classifier
from semanticgan.perception.parser import load_parser


def test_peak_over_median() -> None:
    maps = torch.ones(2, 4, 8, 8)
    maps[0, :, 3, 5] = 10.0
    assert float(peak_over_median(maps[:1])) == pytest.approx(10.0)
    assert float(peak_over_median(maps)) == pytest.approx(5.5)


def test_droplets_are_those_of_the_blocks() -> None:
    kind = architecture("stylegan2")
    torch.manual_seed(0)
    generator = kind.generator(kind.config(size=16, style_dim=8, channels={4: 8, 8: 8, 16: 4})).eval()
    sizes = generator.config
    metadata = ModelMetadata("a model", sizes, None, None, {}, "", "", "float32")
    model = sg.Model(LoadedModel(generator, None, metadata))
    found = droplets(model, 4)
    assert list(found) == ["4", "8", "16"]
    codes = generator.expand(model.sample(seeds=range(4)).tensor)
    noise = generator.noise_maps("fixed", codes)
    with torch.no_grad():
        x = generator.blocks[0](generator.constant.expand(4, -1, -1, -1), codes[:, :1], noise[:1])
    assert found["4"] == pytest.approx(float(peak_over_median(x)), rel=1e-5)
    with pytest.raises(sg.InputError, match="no blocks of layers"):
        droplets(sg.load("portraits-64", device="cpu"), 1)


def test_slope_and_centres() -> None:
    x = np.arange(5.0)[:, None] + np.array([0.0, 10.0])
    assert slope(x, 3 * x + np.array([1.0, -40.0])) == pytest.approx(3.0)
    y = 2 * x
    y[1, 0] = np.nan
    assert slope(x, y) == pytest.approx(2.0)
    labels = torch.zeros(2, 4, 8, dtype=torch.uint8)
    labels[0, 1:3, 2:4] = 1
    parser = SimpleNamespace(regions=SimpleNamespace(indices=lambda names: [1]))
    found = centres(labels, parser, "mouth")  # type: ignore[arg-type]
    assert found[0] == pytest.approx(3 / 8) and np.isnan(found[1])


@pytest.mark.filterwarnings("ignore:Mean of empty")
def test_a_direction_of_yaw_turns_heads_and_mouths_move_within_faces() -> None:
    """Drawn heads are turned: where they look to the right the mouth lies further right in the face."""
    classifier, parser = load_classifier(device="cpu"), load_parser("portraits-64", "cpu")
    model = sg.load("portraits-64", device="cpu")
    direction = yaw_direction(model, classifier, 300)
    w = model.sample(seeds=range(16)).tensor[:, 0]
    yaw = [
        classifier.predict(model.render(w + step * direction).to_uint8()).numbers["yaw"].mean() for step in (-10, 0, 10)
    ]
    assert yaw[0] + 5 < yaw[1] < yaw[2] - 5
    real = shift_in_portraits(PortraitDataset(64, 200, seed=5), parser)
    found = shift_along_yaw(model, classifier, parser, steps=(-10, 10), num_samples=16, num_fitted=300)
    assert 0.002 < real < 0.005 and 0.5 * real < found < 1.5 * real
