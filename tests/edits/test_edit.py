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


HOSTILE: list[tuple[Any, str]] = [
    ([], "an object"),
    (script(format="other"), '"format"'),
    (script(format_version=2), "format_version"),
    (script(extra=1), "unknown key 'extra'"),
    (script(paste=3), '"paste"'),
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
