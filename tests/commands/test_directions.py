"""find-directions, and edit-region along directions, on tiny models with random weights."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import semanticgan as sg
from semanticgan.directions import Direction, read_directions, save_directions
from semanticgan.latents import LatentCode

Command = Callable[..., Any]


@pytest.fixture
def tiny(tiny_model_file: Path) -> tuple[str, ...]:
    return ("--model", str(tiny_model_file), "--device", "cpu")


@pytest.fixture
def directions(tiny_model_file: Path, tmp_path: Path) -> Path:
    """A file of "smile", which moves eye rows and the base, and "age", which moves hair texture."""
    model = sg.load(tiny_model_file, device="cpu")
    stream = torch.Generator().manual_seed(0)
    smile = Direction("smile", ("base.0", "eye.structure"), torch.randn(2, 16, generator=stream), 1.0)
    age = Direction("age", ("hair.texture",), torch.randn(1, 16, generator=stream), 0.8)
    path = tmp_path / "mine.safetensors"
    save_directions(path, model, [smile, age])
    return path


def test_edit_region_moves_along_directions(command: Command, tiny: tuple[str, ...], directions: Path) -> None:
    made = command(
        *("edit-region", *tiny, "--seed", "3", "--directions", directions, "--direction", "smile,age"),
        *("--strength", "2,-1", "--save-latent", "code.npy", "--save-script", "edit.json", "--sheet", "--out", "a.png"),
    ).result
    assert made["from"] == ["smile +2", "age -1"]
    assert set(made["regions"]) == {"eye", "hair"}
    model, file = sg.load(tiny[1], device="cpu"), read_directions(directions)
    wanted = sg.move(model.sample(seed=3), file.directions["smile"], 2.0)
    wanted = sg.move(wanted, file.directions["age"], -1.0)
    assert np.allclose(np.load("code.npy"), wanted.tensor.numpy())
    again = command("edit-region", *tiny, "--script", "edit.json", "--out", "b.png").result
    assert again["from"] == made["from"]
    with Image.open("a.png") as first, Image.open("b.png") as second:
        assert np.array_equal(np.array(first), np.array(second))


def test_a_region_confines_a_direction(command: Command, tiny: tuple[str, ...], directions: Path) -> None:
    options = ("edit-region", *tiny, "--seed", "3", "--directions", directions, "--direction", "smile")
    command(*options, "--region", "eye", "--save-latent", "eye.npy", "--out", "a.png").result  # noqa: B018
    model = sg.load(tiny[1], device="cpu")
    change = torch.from_numpy(np.load("eye.npy")) - model.sample(seed=3).tensor
    moved = [row for row, part in zip(model.rows.names, change[0], strict=True) if part.abs().max() > 0]
    assert moved == ["eye.structure"]
    assert "none of which was chosen" in command(*options, "--region", "glasses", "--out", "b.png").complaint


def test_a_strip_of_strengths(command: Command, tiny: tuple[str, ...], directions: Path) -> None:
    made = command(
        *("edit-region", *tiny, "--directions", directions, "--direction", "smile,age"),
        *("--strengths", "-2,0,2", "--out", "strip.png"),
    ).result
    assert made["strengths"] == [-2.0, 0.0, 2.0]
    assert list(made["directions"]) == ["smile", "age"]
    with Image.open("strip.png") as sheet:
        assert sheet.width >= 3 * 32 and sheet.height >= 2 * 32


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--direction", "smiel"), "Did you mean 'smile'"),
        (("--direction", "smile", "--strength", "much"), "--strength takes numbers"),
        (("--direction", "smile", "--strength", "1,2"), "2 strengths for 1 directions"),
        (("--direction", "smile", "--strength", "nan"), "--strength takes numbers"),
        (("--direction", "smile", "--region", "nose"), "unknown region 'nose'"),
        (("--direction", "smile", "--from-seed", "8"), "does not go with --from-seed"),
        (("--direction", "smile", "--strengths", "1", "--strength", "1"), "strip alone"),
        (("--strength", "2"), "goes with --direction"),
        (("--move", "0.1,0", "--region", "eye", "--each-part"), "goes with --scale and --rotate"),
    ],
)
def test_wrong_options_are_one_line(
    command: Command, tiny: tuple[str, ...], directions: Path, options: tuple[str, ...], words: str
) -> None:
    given = ("--directions", directions) if "--direction" in options else ()
    assert words in command("edit-region", *tiny, *given, *options, "--out", "a.png").complaint
    assert not Path("a.png").exists()


def test_another_models_directions_are_refused(command: Command, directions: Path, tiny_layered_file: Path) -> None:
    refused = command(
        *("edit-region", "--model", tiny_layered_file, "--device", "cpu", "--directions", directions),
        *("--direction", "smile", "--out", "a.png"),
    )
    assert "Use them with that model" in refused.complaint


def test_find_directions_by_masks(command: Command, tiny: tuple[str, ...]) -> None:
    options = ("find-directions", *tiny, "--labels", "masks", "--attributes", "hair_reach", "--num", "120")
    options = (*options, "--ratio", "0.3", "--region", "base,hair")
    made = command(*options, "--strip", "strip.png", "--out", "found.safetensors").result
    found = made["directions"]["hair_reach"]
    assert set(found["rows"]) == {"base.0", "hair.structure", "hair.texture"}
    assert 0 <= found["accuracy"] <= 1 and found["num_codes"] <= 120
    assert Path("strip.png").is_file() and Path("found.scores.safetensors").is_file()
    assert list(read_directions("found.safetensors").directions) == ["hair_reach"]
    assert "exists already" in command(*options, "--out", "found.safetensors").complaint


def test_find_directions_of_all_that_labels_tell(command: Command, tiny: tuple[str, ...]) -> None:
    """Attributes that cannot be fitted are named and left out; where none can be, that is an error."""
    options = ("find-directions", *tiny, "--labels", "masks", "--num", "60", "--ratio", "0.3", "--out", "a.safetensors")
    made = command(*options, "--region", "hair")
    assert set(made.result["directions"]) <= {"eye_open", "hair_reach"}
    left_out = {"eye_open", "hair_reach"} - set(made.result["directions"])
    assert all(f"note: {name} is left out" in made.err for name in left_out)
    few = command(*options[:-2], "--ratio", "0.01", "--out", "b.safetensors")
    assert few.code == 2 and "no attribute could be fitted" in few.err and not Path("b.safetensors").exists()


def test_unknown_attributes_are_told_before_anything_is_rendered(command: Command, tiny: tuple[str, ...]) -> None:
    asked = ("find-directions", *tiny, "--labels", "masks", "--out", "a.safetensors")
    assert "Did you mean 'eye_open'" in command(*asked, "--attributes", "eye_opn").complaint
    assert "unknown attribute 'age'" in command(*asked, "--attributes", "eye_open", "--conditions", "age").complaint
    assert not list(Path().iterdir())


@pytest.mark.parametrize("method", ["sefa", "pca"])
def test_find_directions_without_labels(command: Command, tiny: tuple[str, ...], method: str) -> None:
    made = command(
        *("find-directions", *tiny, "--method", method, "--region", "hair", "--num-directions", "2"),
        *("--strip", "strip.png", "--out", "found.safetensors"),
    ).result
    regions = {row.split(".")[0] for found in made["directions"].values() for row in found["rows"]}
    assert regions == {"hair"}
    assert len(made["directions"]) == (4 if method == "sefa" else 2)


def test_layered_models_have_directions_too(command: Command, tiny_layered_file: Path) -> None:
    model = ("--model", str(tiny_layered_file), "--device", "cpu")
    command("find-directions", *model, "--method", "sefa", "--layers", "0-3", "--out", "sefa.safetensors").result  # noqa: B018
    (name, *_) = read_directions("sefa.safetensors").directions
    made = command(
        *("edit-region", *model, "--directions", "sefa.safetensors", "--direction", name, "--layers", "0-1"),
        *("--save-latent", "code.npy", "--out", "a.png"),
    ).result
    assert made["from"] == [f"{name} +4"]
    layered = sg.load(tiny_layered_file, device="cpu")
    change = torch.from_numpy(np.load("code.npy")) - layered.sample(seed=0).tensor
    assert [bool(row.abs().max() > 0) for row in change[0]] == [True, True] + [False] * (len(layered.rows) - 2)


def test_codes_of_photographs_with_a_table(command: Command, tiny: tuple[str, ...], tmp_path: Path) -> None:
    model = sg.load(tiny[1], device="cpu")
    folder = tmp_path / "codes"
    folder.mkdir()
    lines = ["name,Young"]
    for seed in range(60):
        code = model.sample(seed=seed)
        code.save(folder / f"{seed}.safetensors")
        row = code.tensor[0, code.rows.names.index("hair.texture"), 0]
        lines.append(f"{seed}.jpg,{1 if row > 0 else -1}")
    (folder / "0-tuning.safetensors").write_bytes(b"what invert --method tune writes beside a code")
    (folder / "._0.safetensors").write_bytes(b"what a Mac writes beside a file")
    (tmp_path / "labels.csv").write_text("\n".join(lines))
    options = ("find-directions", *tiny, "--codes", folder, "--table", "labels.csv", "--region", "hair")
    made = command(*options, "--ratio", "0.3", "--out", "found.safetensors").result
    assert made["directions"]["Young"]["accuracy"] > 0.6
    assert "go together" in command("find-directions", *tiny, "--codes", folder, "--out", "b.safetensors").complaint


def test_a_script_with_a_broken_direction_is_one_line(
    command: Command, tiny: tuple[str, ...], directions: Path
) -> None:
    command(
        *("edit-region", *tiny, "--directions", directions, "--direction", "age"),
        *("--save-script", "edit.json", "--out", "a.png"),
    )
    content = json.loads(Path("edit.json").read_text())
    content["operations"][0]["direction"]["normal"] = [["a"]]
    Path("broken.json").write_text(json.dumps(content))
    assert "finite numbers" in command("edit-region", *tiny, "--script", "broken.json", "--out", "b.png").complaint


def test_codes_in_files_stay_codes(tiny_model_file: Path, tmp_path: Path) -> None:
    model = sg.load(tiny_model_file, device="cpu")
    direction = Direction("age", ("hair.texture",), torch.ones(1, 16), 0.8)
    moved = sg.move(model.sample(seed=0), direction, 1.0)
    moved.save(tmp_path / "code.safetensors")
    assert LatentCode.load(tmp_path / "code.safetensors", model.rows) == moved
