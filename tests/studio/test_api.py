"""What the studio answers: the pictures are those of the package."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import semanticgan as sg
from semanticgan.edits import Edit
from semanticgan.formats.provenance import read_mark
from semanticgan.model import Model
from tests.studio.conftest import Client, mix, script


@pytest.fixture(scope="module")
def model(tiny_model_file: Path) -> Model:
    return sg.load(tiny_model_file, device="cpu")


def pixels(png: bytes | str) -> np.ndarray:
    content = base64.b64decode(png) if isinstance(png, str) else png
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB")).astype(int)


def expected(model: Model, code: sg.LatentCode) -> np.ndarray:
    return np.asarray(model.render(code).to_pil()[0]).astype(int)


def test_a_seed_is_the_picture_of_the_package(studio: Client, model: Model) -> None:
    answer = studio.post("/api/render", {"seed": 3})
    assert (answer.status, answer.headers["content-type"]) == (200, "image/png")
    assert np.abs(pixels(answer.content) - expected(model, model.sample(seed=3))).max() <= 1


def test_an_edit_is_picture_and_segmentation(studio: Client, model: Model) -> None:
    operation = mix(8, "hair")
    for body in ({"script": script(3, operation)}, script(3, operation)):
        told = studio.post("/api/edit", body).json
        code = sg.swap(model.sample(seed=3), model.sample(seed=8), regions=["hair"])
        assert np.abs(pixels(told["picture"]) - expected(model, code)).max() <= 1
        labels = np.frombuffer(base64.b64decode(told["labels"]), np.uint8).reshape(told["size"], told["size"])
        assert np.array_equal(labels, model.render(code).labels()[0].numpy())
        assert told["seen"] == [model.regions.names[label] for label in np.unique(labels)]
        assert told["script"] == script(3, operation)


def test_a_moved_region_is_that_of_the_package(studio: Client, model: Model) -> None:
    seen = studio.post("/api/edit", script(3)).json["seen"][-1]
    place = {"place": {"shift": [0.1, 0.0], "scale": 1.2, "rotate": 10.0}, "regions": [seen]}
    told = studio.post("/api/edit", script(3, place)).json
    edited = Edit(3).place(seen, (0.1, 0.0), 1.2, 10.0).apply(model)
    assert np.abs(pixels(told["picture"]) - np.asarray(edited.rendering.to_pil()[0])).max() <= 1


@pytest.mark.parametrize(("step", "rows"), [(2, "structure"), (3, "texture"), (4, "structure")])
def test_a_step_varies_its_rows_alone(studio: Client, model: Model, step: int, rows: str) -> None:
    offered = studio.post(f"/api/steps/{step}", {"script": script(3), "shuffle": 1}).json["pictures"]
    assert len(offered) == 16 and len({picture["picture"] for picture in offered}) > 1
    result = studio.state.results.get(offered[4]["id"])
    changed = (result.code.tensor != model.sample(seed=3).tensor).any(-1)[0]
    names = {name for name, is_changed in zip(model.rows.names, changed.tolist(), strict=True) if is_changed}
    wanted = {
        2: {name for name in model.rows.names if name.startswith("base.") or name.endswith(".structure")},
        3: {"hair.texture", "eye.texture", "face.texture"},
        4: {"eye.structure"},
    }
    assert names == wanted[step]
    operation = offered[4]["script"]["operations"][-1]
    assert operation["source"]["seed"] == 1_000_000 * (step - 1) + 16 + 4 and operation["what"] == rows


def test_what_is_offered_is_what_is_rendered_when_it_is_chosen(studio: Client) -> None:
    (first, second) = (studio.post("/api/steps/1", {"shuffle": shuffle}).json["pictures"] for shuffle in (0, 1))
    assert [picture["script"]["source"]["seed"] for picture in (*first, *second)] == list(range(32))
    by_id = studio.post("/api/steps/3", {"code": first[5]["id"]}).json["pictures"]
    by_script = studio.post("/api/steps/3", {"script": first[5]["script"]}).json["pictures"]
    assert [picture["script"] for picture in by_id] == [picture["script"] for picture in by_script]
    again = studio.post("/api/edit", by_id[7]["script"]).json["picture"]
    assert np.abs(pixels(again) - pixels(by_id[7]["picture"])).max() <= 1


def test_later_choices_stay_when_an_earlier_one_changes(studio: Client, model: Model) -> None:
    later = mix(9, "hair", what="texture")
    offered = studio.post("/api/steps/2", {"script": script(3), "then": [later]}).json["pictures"]
    code = studio.state.results.get(offered[0]["id"]).code
    assert (code.texture("hair") == model.sample(seed=9).texture("hair")).all()


def test_variations_change_the_selected_region_alone(studio: Client, model: Model) -> None:
    body = {"script": script(3), "regions": ["eye"], "what": "texture", "shuffle": 2}
    offered = studio.post("/api/variations", body).json["pictures"]
    code = studio.state.results.get(offered[0]["id"]).code
    changed = (code.tensor != model.sample(seed=3).tensor).any(-1)[0].nonzero().flatten().tolist()
    assert [model.rows.names[row] for row in changed] == ["eye.texture"]


def test_undo_is_the_script_without_its_last_operation(studio: Client) -> None:
    operations = [mix(8, "hair"), mix(9, "eye"), mix(10, "face", what="texture")]
    there = [studio.post("/api/edit", script(3, *operations[:count])).json["picture"] for count in range(4)]
    back = [studio.post("/api/edit", script(3, *operations[:count])).json["picture"] for count in (3, 2, 1, 0)]
    assert back == there[::-1] and len(set(there)) > 1


def test_downloads_replay_to_the_same_picture(studio: Client, model: Model, tmp_path: Path) -> None:
    told = studio.post("/api/edit", script(3, mix(8, "hair"))).json
    files = {}
    for name in ("picture.png", "code.safetensors", "script.json"):
        answer = studio.get(f"/api/results/{told['id']}/{name}")
        assert answer.headers["content-disposition"] == f'attachment; filename="{name}"'
        files[name] = tmp_path / name
        files[name].write_bytes(answer.content)
    shown = pixels(told["picture"])
    assert np.array_equal(pixels(files["picture.png"].read_bytes()), shown)
    assert np.abs(expected(model, sg.LatentCode.load(files["code.safetensors"], model.rows)) - shown).max() <= 1
    replayed = Edit.load(files["script.json"]).apply(model)
    assert np.abs(np.asarray(replayed.rendering.to_pil()[0]) - shown).max() <= 1
    mark = read_mark(files["picture.png"])
    assert mark is not None and json.loads(mark.script)["operations"][0]["regions"] == ["hair"]


def test_what_a_model_has_is_told(studio: Client, model: Model, tiny_model_file: Path) -> None:
    assert studio.get("/api/models").json == {"models": [tiny_model_file.stem]}
    told = studio.get(f"/api/models/{tiny_model_file.stem}").json
    assert told["regions"] == list(model.regions.names) and told["size"] == model.size
    assert [step["title"] for step in told["steps"]] == ["Face", "Style", "Colouring", "Details"]
    assert str(tiny_model_file.parent) not in json.dumps(told)


def test_the_page_is_whole_and_asks_for_nothing_elsewhere(studio: Client) -> None:
    page = studio.get("/")
    assert page.status == 200 and "script-src 'self'" in page.headers["content-security-policy"]
    assert "unsafe" not in page.headers["content-security-policy"]
    folder = Path(sg.__file__).parent / "studio" / "page"
    for path in folder.iterdir():
        answer = studio.get(f"/{path.name}")
        assert (answer.status, answer.content) == (200, path.read_bytes())
        text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert "//" not in text.replace("// ", "") or "http" not in text, path.name
        assert " style=" not in text and 'onclick="' not in text
