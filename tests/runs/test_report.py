"""The report of a run: what it says is so, it stands alone, and it never disturbs a training."""

from __future__ import annotations

import base64
import io
import json
import math
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from semanticgan.runs.charts import draw_chart
from semanticgan.runs.excerpts import spread_over
from semanticgan.runs.facts import duration
from semanticgan.runs.panels import panels
from semanticgan.runs.record import read_record
from semanticgan.runs.symptoms import find_symptoms
from semanticgan.training.config import TrainingConfig
from semanticgan.training.loop import train

Command = Callable[..., Any]
CONFIG = """\
name: tried
description: pictures <of> nothing
size: 16
batch: 8
data: {kind: folder, path: data/nothing, length: 24, flip: true}
schedule: {total_images: 4000, log_every: 5}
augmentation: {adaptive: true}
licence: none
"""


def make_run(run_dir: Path, num_lines: int = 40, sheets: int = 4, **changes: Callable[[int], float]) -> Path:
    """A run folder as a training writes it, without its states; ``changes`` give the values of a scalar by line."""
    values: dict[str, Callable[[int], float]] = {
        "loss/discriminator": lambda i: 1.2,
        "loss/generator": lambda i: 1.0 + 0.1 * math.sin(i),
        "score/real": lambda i: 0.5,
        "score/fake": lambda i: -0.5,
        "strange/thing": lambda i: float(i),
    }
    values |= {name.replace("__", "/"): function for name, function in changes.items()}
    (run_dir / "sheets").mkdir(parents=True)
    (run_dir / "config.yaml").write_text(CONFIG)
    lines = [
        {"step": 5 * i, "images": 40 * i, **{name: function(i) for name, function in values.items()}}
        for i in range(1, num_lines + 1)
    ]
    (run_dir / "stats.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    for index in range(1, sheets + 1):
        sheet = np.zeros((16 * 5, 16 * 3, 3), dtype=np.uint8)
        sheet[:16, :16] = 50 * index  # the first sample's picture
        sheet[16:32, :16] = (0, 50 * index, 0)
        Image.fromarray(sheet).save(run_dir / f"sheets/step-{50 * index:07d}.png")
    return run_dir


class Elements(HTMLParser):
    """Attributes of every element of a page, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.attributes: list[dict[str, str | None]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes.append({"tag": tag, **dict(attrs)})

    def handle_data(self, data: str) -> None:
        self.text += data

    def pictures(self) -> list[Image.Image]:
        """Those made of pixels; charts are made of lines."""
        sources = [str(element["src"]) for element in self.attributes if element["tag"] == "img"]
        contents = [source.partition(",")[2] for source in sources if "svg" not in source]
        return [Image.open(io.BytesIO(base64.b64decode(content))) for content in contents]


def test_page_stands_alone_and_says_what_is_so(command: Command, tmp_path: Path) -> None:
    make_run(tmp_path / "run")
    result = command("report", "run", "--out", "a.html").result
    assert result == {
        "out": "a.html",
        "name": "tried",
        "step": 200,
        "images": 1600,
        "total_images": 4000,
        "seconds": None,
        "warnings": [],
    }
    text = (tmp_path / "a.html").read_text()
    found = Elements(text)
    for element in found.attributes:
        assert element["tag"] not in ("link", "iframe", "object")
        for name in ("src", "href"):
            assert str(element.get(name, "data:")).startswith("data:")
    assert "http://" not in text and "https://" not in text and "@import" not in text
    assert "pictures <of> nothing" in found.text and "<of>" not in text
    assert "1,600 of 4,000 images (40%), 200 steps" in found.text
    assert "first 24, mirrored" in found.text and "total_images: 4000" in found.text
    charts = [element for element in found.attributes if "data-curves" in element]
    assert len(charts) == 3  # both losses in one, both scores in one, what is unknown in its own
    assert "strange" in found.text
    for chart in charts:
        svg = ElementTree.fromstring(base64.b64decode(str(chart["src"]).removeprefix("data:image/svg+xml;base64,")))
        assert svg.tag == "{http://www.w3.org/2000/svg}svg"
    losses = json.loads(str(charts[0]["data-curves"]))
    assert [curve["label"] for curve in losses] == ["D", "G"]
    assert losses[0]["points"][-1][1:] == ["1600", "1.2"]


def test_pictures_of_the_page_are_those_of_the_sheets(command: Command, tmp_path: Path) -> None:
    make_run(tmp_path / "run")
    command("report", "run", "--out", "a.html")
    pictures = Elements((tmp_path / "a.html").read_text()).pictures()
    cells, sheets = pictures[:8], pictures[8:]
    assert [cell.size for cell in cells] == [(16, 16)] * 8
    assert [cell.getpixel((8, 8)) for cell in cells[::2]] == [(50 * i,) * 3 for i in (1, 2, 3, 4)]
    assert [cell.getpixel((8, 8)) for cell in cells[1::2]] == [(0, 50 * i, 0) for i in (1, 2, 3, 4)]
    assert [sheet.size for sheet in sheets] == [(48, 48)] * 3 + [(48, 80)]
    assert [sheet.getpixel((8, 8))[0] for sheet in sheets] == [200, 100, 50, 200]


def test_picture(command: Command, tmp_path: Path) -> None:
    make_run(tmp_path / "run")
    assert command("report", "run", "--out", "a.png").result["out"] == "a.png"
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.format == "PNG" and picture.width > 1000
        colours = {colour for _, colour in picture.convert("RGB").getcolors(1 << 24)}
    assert (0, 200, 0) in colours  # the newest sheet's segmentation


def test_a_real_run(
    tiny_config: Callable[..., TrainingConfig], command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = train(tiny_config(tmp_path / "run", "schedule.total_images=16"))
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "run").rglob("*")}
    assert command("report", "run", "--out", "a.html").result["images"] == 16
    command("report", "run", "--out", "a.png")
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "run").rglob("*")} == before
    record = read_record(tmp_path / "run")
    from semanticgan.checkpoint import load_model

    generator = load_model(result.model).generator
    assert record.num_parameters["generator"] == sum(weight.numel() for weight in generator.parameters())
    assert set(record.num_parameters) == {"generator", "discriminator"}
    lines = [json.loads(line) for line in (tmp_path / "run/stats.jsonl").read_text().splitlines()]
    shown = {curve.name for panel in panels(record) for chart in panel.charts for curve in chart.curves}
    assert shown >= {name for line in lines for name in line} - {"step", "images"}


def write_events(path: Path, purge: int, points: dict[float, tuple[int, float]]) -> None:
    """A file of TensorBoard: the start of a call, then images and speed by clock time."""
    from tensorboard.compat.proto.event_pb2 import Event, SessionLog
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.summary.writer.record_writer import RecordWriter

    path.parent.mkdir(exist_ok=True)
    with open(path, "wb") as file:
        writer = RecordWriter(file)
        start = Event(wall_time=min(points) - 10, step=purge, session_log=SessionLog(status=SessionLog.START))
        writer.write(start.SerializeToString())
        for moment, (images, speed) in points.items():
            for tag in ("speed/images_per_second", "loss/generator"):
                summary = Summary(value=[Summary.Value(tag=tag, simple_value=speed)])
                writer.write(Event(wall_time=moment, step=images, summary=summary).SerializeToString())


def test_speed_and_time_come_from_tensorboard(command: Command, tmp_path: Path) -> None:
    """A resumed call writes anew what follows its state, and the time between two calls is no training."""
    pytest.importorskip("tensorboard")
    run_dir = make_run(tmp_path / "run")
    first, second = (run_dir / f"tensorboard/events.out.tfevents.{number}.host" for number in (1000, 9000))
    write_events(first, 1, {1010.0: (40, 4.0), 1020.0: (80, 4.0), 1030.0: (120, 4.0)})
    write_events(second, 81, {9010.0: (120, 5.0), 9025.0: (160, 8.0)})
    clock = read_record(run_dir).clock
    assert list(clock.curves) == ["speed/images_per_second"]  # the losses are in stats.jsonl
    (curve,) = clock.curves.values()
    assert list(zip(curve.images, curve.values, strict=True)) == [(40, 4), (80, 4), (120, 5), (160, 8)]
    assert clock.seconds == 30 + 25
    command("report", "run")
    text = Elements((tmp_path / "report.html").read_text()).text
    assert "55 s" in text and "4.5 images/s" in text  # the median
    assert duration((4000 - 1600) / 4.5) in text
    second.write_bytes(second.read_bytes()[:-5])  # being written as we read
    assert read_record(run_dir).clock.curves["speed/images_per_second"].images.tolist() == [40, 80, 120, 160]


def test_a_line_being_written_is_no_problem(tmp_path: Path) -> None:
    run_dir = make_run(tmp_path / "run")
    with open(run_dir / "stats.jsonl", "a") as file:
        file.write('{"step": 205, "images": 16')
    record = read_record(run_dir)
    assert record.images == 1600 and record.problems == ()


@pytest.mark.parametrize(
    "damage", ["not json", '{"images": 3}', "[1, 2]", '{"step": "a", "images": 120}', '{"step": 1, "images": 2}', "\0"]
)
def test_a_damaged_line_is_named(damage: str, command: Command, tmp_path: Path) -> None:
    run_dir = make_run(tmp_path / "run")
    lines = (run_dir / "stats.jsonl").read_text().splitlines()
    lines[6] = damage
    (run_dir / "stats.jsonl").write_text("\n".join(lines) + "\n")
    (warning,) = command("report", "run").result["warnings"]
    assert warning == "stats.jsonl: damaged and left out: line 7."
    assert warning in Elements((tmp_path / "report.html").read_text()).text
    assert len(read_record(run_dir).curves["loss/generator"]) == 39


def test_damaged_and_vanished_sheets_are_left_out(command: Command, tmp_path: Path) -> None:
    run_dir = make_run(tmp_path / "run")
    (run_dir / "sheets/step-0000200.png").write_bytes(b"half a picture")
    command("report", "run")
    pictures = Elements((tmp_path / "report.html").read_text()).pictures()
    assert len(pictures) == 6 + 2 + 1 and pictures[6].getpixel((8, 8))[0] == 100


@pytest.mark.parametrize("kind", ["html", "png"])
@pytest.mark.parametrize("num_lines", [1, 2, 13])
def test_young_runs_without_sheets(kind: str, num_lines: int, command: Command, tmp_path: Path) -> None:
    make_run(tmp_path / "run", num_lines=num_lines, sheets=0)
    assert command("report", "run", "--out", f"a.{kind}").result["images"] == 40 * num_lines


def test_mistakes(command: Command, tmp_path: Path) -> None:
    assert "run folder 'none' does not exist" in command("report", "none").complaint
    (tmp_path / "empty").mkdir()
    assert "'empty' is not a run folder: it has no config.yaml" in command("report", "empty").complaint
    run_dir = make_run(tmp_path / "run")
    assert "not as 'a.pdf'" in command("report", "run", "--out", "a.pdf").complaint
    (run_dir / "stats.jsonl").write_text("")
    assert "has no line in stats.jsonl yet. The first comes after step 5" in command("report", "run").complaint
    (run_dir / "stats.jsonl").unlink()
    assert "has no line in stats.jsonl yet" in command("report", "run").complaint
    (run_dir / "config.yaml").write_text("a: [")
    assert "config.yaml' cannot be read" in command("report", "run").complaint
    assert not (tmp_path / "report.html").exists()


def test_nothing_is_overwritten_unasked(command: Command, tmp_path: Path) -> None:
    make_run(tmp_path / "run")
    (tmp_path / "report.html").write_text("mine")
    assert "add --overwrite" in command("report", "run").complaint
    assert (tmp_path / "report.html").read_text() == "mine"
    command("report", "run", "--overwrite")
    assert (tmp_path / "report.html").read_text().startswith("<!DOCTYPE html>")


@pytest.mark.parametrize(
    ("changes", "warning"),
    [
        ({"loss__discriminator": lambda i: 0.02}, "discriminator's loss is 0.02"),
        ({"loss__mask": lambda i: math.nan if i == 20 else 1.0}, "loss/mask is not a finite number at 800 images"),
        ({"loss__mask": lambda i: math.inf if i > 37 else 1.0}, "at 1520 images and 2 times later"),
        ({"score__real": lambda i: 0.5 * i}, "drift apart"),
        ({"score__fake": lambda i: -70.0}, "run away"),
        ({"augmentation__probability": lambda i: min(i / 20, 1.0)}, "stands at its limit (1)"),
    ],
    ids=["easy", "nan", "inf", "drift", "huge", "augmentation"],
)
def test_warnings(changes: dict[str, Callable[[int], float]], warning: str, tmp_path: Path) -> None:
    found = find_symptoms(read_record(make_run(tmp_path / "run", **changes)))
    assert len(found) == 1 and warning in found[0]


@pytest.mark.parametrize(
    "changes",
    [
        {"loss__discriminator": lambda i: 0.02 if i < 5 else 1.0},  # every training starts so
        {"score__real": lambda i: 6.0 if i < 5 else 1.0},
        {"augmentation__probability": lambda i: 0.6},
    ],
)
def test_no_false_alarm(changes: dict[str, Callable[[int], float]], tmp_path: Path) -> None:
    assert find_symptoms(read_record(make_run(tmp_path / "run", **changes))) == ()


def test_values_that_are_no_numbers_are_gaps(command: Command, tmp_path: Path) -> None:
    run_dir = make_run(tmp_path / "run", loss__mask=lambda i: math.nan if i in (10, 11, 30) else 1.0 + i)
    for kind in ("html", "png"):
        command("report", "run", "--out", f"a.{kind}")
    assert "nan" not in re.sub(r"loss/mask is no|base64,[^\"]*", "", (tmp_path / "a.html").read_text()).lower()
    (chart,) = [c for p in panels(read_record(run_dir)) for c in p.charts if c.title == "Mask regulariser"]
    axes = Figure().add_subplot()
    draw_chart(chart, axes)
    raw, smooth = (line.get_ydata() for line in axes.lines)
    assert np.flatnonzero(~np.isfinite(raw)).tolist() == [9, 10, 29] and len(raw) == 40
    assert len(smooth) == 37 and np.isfinite(smooth).all()


@pytest.mark.parametrize(
    ("seconds", "text"), [(44.6, "45 s"), (720, "12 min"), (7500, "2 h 5 min"), (273_600, "3 d 4 h")]
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(("length", "count"), [(0, 3), (1, 3), (3, 3), (4, 3), (12, 3), (12, 12), (50, 12), (13, 12)])
def test_spreading_takes_first_and_last_at_equal_distances(length: int, count: int) -> None:
    chosen = spread_over(range(length), count)
    assert len(chosen) <= count
    if length:
        assert chosen[0] == 0 and chosen[-1] == length - 1
    assert len(set(np.diff(chosen)[1:].tolist())) <= 1
