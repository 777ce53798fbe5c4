"""`train-classifier`: a short training, its file, and what it refuses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from semanticgan.commands.train_classifier import DEFAULT_NUM_PORTRAITS
from semanticgan.perception.classifier import load_classifier
from semanticgan.perception.classifier_training import ClassifierTraining
from semanticgan.perception.classifier_truth import BINARY, CATEGORIES, NUMBERS
from tests.conftest import Run

Command = Callable[..., Run]
SHORT = ("--size", "16", "--count", "12", "--held-out", "4", "--steps", "2", "--batch", "4", "--device", "cpu")


def test_trains_scores_and_writes(command: Command) -> None:
    run = command("train-classifier", *SHORT, "--out", "a.safetensors", "--licence", "Apache-2.0")
    result = run.result
    assert (result["out"], result["size"], result["num_portraits"], result["num_steps"]) == ("a.safetensors", 16, 8, 2)
    held_out = result["held_out"]
    assert held_out["num_portraits"] == 4
    assert set(held_out["binary"]) == set(BINARY)
    assert set(held_out["categories"]) == set(CATEGORIES) and set(held_out["numbers"]) == set(NUMBERS)
    classifier = load_classifier("a.safetensors")
    assert classifier.training == {name: value for name, value in result.items() if name not in ("out", "size")}
    assert (classifier.licence, classifier.data_licence) == ("Apache-2.0", "drawn by this package, free of terms")
    assert [path.name for path in Path().iterdir()] == ["a.safetensors"]

    before = Path("a.safetensors").read_bytes()
    assert "--overwrite" in command("train-classifier", *SHORT, "--out", "a.safetensors").complaint
    assert Path("a.safetensors").read_bytes() == before
    again = command("train-classifier", *SHORT, "--seed", "1", "--out", "a.safetensors", "--overwrite").result
    assert again["seed"] == 1 and Path("a.safetensors").read_bytes() != before


def test_refused_commands(command: Command) -> None:
    def complaint(*arguments: str) -> str:
        return command("train-classifier", *arguments).complaint

    out = ("--out", "a.safetensors")
    assert ".safetensors" in complaint("--out", "a.pt")
    assert "--out" in complaint()
    assert "leaves too few" in complaint(*out, "--size", "16", "--count", "4", "--held-out", "4")
    assert "512 pixels was asked for" in complaint(*out, "--size", "512", "--count", "4", "--held-out", "2")
    assert "100" in complaint(*out, "--size", "100")
    assert "portraits a step above 1" in complaint(*out, "--batch", "1")
    assert "float16" in complaint(*out, "--precision", "float16")
    assert not list(Path().iterdir())


def test_the_defaults_leave_enough_to_learn_from() -> None:
    assert DEFAULT_NUM_PORTRAITS - ClassifierTraining.num_held_out == 16_000
