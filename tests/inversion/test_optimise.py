"""Codes are found by optimisation: nearer to the picture step by step, alone or in company."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

import semanticgan as sg
from semanticgan.errors import Cancelled, InputError
from semanticgan.inversion.distribution import measure_distribution
from semanticgan.inversion.objective import Weights, one_hot, segmentation_loss
from semanticgan.inversion.optimise import PUBLISHED, Optimised, Settings, optimise
from semanticgan.inversion.regularisers import noise_correlation
from semanticgan.model import Model
from semanticgan.progress import Progress

SLOW = Settings(steps=14, rate=0.07)
"""Adam divides by the size of gradients: at a large rate, rounding of what is nearly 0 becomes visible."""


@pytest.fixture(scope="module")
def model(tiny_model_file: Path) -> Model:
    """The tiny model with noise that shows."""
    model = sg.load(tiny_model_file, device="cpu")
    with torch.no_grad():
        for name, parameter in model.generator.named_parameters():
            if name.endswith("noise.weight"):
                parameter.fill_(0.3)
    return model


@pytest.fixture(scope="module")
def pictures(model: Model) -> Tensor:
    """What the model renders of two codes whose rows differ, and their labels."""
    code = sg.swap(model.sample(seeds=[1, 2]), model.sample(seeds=[3, 4]), regions=["hair", "face"])
    return model.render(code).image.clamp(-1, 1)


def run(model: Model, pictures: Tensor, **options: object) -> Optimised:
    chosen = {"labels": None, "distance": None, "settings": SLOW, **options}
    return optimise(model, pictures, **chosen)  # type: ignore[arg-type]


def errors(found: Optimised) -> list[float]:
    return [figures["mse"] for figures in found.figures]


def test_mean_is_worse_than_w_and_w_than_rows(model: Model, pictures: Tensor) -> None:
    mean = (model.render(model.mean).image.clamp(-1, 1) - pictures).square().mean((1, 2, 3)).tolist()
    settings = Settings(steps=30, rate=0.1, weights=Weights(prior=0.001))
    in_w = run(model, pictures, space="w", settings=settings)
    in_rows = run(model, pictures, start=in_w.code, settings=settings)
    for start, one, rows in zip(mean, errors(in_w), errors(in_rows), strict=True):
        assert rows < 0.7 * one < 0.5 * start
    assert in_w.code.tensor.std(1).max() == 0  # one w for all rows
    rendered = model.render(in_rows.code).image.clamp(-1, 1)
    assert (rendered - pictures).square().mean((1, 2, 3)).tolist() == pytest.approx(errors(in_rows), rel=1e-5)


def test_a_picture_does_not_depend_on_the_others(model: Model, pictures: Tensor) -> None:
    labels = torch.randint(5, (2, 32, 32), generator=torch.Generator().manual_seed(0))
    both = run(model, pictures, labels=labels, noise=True)
    alone = run(model, pictures[1:], labels=labels[1:], noise=True)
    torch.testing.assert_close(both.code.tensor[1:], alone.code.tensor, rtol=0, atol=2e-3)
    in_turn = run(model, pictures, labels=labels, noise=True, batch_size=1)
    torch.testing.assert_close(both.code.tensor, in_turn.code.tensor, rtol=0, atol=2e-3)
    assert both.history["pixel"].shape == (14, 2)


def test_noise_maps_are_optimised_and_stay_noise(model: Model) -> None:
    """The pictures were rendered with other noise than the model's, so that the code alone does not reach them."""
    code = model.sample(seeds=[1, 2])
    pictures = model.render(code, torch.Generator().manual_seed(5)).image.clamp(-1, 1)
    fixed, found = run(model, pictures, start=code), run(model, pictures, start=code, noise=True)
    assert fixed.noise == "fixed" and not isinstance(found.noise, str)
    assert all(new < 0.95 * old for new, old in zip(errors(found), errors(fixed), strict=True))
    for level in found.noise:
        assert level.mean((1, 2, 3)).abs().max() < 1e-5
        torch.testing.assert_close(level.std((1, 2, 3), correction=0), torch.ones(2))
    free = run(model, pictures, start=code, noise=True, settings=replace(SLOW, noise_weight=0.0))
    assert not isinstance(free.noise, str)
    assert bool((noise_correlation(found.noise) < noise_correlation(free.noise)).all())


