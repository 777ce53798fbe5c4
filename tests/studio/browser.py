"""What the tests of the page share: Debian's chromium, pages that must stay without an error, and steps on them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.studio.test_api import pixels

playwright = pytest.importorskip("playwright.sync_api", reason="needs pip install playwright")
CHROMIUM = shutil.which("chromium")
NEEDS_BROWSER = [
    pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium (apt-get install chromium)"),
    pytest.mark.slow,
]

WAIT_MS = 60_000
OFFERED = ".grid[aria-busy=false]"


@contextmanager
def started() -> Iterator[Any]:
    """The browser, without a page."""
    with playwright.sync_playwright() as running:
        arguments = ["--no-sandbox", "--disable-gpu"]
        opened = running.chromium.launch(executable_path=CHROMIUM, args=arguments, timeout=4 * WAIT_MS)
        yield opened
        opened.close()


@contextmanager
def opening(
    browser: Any, address: str, wait_ms: int = WAIT_MS, unwanted: tuple[str, ...] = ("error",)
) -> Iterator[Callable[..., Any]]:
    """Opens a page at a size; afterwards there must be no request to anywhere but below its address, no error of the
    page and no unwanted kind of message on its console."""
    wrong: list[str] = []
    contexts = []

    def open_(width: int = 1280, height: int = 900, **options: Any) -> Any:
        context = browser.new_context(viewport={"width": width, "height": height}, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(wait_ms)
        page.on("console", lambda message: message.type in unwanted and wrong.append(message.text))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("request", lambda asked: asked.url.startswith((address, "data:", "blob:")) or wrong.append(asked.url))
        page.goto(address)
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


def in_editor(page: Any, number: int = 0) -> None:
    choose(page, number)
    page.click("#to-editor")
    page.wait_for_selector("body:not(.busy)")


def shown(page: Any) -> np.ndarray:
    return pixels(page.get_attribute("#face", "src").partition(",")[2])


def waits_for_another(page: Any, before: str | None) -> None:
    page.wait_for_function("source => document.querySelector('#face').src !== source", arg=before)
    page.wait_for_selector("body:not(.busy)")


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
