"""The folder for a web host in a real browser, below a path of the host: pictures as in Python, files to save."""

from __future__ import annotations

import base64
import functools
import io
import json
import os
import threading
from collections.abc import Callable, Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import semanticgan as sg
from semanticgan import extras
from semanticgan.edits import Edit
from semanticgan.formats.provenance import read_mark
from semanticgan.model import Model
from semanticgan.studio.runtime_files import HOW_TO_GET
from semanticgan.studio.static_site import LARGEST_SEED, write_site
from semanticgan.studio.steps import TRUNCATION
from tests.studio.browser import CLIPPED, FAINT, NEEDS_BROWSER, OFFERED, opening

RUNTIME = os.environ.get("SEMANTICGAN_ONNX_RUNTIME_WEB")
pytestmark = [
    *NEEDS_BROWSER,
    pytest.mark.skipif(
        RUNTIME is None, reason=f"SEMANTICGAN_ONNX_RUNTIME_WEB does not name a folder of the runtime. {HOW_TO_GET}"
    ),
    pytest.mark.skipif(extras.problem("onnx") is not None, reason="needs pip install 'semanticgan[onnx]'"),
    pytest.mark.timeout(1200),
]

WAIT_MS = 180_000
BELOW = "somewhere/below/"
TOLERANCE = 2  # of 255


@pytest.fixture(scope="module")
def model() -> Model:
    return sg.load("portraits-64", device="cpu")


