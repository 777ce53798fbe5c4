"""The page in a real browser: both ways to a download, every step back, the keyboard alone, no error, no other host."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import semanticgan as sg
from semanticgan.directions import painting
from semanticgan.edits import Edit
from semanticgan.inversion.inversion import invert_all
from semanticgan.inversion.target import targets_of
from semanticgan.studio import photographs
from tests.studio.browser import (
    CLIPPED,
    FAINT,
    NEEDS_BROWSER,
    OFFERED,
    choose,
    in_editor,
    opening,
    saved,
    shown,
    waits_for_another,
)
from tests.studio.conftest import Client
from tests.studio.test_long_jobs import moves_a_row
from tests.studio.test_photographs import photograph

pytestmark = NEEDS_BROWSER


@pytest.fixture
def open_page(browser: Any, studio: Client) -> Iterator[Callable[..., Any]]:
    with opening(browser, studio.address) as open_:
        yield open_


def test_four_clicks_to_a_download_and_every_step_back(open_page: Callable[..., Any], tmp_path: Path) -> None:
    page = open_page()
    seen = []
    for number, step in enumerate(("Face", "Style", "Colouring", "Details")):
        assert page.inner_text("#panel-title") == step
        choose(page, 3 + number)
        seen.append(page.get_attribute("#face", "src"))
        page.click("#next")
    assert page.inner_text("#panel-title") == "Editor"
    picture = saved(page, "#download-picture", tmp_path)
    assert Image.open(picture).size == (32, 32)
    script = json.loads(saved(page, "#download-script", tmp_path).read_text())
    assert script["source"]["seed"] == 3 and len(script["operations"]) == 3
    assert saved(page, "#download-code", tmp_path).stat().st_size > 1000
    for before in (seen[3], seen[3], seen[2], seen[2], seen[1], seen[1], seen[0], seen[0]):
        page.wait_for_function("source => document.querySelector('#face').src === source", arg=before)
        if not page.is_disabled("#back"):
            page.click("#back")
            page.wait_for_selector("body:not(.busy)")
    while not page.is_disabled("#forward"):
        page.click("#forward")
    page.wait_for_function("source => document.querySelector('#face').src === source", arg=seen[3])


def test_the_editor_changes_a_region_and_undoes_it(open_page: Callable[..., Any]) -> None:
    page = open_page()
    choose(page, 0)
    page.click("#to-editor")
    page.wait_for_selector("body:not(.busy)")
    before = page.get_attribute("#face", "src")
    page.click("#stage", position={"x": 5, "y": 5})
    chosen = page.inner_text(".chip[aria-pressed=true]")
    assert page.inner_text("#variations-title") == f"Variations of {chosen}"
    choose(page, 6)
    after = page.get_attribute("#face", "src")
    assert after != before
    page.click("#before")
    page.wait_for_function("source => document.querySelector('#face').src === source", arg=before)
    page.click("#before")
    page.wait_for_function("source => document.querySelector('#face').src === source", arg=after)
    page.keyboard.press("Control+z")
    page.wait_for_function("source => document.querySelector('#face').src === source", arg=before)
    page.keyboard.press("Control+y")
    page.wait_for_function("source => document.querySelector('#face').src === source", arg=after)
    page.reload()
    page.wait_for_function("source => document.querySelector('#face').src === source", arg=after)


def present_code(page: Any, studio: Client, folder: Path) -> sg.LatentCode:
    return sg.LatentCode.load(saved(page, "#download-code", folder))


def select(page: Any, *names: str) -> None:
    for index, name in enumerate(names):
        page.click(f".chip:has-text('{name}')", modifiers=["Shift"] if index else [])
    assert page.locator(".chip[aria-pressed=true]").count() == len(names)


def test_a_mask_is_painted_and_dragged(
    open_page: Callable[..., Any], studio: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(painting, "paint", moves_a_row)
    page = open_page()
    in_editor(page)
    page.click("#tools button:has-text('Paint')")
    page.locator("#stage").click(position={"x": 60, "y": 60})
    assert "Select one region" in page.inner_text("#message p")
    page.click("#message button")
    page.click("#tools button:has-text('Select')")
    select(page, "hair")
    before = page.get_attribute("#face", "src")
    page.click("#tools button:has-text('Paint')")
    assert page.is_disabled("#apply-painting")
    box = page.locator("#stage").bounding_box()
    page.mouse.move(box["x"] + 40, box["y"] + 40)
    page.mouse.down()
    page.mouse.move(box["x"] + 200, box["y"] + 120, steps=5)
    page.mouse.up()
    page.click("#apply-painting")
    page.wait_for_function("() => document.querySelector('#about').textContent.includes('1 change')")
    page.wait_for_selector("body:not(.busy)")
    script = json.loads(saved(page, "#download-script", tmp_path).read_text(encoding="utf-8"))
    assert "paint" in script["operations"][0] and script["operations"][0]["found"]["figures"]["iou"] > 0
    page.click("#back")
    page.wait_for_function("source => document.querySelector('#face').src === source", arg=before)
    page.click("#tools button:has-text('Drag')")
    page.focus("#stage")  # by the keyboard: take, move, drop
    page.keyboard.press("Space")
    for _ in range(14):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Space")
    page.wait_for_function("() => document.querySelector('#about').textContent.includes('1 change')")


def test_a_locked_region_stays(open_page: Callable[..., Any], studio: Client, tmp_path: Path) -> None:
    page = open_page()
    in_editor(page, 2)
    start = present_code(page, studio, tmp_path)
    select(page, "hair")
    page.click("#lock")
    assert page.get_attribute(".chip.locked", "aria-label") == "hair, locked"
    assert "locked" in page.inner_text("#panel .card >> nth=1")
    select(page, "eye", "hair")
    choose(page, 3)
    for step in ("Style", "Colouring", "Details", "Face"):
        page.click(f".steps button:has-text('{step}')")
        page.wait_for_selector(f"#panel-title:has-text('{step}')")
        assert "hair" in page.inner_text(".locks")
        choose(page, 7)
        code = present_code(page, studio, tmp_path)
        assert torch.equal(code.structure("hair"), start.structure("hair")), step
        assert torch.equal(code.texture("hair"), start.texture("hair")), step
        assert not torch.equal(code.tensor, start.tensor)
    page.click(".locks button")
    page.click("#shuffle")
    page.wait_for_selector(OFFERED)
    before = page.get_attribute("#face", "src")
    choose(page, 5)
    waits_for_another(page, before)


def test_a_composite_and_a_strength(open_page: Callable[..., Any], tiny_model_file: Path, tmp_path: Path) -> None:
    page = open_page()
    in_editor(page)
    first = shown(page)
    select(page, "eye")
    page.wait_for_selector(f".card {OFFERED}")
    before = page.get_attribute("#face", "src")
    choose(page, 6)
    waits_for_another(page, before)
    changed = np.abs(shown(page) - first).max(-1) > 0
    before = page.get_attribute("#face", "src")
    page.check("#composite")
    waits_for_another(page, before)
    kept = np.abs(shown(page) - first).max(-1) > 0
    assert kept.sum() < changed.sum()
    again = Edit.load(saved(page, "#download-script", tmp_path)).apply(sg.load(tiny_model_file, device="cpu"))
    picture = np.asarray(Image.open(saved(page, "#download-picture", tmp_path)).convert("RGB")).astype(int)
    assert again.composited and np.array_equal(picture, shown(page))
    assert np.abs(np.asarray(again.rendering.to_pil()[0]) - picture).max() <= 1  # a session rounds otherwise
    before = page.get_attribute("#face", "src")
    page.get_by_label("Strength", exact=True).press("Home")
    waits_for_another(page, before)
    assert np.abs(shown(page) - first).max() <= 1, "strength 0 is the face without the edit"
    page.keyboard.press("Control+z")
    page.wait_for_function("source => document.querySelector('#face').src === source", arg=before)


def test_own_directions_of_a_region(open_page: Callable[..., Any], studio: Client, tmp_path: Path) -> None:
    page = open_page()
    in_editor(page)
    start = present_code(page, studio, tmp_path)
    select(page, "face")
    page.wait_for_selector("#own .slider >> nth=7")
    before = page.get_attribute("#face", "src")
    page.get_by_label("Colour 2", exact=True).press("End")
    waits_for_another(page, before)
    moved = (present_code(page, studio, tmp_path).tensor != start.tensor)[0].any(1)
    assert moved.sum() == 1 and start.rows.names[int(moved.nonzero())] == "face.texture"


def test_the_gallery_opens_again(open_page: Callable[..., Any]) -> None:
    page = open_page()
    seen = []
    for number in (1, 4, 9):
        before = page.get_attribute("#face", "src")
        choose(page, number)
        waits_for_another(page, before)
        page.wait_for_function("count => document.querySelectorAll('#made button').length === count", arg=len(seen) + 1)
        seen.append(page.get_attribute("#face", "src"))
    page.click("#made button >> nth=2")  # the oldest
    page.wait_for_function("source => document.querySelector('#face').src === source", arg=seen[0])
    assert page.get_attribute("#made button >> nth=2", "aria-pressed") == "true"
    page.click("#back")
    page.wait_for_function("source => document.querySelector('#face').src === source", arg=seen[2])
    page.reload()
    page.wait_for_selector("#made button >> nth=2")
    page.click("#empty-gallery")
    assert page.is_hidden("#gallery")


def test_a_region_is_taken_from_another_photograph(
    open_page: Callable[..., Any], studio: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(photographs, "invert_all", functools.partial(invert_all, steps=2, distance=None))
    picture = tmp_path / "her.png"
    picture.write_bytes(photograph((60, 90)))
    page = open_page()
    in_editor(page)
    start = present_code(page, studio, tmp_path)
    page.locator("#panel input[type=file]").set_input_files(picture)
    page.wait_for_selector("#message:not([hidden])")
    assert "face" in page.inner_text("#message p")  # the tiny model has no place of a face
    page.click("#message button")
    select(page, "hair")
    page.locator("#panel .drop input[type=checkbox]").check()
    before = page.get_attribute("#face", "src")
    page.locator("#panel input[type=file]").set_input_files(picture)
    waits_for_another(page, before)
    moved = (present_code(page, studio, tmp_path).tensor != start.tensor)[0].any(1).nonzero().flatten().tolist()
    assert {start.rows.names[row] for row in moved} == {"hair.structure", "hair.texture"}


def test_one_of_several_faces_is_chosen(
    open_page: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def two(model: Any, picture: Any, face: Any, aligned: bool) -> Any:
        (whole,) = targets_of(model, picture, None, aligned=True)
        return [whole, type(whole)(whole.picture.flip(-1), whole.photograph, whole.alignment)]

    monkeypatch.setattr(photographs, "targets_of", two)
    monkeypatch.setattr(photographs, "invert_all", functools.partial(invert_all, steps=2, distance=None))
    picture = tmp_path / "us.png"
    picture.write_bytes(photograph((90, 60)))
    page = open_page()
    page.set_input_files("#photograph", picture)
    page.wait_for_selector(".faces button >> nth=1")
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "Face 1"
    page.click(".faces button >> nth=1")
    page.wait_for_selector("#panel-title:has-text('Editor')")
    assert "photograph" in page.inner_text("#about")
    assert page.is_visible("#download-photograph")


def test_errors_are_sentences_on_the_page(open_page: Callable[..., Any], tmp_path: Path) -> None:
    page = open_page()
    too_large = tmp_path / "large.png"
    too_large.write_bytes(bytes(11_000_000))
    page.set_input_files("#photograph", too_large)
    page.wait_for_selector("#message:not([hidden])")
    assert "10 MB" in page.inner_text("#message p")
    page.click("#message button")
    in_editor(page)
    page.fill("#seed", "-3")
    select(page, "hair")
    page.click("#panel form button")
    page.wait_for_selector("#message:not([hidden])")
    assert "whole number" in page.inner_text("#message p")


def test_the_keyboard_alone(open_page: Callable[..., Any]) -> None:
    page = open_page(reduced_motion="reduce")

    def tab_to(selector: str) -> None:
        for _ in range(60):
            page.keyboard.press("Tab")
            if page.evaluate("selector => document.activeElement.matches(selector)", selector):
                assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
                return
        raise AssertionError(f"no way by Tab to {selector}")

    tab_to(".cell")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    page.wait_for_selector(".cell[aria-pressed=true]")
    page.wait_for_selector("#to-editor:not([disabled])")
    page.evaluate("document.activeElement.blur()")
    tab_to("#to-editor")
    page.keyboard.press("Enter")
    page.wait_for_selector(".chip")
    tab_to(".chip")
    page.keyboard.press("Space")
    page.wait_for_selector(".chip[aria-pressed=true]")
    page.wait_for_selector(f".card {OFFERED}")


@pytest.mark.parametrize("width", [1440, 1024, 390])
def test_nothing_is_clipped_or_faint(open_page: Callable[..., Any], width: int) -> None:
    page = open_page(width)
    choose(page, 1)
    for view in ("Face", "Style", "Editor"):
        page.click(f".steps button:has-text('{view}')")
        page.wait_for_selector(f"#panel-title:has-text('{view}')")
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
        assert page.evaluate(CLIPPED) == []
        assert page.evaluate(FAINT) == []
