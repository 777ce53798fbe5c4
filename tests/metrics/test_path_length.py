"""Perceptual path length: the closed form of linear generators, regions, and what does not fit."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from semanticgan.errors import InputError
from semanticgan.metrics.path_length import ModelTraveller, path_length, spherical
from semanticgan.model import Model, load
from semanticgan.perception.perceptual import Distance, open_distance

DIM = 24
SEEDS = range(40)


class SquaredDistance(Distance):
    """Sum of squared differences over all pixels."""

    name, stand_in = "squared", True

    def layers(self, a: Tensor, b: Tensor) -> list[Tensor]:
        return [(a - b).square().flatten(1).sum(1)[:, None, None, None]]


class LinearGenerator:
    """Pictures A w of 4 pixels, with w = z."""

    style_dim = DIM

    def __init__(self, matrix: Tensor) -> None:
        self.matrix = matrix

    def map(self, z: Tensor) -> Tensor:
        return z

    def picture(self, still: Tensor, moving: Tensor) -> Tensor:
        return (moving @ self.matrix.T).reshape(-1, 3, 4, 4)


def ends(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Both ends of a path, as float32 draws of its seed."""
    random = torch.Generator().manual_seed(seed)
    return tuple(torch.randn(1, DIM, generator=random)[0].double().numpy() for _ in range(2))  # type: ignore[return-value]


def without_extremes(lengths: list[float]) -> list[float]:
    """Of 40 values, percentile 1 lies at 0.39 and 99 at 38.61: "lower" and "higher" keep all."""
    assert len(lengths) == 40
    return lengths


