"""Operations of edits: directions, motions, paintings, drags; each repeated by its script."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import semanticgan as sg
from semanticgan.directions import Direction
from semanticgan.directions.geometry import region_coordinates
from semanticgan.editing.outputs import label_picture
from semanticgan.edits import Edit
from semanticgan.edits.operations import KINDS
from semanticgan.edits.script import from_json, to_json
from semanticgan.errors import InputError
from semanticgan.model import Model


@pytest.fixture(scope="module")
def model() -> Model:
    return sg.load("portraits-64", device="cpu")


@pytest.fixture(scope="module")
def smile(model: Model) -> Direction:
    normal = torch.randn(2, model.config.style_dim, generator=torch.Generator().manual_seed(0))
    return Direction("smile", ("mouth.structure", "mouth.texture"), normal, 1.5)


def again(edit: Edit, model: Model) -> torch.Tensor:
    """The picture of an edit that went through JSON."""
    return from_json(to_json(edit), "script").apply(model).rendering.image


def test_every_kind_has_its_own_key() -> None:
    assert set(KINDS) == {"source", "move", "place", "paint", "drag", "text"}


def test_a_move_is_a_move(model: Model, smile: Direction) -> None:
    edited = Edit(3).move(smile, 2.0).apply(model)
    assert edited.code == sg.move(model.sample(seed=3), smile, 2.0)
    assert edited.edit.regions == ("mouth",)
    assert torch.equal(again(edited.edit, model), edited.rendering.image)


def test_a_move_confined_to_the_base_is_everywhere(model: Model) -> None:
    normal = torch.ones(2, model.config.style_dim)
    pitch = Direction("pitch", ("base.0", "base.1"), normal, 1.0)
    assert Edit(3).move(pitch).operations[0].everywhere
    assert Edit(3).move(pitch, regions="base").operations[0].everywhere
    assert not Edit(3).move(pitch, regions="mouth").operations[0].everywhere


def test_a_placement_is_rendered_through_coordinates(model: Model) -> None:
    edited = Edit(3).place("mouth", (0.05, -0.02), 1.2, 10.0).apply(model)
    code = model.sample(seed=3)
    coordinates = region_coordinates(model, code, "mouth", (0.05, -0.02), 1.2, 10.0)
    assert edited.code == code
    torch.testing.assert_close(edited.rendering.image, model.render(code, coordinates=coordinates).image)
    torch.testing.assert_close(again(edited.edit, model), edited.rendering.image)
    each = Edit(3).place("eye", rotate=20.0, each_part=True).apply(model)
    together = Edit(3).place("eye", rotate=20.0).apply(model)
    assert not torch.equal(each.rendering.image, together.rendering.image)
    coordinates = region_coordinates(model, code, "eye", rotate=20.0, each_part=True)
    torch.testing.assert_close(each.rendering.image, model.render(code, coordinates=coordinates).image)
    torch.testing.assert_close(again(each.edit, model), each.rendering.image)
    with pytest.raises(InputError, match="in one operation"):
        Edit(3).place("mouth", (0.05, 0)).place("nose", (0.05, 0)).apply(model)


def test_a_placement_in_a_photograph(model: Model, tmp_path: Path) -> None:
    """The mouth moves, pixels far from it stay."""
    path = tmp_path / "me.png"
    picture = model.render(model.sample(seed=3)).to_pil()[0].resize((192, 192), Image.Resampling.BICUBIC)
    picture.save(path)
    edited = Edit(path, aligned=True).place("mouth", (0.06, 0)).apply(model, "encoder")
    assert edited.photograph is not None
    edited.save(tmp_path / "out.png")
    before, after = np.asarray(picture).astype(int), np.asarray(Image.open(tmp_path / "out.png")).astype(int)
    change = np.abs(after - before).sum(2)
    assert change.max() > 30
    assert not change[:60].any()


def shifted(labels: torch.Tensor, model: Model, region: str, pixels: int) -> torch.Tensor:
    """A label map whose region also covers the place ``pixels`` lower."""
    label = model.regions.names.index(region)
    painting = labels.clone()
    painting[torch.roll(labels == label, pixels, 0)] = label
    return painting


def test_a_painting_is_followed_and_repeated_without_optimising(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    labels = model.render(model.sample(seed=3)).labels()[0].cpu()
    painting = shifted(labels, model, "hair", 4)
    label_picture(painting, model.regions).save(tmp_path / "painting.png")
    edited = Edit(3).paint(tmp_path / "painting.png", "hair").apply(model)
    figures = edited.edit.operations[0].figures
    assert figures["iou"] > 0.8 and figures["change_outside"] < 5
    changed = (edited.code.tensor != model.sample(seed=3).tensor)[0].any(1)
    assert [row for row, moved in zip(model.rows.names, changed, strict=True) if moved] == ["hair.structure"]
    script = to_json(edited.edit)

    def no_more(*_: object, **__: object) -> None:
        raise AssertionError("optimised again")

    monkeypatch.setattr("semanticgan.directions.painting.paint", no_more)
    assert torch.equal(from_json(script, "script").apply(model).rendering.image, edited.rendering.image)


def test_a_drag_is_a_painting(model: Model) -> None:
    labels = model.render(model.sample(seed=2)).labels()[0].cpu()
    mouth = (labels == model.regions.names.index("mouth")).nonzero()
    row, column = (mouth[:, 0].float().mean() + 0.5) / model.size, (mouth[:, 1].max() + 0.5) / model.size
    edited = Edit(2).drag("mouth", (float(column), float(row)), (float(column) + 0.06, float(row)), 0.12).apply(model)
    figures = edited.edit.operations[0].figures
    assert figures["iou"] > figures["iou_before"]
    torch.testing.assert_close(again(edited.edit, model), edited.rendering.image)


def test_a_painting_in_memory_is_stored_after_it_was_applied(model: Model) -> None:
    labels = model.render(model.sample(seed=3)).labels()[0].cpu()
    edit = Edit(3).paint(shifted(labels, model, "hair", 3))
    with pytest.raises(InputError, match="once it was applied"):
        to_json(edit)


def test_optimised_rows_come_before_a_placement(model: Model) -> None:
    labels = model.render(model.sample(seed=3)).labels()[0].cpu()
    with pytest.raises(InputError, match="before regions are moved"):
        Edit(3).place("mouth", (0.05, 0)).paint(shifted(labels, model, "hair", 3)).apply(model)


@pytest.mark.parametrize(
    ("operation", "words"),
    [
        (
            {"source": {"seed": 8, "truncation": 1.0}, "regions": ["hair"], "what": "both", "include_base": False}
            | {"weight": 1.0, "layers": "0-3"},
            "Leave one of them out",
        ),
        (
            {"source": {"seed": 8, "truncation": 1.0}, "regions": [], "what": "both", "include_base": False}
            | {"weight": 1.0, "layers": 3},
            '"layers"',
        ),
        ({"move": "smile", "strength": "much", "regions": [], "layers": ""}, "a number"),
        ({"place": {"shift": [0.05], "scale": 1.0, "rotate": 0.0}, "regions": ["eye"]}, "finite numbers"),
        ({"place": {"shift": [0.05, 0], "scale": 0.0, "rotate": 0.0}, "regions": ["eye"]}, "a scale is"),
        ({"paint": "a.png", "regions": [], "free_base": 1}, "true or false"),
        (
            {
                "text": "red",
                "regions": ["hair"],
                "what": "both",
                "found": {"rows": ["hair.texture"], "code": [[1.0], [2.0]], "figures": {}},
            },
            "1 rows",
        ),
        ({"regions": ["hair"]}, "one of the keys"),
        ({"mvoe": "smile"}, "Did you mean 'move'"),
        ({"move": "smile", "paint": "a.png"}, "one of the keys"),
    ],
)
def test_a_broken_script_is_one_line(operation: dict[str, object], words: str) -> None:
    content = json.loads(to_json(Edit(3)))
    content["operations"] = [operation]
    with pytest.raises(InputError, match=words):
        from_json(json.dumps(content), "script")


def test_found_rows_of_another_model_are_refused(model: Model) -> None:
    content = json.loads(to_json(Edit(3)))
    found = {"rows": ["hat.flowers"], "code": [[1.0]], "figures": {}}
    content["operations"] = [{"text": "a hat", "regions": ["hair"], "what": "both", "found": found}]
    with pytest.raises(InputError, match="the edit found the rows hat"):
        from_json(json.dumps(content), "script").apply(model)


def test_a_mark_has_no_codes_and_no_folders(model: Model, smile: Direction, tmp_path: Path) -> None:
    """Of a painted label map its name alone, of a direction its name; the rest of the script is whole."""
    labels = model.render(model.sample(seed=2)).labels()[0].cpu()
    label_picture(shifted(labels, model, "mouth", 2), model.regions).save(tmp_path / "painting.png")
    edited = Edit(2).paint(tmp_path / "painting.png", "mouth").move(smile, 2.0).apply(model)
    painted, moved = json.loads(edited.edit.shareable)["operations"]
    assert painted == {"paint": "painting.png", "regions": ["mouth"], "free_base": False}
    assert moved == {"move": "smile", "strength": 2.0, "regions": [], "layers": ""}
    assert from_json(edited.edit.shareable, "script").operations[1].direction is None  # type: ignore[attr-defined]


def test_a_drag_pulls_one_region(model: Model) -> None:
    with pytest.raises(InputError, match="one region, got hair, mouth"):
        Edit(3).drag("hair,mouth", (0.5, 0.5), (0.6, 0.5)).apply(model)
