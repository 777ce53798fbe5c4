"""Directions: applied by rows, confined to regions, stored for one model."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

import semanticgan as sg
from semanticgan.directions import Direction, read_directions, save_directions
from semanticgan.directions.collection import of_model
from semanticgan.errors import InputError, WeightsError
from semanticgan.latents import LatentCode
from semanticgan.model import Model


@pytest.fixture(scope="module")
def model(tiny_model_file: Path) -> Model:
    return sg.load(tiny_model_file, device="cpu")


@pytest.fixture
def direction() -> Direction:
    normal = torch.zeros(3, 16)
    normal[0, 0], normal[1, 1], normal[2, 2] = 2.0, 2.0, 1.0  # length 3
    return Direction("smile", ("base.0", "eye.structure", "hair.texture"), normal, 0.5, "by hand", {"accuracy": 1.0})


def test_strength_is_in_deviations_along_the_unit_normal(model: Model, direction: Direction) -> None:
    code = model.sample(seed=1)
    moved = sg.move(code, direction, 2.0)
    names = code.rows.names
    change = moved.tensor - code.tensor
    wanted = torch.zeros_like(change)
    wanted[0, names.index("base.0"), 0] = 2 * 0.5 * 2 / 3
    wanted[0, names.index("eye.structure"), 1] = 2 * 0.5 * 2 / 3
    wanted[0, names.index("hair.texture"), 2] = 2 * 0.5 * 1 / 3
    torch.testing.assert_close(change, wanted, atol=1e-6, rtol=0)


def test_confined_to_a_region_it_moves_that_region_as_before(model: Model, direction: Direction) -> None:
    code = model.sample(seed=1)
    everywhere, confined = sg.move(code, direction, 2.0), sg.move(code, direction, 2.0, regions="eye")
    row = code.rows.names.index("eye.structure")
    torch.testing.assert_close(confined.tensor[:, row], everywhere.tensor[:, row])
    others = [index for index in range(len(code.rows)) if index != row]
    assert torch.equal(confined.tensor[:, others], code.tensor[:, others])


def test_base_is_a_choice_of_its_own(model: Model, direction: Direction) -> None:
    assert direction.within(model.rows, ["base", "hair"]).rows == ("base.0", "hair.texture")
    assert direction.moves_base and direction.regions == ("eye", "hair")


@pytest.mark.parametrize("strengths", [[-1.0, 0.0, 1.0], torch.tensor([-1.0, 0.0, 1.0])])
def test_one_code_with_several_strengths_is_several_images(
    model: Model, direction: Direction, strengths: object
) -> None:
    code = model.sample(seed=1)
    moved = sg.move(code, direction, strengths)  # type: ignore[arg-type]
    assert len(moved) == 3
    assert torch.equal(moved.tensor[1], code.tensor[0])
    torch.testing.assert_close(moved.tensor[0] + moved.tensor[2], 2 * code.tensor[0])


@pytest.mark.parametrize(
    ("strength", "regions", "words"),
    [
        (math.nan, None, "strength"),
        ("much", None, "strength"),
        ([], None, "strengths are one number"),
        (1.0, "har", "Did you mean 'hair'"),
        (1.0, "glasses", "none of which was chosen"),
    ],
)
def test_what_does_not_fit_is_one_line(
    model: Model, direction: Direction, strength: object, regions: str | None, words: str
) -> None:
    with pytest.raises(InputError, match=words):
        sg.move(model.sample(seed=1), direction, strength, regions)  # type: ignore[arg-type]


def test_three_strengths_for_two_images_are_refused(model: Model, direction: Direction) -> None:
    with pytest.raises(InputError, match="one per image"):
        sg.move(model.sample(seeds=[1, 2]), direction, [1.0, 2.0, 3.0])


def test_a_code_of_other_rows_is_refused(direction: Direction, tiny_layered_file: Path) -> None:
    layered = sg.load(tiny_layered_file, device="cpu")
    with pytest.raises(InputError, match="Use a direction of the code's model"):
        sg.move(layered.sample(seed=1), direction)


@pytest.mark.parametrize("normal", [torch.zeros(1, 4), torch.full((1, 4), math.inf), torch.ones(2, 4)])
def test_no_normal_no_direction(normal: torch.Tensor) -> None:
    with pytest.raises(InputError, match="normal"):
        Direction("smile", ("base.0",), normal, 1.0)


def test_a_file_holds_what_was_stored(model: Model, direction: Direction, tmp_path: Path) -> None:
    path = tmp_path / "directions.safetensors"
    save_directions(path, model, [direction])
    file = read_directions(path)
    again = file.directions["smile"]
    assert torch.equal(again.normal, direction.normal)
    assert (again.rows, again.scale, again.method) == (direction.rows, direction.scale, direction.method)
    assert dict(again.figures) == {"accuracy": 1.0}
    assert of_model(model, path)["smile"].rows == direction.rows
    with pytest.raises(InputError, match="exists"):
        save_directions(path, model, [direction])


def test_directions_of_another_model_are_refused(
    model: Model, direction: Direction, tmp_path: Path, tiny_layered_file: Path
) -> None:
    path = tmp_path / "directions.safetensors"
    save_directions(path, model, [direction])
    with pytest.raises(InputError, match="Use them with that model"):
        of_model(sg.load(tiny_layered_file, device="cpu"), path)


def test_another_file_is_refused(model: Model, tiny_model_file: Path) -> None:
    with pytest.raises(WeightsError):
        of_model(model, tiny_model_file)


def test_an_unknown_name_names_the_nearest(model: Model, direction: Direction, tmp_path: Path) -> None:
    path = tmp_path / "directions.safetensors"
    save_directions(path, model, [direction])
    with pytest.raises(InputError, match="Did you mean 'smile'"):
        of_model(model, path)["smiel"]
    assert "smiel" not in of_model(model, path)
    with pytest.raises(InputError, match="find-directions"):
        model.directions["smile"]


def test_a_direction_costs_next_to_nothing(model: Model, direction: Direction) -> None:
    import time

    code = LatentCode.cat([model.sample(seed=1)])
    sg.move(code, direction, 1.0)
    times = []
    for _ in range(20):
        start = time.perf_counter()
        sg.move(code, direction, 1.0)
        times.append(time.perf_counter() - start)
    assert sorted(times)[10] < 0.005
