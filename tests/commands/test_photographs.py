"""Verbs on photographs that are aligned already: no face detector is needed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import semanticgan as sg
from semanticgan.data.portraits import PortraitDataset
from semanticgan.editing.regions import swap_regions
from semanticgan.inversion import folder
from semanticgan.latents import LatentCode
from semanticgan.model import ROUNDING

Command = Callable[..., Any]
INVERT = ("invert", "photographs", "--aligned", "--model", "faces-64", "--device", "cpu")
EDIT = ("edit-region", "--aligned", "--region", "hair", "--what", "texture", "--from-seed", "8", "--device", "cpu")


@pytest.fixture(autouse=True)
def photographs(command: Command) -> list[Path]:
    """Two portraits of 96 pixels in a folder of the empty working folder."""
    drawn = PortraitDataset(96, length=2, seed=5)
    paths = [Path("photographs/a.png"), Path("photographs/b.png")]
    for index, path in enumerate(paths):
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(np.ascontiguousarray(np.asarray(drawn[index].image).transpose(1, 2, 0))).save(path)
    return paths


def contents(name: str) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in Path(name).iterdir()}


def test_invert_writes_codes_and_does_nothing_again(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    before = contents("photographs")
    made = command(*INVERT, "--out", "out").result
    assert (made["faces"], made["kept"], made["found_by"]) == (2, 0, ["encoder"])
    assert LatentCode.load("out/a.safetensors").rows.names[0] == "base.0"
    figures = json.loads(Path("out/figures.json").read_text())
    error = np.mean([entry["figures"]["mse"] for entry in figures["faces"]])
    assert figures["mean"]["mse"] == pytest.approx(error) == made["mse"]
    images = [np.asarray(Image.open(f"out/a{name}.png"), float) / 255 for name in ("", "-aligned")]
    assert np.square(images[0] - images[1]).mean() == pytest.approx(figures["faces"][0]["figures"]["mse"], rel=0.05)
    monkeypatch.setattr(folder, "invert_all", None)
    assert command(*INVERT, "--out", "out").result["kept"] == 2
    assert contents("photographs") == before


def test_a_stopped_invert_goes_on(command: Command) -> None:
    whole = command(*INVERT, "--out", "whole").result
    command(*INVERT, "--out", "out")
    Path("out/b.json").unlink()  # killed before the last file of b
    Path("out/b.png").write_bytes(b"half")
    assert command(*INVERT, "--out", "out").result["kept"] == 1
    one, two = (np.asarray(Image.open(f"{folder}/b.png")).astype(int) for folder in ("out", "whole"))
    assert abs(one - two).max() <= ROUNDING["float32"] and whole["faces"] == 2  # b was alone in its batch this time


def test_of_several_faces_all_must_be_there(command: Command) -> None:
    command(*INVERT, "--face", "all", "--out", "out")
    about = json.loads(Path("out/a-0.json").read_text())
    Path("out/a-0.json").write_text(json.dumps({**about, "faces": 2}))  # the second face was not written
    assert command(*INVERT, "--face", "all", "--out", "out").result["kept"] == 1


def test_nothing_of_somebody_else_is_replaced(command: Command) -> None:
    before = contents("photographs")
    assert "holds the photograph" in command(*INVERT, "--out", "photographs", "--overwrite").err
    Path("mine").mkdir()
    Path("mine/a.png").write_bytes(b"mine")
    refused = command(*INVERT, "--out", "mine")
    assert refused.code == 2 and "a folder with other files" in refused.complaint
    assert contents("photographs") == before and contents("mine") == {"a.png": b"mine"}


def test_results_of_another_method_are_refused(command: Command) -> None:
    command(*INVERT, "--out", "out")
    before = contents("out")
    complaint = command(*INVERT, "--method", "optimise", "--steps", "1", "--out", "out").complaint
    assert "another photograph, model or method" in complaint and contents("out") == before
    assert command(*INVERT, "--method", "optimise", "--steps", "1", "--out", "out", "--overwrite").result["kept"] == 0


def test_a_broken_photograph_does_not_stop_the_others(command: Command) -> None:
    Path("photographs/c.png").write_bytes(b"no picture")
    made = command(*INVERT, "--out", "out").result
    assert made["faces"] == 2 and list(made["failed"]) == ["c.png"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("figures.png", "about all photographs"),
        ("a-aligned.png", "results of the photographs 'a' and 'a-aligned' would have one name"),
        ("x" * 240 + ".png", "at most 255"),
    ],
)
def test_results_that_would_have_one_name_or_none(name: str, words: str, command: Command) -> None:
    Path("photographs/b.png").rename(Path("photographs") / name)
    assert words in command(*INVERT, "--out", "out").complaint
    assert not Path("out").exists()


def test_a_name_with_a_line_break_is_one_line(command: Command) -> None:
    Path("photographs/b.png").rename("photographs/b\nerror: c.png")
    made = command(*INVERT, "--out", "out")
    assert list(made.result["failed"]) == ["b\nerror: c.png"] and "warning: b\\x0aerror: c.png: " in made.err


def test_edit_region_edits_a_photograph_and_repeats_its_script(command: Command) -> None:
    first = command(*EDIT, "--image", "photographs/a.png", "--save-script", "e.json", "--out", "one.png").result
    command("edit-region", "--script", "e.json", "--out", "two.png", "--device", "cpu")
    before, one = (np.asarray(Image.open(name).convert("RGB"), int) for name in ("photographs/a.png", "one.png"))
    assert first["faces"] == 1 and first["change_inside"] > 0
    assert before.shape == one.shape and 0 < (before != one).any(2).mean() < 1
    assert np.array_equal(one, np.asarray(Image.open("two.png").convert("RGB")))
    assert command("inspect", "one.png").result["mark"]["kind"] == "composite"
    command(*EDIT, "--image", "photographs/a.png", "--no-mark", "--out", "bare.png")
    assert command("inspect", "bare.png").result["mark"] is None


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--image", "photographs/a.png", "--out", "a.gif"), ".gif"),
        (("--image", "photographs/a.png", "--save-script", "e.txt", "--out", "a.png"), ".json"),
        (("--image", "none.png", "--out", "a.png"), "none.png"),
        (("--image", "photographs/a.png", "--out", "photographs/a.png"), "exists already"),
        (("--image", "photographs/a.png", "--composite", "--out", "a.png"), "--composite"),
        (("--image", "photographs/a.png", "--face", "0", "--out", "a.png"), "--face"),
    ],
)
def test_what_does_not_go_is_refused_before_any_work(
    words: tuple[str, ...], message: str, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("semanticgan.commands.arguments.load_model", None)
    assert message in command(*EDIT, *words).complaint
    assert sorted(path.name for path in Path().iterdir()) == ["photographs"]


def test_image_in_place_of_a_seed(command: Command) -> None:
    words = ("--image", "photographs/a.png", "--aligned", "--device", "cpu")
    assert command("components", *words, "--out", "c.png").result["source"] == "a.png"
    made = command("interpolate", *words, "--seeds", "3", "--frames", "2", "--out", "i.gif").result
    assert made["frames"] == 3
    measure = ("locality", "--region", "hair", "--seeds", "3,4", *words, "--out", "l.json")
    found = command(*measure).result
    assert (found["source"], found["seeds"]) == ("photographs/a.png", 2) and found["change_inside"] > 5
    model = sg.load("faces-64", device="cpu")
    own = model.invert("photographs/a.png", aligned=True).code
    change = swap_regions(model, own, model.sample(seeds=[10_003, 10_004]), "hair").change()
    listed = json.loads(Path("l.json").read_text())
    assert [row["outside"] for row in listed] == pytest.approx(change.outside.tolist(), abs=0.05)
    assert command(*measure[:-2], "--face", "all").code == 2
    sheet = command(*EDIT[:-2], *words, "--variations", "2", "--out", "v.png")
    assert sheet.code == 0 and Path("v.png").is_file()
