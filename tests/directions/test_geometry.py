"""Regions moved by their coordinates: the formulas on a tiny model, and the bundled model's eyes and mouth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import semanticgan as sg
from semanticgan.directions.geometry import Motion, region_coordinates, surrounding_region, to_coordinates
from semanticgan.directions.nearest import distance_to, nearest_beyond, pixel_points, without_region
from semanticgan.errors import InputError
from semanticgan.latents import LatentCode
from semanticgan.model import Model
from semanticgan.networks.local import coordinate_grid


@pytest.fixture(scope="module")
def model(tiny_model_file: Path) -> Model:
    return sg.load(tiny_model_file, device="cpu")


@pytest.fixture(scope="module")
def code(model: Model) -> LatentCode:
    return model.sample(seed=1)


def seen_region(model: Model, code: LatentCode) -> str:
    """The foreground region with the most pixels."""
    labels = model.render(code).labels()
    return model.regions.names[int(labels[labels > 0].mode().values)]


def test_pixels_are_the_regular_grid() -> None:
    for side in (8, 16, 32):
        assert np.allclose(to_coordinates(pixel_points(32), side), coordinate_grid(side).numpy(), atol=1e-6)


def test_motion_is_undone_by_its_source() -> None:
    """The source of where a point goes is the point: q = c + t + a R (p - c), R clockwise on the screen."""
    motion, centre, point = Motion((0.1, -0.05), 2.0, 90.0), np.array([0.5, 0.5]), np.array([0.6, 0.5])
    goes_to = np.array([0.5 + 0.1, 0.5 - 0.05 + 2 * 0.1])  # right of the centre turns to below it
    assert np.allclose(motion.source(goes_to, centre), point)


def test_no_motion_changes_no_coordinate(model: Model, code: LatentCode) -> None:
    region = seen_region(model, code)
    coordinates = region_coordinates(model, code, region)
    grid = coordinate_grid(model.regional.config.coarse_size)
    assert torch.allclose(coordinates, grid.expand_as(coordinates), atol=1e-6)


def test_a_shift_by_cells_moves_the_depth(model: Model, code: LatentCode) -> None:
    region = seen_region(model, code)
    label, side = model.regions.index(region), model.regional.config.coarse_size
    coordinates = region_coordinates(model, code, region, (2 / side, 0), surroundings=False)
    before, after = model.render(code).depth, model.render(code, coordinates=coordinates).depth
    assert torch.allclose(after[0, label, :, 2:], before[0, label, :, :-2], atol=1e-4)
    others = [other for other in range(len(model.regions)) if other != label]
    assert torch.allclose(after[0, others], before[0, others], atol=1e-5)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"shift": 3}, "shift"),
        ({"shift": (2.0, 0.0)}, "at most 1"),
        ({"shift": (float("nan"), 0.0)}, "finite"),
        ({"scale": 0.0}, "scale"),
        ({"rotate": "left"}, "rotate"),
    ],
)
def test_wrong_numbers(options: dict[str, object], words: str, model: Model, code: LatentCode) -> None:
    with pytest.raises(InputError, match=words):
        region_coordinates(model, code, seen_region(model, code), **options)


def test_regions_that_cannot_move(model: Model, code: LatentCode) -> None:
    with pytest.raises(InputError, match="unknown region"):
        region_coordinates(model, code, "tail")
    shown = set(model.render(code).labels().unique().tolist())
    absent = next(name for label, name in enumerate(model.regions.names) if label not in shown)
    with pytest.raises(InputError, match="no picture shows"):
        region_coordinates(model, code, absent, (0.1, 0.0))


def test_nearest_pixels() -> None:
    labels = np.full((8, 8), 1, np.uint8)
    labels[:, 4:] = 2
    labels[3:5, 2:7] = 3
    filled = without_region(labels, labels == 3)
    assert (filled[:, :4] == 1).all() and (filled[:, 5:] == 2).all()
    rows, columns = nearest_beyond(labels == 3)
    brute = [
        min(np.hypot(row - 3, column - 4) for row, column in zip(*np.nonzero(labels != 3), strict=True)),
        np.hypot(rows[3, 4] - 3, columns[3, 4] - 4),
    ]
    assert brute[0] == brute[1] == distance_to(labels != 3)[3, 4]


def test_surrounding_region() -> None:
    labels = np.zeros((40, 40), np.uint8)
    labels[5:35, 5:35] = 1
    labels[18:22, 18:22] = 2
    assert surrounding_region(labels, 2) == 1
    assert surrounding_region(labels, 1) is None  # the background surrounds it


@pytest.mark.parametrize("region", ["eye", "mouth"])
def test_regions_of_the_bundled_model_follow(region: str) -> None:
    model = sg.load("portraits-64", device="cpu")
    code, label = model.sample(seed=3), model.regions.index(region)
    coordinates = region_coordinates(model, code, region, (0.0, 0.0625))  # 4 pixels down
    before, after = (
        one.labels()[0] == label for one in (model.render(code), model.render(code, coordinates=coordinates))
    )

    def iou(shift: int) -> float:
        moved = torch.zeros_like(before)
        moved[shift:] = before[: len(before) - shift]
        return float((moved & after).sum() / (moved | after).sum())

    assert max(range(8), key=iou) in (3, 4, 5)


def test_each_eye_grows_where_it_is() -> None:
    model = sg.load("portraits-64", device="cpu")
    code, label = model.sample(seed=3), model.regions.index("eye")
    before = (model.render(code).labels()[0] == label).nonzero().float()
    widths = []
    for each_part in (False, True):
        coordinates = region_coordinates(model, code, "eye", scale=1.3, each_part=each_part)
        after = (model.render(code, coordinates=coordinates).labels()[0] == label).nonzero().float()
        assert len(after) > 1.2 * len(before)
        widths.append(float(after[:, 1].std()))
    assert widths[1] < widths[0]  # about the common centre they also part
