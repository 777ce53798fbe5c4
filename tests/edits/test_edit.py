"""Edits as data: what they do, and that their scripts repeat it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import semanticgan as sg
from semanticgan.editing.compositing import feather
from semanticgan.edits import Edit, Source
from semanticgan.edits.script import from_json, to_json
from semanticgan.errors import InputError
from semanticgan.model import Model


@pytest.fixture(scope="module")
def model() -> Model:
    return sg.load("portraits-64", device="cpu")


@pytest.fixture(scope="module")
def photograph(model: Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An aligned picture that the model can draw, larger than the model, with a border at the left and right."""
    path = tmp_path_factory.mktemp("photograph") / "me.png"
    picture = model.render(model.sample(seed=3)).to_pil()[0].resize((192, 192), Image.Resampling.BICUBIC)
    canvas = Image.new("RGB", (220, 192), (90, 120, 60))
    canvas.paste(picture, (14, 0))
    canvas.save(path)
    return path


def test_a_swap_is_a_swap(model: Model) -> None:
    edited = Edit(3).swap("hair", source=8).apply(model)
    wanted = sg.swap(model.sample(seed=3), model.sample(seed=8), regions=["hair"])
    assert edited.code == wanted
    assert torch.equal(edited.rendering.image, model.render(wanted).image)
    assert torch.equal(edited.before[0].image, model.render(model.sample(seed=3)).image)


def test_operations_follow_each_other(model: Model) -> None:
    a, b, c = (model.sample(seed=seed, truncation=0.7) for seed in (3, 8, 5))
    edit = Edit(a).swap(["hair", "mouth"], b, what="texture").interpolate("hair", c, 0.25, include_base=True)
    wanted = sg.mix(sg.swap(a, b, ["hair", "mouth"], "texture"), c, ["hair"], 0.25, "both", include_base=True)
    assert edit.apply(model).code == wanted


def test_an_edit_is_not_changed_by_what_is_made_of_it() -> None:
    edit = Edit(3)
    edit.swap("hair", source=8)
    assert edit.operations == ()


@pytest.mark.parametrize("kind", ["seed", "latent", "code"])
def test_a_script_repeats_it(kind: str, model: Model, tmp_path: Path) -> None:
    code = model.sample(seed=4, truncation=0.8)
    code.save(tmp_path / "code.safetensors")
    given: dict[str, Any] = {"seed": 4, "latent": tmp_path / "code.safetensors", "code": code}
    edited = Edit(given[kind]).swap("hair", given[kind]).interpolate("mouth", 8, 0.3).apply(model)
    edited.edit.save(tmp_path / "edit.json")
    again = Edit.load(tmp_path / "edit.json")
    assert to_json(again) == to_json(edited.edit)
    assert again.apply(model).code == edited.code


