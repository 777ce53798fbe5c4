"""Paintings, photographs with several faces, and jobs whose clients go away."""

from __future__ import annotations

import base64
import functools
import json
import socket
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import semanticgan as sg
from semanticgan.directions import painting
from semanticgan.directions.painting import Painted, PaintingSettings, paint
from semanticgan.edits import Edit
from semanticgan.inversion.inversion import invert_all
from semanticgan.inversion.target import targets_of
from semanticgan.model import Model
from semanticgan.progress import Progress
from semanticgan.studio import long_jobs, photographs
from semanticgan.studio.long_jobs import AT_MOST_OPEN, LongJob, LongJobs
from semanticgan.studio.turns import Busy, Turns
from tests.studio.conftest import Client, mix, running, script
from tests.studio.test_api import pixels
from tests.studio.test_photographs import photograph
from tests.studio.test_turns import until

Start = Callable[..., AbstractContextManager[Client]]

PLACE = {"place": {"shift": [0.1, 0], "scale": 1, "rotate": 0}, "regions": ["face"]}


@pytest.fixture(scope="module")
def model(tiny_model_file: Path) -> Model:
    return sg.load(tiny_model_file, device="cpu")


def moves_a_row(
    model: Model, code: sg.LatentCode, labels: torch.Tensor, regions: Any, free_base: bool, progress: Any
) -> Painted:
    """In place of the optimisation, which hardly moves masks of random weights: adds 1 to one structure row."""
    region = (regions or ["hair"])[0]
    tensor = code.tensor.clone()
    tensor[:, model.rows.indices([region], "structure")] += 1
    with progress.steps("paint", 3) as step:
        for _ in range(3):
            step()
    return Painted(sg.LatentCode(tensor, code.rows), (region,), {region: 0.9}, {region: 0.5}, 0.1)


def last_told(client: Client, address: str) -> dict[str, Any]:
    told = client.get(f"{address}/events").content.decode().strip().split("\n\n")
    return json.loads(told[-1].removeprefix("data: "))


def painted(model: Model, region: str) -> str:
    """A label map with a square of a region in it, as the page sends it."""
    labels = model.render(model.sample(seed=3)).labels()[0].numpy().astype(np.uint8)
    labels[4:12, 4:12] = model.regions.names.index(region)
    return base64.b64encode(labels.tobytes()).decode()


def test_a_painting_becomes_an_operation_that_replays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(painting, "paint", functools.partial(paint, settings=PaintingSettings(steps=10)))
    model = sg.load("portraits-64", device="cpu")
    before = model.sample(seed=3)
    labels = model.render(before).labels()[0].numpy().astype(np.uint8)
    hair = model.regions.names.index("hair")
    longer = labels.copy()
    longer[20:50, 10:16] = longer[20:50, 46:52] = hair  # down both sides of the face
    with running([Path("portraits-64")]) as client:
        wish = {"script": script(3), "labels": base64.b64encode(longer.tobytes()).decode()}
        answer = client.post("/api/paintings", wish)
        assert answer.status == 202
        told = last_told(client, f"/api/paintings/{answer.json['id']}")
        assert told["state"] == "done" and told["figures"]["iou"] > told["figures"]["iou_before"], told
        made = client.post("/api/edit", script(3, told["operation"])).json
        path = tmp_path / "face.json"
        path.write_bytes(client.get(f"/api/results/{made['id']}/script.json").content)
    replayed = Edit.load(path).apply(model)
    assert np.abs(np.asarray(replayed.rendering.to_pil()[0]) - pixels(made["picture"])).max() <= 1
    changed = (replayed.code.tensor != before.tensor)[0].any(1).nonzero().flatten().tolist()
    assert changed and all(model.rows.names[row].endswith(".structure") for row in changed)


