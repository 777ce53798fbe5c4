"""A photograph from upload to download: inverted, edited, pasted back at its own size."""

from __future__ import annotations

import functools
import io
import json

import numpy as np
import pytest
from PIL import Image

from semanticgan.formats.provenance import mark_in
from semanticgan.inversion.inversion import invert_all
from semanticgan.studio import photographs
from tests.studio.conftest import Client, mix


def photograph(size: tuple[int, int]) -> bytes:
    rng = np.random.default_rng(0)
    pixels = Image.fromarray(rng.integers(0, 256, (6, 9, 3), np.uint8)).resize(size, Image.Resampling.BICUBIC)
    buffer = io.BytesIO()
    pixels.save(buffer, "PNG")
    return buffer.getvalue()


def test_a_photograph_comes_back_at_its_own_size(studio: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(photographs, "invert_all", functools.partial(invert_all, steps=2, distance=None))
    content = photograph((90, 60))
    address = f"/api/photographs/{studio.upload(content, aligned='true').json['id']}"
    events = studio.get(f"{address}/events")
    assert events.headers["content-type"].startswith("text/event-stream")
    told = [json.loads(line.removeprefix("data: ")) for line in events.content.decode().split("\n\n") if line]
    assert told[-1]["state"] == "done", told[-1]
    script = told[-1]["script"]
    assert studio.post("/api/edit", {"script": script}).json["picture"] == told[-1]["picture"]
    before = np.asarray(Image.open(io.BytesIO(content)).convert("RGB")).astype(int)
    untouched = studio.post(f"{address}/result", {"script": script})
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(untouched.content))), before)
    script["operations"] = [mix(8, "face", "hair", "background")]
    edited = Image.open(io.BytesIO(studio.post(f"{address}/result", {"script": script}).content))
    assert edited.size == (90, 60)
    outside = np.abs(np.asarray(edited).astype(int) - before)[:, :14]  # the middle square is the face
    assert outside.max() == 0
    mark = mark_in(edited, "the result")
    assert mark is not None and mark.kind == "composite" and "code" not in mark.script


def test_a_photograph_without_a_face_is_one_sentence(studio: Client) -> None:
    address = f"/api/photographs/{studio.upload(photograph((64, 64))).json['id']}"
    told = studio.get(f"{address}/events").content.decode().strip().split("\n\n")[-1]
    state = json.loads(told.removeprefix("data: "))
    assert state["state"] == "failed" and state["error"].endswith((".", ")"))