@pytest.mark.parametrize("sampling", ["full", "end"])
def test_in_w_a_linear_generator_s_is_the_squared_length_of_its_path(sampling: str) -> None:
    matrix = torch.randn(48, DIM, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    found = path_length(LinearGenerator(matrix), SquaredDistance(), SEEDS, space="w", sampling=sampling)
    lengths = [float(np.square(matrix.numpy() @ (end - begin)).sum()) for begin, end in map(ends, SEEDS)]
    assert found.value == pytest.approx(np.mean(without_extremes(lengths)), rel=1e-6)
    assert found.deviation == pytest.approx(np.std(lengths), rel=1e-6)
    assert found.lengths.shape == (40,)


@pytest.mark.parametrize("sampling", ["full", "end"])
def test_in_z_an_isometry_s_is_the_squared_angle_between_the_ends(sampling: str) -> None:
    """The chord of a step is 2 sqrt(D) sin(angle epsilon / 2) everywhere on the arc."""
    random = torch.Generator().manual_seed(0)
    columns, _ = torch.linalg.qr(torch.randn(48, DIM, generator=random, dtype=torch.float64))
    epsilon = 1e-3
    found = path_length(
        LinearGenerator(columns), SquaredDistance(), SEEDS, space="z", sampling=sampling, epsilon=epsilon
    )
    angles = [
        math.acos(float(begin @ end / np.linalg.norm(begin) / np.linalg.norm(end))) for begin, end in map(ends, SEEDS)
    ]
    expected = [DIM * (2 * math.sin(angle * epsilon / 2) / epsilon) ** 2 for angle in angles]
    assert found.value == pytest.approx(np.mean(without_extremes(expected)), rel=1e-6)


def test_the_extreme_hundredths_do_not_count() -> None:
    class Given(LinearGenerator):
        """Paths whose lengths are 0, 1, 4, 9, ...: the pictures move by the path's number."""

        def __init__(self) -> None:
            self.next = 0

        def picture(self, still: Tensor, moving: Tensor) -> Tensor:
            pictures = torch.zeros(2, 3, 4, 4, dtype=torch.float64)
            pictures[1, 0, 0, 0] = self.next * 1e-4
            self.next += 1
            return pictures

    found = path_length(Given(), SquaredDistance(), range(301), batch_size=1)
    assert found.value == pytest.approx(np.mean([number**2 for number in range(3, 298)]), rel=1e-9)


def test_spherical_goes_along_a_great_circle() -> None:
    a, b = torch.tensor([[2.0, 0.0]]).double(), torch.tensor([[0.0, 0.1]]).double()
    for t in (0.0, 0.25, 1.0):
        found = spherical(a, b, torch.tensor([[t]]).double())[0] / math.sqrt(2)
        assert found.tolist() == pytest.approx([math.cos(t * math.pi / 2), math.sin(t * math.pi / 2)], abs=1e-12)


@pytest.fixture(scope="module")
def model(tiny_model_file: Path) -> Model:
    return load(tiny_model_file, device="cpu")


@pytest.mark.parametrize("space", ["w", "z"])
def test_the_batch_size_changes_nothing(model: Model, space: str) -> None:
    distance = open_distance("random")
    found = [
        path_length(ModelTraveller(model), distance, range(5), space=space, epsilon=1e-2, batch_size=size)
        for size in (1, 3, 5)
    ]
    assert found[0].value > 0
    for other in found[1:]:
        assert other.value == pytest.approx(found[0].value, rel=1e-3)


def test_a_model_s_paths_begin_at_the_codes_of_the_seeds(model: Model) -> None:
    from semanticgan.metrics.path_length import _places

    still, here, there = _places(ModelTraveller(model), [3, 4], "w", "end", 1e-4)
    expected = model.sample(seeds=[3, 4]).structure("hair").double()
    assert torch.equal(still, expected) and torch.equal(here, expected) and not torch.equal(there, expected)


def test_only_the_rows_of_the_region_travel(model: Model) -> None:
    still, moving = (model.sample(seed=seed).structure("hair").double() for seed in (0, 1))
    shown: list[Tensor] = []

    class Watched(ModelTraveller):
        def _render(self, code):  # type: ignore[no-untyped-def]
            shown.append(code.tensor)
            return super()._render(code)

    for regions, what in ((None, "both"), ("hair", "structure"), (["eye", "hair"], "texture")):
        Watched(model, regions, what).picture(still, moving)
    a, b = model.sample(seed=0), model.sample(seed=1)
    assert torch.equal(shown[0], b.tensor)
    for found, rows in (
        (shown[1], a.rows.indices("hair", "structure")),
        (shown[2], a.rows.indices("eye,hair", "texture")),
    ):
        changed = (found != a.tensor).any(-1)[0].nonzero().flatten().tolist()
        assert changed == rows and torch.equal(found[:, rows], b.tensor[:, rows])


def test_a_region_s_path_is_shorter_than_the_whole_code_s(model: Model) -> None:
    distance = open_distance("random")
    whole, hair, none = (
        path_length(ModelTraveller(model, regions, what), distance, range(4), epsilon=1e-2).value
        for regions, what in ((None, "both"), ("hair", "both"), ("hair", "texture"))
    )
    assert whole > hair > 0 and none >= 0


def test_large_pictures_are_averaged_down_to_256_pixels() -> None:
    class Large(LinearGenerator):
        def __init__(self) -> None:
            pass

        def picture(self, still: Tensor, moving: Tensor) -> Tensor:
            return torch.ones(1, 3, 512, 512) * moving[:, :1, None, None]

    seen: list[int] = []

    class Sides(SquaredDistance):
        def layers(self, a: Tensor, b: Tensor) -> list[Tensor]:
            seen.append(a.shape[-1])
            return super().layers(a, b)

    path_length(Large(), Sides(), [0])
    assert seen == [256]


def test_what_does_not_fit_is_refused(model: Model) -> None:
    traveller, distance = ModelTraveller(model), open_distance("random")
    with pytest.raises(InputError, match="unknown space 'x'"):
        path_length(traveller, distance, [0], space="x")
    with pytest.raises(InputError, match=r"unknown sampling 'ends'\. Did you mean 'end'"):
        path_length(traveller, distance, [0], sampling="ends")
    with pytest.raises(InputError, match="at least one seed"):
        path_length(traveller, distance, [])
    with pytest.raises(InputError, match="unknown region"):
        ModelTraveller(model, "beard")
    with pytest.raises(InputError, match="unknown what"):
        ModelTraveller(model, "hair", "colour")


def test_truncation_shortens_the_paths(model: Model) -> None:
    """At 0 every code is the mean, and no path has a length, not even one of rounding over epsilon^2."""
    distance = open_distance("random")

    def value(truncation: float, space: str, region: str | None = None) -> float:
        return path_length(
            ModelTraveller(model, region, truncation=truncation), distance, range(3), space=space, sampling="full"
        ).value

    for space in ("z", "w"):
        assert value(0.0, space) == value(0.0, space, "hair") == 0.0
        assert (
            value(1.0, space)
            == path_length(ModelTraveller(model), distance, range(3), space=space, sampling="full").value
        )
        assert 0 < value(0.5, space) < value(1.0, space)