def test_a_painting_that_cannot_be_followed_is_a_sentence(
    studio: Client, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(painting, "paint", functools.partial(paint, settings=PaintingSettings(steps=1)))
    answer = studio.post("/api/paintings", {"script": script(3), "labels": painted(model, "hair")})
    assert "smaller change" in last_told(studio, f"/api/paintings/{answer.json['id']}")["error"]


def test_a_drag_and_a_painting_leave_locked_regions(
    studio: Client, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(painting, "paint", moves_a_row)
    before = model.render(model.sample(seed=3)).labels()[0].numpy()
    under = {model.regions.names[label] for label in before[4:12, 4:12].ravel()} - {"eye"}
    wish = {"script": script(3), "labels": painted(model, "eye"), "locked": sorted(under)}
    told = last_told(studio, f"/api/paintings/{studio.post('/api/paintings', wish).json['id']}")
    assert (told["operation"]["regions"], told["operation"]["found"]["rows"]) == (["eye"], ["eye.structure"])
    label = int(np.bincount(before.ravel(), minlength=5)[1:].argmax()) + 1
    region = model.regions.names[label]
    y, x = (float(part) for part in np.argwhere(before == label)[0] / model.size)
    pull = {"region": region, "from": [x, y], "to": [min(x + 0.3, 1.0), max(y - 0.3, 0.0)], "radius": 0.2}
    for locked, kind in (([], "drag"), (["background"], "paint")):
        wish = {"script": script(3), "drag": pull, "locked": locked}
        told = last_told(studio, f"/api/paintings/{studio.post('/api/paintings', wish).json['id']}")
        assert told["state"] == "done" and kind in told["operation"], told
        assert not any(row.startswith("background") for row in told["operation"]["found"]["rows"])
    wish["locked"] = list(model.regions.names)
    assert "locked" in last_told(studio, f"/api/paintings/{studio.post('/api/paintings', wish).json['id']}")["error"]


@pytest.mark.parametrize(
    ("body", "about"),
    [
        ({}, "labels"),
        ({"labels": 3}, "labels"),
        ({"labels": "%%%"}, "cannot be read"),
        ({"labels": base64.b64encode(bytes(10)).decode()}, "32x32"),
        ({"labels": base64.b64encode(b"\xff" * 1024).decode()}, "255"),
        ({"drag": {"region": "hair"}}, "lacks"),
        ({"drag": {"region": "beak", "from": [0, 0], "to": [1, 1], "radius": 0.1}}, "beak"),
        ({"drag": {"region": "hair", "from": [0, 0], "to": [9, 9], "radius": 0.1}}, "to_point"),
        ({"labels": "", "script": script(3, PLACE)}, "before regions are moved"),
    ],
)  # fmt: skip
def test_mistakes_of_a_painting_are_one_sentence(studio: Client, body: dict[str, Any], about: str) -> None:
    answer = studio.post("/api/paintings", {"script": script(3), **body})
    if answer.status == 202:
        told = last_told(studio, f"/api/paintings/{answer.json['id']}")
        assert told["state"] == "failed" and about in told["error"] and "\n" not in told["error"], told
    else:
        assert answer.status == 400 and about in answer.sentence


def test_a_painting_that_was_not_found_is_no_edit(studio: Client) -> None:
    assert "paint" in studio.post("/api/edit", script(3, {"paint": "", "regions": [], "free_base": False})).sentence
    pull = {"drag": {"from": [0, 0], "to": [1, 1], "radius": 0.1}, "regions": ["hair"]}
    assert "drag" in studio.post("/api/edit", script(3, pull)).sentence


def test_a_face_is_chosen_where_there_are_several(studio: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def two(model: Model, picture: Any, face: Any, aligned: bool) -> Any:
        (whole,) = targets_of(model, picture, None, aligned=True)
        return [whole, type(whole)(whole.picture.flip(-1), whole.photograph, whole.alignment)]

    monkeypatch.setattr(photographs, "targets_of", two)
    found = functools.partial(invert_all, steps=2, distance=None)
    monkeypatch.setattr(photographs, "invert_all", found)
    address = f"/api/photographs/{studio.upload(photograph((90, 60))).json['id']}"
    told = last_told(studio, address)
    assert told["state"] == "choose" and len(told["faces"]) == 2
    assert np.array_equal(pixels(told["faces"][0]), pixels(told["faces"][1])[:, ::-1])
    for face in (0, 3, "1", None):
        assert studio.post(f"{address}/face", {"face": face}).status == 400
    assert studio.post(f"{address}/face", {"face": 2}).status == 202
    told = last_told(studio, address)
    assert told["state"] == "done" and "faces" not in told
    assert "nothing is to be chosen" in studio.post(f"{address}/face", {"face": 1}).sentence
    donor = {**mix(8, "hair"), "source": told["script"]["source"]}
    assert studio.post("/api/edit", script(3, donor)).status == 200, "a region of another photograph"


class Endless(LongJob):
    """Works until it is stopped."""

    def work(self, progress: Progress) -> str:
        with progress.steps("wait", None) as step:
            while True:
                time.sleep(0.002)
                step()

    def result(self) -> dict[str, Any]:
        return {}


def test_a_job_ends_once_nobody_listens(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(long_jobs, "ALONE_S", 0.2)
    with start() as client:
        job = Endless()
        client.state.jobs.start(job)
        name = client.state.paintings.store.add(job)
        with socket.create_connection(("127.0.0.1", client.port), 20) as connection:
            connection.sendall(b"GET /api/paintings/%s/events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" % name.encode())
            assert b"200" in connection.recv(4096)
            until(lambda: job.state == "running")
            time.sleep(0.5)
            assert not job.ended, "somebody listens"
        until(lambda: job.state == "cancelled")
        assert client.state.jobs.num_open == 0


def test_a_click_goes_before_a_long_job(start: Start) -> None:
    with start() as client:
        client.post("/api/render", {"seed": 0})
        job = Endless()
        client.state.jobs.start(job)
        until(lambda: job.done > 3)
        for seed in range(5):
            assert client.post("/api/render", {"seed": seed}).status == 200
        steps = job.done
        held = threading.Event()
        client.state.turns.submit(held.wait)
        until(lambda: not client.state.turns._quiet.is_set())
        time.sleep(0.1)  # the slice that runs comes to its end
        before = job.done
        time.sleep(0.3)
        assert job.done == before >= steps, "no slice while a render runs or waits"
        held.set()
        until(lambda: job.done > before)
        job.stop.set()
        until(lambda: job.ended)


def test_places_of_long_jobs_are_few_and_cancelled_ones_are_free() -> None:
    turns = Turns()
    jobs = LongJobs(turns)
    many = [Endless() for _ in range(AT_MOST_OPEN)]
    for job in many:
        jobs.start(job)
    with pytest.raises(Busy):
        jobs.start(Endless())
    many[-1].stop.set()
    jobs.start(Endless())
    jobs.close()
    until(lambda: jobs.num_open == 0)
    turns.close()


def test_a_defect_of_a_job_is_one_sentence(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Endless):
        def work(self, progress: Progress) -> str:
            raise ZeroDivisionError

    turns, job = Turns(), Broken()
    jobs = LongJobs(turns)
    jobs.start(job)
    until(lambda: job.ended)
    assert job.told()["state"] == "failed" and "terminal" in job.told()["error"]
    assert "ZeroDivisionError" in caplog.text and torch.is_grad_enabled()
    jobs.close()
    turns.close()
