"""The page in a real browser: both ways to a download, every step back, the keyboard alone, no error, no other host."""

from __future__ import annotations

import functools
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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
from tests.studio.conftest import Client, running
from tests.studio.test_api import pixels
from tests.studio.test_long_jobs import moves_a_row
from tests.studio.test_photographs import photograph

playwright = pytest.importorskip("playwright.sync_api", reason="needs pip install playwright")
CHROMIUM = shutil.which("chromium")
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium (apt-get install chromium)"),
    pytest.mark.slow,
]

WAIT_MS = 60_000
OFFERED = ".grid[aria-busy=false]"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as started:
        arguments = ["--no-sandbox", "--disable-gpu"]
        opened = started.chromium.launch(executable_path=CHROMIUM, args=arguments, timeout=4 * WAIT_MS)
        yield opened
        opened.close()


@contextmanager
def opening(browser: Any, client: Client) -> Iterator[Callable[..., Any]]:
    """Opens the page at a size; afterwards there must be no error and no request to another host."""
    wrong: list[str] = []
    contexts = []
    own = f"http://127.0.0.1:{client.port}/"

    def open_(width: int = 1280, height: int = 900, **options: Any) -> Any:
        context = browser.new_context(viewport={"width": width, "height": height}, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(WAIT_MS)
        page.on("console", lambda message: message.type == "error" and wrong.append(message.text))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("request", lambda asked: asked.url.startswith((own, "data:", "blob:")) or wrong.append(asked.url))
        page.goto(own)
        page.wait_for_selector(OFFERED)
        return page

    yield open_
    for context in contexts:
        context.close()
    assert wrong == []


@pytest.fixture
def open_page(browser: Any, studio: Client) -> Iterator[Callable[..., Any]]:
    with opening(browser, studio) as open_:
        yield open_


@pytest.fixture(scope="module")
def layered(tiny_layered_file: Path, tiny_model_file: Path) -> Iterator[Client]:
    with running([tiny_layered_file, tiny_model_file]) as client:
        yield client


@pytest.fixture
def open_layered(browser: Any, layered: Client) -> Iterator[Callable[..., Any]]:
    with opening(browser, layered) as open_:
        yield open_


def choose(page: Any, number: int) -> None:
    page.wait_for_selector(OFFERED)
    page.click(f".cell >> nth={number}")
    page.wait_for_selector(".cell[aria-pressed=true] >> nth=0")
    page.wait_for_selector("body:not(.busy)")


def saved(page: Any, button: str, folder: Path) -> Path:
    with page.expect_download() as waiting:
        page.click(button)
    path = folder / waiting.value.suggested_filename
    waiting.value.save_as(path)
    return path


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


def in_editor(page: Any, number: int = 0) -> None:
    choose(page, number)
    page.click("#to-editor")
    page.wait_for_selector("body:not(.busy)")


def shown(page: Any) -> np.ndarray:
    return pixels(page.get_attribute("#face", "src").partition(",")[2])


def waits_for_another(page: Any, before: str | None) -> None:
    page.wait_for_function("source => document.querySelector('#face').src !== source", arg=before)
    page.wait_for_selector("body:not(.busy)")


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


CLIPPED = """() => [...document.querySelectorAll('button, label, p, h1, h2, output, select')]
  .filter((one) => one.offsetParent && !one.matches('.skip, .unseen, .cell') && !one.closest('[hidden]'))
  .filter((one) => one.scrollWidth > one.clientWidth + 1 && getComputedStyle(one).display !== 'inline')
  .map((one) => one.textContent)"""

# WCAG 2.1, 1.4.3: contrast of text on the nearest opaque ground; disabled controls are exempt.
FAINT = """() => {
  const parse = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const light = (colour) => parse(colour).slice(0, 3).map((value) => value / 255)
    .map((value) => value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4)
    .reduce((sum, value, index) => sum + value * [0.2126, 0.7152, 0.0722][index], 0);
  const ground = (one) => {
    for (let at = one; at; at = at.parentElement) {
      const colour = getComputedStyle(at).backgroundColor;
      if ((parse(colour)[3] ?? 1) > 0.8) return colour;
    }
    return 'rgb(255, 255, 255)';
  };
  return [...document.querySelectorAll('body *')]
    .filter((one) => one.offsetParent && !one.disabled && !one.closest(':disabled'))
    .filter((one) => [...one.childNodes].some((child) => child.nodeType === 3 && child.data.trim()))
    .map((one) => {
      const [a, b] = [light(getComputedStyle(one).color), light(ground(one))];
      return [one.textContent.trim(), (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)];
    })
    .filter(([, contrast]) => contrast < 4.5);
}"""