@pytest.fixture(scope="module")
def site(model: Model, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the page."""
    root = tmp_path_factory.mktemp("host")
    assert RUNTIME is not None
    write_site(model, "portraits-64", root / BELOW, RUNTIME)

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(root)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/{BELOW}"
    server.shutdown()


@pytest.fixture
def open_page(browser: Any, site: str) -> Iterator[Callable[..., Any]]:
    with opening(browser, site, wait_ms=WAIT_MS, unwanted=("error", "warning")) as open_:
        yield open_


def decoded(address: str) -> np.ndarray[Any, Any]:
    """The picture of a data: address, int [S, S, 3]."""
    content = base64.b64decode(address.removeprefix("data:image/png;base64,"))
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB")).astype(int)


def offered(page: Any) -> np.ndarray[Any, Any]:
    """The sixteen pictures, [16, S, S, 3]."""
    page.wait_for_selector(OFFERED)
    return np.stack([decoded(image.get_attribute("src")) for image in page.query_selector_all(".cell img")])


def require_near(found: np.ndarray[Any, Any], rendering: sg.Rendering) -> None:
    expected = np.stack([np.asarray(picture).astype(int) for picture in rendering.to_pil()])
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() <= TOLERANCE


def face_is(page: Any, source: str) -> None:
    page.wait_for_function("source => document.querySelector('#face').src === source", arg=source)


def saved(page: Any, button: str, folder: Path) -> Path:
    with page.expect_download() as waiting:
        page.click(button)
    path = folder / waiting.value.suggested_filename
    waiting.value.save_as(path)
    return path


def test_four_steps_to_a_download_and_back(open_page: Callable[..., Any], model: Model, tmp_path: Path) -> None:
    page = open_page()
    pictures = offered(page)
    require_near(pictures, model.render(model.sample(seeds=list(range(16)), truncation=TRUNCATION)))
    seen, sets = [], [pictures]
    for number, step in enumerate(("Face", "Style", "Colouring", "Details")):
        assert page.inner_text("#panel-title") == step
        if number:
            sets.append(offered(page))
            assert np.ptp(sets[-1], axis=0).max() > 20, "sixteen different pictures"
        page.click(f".cell >> nth={3 + number}")
        page.wait_for_selector(f".cell[aria-pressed=true] >> nth={0}")
        seen.append(page.get_attribute("#face", "src"))
        assert np.array_equal(decoded(seen[-1]), sets[-1][3 + number])
        page.wait_for_selector(OFFERED)
        if step != "Details":
            page.click("#next")
    assert page.inner_text("#about").startswith("Seed 3, 3 changes")

    script = saved(page, "#download-script", tmp_path)
    given = json.loads(script.read_text())
    assert given["source"] == {"seed": 3, "truncation": TRUNCATION}
    assert [one["source"]["seed"] for one in given["operations"]] == [1_000_004, 2_000_005, 3_000_006]
    edited = Edit.load(script).apply(model)
    require_near(decoded(seen[-1])[None], edited.rendering)
    code = sg.LatentCode.load(saved(page, "#download-code", tmp_path))
    assert code.rows.names == model.rows.names
    assert (code.tensor - edited.code.tensor).abs().max() < 1e-4
    picture = saved(page, "#download-picture", tmp_path)
    assert np.array_equal(np.asarray(Image.open(picture)), decoded(seen[-1]))
    mark = read_mark(picture)
    assert mark is not None and json.loads(mark.script) == given

    page.reload()
    face_is(page, seen[3])
    while not page.is_disabled("#back"):
        page.click("#back")
    assert page.is_hidden("#face")
    for source in seen:
        page.click("#forward")
        face_is(page, source)
        if source != seen[-1]:
            page.click("#forward")
    assert page.is_disabled("#forward")


def test_a_seed_is_the_same_face_and_shuffle_offers_others(open_page: Callable[..., Any], model: Model) -> None:
    page = open_page()
    page.fill("#seed", str(LARGEST_SEED + 1))
    page.click("#take")
    assert page.inner_text("#message p") == f"A seed is a whole number from 0 to {LARGEST_SEED}."
    page.fill("#seed", str(LARGEST_SEED))
    page.click("#take")
    page.wait_for_selector("#face:visible")
    found = decoded(page.get_attribute("#face", "src"))[None]
    require_near(found, model.render(model.sample(seed=LARGEST_SEED, truncation=TRUNCATION)))
    page.wait_for_selector(OFFERED)
    page.click("#shuffle")
    require_near(offered(page), model.render(model.sample(seeds=list(range(16, 32)), truncation=TRUNCATION)))
    page.click("#shuffle")  # the newest request counts
    page.click("#shuffle")
    page.click("#earlier")
    require_near(offered(page), model.render(model.sample(seeds=list(range(32, 48)), truncation=TRUNCATION)))


def test_the_keyboard_alone(open_page: Callable[..., Any]) -> None:
    page = open_page(reduced_motion="reduce")

    def tab_to(selector: str) -> None:
        for _ in range(40):
            page.keyboard.press("Tab")
            if page.evaluate("selector => document.activeElement.matches(selector)", selector):
                assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
                return
        raise AssertionError(f"no way by Tab to {selector}")

    tab_to(".cell")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_selector(".cell[aria-pressed=true]")
    assert page.inner_text("#about").startswith("Seed 4 ")
    page.keyboard.press("Control+z")
    page.wait_for_selector("#face", state="hidden")
    page.keyboard.press("Control+y")
    page.wait_for_selector("#face:visible")


def test_nothing_is_clipped_or_faint(open_page: Callable[..., Any]) -> None:
    page = open_page()
    for step in ("Face", "Style"):
        page.wait_for_selector(f"#panel-title:has-text('{step}')")
        page.wait_for_selector(OFFERED)
        for width in (1440, 1024, 390):
            page.set_viewport_size({"width": width, "height": 900})
            assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
            assert page.evaluate(CLIPPED) == []
            assert page.evaluate(FAINT) == []
        page.click(".cell >> nth=1")
        page.click("#next:not([disabled])")


@pytest.mark.parametrize(
    ("name", "answer", "sentence"),
    [
        ("studio.json", {"status": 404}, "studio.json could not be loaded. Serve the whole folder"),
        ("generator.onnx", {"status": 404}, "generator.onnx could not be loaded: the host answers 404. Copy the whole"),
        ("mapping.onnx", {"body": b"x"}, "mapping.onnx has 1 bytes in place of"),
    ],
)
def test_what_is_missing_is_a_sentence(
    browser: Any, site: str, name: str, answer: dict[str, Any], sentence: str
) -> None:
    context = browser.new_context()
    context.route(f"**/{name}", lambda route: route.fulfill(**answer))
    page = context.new_page()
    page.goto(site)
    page.wait_for_selector("#message:visible", timeout=WAIT_MS)
    assert page.inner_text("#message p").lower().startswith(sentence.lower())
    context.close()
