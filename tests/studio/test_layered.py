"""Layered models in the studio: steps are ranges of layers, and what needs regions is a sentence."""

from __future__ import annotations

import base64
import functools
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import semanticgan as sg
from semanticgan.errors import InputError
from semanticgan.inversion.inversion import invert_all
from semanticgan.model import Model
from semanticgan.networks.comparison.alae import ALAEConfig, ALAEGenerator
from semanticgan.networks.comparison.pggan import PGGANConfig, PGGANGenerator
from semanticgan.networks.comparison.stylegan import StyleGANConfig, StyleGANGenerator
from semanticgan.networks.comparison.stylegan2 import StyleGAN2Config, StyleGAN2Generator
from semanticgan.rows import Rows
from semanticgan.studio import photographs
from semanticgan.studio.steps import operations, steps_of
from tests.studio.conftest import Client, running, script
from tests.studio.test_api import expected, pixels
from tests.studio.test_long_jobs import last_told
from tests.studio.test_photographs import photograph


@pytest.fixture(scope="module")
def layered(tiny_layered_file: Path) -> Iterator[Client]:
    with running([tiny_layered_file]) as client:
        yield client


@pytest.fixture(scope="module")
def model(tiny_layered_file: Path) -> Model:
    return sg.load(tiny_layered_file, device="cpu")


def mix(seed: int, layers: str) -> dict[str, Any]:
    """The operation that takes layers from a seed."""
    about = {"regions": [], "what": "both", "include_base": False, "weight": 1.0, "layers": layers}
    return {"source": {"seed": seed, "truncation": 1.0}, **about}


def changed_layers(code: sg.LatentCode, start: sg.LatentCode) -> list[int]:
    return (code.tensor != start.tensor).any(-1)[0].nonzero().flatten().tolist()


class OfSides:
    """What the steps read of a model: a generator without its weights."""

    def __init__(self, generator: Any) -> None:
        self.generator, self.size = generator, generator.picture_size
        self.rows = Rows.of_layers(generator.config.num_rows)


def widths(size: int) -> dict[int, int]:
    return {2**power: 1 for power in range(2, size.bit_length())}


def network(kind: Callable[..., Any], config: Callable[..., Any], size: int, **more: Any) -> Any:
    with torch.device("meta"):
        return OfSides(kind(config(size=size, style_dim=2, num_mapping_layers=0, channels=widths(size), **more)))


PLACE = {"place": {"shift": [0.1, 0.0], "scale": 1.0, "rotate": 0.0}, "regions": ["eye"]}
STYLEGAN, STYLEGAN2 = (StyleGANGenerator, StyleGANConfig), (StyleGAN2Generator, StyleGAN2Config)
ALAE, PGGAN = (ALAEGenerator, ALAEConfig), (PGGANGenerator, PGGANConfig)


@pytest.mark.parametrize(
    ("kind", "size", "layers"),
    [
        # coarse 4 to 8, fine 64 to 1024, middle 16 to 32 (arXiv 1812.04948, Section 3.1)
        (STYLEGAN, 1024, ["", "0-3", "8-17", "4-7"]),
        (STYLEGAN2, 1024, ["", "0-2", "7-17", "3-6"]),
        (ALAE, 128, ["", "0-3", "8-11", "4-7"]),
        (STYLEGAN, 64, ["", "0-3", "6-9", "4-5"]),
        (STYLEGAN2, 64, ["", "0-2", "5-9", "3-4"]),
        (STYLEGAN2, 32, ["", "0-2", "5-7", "3-4"]),
        (ALAE, 16, ["", "0-3", "4-5", ""]),
        (STYLEGAN, 8, ["", "0-3", "", ""]),
        (PGGAN, 64, [""]),
    ],
)
def test_steps_are_ranges_of_layers_by_their_size(kind: tuple[Any, Any], size: int, layers: list[str]) -> None:
    steps = steps_of(network(*kind, size))
    assert [step.layers for step in steps] == layers
    assert [step.title for step in steps] == ["Face", "Style", "Colouring", "Details"][: len(layers)]


def test_layers_that_a_level_does_not_use_are_left_out() -> None:
    half = network(*STYLEGAN, 128, level=1.0)
    assert half.size == 64 and [step.layers for step in steps_of(half)] == ["", "0-3", "6-9", "4-5"]


def test_a_step_without_layers_is_a_sentence() -> None:
    with pytest.raises(InputError, match="no layers for the step 'Details'"):
        operations(network(*ALAE, 16), 4, 0)
    with pytest.raises(InputError, match="one row"):
        operations(network(*PGGAN, 64), 2, 0)


def test_what_a_layered_model_has_is_told(layered: Client, tiny_layered_file: Path) -> None:
    told = layered.get(f"/api/models/{tiny_layered_file.stem}").json
    assert told["regions"] == [] and [one["side"] for one in told["layers"]] == [4, 8, 8, 16, 16, 32, 32, 32]
    assert told["layers"][3]["name"] == "layer.3"
    assert {group["title"]: group["layers"] for group in told["groups"]} == {
        "Style": [0, 1, 2],
        "Colouring": [5, 6, 7],
        "Details": [3, 4],
    }
    assert [step["title"] for step in told["steps"]] == ["Face", "Style", "Colouring", "Details"]
    assert "0 to 2" in told["steps"][1]["hint"] and "4 to 8 pixels" in told["steps"][1]["hint"]


