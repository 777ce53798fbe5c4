"""`semanticgan compare`: its files and its JSON line, and what it refuses before it computes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from semanticgan.checkpoint import load_model, save_model
from semanticgan.registry import bundled
from tests.conftest import Run

Command = Callable[..., Run]
SMALL = ("--data-kind", "portraits", "--num-generated", 6, "--num-paths", 4, "--num-edits", 1, "--device", "cpu")
STAND_INS = ("--extractor", "random", "--distance", "random")


@pytest.fixture(autouse=True)
def _no_cache_of_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEMANTICGAN_HOME", str(tmp_path / "home"))


def test_two_models_in_every_form(command: Command, tiny_model_file: Path, tiny_layered_file: Path) -> None:
    models = (tiny_model_file, tiny_layered_file)
    pictures = ("--sheet", "s.png", "--ppl-plot", "p.png", "--projections", 2, "--projection-plot", "q.png")
    more = (*pictures, "--projection-steps", 2, "--cores", "1,2", "--names", "ours,StyleGAN2")
    ended = command("compare", *models, *SMALL, *STAND_INS, "--extractor", "attributes", *more, "--out", "c.md")
    result = ended.result
    assert [each["model"] for each in result["models"]] == ["ours", "StyleGAN2"] and "|" not in ended.err
    ours, theirs = (each["values"] for each in result["models"])
    heads = [f"{what} by {name} (stand-in)" for name in ("random", "attributes") for what in ("precision", "recall")]
    heads += ["Frechet distance by random (stand-in)", "PPL w-end by random (stand-in)"]
    heads += ["projection AUC by random (stand-in)", "generator parameters", "images/s in sampling"]
    assert all(values[head] is not None for values in (ours, theirs) for head in heads)
    assert theirs["images trained"] == 24 and theirs["locality of texture"] is None
    assert {"locality of texture", "discriminator parameters"} <= ours.keys() == theirs.keys()
    table = Path("c.md").read_text(encoding="utf-8")
    assert table.startswith("# 2 models on portraits\n") and "| StyleGAN2 | 24 |" in table
    assert f"{ours['Frechet distance by random (stand-in)']:.4g}" in table
    kinds = {"s.png": "composite", "p.png": "generated"}  # the sheet shows real pictures, too
    for name in ("s.png", "p.png", "q.png"):
        with Image.open(name) as picture:
            assert picture.width >= 700 and picture.height > 300
        mark = command("inspect", name).result["mark"]
        assert (mark and mark["kind"]) == kinds.get(name)
    assert "stylegan2 of 32 pixels" in command("inspect", "p.png").result["mark"]["model"]

    again = command("compare", *models, *SMALL, *STAND_INS, "--out", "c.json").result
    stored = json.loads(Path("c.json").read_text(encoding="utf-8"))
    assert len(stored["models"][0]["path_lengths"]) == 4 and "path_lengths" not in again["models"][0]
    head = "Frechet distance by random (stand-in)"
    assert stored["models"][0]["values"][head] == pytest.approx(ours[head], rel=1e-6)
    shown = command("compare", models[1], *SMALL, *STAND_INS)
    assert shown.code == 0 and "# 1 model on portraits" in shown.err


def test_a_run_is_compared_with_its_log(command: Command, tiny_run: Path) -> None:
    result = command("compare", tiny_run, *SMALL, *STAND_INS).result
    values = result["models"][0]["values"]
    assert result["models"][0]["model"] == "tiny" and values["images trained"] == 4
    assert values["discriminator parameters"] > 0 and values["hours of training"] is None


def test_what_is_refused_before_anything_is_computed(
    command: Command, tiny_model_file: Path, tiny_layered_file: Path, tiny_run: Path, tmp_path: Path
) -> None:
    save_model("b.safetensors", load_model(tiny_layered_file).generator, None, training={}, licence="", data_licence="")
    Path("data").mkdir()
    Path("there.md").write_text("mine")
    a = tiny_layered_file
    for words, message in (
        ((a,), "models are compared on data. Add --data PATH"),
        ((a, tiny_run, *SMALL), "models of one size are compared, got layered of 32 pixels, tiny of 16 pixels"),
        ((a, a, *SMALL), "a model is given twice"),
        ((a, "b.safetensors", *SMALL, "--names", "one"), "--names gives 1 for 2 models"),
        ((a, *SMALL, "--cores", "1,2"), "--cores gives 2 for 1 models"),
        ((a, *SMALL, "--cores", "0"), "'0' is not a whole number"),
        ((a, *SMALL, "--out", "there.md"), "exists already"),
        ((a, *SMALL, "--out", "c.txt"), "Use .md for a table or .json"),
        ((a, *SMALL, "--sheet", "c.gif"), "has the suffix '.gif'"),
        ((a, *SMALL, "--sheet", "c.png", "--ppl-plot", "c.png"), "name one file twice"),
        ((a, *SMALL, "--projection-plot", "c.png"), "Add --projections 40"),
        ((a, "--data", "data", "--sheet", "data/c.png"), "lies inside"),
        ((a, *SMALL, "--extractor", "randon"), "unknown extractor 'randon'"),
        ((a, *SMALL, "--extractor-weights", "w.pth"), "--extractor-weights gives a file that only"),
        ((a, *SMALL, "--parser", "portraits-46"), "Did you mean 'portraits-64'"),
        ((a, *SMALL, "--num-generated", "3"), "3 pictures of the model are too few"),
        ((a, *SMALL, *STAND_INS, "--projections", "7"), "Take 7 or more"),
        (("none.safetensors", *SMALL), "does not exist"),
        ((*SMALL,), "the following arguments are required"),
    ):
        assert message in command("compare", *words).complaint, words
    assert Path("there.md").read_text() == "mine"
    assert {path.name for path in tmp_path.iterdir()} == {"b.safetensors", "data", "there.md"}


def test_an_encoder_is_no_model(command: Command) -> None:
    encoder = bundled("encoders")["faces-64"]
    assert "the file holds an encoder" in command("compare", encoder, *SMALL).complaint


def test_help_names_every_extractor_distance_and_path(command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    from semanticgan.metrics.path_length import PATHS
    from semanticgan.perception.extractors import EXTRACTORS
    from semanticgan.perception.perceptual import DISTANCES

    with pytest.raises(SystemExit):
        command("compare", "--help")
    text = " ".join(capsys.readouterr().out.split())
    for name in (*EXTRACTORS, *DISTANCES, *PATHS):
        assert name.partition(":")[0] in text
