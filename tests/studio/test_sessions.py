"""An edit computes only what it changes; sessions are few, and none shows another client's picture."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import semanticgan as sg
from semanticgan.editing.variants import render_variants
from semanticgan.edits.operation import State
from semanticgan.edits.script import from_json
from semanticgan.model import Model
from semanticgan.networks.local import LocalGenerators
from semanticgan.studio.models import Models
from semanticgan.studio.sessions import Sessions
from tests.studio.conftest import Client, mix, script
from tests.studio.test_api import expected, pixels

CLIENT, OTHER = "a-client-of-the-test", "another-client-of-the-test"


@pytest.fixture(scope="module")
def model(tiny_model_file: Path) -> Model:
    return sg.load(tiny_model_file, device="cpu")


def test_an_edit_of_a_region_runs_its_local_generator_alone(studio: Client, model: Model) -> None:
    name = studio.state.models.names[0]
    studio.post("/api/edit", {"script": script(3), "client": CLIENT})
    assert studio.state.sessions.regions_run(CLIENT, name) == model.regions.names
    told = studio.post("/api/edit", {"script": script(3, mix(8, "hair")), "client": CLIENT}).json
    assert studio.state.sessions.regions_run(CLIENT, name) == ("hair",)
    code = sg.swap(model.sample(seed=3), model.sample(seed=8), regions=["hair"])
    assert np.abs(pixels(told["picture"]) - expected(model, code)).max() <= 1


def test_clients_that_take_turns_get_their_own_pictures(studio: Client, model: Model) -> None:
    for seed in range(6):
        for client, regions in ((CLIENT, ["hair"]), (OTHER, ["eye", "face"])):
            told = studio.post("/api/edit", {"script": script(seed, mix(9, *regions)), "client": client}).json
            code = sg.swap(model.sample(seed=seed), model.sample(seed=9), regions=regions)
            assert np.abs(pixels(told["picture"]) - expected(model, code)).max() <= 1


@pytest.mark.parametrize("name", ["short", "a" * 65, "../../etc/passwd", "with blank", 3, ["a" * 16], "ünïcödé-name"])
def test_hostile_names_of_clients_are_refused(studio: Client, name: object) -> None:
    answer = studio.post("/api/edit", {"script": script(3), "client": name})
    assert answer.status == 400 and "client" in answer.sentence


def test_sessions_are_few_and_leave_with_their_model(tiny_model_file: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.safetensors"
    shutil.copy(tiny_model_file, other)
    models, now = Models([tiny_model_file, other], device="cpu", at_most=1), [0.0]
    sessions = Sessions(models, at_most=3, clock=lambda: now[0])
    name = tiny_model_file.stem
    first = models.get(name)
    state = State(first.sample(seed=1))
    for client in range(5):
        sessions.render(f"client-{client}", name, first, state)
    assert len(sessions) == 3
    assert len(Sessions(models, most_bytes=1)._sessions) == 0
    second = models.get("other")  # the first one leaves the memory
    sessions.render("client-9", "other", second, State(second.sample(seed=1)))
    assert len(sessions) == 1
    now[0] = 3600.0
    sessions.render("client-10", "other", second, State(second.sample(seed=1)))
    assert len(sessions) == 1, "an hour later the old one is gone"


def test_variants_are_those_of_the_package_and_run_less(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    code = sg.swap(model.sample(seed=3), model.sample(seeds=list(range(20, 36))), regions=["hair"])
    wanted = model.render(code, batch_size=16)
    pairs, run = [], LocalGenerators.forward

    def counted(self: LocalGenerators, codes: torch.Tensor, *rest: object, **more: object) -> object:
        pairs.append(codes.shape[0] * codes.shape[1])
        return run(self, codes, *rest, **more)

    monkeypatch.setattr(LocalGenerators, "forward", counted)
    got = render_variants(model, code)
    assert sum(pairs) == 16 + len(model.regions) - 1
    torch.testing.assert_close(got.image, wanted.image, atol=1e-4, rtol=0)
    assert torch.equal(got.labels(), wanted.labels())
    different = model.sample(seeds=list(range(16)))
    torch.testing.assert_close(
        render_variants(model, different).image, model.render(different, batch_size=16).image, atol=1e-4, rtol=0
    )
    one = model.sample(seed=3)
    torch.testing.assert_close(render_variants(model, one).image, model.render(one).image, atol=1e-4, rtol=0)


def test_sixteen_variations_are_one_batch(studio: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes, compose = [], sg.model.Generator.compose

    def counted(self: object, local: object, *rest: object, **more: object) -> object:
        sizes.append(local.hidden.shape[0])  # type: ignore[attr-defined]
        return compose(self, local, *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(sg.model.Generator, "compose", counted)
    studio.post("/api/variations", {"script": script(3), "regions": ["hair"], "shuffle": 7})
    studio.post("/api/steps/2", {"script": script(3), "shuffle": 7})
    assert sizes == [16, 16]


def test_a_composite_keeps_all_other_pixels(studio: Client) -> None:
    before = pixels(studio.post("/api/edit", script(3)).json["picture"])
    for client in ("", CLIENT):
        body = {"script": script(3, mix(8, "eye")), "client": client}
        plain = studio.post("/api/edit", body).json
        kept = studio.post("/api/edit", {**body, "composite_after": 0}).json
        assert kept["composited"] and not studio.post("/api/edit", {**body, "composite_after": 1}).json["composited"]
        seen = {one["labels"] for one in (plain, kept)}
        assert len(seen) == 1
        changed = np.abs(pixels(kept["picture"]) - before).max(-1) > 0
        assert changed.sum() < (np.abs(pixels(plain["picture"]) - before).max(-1) > 0).sum()
        assert 0 < changed.mean() < 1
    base = {**mix(8, "eye"), "include_base": True}
    assert not studio.post("/api/edit", {"script": script(3, base), "composite_after": 0}).json["composited"]
    wrong = studio.post("/api/edit", {"script": script(3), "composite_after": 2})
    assert wrong.status == 400 and "composite_after" in wrong.sentence


def test_a_composited_download_replays_to_the_same_picture(
    studio: Client, command: Callable[..., Any], tiny_model_file: Path, tmp_path: Path
) -> None:
    told = studio.post("/api/edit", {"script": script(3, mix(8, "eye")), "composite_after": 0}).json
    assert told["composited"] and told["script"]["composite_after"] == 0
    for name in ("script.json", "picture.png"):
        (tmp_path / name).write_bytes(studio.get(f"/api/results/{told['id']}/{name}").content)
    words = ("--model", tiny_model_file, "--device", "cpu", "--script", "script.json", "--out", "again.png")
    assert command("edit-region", *words).result["composite"] is True
    shown = pixels((tmp_path / "picture.png").read_bytes())
    assert np.array_equal(np.asarray(Image.open("again.png")).astype(int), shown)
    mark = json.dumps(command("inspect", "picture.png").result["mark"]["script"])
    again = from_json(mark, "the mark").apply(sg.load(tiny_model_file, device="cpu"))
    assert np.array_equal(np.asarray(again.rendering.to_pil()[0]).astype(int), shown)
    offered = studio.post("/api/variations", {"code": told["id"], "regions": ["eye"]}).json["pictures"]
    assert "composite_after" not in offered[0]["script"], "what is offered is shown whole"


def test_locked_regions_are_left_alone(studio: Client, model: Model) -> None:
    start = model.sample(seed=3).tensor[0]
    for address, body in [
        ("/api/steps/2", {}),
        ("/api/steps/3", {}),
        ("/api/variations", {"regions": ["hair", "eye"]}),
    ]:
        offered = studio.post(address, {"script": script(3), "locked": ["hair"], "shuffle": 1, **body}).json["pictures"]
        for picture in offered[:3]:
            changed = (studio.state.results.get(picture["id"]).code.tensor[0] != start).any(1)
            names = {name for name, moved in zip(model.rows.names, changed.tolist(), strict=True) if moved}
            assert names and not any(name.startswith(("hair.", "base.")) for name in names), (address, names)
    body = {"script": script(3), "regions": ["hair"], "locked": ["hair"]}
    assert "locked" in studio.post("/api/variations", body).sentence
    assert "list of names" in studio.post("/api/steps/2", {"script": script(3), "locked": "hair"}).sentence


def test_own_directions_move_their_row_alone(studio: Client, model: Model) -> None:
    told = studio.post("/api/directions", {"region": "hair"}).json["directions"]
    assert [one["what"] for one in told] == ["structure"] * 4 + ["texture"] * 4
    move = {"move": told[5]["name"], "strength": 2.0, "regions": [], "layers": "", "direction": told[5]["direction"]}
    result = studio.post("/api/edit", script(3, move)).json
    moved = (studio.state.results.get(result["id"]).code.tensor - model.sample(seed=3).tensor)[0]
    assert [model.rows.names[row] for row in moved.any(1).nonzero().flatten().tolist()] == ["hair.texture"]
    assert float(moved.norm()) == pytest.approx(2 * told[5]["direction"]["scale"], rel=1e-3)
    assert "beak" in studio.post("/api/directions", {"region": "beak"}).sentence
    assert "region" in studio.post("/api/directions", {}).sentence