def test_a_script_of_a_photograph_inverts_nothing_again(
    model: Model, photograph: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rows found lie in the script: the same bits without an inversion."""
    edit = Edit(photograph, aligned=True).swap("hair", source=8)
    edited = edit.apply(model, "optimise", steps=8, distance=None)
    edited.save(tmp_path / "first.png")
    edited.edit.save(tmp_path / "edit.json")
    monkeypatch.setattr("semanticgan.inversion.inversion.optimise", None)
    again = Edit.load(tmp_path / "edit.json").apply(model)
    again.save(tmp_path / "second.png")
    assert again.code == edited.code
    assert (tmp_path / "first.png").read_bytes() == (tmp_path / "second.png").read_bytes()
    before, after = (np.asarray(Image.open(path).convert("RGB")) for path in (photograph, tmp_path / "first.png"))
    assert before.shape == after.shape
    assert np.array_equal(before[:, :14], after[:, :14]) and np.array_equal(before[:, 206:], after[:, 206:])
    assert not np.array_equal(before, after)


def test_another_photograph_under_the_name(model: Model, photograph: Path, tmp_path: Path) -> None:
    own = tmp_path / "me.png"
    own.write_bytes(photograph.read_bytes())
    edited = Edit(own, aligned=True).swap("hair", 8).apply(model, "optimise", steps=2, distance=None)
    Image.new("RGB", (64, 64)).save(own)
    with pytest.raises(InputError, match="is not the one that this edit was made for"):
        edited.edit.apply(model)


def test_another_model(model: Model, tmp_path: Path) -> None:
    edited = Edit(3).swap("hair", 8).apply(model)
    with pytest.raises(InputError, match=f"made with the model of digest {model.metadata.digest}"):
        edited.edit.apply(sg.load("faces-64", device="cpu"))


def test_a_model_that_is_not_related(model: Model) -> None:
    with pytest.raises(InputError, match="the codes have"):
        Edit(3).apply(model, render_with=sg.load("faces-64", device="cpu"))


def test_rendered_with_a_related_model(model: Model) -> None:
    other = sg.load("portraits-64", device="cpu")
    other.generator.renderer.blocks[1].to_rgb.bias.add_(0.5)
    edited = Edit(3).apply(model, render_with=other)
    assert torch.equal(edited.rendering.image, other.render(model.sample(seed=3)).image)
    with torch.no_grad():
        for parameter in other.generator.local.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)))
        for parameter in other.generator.mapping.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(2)))
    with pytest.raises(InputError, match="not related"):
        Edit(3).apply(model, render_with=other)


@pytest.mark.parametrize(
    "given, message",
    [
        (None, "an edit takes a seed"),
        (True, "an edit takes a seed"),
        (1.5, "an edit takes a seed"),
        (-1, "seed"),
        (2**63, "seed"),
    ],
)
def test_no_source(given: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Edit(given)


def test_wrong_words(model: Model) -> None:
    with pytest.raises(InputError, match="paste"):
        Edit(3, paste="glue")
    with pytest.raises(InputError, match="structure"):
        Edit(3).swap("hair", 8, what="form")
    with pytest.raises(InputError, match="beard"):
        Edit(3).swap("beard", 8).apply(model)
    with pytest.raises(InputError, match="method of inversion"):
        Edit(3).swap("hair", 8).apply(model, "magic")
    with pytest.raises(InputError, match="one image"):
        Edit(model.sample(seeds=[1, 2]))


def script(**changes: Any) -> dict[str, Any]:
    plain = json.loads(to_json(Edit(3).swap("hair", 8)))
    return {**plain, **changes}


def source(**changes: Any) -> dict[str, Any]:
    return {"seed": 3, "truncation": 1.0, **changes}


def far_from(model: Model, seeds: tuple[int, ...], region: str) -> np.ndarray:
    """Where no picture of these codes shows a region, with a soft edge: [S, S]."""
    codes = [model.sample(seed=3), sg.swap(model.sample(seed=3), model.sample(seed=seeds[0]), [region])]
    label = model.regions.names.index(region)
    mask = sum((model.render(code).labels() == label for code in codes), torch.zeros(1, 64, 64, dtype=torch.bool))
    return (feather(mask > 0)[0] == 0).numpy()


def picture_of(edit: Edit, model: Model) -> np.ndarray:
    return np.asarray(edit.apply(model).rendering.to_pil()[0])


def test_a_composite_keeps_every_other_byte_and_its_script_repeats_it(model: Model, tmp_path: Path) -> None:
    before, plain = picture_of(Edit(3), model), Edit(3).swap("hair", 8)
    edited = plain.composited().apply(model)
    assert edited.composited and not plain.apply(model).composited
    after, away = np.asarray(edited.rendering.to_pil()[0]), far_from(model, (8,), "hair")
    assert 0.1 < away.mean() < 0.9
    assert np.array_equal(after[away], before[away])
    assert not np.array_equal(picture_of(plain, model)[away], before[away]), "without, they differ"
    assert (after != before).any()
    edited.edit.save(tmp_path / "edit.json")
    edited.save(tmp_path / "one.png")
    again = Edit.load(tmp_path / "edit.json")
    assert again.composite_after == 0 and np.array_equal(picture_of(again, model), after)
    assert np.array_equal(np.asarray(Image.open(tmp_path / "one.png")), after)
    assert again.composited(None).composite_after is None


def test_a_composite_keeps_the_picture_after_some_operations(model: Model) -> None:
    first = Edit(3).swap("mouth", 9, include_base=True)
    edit = first.swap("hair", 8).composited(after=1)
    between = picture_of(first, model)
    after = edit.apply(model)
    changed = (np.asarray(after.rendering.to_pil()[0]) != between).any(2)
    assert after.composited and 0 < changed.mean() < 0.9
    assert not edit.composited(2).apply(model).composited, "nothing comes after"


def test_an_edit_of_the_base_keeps_nothing(model: Model) -> None:
    edit = Edit(3).swap("hair", 8, include_base=True)
    edited = edit.composited().apply(model)
    assert not edited.composited and edited.rendering == edit.apply(model).rendering


def test_a_script_without_a_composite_is_as_before(model: Model) -> None:
    assert "composite_after" not in to_json(Edit(3).swap("hair", 8))
    assert '"composite_after": 0' in Edit(3).swap("hair", 8).composited().shareable
    assert from_json(json.dumps(script(composite_after=None)), "edit.json").composite_after is None


def test_what_has_no_composite(model: Model, tiny_layered_file: Path) -> None:
    with pytest.raises(InputError, match="a photograph keeps every pixel"):
        Edit("me.jpg").swap("hair", 8).composited()
    with pytest.raises(InputError, match="composite_after is a whole number, from 0 to 1"):
        Edit(3).swap("hair", 8).composited(2)
    with pytest.raises(InputError, match="this model has layers"):
        Edit(3).swap(source=8, layers="0-3").composited().apply(sg.load(tiny_layered_file, device="cpu"))


def test_layers_are_swapped_and_repeated(tiny_layered_file: Path, tmp_path: Path) -> None:
    layered = sg.load(tiny_layered_file, device="cpu")
    a, b = layered.sample(seed=3), layered.sample(seed=8)
    edit = Edit(3).swap(source=8, layers="0-1,4").interpolate(None, 8, 0.25, layers="2")
    edited = edit.apply(layered)
    assert edited.code == sg.mix(sg.swap(a, b, layers=[0, 1, 4]), b, weight=0.25, layers=2)
    edited.edit.save(tmp_path / "edit.json")
    again = Edit.load(tmp_path / "edit.json")
    assert to_json(again) == to_json(edited.edit) and again.apply(layered).code == edited.code
    assert '"layers"' not in to_json(Edit(3).swap("hair", 8))


def test_layers_and_regions_are_told_apart(model: Model, tiny_layered_file: Path) -> None:
    layered = sg.load(tiny_layered_file, device="cpu")
    with pytest.raises(InputError, match="Leave one of them out"):
        Edit(3).swap("hair", 8, layers="0-3")
    with pytest.raises(InputError, match="Leave one of them out"):
        Edit(3).swap(None, 8, what="texture", layers="0-3")
    with pytest.raises(InputError, match="nothing is chosen"):
        Edit(3).swap(source=8)
    with pytest.raises(InputError, match="layers are numbers"):
        Edit(3).swap(source=8, layers="first")
    with pytest.raises(InputError, match="layers='0-3'"):
        Edit(3).swap("hair", 8).apply(layered)
    with pytest.raises(InputError, match="there are no layers here"):
        Edit(3).swap(source=8, layers="0-3").apply(model)
    with pytest.raises(InputError, match="layers are numbers from 0 to 7"):
        Edit(3).swap(source=8, layers="6-8").apply(layered)


HOSTILE: list[tuple[Any, str]] = [
    ([], "an object"),
    (script(format="other"), '"format"'),
    (script(format_version=2), "format_version"),
    (script(extra=1), "unknown key 'extra'"),
    (script(paste=3), '"paste"'),
    (script(composite_after=2), "composite_after is a whole number, from 0 to 1"),
    (script(composite_after=True), "composite_after"),
    (script(composite_after="0"), "composite_after"),
    (script(paste="glue"), "glue"),
    (script(model=None), '"model"'),
    (script(operations={}), "a list"),
    (script(operations=[3]), "an object"),
    (script(source={}), '"image", "seed", "latent" or one code'),
    (script(source=source(seed="3")), '"seed"'),
    (script(source=source(seed=-1)), "seed"),
    (script(source=source(truncation="1")), '"truncation"'),
    (script(source={"found": [{"code": [[1.0], [1.0, 2.0]], "alignment": None, "method": ""}]}), "rows of finite"),
    (script(source={"found": [{"code": [], "alignment": None, "method": ""}]}), "rows of finite"),
    (script(source={"found": [{"code": [[1e39]], "alignment": None, "method": ""}]}), "rows of finite"),
    (script(source={"found": [{"code": [[1]], "alignment": [[1, 2]], "method": ""}]}), "2 rows of 3"),
    (script(source={"image": "a.jpg", "face": 0, "aligned": False, "sha256": ""}), '"face"'),
    (script(source={"image": "a.jpg", "face": True, "aligned": False, "sha256": ""}), '"face"'),
]


@pytest.mark.parametrize("content, message", HOSTILE, ids=range(len(HOSTILE)))
def test_scripts_that_are_none(content: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        from_json(json.dumps(content), "edit.json")


@pytest.mark.parametrize("text", ["", "{", '{"a": NaN}', '{"a": 1, "a": 2}', "[" * 10_000])
def test_texts_that_are_no_json(text: str) -> None:
    with pytest.raises(InputError, match="is not JSON"):
        from_json(text, "edit.json")


def test_a_code_of_another_shape(model: Model) -> None:
    content = script(source={"found": [{"code": [[1.0, 2.0]], "alignment": None, "method": ""}]})
    with pytest.raises(InputError, match="1 rows of 2"):
        from_json(json.dumps(content), "edit.json").apply(model)


def test_words_of_a_source() -> None:
    assert str(Source.of(8)) == "seed 8"
    assert str(Source.of("her.jpg", face=1)) == "her.jpg, face 1"