@pytest.mark.parametrize(("step", "layers"), [(2, [0, 1, 2]), (3, [5, 6, 7]), (4, [3, 4])])
def test_a_step_varies_its_layers_alone(layered: Client, model: Model, step: int, layers: list[int]) -> None:
    offered = layered.post(f"/api/steps/{step}", {"script": script(3), "shuffle": 1}).json["pictures"]
    assert len(offered) == 16 and len({picture["picture"] for picture in offered}) == 16
    result = layered.state.results.get(offered[4]["id"])
    assert changed_layers(result.code, model.sample(seed=3)) == layers
    assert np.abs(pixels(offered[4]["picture"]) - expected(model, result.code)).max() <= 1


def test_variations_leave_locked_layers(layered: Client, model: Model) -> None:
    body = {"script": script(3), "layers": "1-4", "shuffle": 2}
    for locked, wanted in (([], [1, 2, 3, 4]), (["layer.2", "layer.7"], [1, 3, 4])):
        offered = layered.post("/api/variations", {**body, "locked": locked}).json["pictures"]
        code = layered.state.results.get(offered[0]["id"]).code
        assert changed_layers(code, model.sample(seed=3)) == wanted
    names = [f"layer.{layer}" for layer in range(1, 5)]
    assert "locked" in layered.post("/api/variations", {**body, "locked": names}).sentence


def test_own_directions_move_their_layers_alone(layered: Client, model: Model) -> None:
    told = layered.post("/api/directions", {"layers": "2-3"}).json["directions"]
    assert len(told) == 8 and len({one["name"] for one in told}) == 8
    move = {"move": told[1]["name"], "strength": 2.0, "regions": [], "layers": "", "direction": told[1]["direction"]}
    result = layered.post("/api/edit", script(3, move)).json
    code = layered.state.results.get(result["id"]).code
    assert changed_layers(code, model.sample(seed=3)) == [2, 3]


def test_downloads_replay_to_the_same_picture(
    layered: Client, model: Model, tmp_path: Path, command: Callable[..., Any], tiny_layered_file: Path
) -> None:
    told = layered.post("/api/edit", {"script": script(3, mix(8, "0-1,4")), "client": "a-client-of-the-test"}).json
    assert told["labels"] == "" and told["seen"] == [] and told["composited"] is False
    wanted = expected(model, sg.swap(model.sample(seed=3), model.sample(seed=8), layers="0-1,4"))
    assert np.abs(pixels(told["picture"]) - wanted).max() <= 1
    (tmp_path / "script.json").write_bytes(layered.get(f"/api/results/{told['id']}/script.json").content)
    words = ("--model", tiny_layered_file, "--device", "cpu", "--script", "script.json", "--out", "again.png")
    assert command("edit-region", *words).result["layers"] == [0, 1, 4]
    assert np.array_equal(np.asarray(Image.open("again.png")).astype(int), pixels(told["picture"]))


@pytest.mark.parametrize(
    ("address", "body", "words"),
    [
        ("/api/variations", {"regions": ["hair"]}, "Choose layers"),
        ("/api/variations", {"layers": "0-99"}, "from 0 to 7"),
        ("/api/variations", {"layers": 3}, "text"),
        ("/api/variations", {}, "Choose at least one"),
        ("/api/directions", {"region": "hair"}, "Choose layers"),
        ("/api/directions", {"region": "hair", "layers": "0"}, "Choose one"),
        ("/api/directions", {"layers": "first"}, "layers are numbers"),
        ("/api/edit", {"composite_after": 0}, "this model has layers"),
        ("/api/edit", {"script": script(3, PLACE)}, "has layers, not regions"),
    ],
)
def test_what_needs_regions_is_a_sentence(layered: Client, address: str, body: dict[str, Any], words: str) -> None:
    answer = layered.post(address, {"script": script(3), **body})
    assert answer.status == 400 and words in answer.sentence


def test_a_painting_is_a_sentence(layered: Client) -> None:
    answer = layered.post("/api/paintings", {"script": script(3), "labels": base64.b64encode(bytes(1024)).decode()})
    told = last_told(layered, f"/api/paintings/{answer.json['id']}")
    assert told["state"] == "failed" and "no regions here" in told["error"]


def test_layers_of_a_model_of_regions_are_a_sentence(studio: Client) -> None:
    for address in ("/api/variations", "/api/directions"):
        assert "there are no layers here" in studio.post(address, {"script": script(3), "layers": "0-3"}).sentence


def test_a_photograph_is_inverted_and_edited(layered: Client, monkeypatch: pytest.MonkeyPatch, model: Model) -> None:
    monkeypatch.setattr(photographs, "invert_all", functools.partial(invert_all, steps=2, distance=None))
    answer = layered.upload(photograph((60, 90)), aligned="true")
    told = last_told(layered, f"/api/photographs/{answer.json['id']}")
    assert told["state"] == "done", told
    edit = {**told["script"], "operations": [mix(8, "5-7")]}
    assert layered.post("/api/edit", {"script": edit}).status == 200
    whole = layered.post(f"/api/photographs/{answer.json['id']}/result", {"script": edit})
    picture = Image.open(io.BytesIO(whole.content))
    before = np.asarray(Image.open(io.BytesIO(photograph((60, 90)))).convert("RGB"))
    after = np.asarray(picture.convert("RGB"))
    assert before.shape == after.shape and (before != after).any()
