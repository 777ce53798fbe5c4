"""The page in a real browser: both ways to a download, every step back, the keyboard alone, no error, no other host."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.studio.conftest import Client

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


@pytest.fixture
def open_page(browser: Any, studio: Client) -> Iterator[Callable[..., Any]]:
    """Opens the page at a size; afterwards there must be no error and no request to another host."""
    wrong: list[str] = []
    contexts = []
    own = f"http://127.0.0.1:{studio.port}/"

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