def test_a_picture_that_gains_nothing_ends_early(model: Model, pictures: Tensor) -> None:
    """Here one of two: its start is already the answer."""
    code = model.sample(seeds=[7])
    both = torch.cat([model.render(code).image, pictures[:1]])
    start = sg.LatentCode(torch.cat([code.tensor, model.mean.tensor]), model.rows)
    found = run(model, both, start=start, settings=Settings(steps=60, weights=Weights(prior=0.0)))
    ended, ran = (figures["steps"] for figures in found.figures)
    assert ended < 45
    assert torch.isnan(found.history["pixel"][int(ended) :, 0]).all()
    assert run(model, both[:1], start=code, steps=30).figures[0]["steps"] <= ran


def test_labels_draw_the_segmentation(model: Model, pictures: Tensor) -> None:
    labels = model.render(model.sample(seeds=[11, 12])).labels()
    settings = Settings(steps=30, weights=Weights(segmentation=3.0))
    without, drawn = (
        segmentation_loss(model.render(found.code).segmentation, one_hot(labels, 5))
        for found in (run(model, pictures), run(model, pictures, labels=labels, settings=settings))
    )
    assert bool((drawn < 0.9 * without).all())


def test_whitened_codes_are_a_unit_ball(model: Model) -> None:
    distribution = measure_distribution(model)
    w = model.generator.map(torch.randn(4000, 16, generator=torch.Generator().manual_seed(1)))
    p = torch.where(w < 0, 5 * w, w).double().numpy()
    precision = np.linalg.inv(np.cov(p.T))
    wanted = np.einsum("nd,de,ne->n", p - p.mean(0), precision, p - p.mean(0)) / 16
    given = distribution.distance(w[:, None]).numpy()
    assert np.corrcoef(wanted, given)[0, 1] > 0.95
    assert abs(given.mean() - 1) < 0.1
    assert distribution.distance(3 * w[:, None]).mean() > 2 * given.mean()


@pytest.mark.parametrize("name", sorted(PUBLISHED))
def test_published_settings_run(name: str, model: Model, pictures: Tensor) -> None:
    """PTI's rate is a tenth of the others', so that twelve steps hardly move."""
    found = run(model, pictures[:1], steps=12, noise=True, settings=PUBLISHED[name], distance="random")
    losses = found.history["perceptual"][:, 0]
    assert losses[-1] < losses[0]


def test_progress_and_cancel(model: Model, pictures: Tensor) -> None:
    seen: list[tuple[int, int | None]] = []
    run(
        model,
        pictures,
        steps=5,
        batch_size=1,
        progress=Progress(report=lambda done, total, _: seen.append((done, total))),
    )
    assert seen[0] == (0, 10) and seen[-1] == (10, 10)
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(Cancelled):
        run(model, pictures, progress=Progress(cancel=cancel))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"space": "z"}, "z"),
        ({"steps": 0}, "steps"),
        ({"labels": torch.zeros(2, 32, 32)}, "labels"),
        ({"labels": torch.zeros(1, 32, 32, dtype=torch.uint8)}, "labels"),
        ({"start": "mean"}, "start"),
    ],
)
def test_wrong_arguments(options: dict[str, object], words: str, model: Model, pictures: Tensor) -> None:
    with pytest.raises(InputError, match=words):
        run(model, pictures, **options)


def test_pictures_that_do_not_fit(model: Model) -> None:
    for wrong in (torch.zeros(1, 3, 64, 64), torch.zeros(3, 32, 32), torch.full((1, 3, 32, 32), float("nan"))):
        with pytest.raises(InputError, match="pictures"):
            run(model, wrong)
