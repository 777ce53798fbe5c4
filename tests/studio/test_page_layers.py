"""The page of a layered model in a real browser: steps, the editor of layers, and models of both kinds in turn."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import semanticgan as sg
from semanticgan.inversion.inversion import invert_all
from semanticgan.studio import photographs
from tests.studio.browser import (
    CLIPPED,
    FAINT,
    NEEDS_BROWSER,
    choose,
    in_editor,
    opening,
    saved,
    waits_for_another,
)
from tests.studio.conftest import Client, running
from tests.studio.test_photographs import photograph

pytestmark = NEEDS_BROWSER


@pytest.fixture(scope="module")
def layered(tiny_layered_file: Path, tiny_model_file: Path) -> Iterator[Client]:
    with running([tiny_layered_file, tiny_model_file]) as client:
        yield client


@pytest.fixture
def open_layered(browser: Any, layered: Client) -> Iterator[Callable[..., Any]]:
    with opening(browser, layered.address) as open_:
        yield open_


def changed_layers(page: Any, start: sg.LatentCode, folder: Path) -> list[int]:
    code = sg.LatentCode.load(saved(page, "#download-code", folder))
    return (code.tensor != start.tensor)[0].any(1).nonzero().flatten().tolist()


def chip(page: Any, name: str) -> Any:
    return page.locator(".group button").get_by_text(name, exact=True)


def test_a_layered_model_from_a_step_to_a_download(
    open_layered: Callable[..., Any], tmp_path: Path, command: Callable[..., Any], tiny_layered_file: Path
) -> None:
    page = open_layered()
    start = sg.load(tiny_layered_file, device="cpu").sample(seed=3, truncation=0.8)
    varied: list[int] = []
    for number, (step, layers) in enumerate(
        [("Face", []), ("Style", [0, 1, 2]), ("Colouring", [5, 6, 7]), ("Details", [3, 4])]
    ):
        page.wait_for_selector(f"#panel-title:has-text('{step}')")
        choose(page, 3 + number)
        varied = sorted([*varied, *layers])
        assert changed_layers(page, start, tmp_path) == varied
        page.click("#next")
    page.wait_for_selector("#panel-title:has-text('Editor')")
    script = saved(page, "#download-script", tmp_path)
    saved(page, "#download-picture", tmp_path)
    assert [one["layers"] for one in json.loads(script.read_text())["operations"]] == ["0-2", "5-7", "3-4"]
    words = ("--model", tiny_layered_file, "--device", "cpu", "--script", script, "--out", "again.png")
    assert command("edit-region", *words).code == 0
    assert np.array_equal(np.asarray(Image.open("again.png").convert("RGB")), np.asarray(Image.open("face.png")))


def test_the_editor_of_layers(open_layered: Callable[..., Any], tmp_path: Path) -> None:
    page = open_layered()
    in_editor(page)
    for absent in ("#tools button", "#composite", "#place-title", ".radios"):
        assert page.locator(absent).count() == 0
    start = sg.LatentCode.load(saved(page, "#download-code", tmp_path))
    first = page.get_attribute("#face", "src")
    chip(page, "Colouring").click()
    assert page.inner_text("#variations-title") == "Variations of layers 5 to 7"
    choose(page, 6)
    waits_for_another(page, first)
    assert changed_layers(page, start, tmp_path) == [5, 6, 7]
    varied = page.get_attribute("#face", "src")
    page.get_by_label("Strength", exact=True).press("Home")
    waits_for_another(page, varied)
    page.keyboard.press("Control+z")
    page.wait_for_function("source => document.querySelector('#face').src === source", arg=varied)
    chip(page, "Colouring").click()
    chip(page, "5 · 32 px").click()
    page.click("#lock")
    chip(page, "Colouring").click()
    page.wait_for_selector("#variations-title:has-text('Variations of layers 6 to 7')")
    page.wait_for_selector("#own .slider >> nth=7")
    page.get_by_label("Direction 2", exact=True).press("End")
    waits_for_another(page, varied)
    moved = sg.LatentCode.load(saved(page, "#download-code", tmp_path))
    page.click("#back")
    page.wait_for_function("source => document.querySelector('#face').src === source", arg=varied)
    assert changed_layers(page, moved, tmp_path) == [6, 7], "a locked layer is left alone"
    page.click("#before")
    page.wait_for_function("source => document.querySelector('#face').src === source", arg=first)
    page.click("#before")
    page.wait_for_function("source => document.querySelector('#face').src === source", arg=varied)
    page.click("#panel .heading button")
    page.wait_for_function("source => document.querySelector('#face').src === source", arg=first)
    page.click(".steps button:has-text('Colouring')")
    page.wait_for_selector(".locks:has-text('layer 5')")
    choose(page, 2)
    assert changed_layers(page, start, tmp_path) == [6, 7]


def test_layers_and_regions_after_each_other(
    open_layered: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(photographs, "invert_all", functools.partial(invert_all, steps=2, distance=None))
    page = open_layered()
    in_editor(page)
    page.select_option("#model", "tiny")
    page.wait_for_selector("#panel-title:has-text('Face')")
    in_editor(page)
    assert page.is_visible("#tools") and page.is_visible("#composite")
    page.select_option("#model", "layered")
    page.wait_for_selector("#panel-title:has-text('Face')")
    picture = tmp_path / "me.png"
    picture.write_bytes(photograph((60, 90)))
    page.locator("#panel input[type=file]").set_input_files(picture)
    page.wait_for_selector("#message:not([hidden])")
    assert "face" in page.inner_text("#message p")  # the tiny model has no place of a face
    page.click("#message button")
    page.locator("#panel .drop input[type=checkbox]").check()
    page.locator("#panel input[type=file]").set_input_files(picture)
    page.wait_for_selector("#panel-title:has-text('Editor')")
    page.wait_for_selector("body:not(.busy)")
    assert page.locator("#tools button").count() == 0
    before = page.get_attribute("#face", "src")
    chip(page, "Style").click()
    page.click("#panel form button")
    waits_for_another(page, before)
    assert Image.open(saved(page, "#download-photograph", tmp_path)).size == (60, 90)


@pytest.mark.parametrize("width", [1440, 390])
def test_nothing_of_layers_is_clipped_or_faint(open_layered: Callable[..., Any], width: int) -> None:
    page = open_layered(width)
    in_editor(page, 1)
    chip(page, "Details").click()
    page.wait_for_selector("#own .slider >> nth=7")
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    assert page.evaluate(CLIPPED) == []
    assert page.evaluate(FAINT) == []
