"""inspect: marks of pictures, and what files of weights say of themselves; --no-mark."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import save_file

from semanticgan.formats.provenance import read_mark
from semanticgan.registry import bundled

Command = Callable[..., Any]


@pytest.fixture
def tiny(tiny_model_file: Path) -> tuple[str, ...]:
    return ("--model", str(tiny_model_file), "--device", "cpu")


def digest_by_hand(path: Path) -> str:
    """The generator's digest from the tensors' own bytes."""
    dtypes = {"float16": torch.float16, "float32": torch.float32}
    with safe_open(path, "pt") as file:
        dtype = dtypes[file.metadata()["precision"]]
        own = [
            [name, hashlib.sha256(file.get_tensor(name).to(dtype).numpy().tobytes()).hexdigest()]
            for name in sorted(file.keys())
            if not name.startswith("discriminator.")
        ]
    return hashlib.sha256(json.dumps(own).encode()).hexdigest()[:16]


def test_each_verb_marks_its_pictures(command: Command, tiny: tuple[str, ...], tiny_model_file: Path) -> None:
    digest = digest_by_hand(tiny_model_file)
    command("generate", *tiny, "--seeds", "1", "--sheet", "--labels", "--out", "a").result  # noqa: B018
    edit = ("edit-region", *tiny, "--seed", "3", "--region", "hair", "--from-seed", "8", "--sheet")
    command(*edit, "--out", "e.png").result  # noqa: B018
    command(*edit, "--save-script", "e.json", "--out", "f.png").result  # noqa: B018
    command("components", *tiny, "--seed", "3", "--out", "c.png").result  # noqa: B018
    for path in ("a/seed-0001.png", "a/sheet.png", "e.png", "e-sheet.png", "f.png", "f-sheet.png", "c.png"):
        mark = read_mark(path)
        assert mark is not None and (mark.kind, mark.digest) == ("generated", digest), path
    assert read_mark("a/seed-0001-labels.png") is None
    for path in ("e.png", "f.png"):
        script = command("inspect", path).result["mark"]["script"]
        assert script["source"] == {"seed": 3, "truncation": 1.0}
        assert script["operations"][0]["source"]["seed"] == 8
    for words, path in (
        (("generate", *tiny, "--seeds", "1", "--sheet", "--out", "b"), "b/seed-0001.png"),
        ((*edit, "--out", "g.png"), "g.png"),
        ((*edit, "--save-script", "h.json", "--out", "h.png"), "h.png"),
        (("components", *tiny, "--out", "d.png"), "d.png"),
    ):
        command(*words, "--no-mark").result  # noqa: B018
        assert read_mark(path) is None, path
    with Image.open("e.png") as marked, Image.open("g.png") as plain:
        assert (np.array(marked) == np.array(plain)).all()


def test_a_training_marks_its_sheets(command: Command) -> None:
    words = ("train", "tiny", "device=cpu", "schedule.total_images=8")
    for run_dir, more, kind in (("a", (), "generated"), ("b", ("--no-mark",), None)):
        command(*words, f"run_dir={run_dir}", *more).result  # noqa: B018
        (sheet,) = Path(run_dir, "sheets").glob("*.png")
        mark = read_mark(sheet)
        assert (None if mark is None else mark.kind) == kind


def test_a_picture(command: Command, tiny: tuple[str, ...]) -> None:
    command("generate", *tiny, "--seeds", "1", "--out", "a").result  # noqa: B018
    done = command("inspect", "a/seed-0001.png")
    assert (done.result["format"], done.result["size"]) == ("PNG", [32, 32])
    assert done.result["mark"]["source_type"].endswith("/trainedAlgorithmicMedia")
    assert "mark: generated\n" in done.err and "model: a model of 32 pixels and 5 regions\n" in done.err
    Image.new("RGB", (5, 7)).save("plain.jpg")
    done = command("inspect", "plain.jpg")
    assert (done.result["mark"], done.result["size"]) == (None, [5, 7]) and "mark: none\n" in done.err


def test_files_of_weights(command: Command, tiny: tuple[str, ...], tiny_model_file: Path) -> None:
    command("generate", *tiny, "--seeds", "1", "--latents", "--out", "a").result  # noqa: B018
    model = command("inspect", str(tiny_model_file)).result
    assert (model["kind"], model["licence"], model["digest"]) == (
        "model",
        "Apache-2.0",
        digest_by_hand(tiny_model_file),
    )
    assert model["regions"] == ["background", "face", "eye", "hair", "glasses"]
    code = command("inspect", "a/seed-0001.safetensors").result
    assert (code["kind"], code["shape"]) == ("latent-code", [[1, 11, 16]])
    faces = command("inspect", "faces-64")
    assert faces.result["data_licence"] == "LFW, research only" and faces.result["perception"] == [
        "tutor-photographs-64"
    ]
    assert len(faces.result["alignment"]) == 5 and faces.result["training"]["recipe"]
    assert "data licence: LFW, research only\n" in faces.err
    parser = command("inspect", str(bundled("parsers")["photographs-64"])).result
    assert parser["kind"] == "parser" and "hair" in parser["regions"]


def test_a_runs_folder_and_a_state(command: Command, tiny_model_file: Path, tmp_path: Path) -> None:
    for step in (5, 40):
        (tmp_path / f"portraits-64/step-{step:07d}").mkdir(parents=True)
        shutil.copy(tiny_model_file, tmp_path / f"portraits-64/step-{step:07d}/model.safetensors")
    assert command("inspect", "portraits-64").result["state"] == "step-0000040", "the folder, not the bundled model"
    assert command("inspect", "portraits-64/step-0000005").result["kind"] == "model"


def test_no_tensor_is_read(command: Command, tiny_model_file: Path, tmp_path: Path) -> None:
    content = bytearray(tiny_model_file.read_bytes())
    content[-1] ^= 0xFF  # of a tensor: loading refuses this file
    (tmp_path / "a.safetensors").write_bytes(content)
    assert command("inspect", "a.safetensors").result["kind"] == "model"
    assert "not what was saved" in command("generate", "--model", "a.safetensors", "--out", "x").complaint


def test_anything_else_is_one_line(command: Command, tmp_path: Path, tiny_model_file: Path) -> None:
    save_file({"a": torch.zeros(2)}, tmp_path / "other.safetensors")
    (tmp_path / "a.txt").write_text("text")
    (tmp_path / "a.pt").write_bytes(b"\x80\x02}q\x00.")
    (tmp_path / "empty").mkdir()
    changed = tiny_model_file.read_bytes().replace(b"Apache-2.0", b"free-to-us")
    (tmp_path / "changed.safetensors").write_bytes(changed)
    for name, words in {
        "other.safetensors": "of something else",
        "a.txt": "neither a picture",
        "a.pt": "--trust",
        "empty": "without a training state",
        "changed.safetensors": "its checksum differs",
        "nothing.png": "does not exist",
    }.items():
        done = command("inspect", name)
        assert done.code == 2 and words in done.complaint, name
