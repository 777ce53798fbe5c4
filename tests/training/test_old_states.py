"""States of version 0.1, whose networks were not in a dictionary of their own, are taken up."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch

from semanticgan.runs.state import TRAINING_FILE, load_state, newest_state, save_state
from semanticgan.training.config import TrainingConfig
from semanticgan.training.loop import train
from tests.training.exactness import assert_same_run, stop_after

import pytest  # isort: skip


def test_a_run_of_version_0_1_goes_on(
    tiny_config: Callable[..., TrainingConfig], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    helped = ("features.extractor=random", "loss.classifier=attributes-64", "schedule.total_images=24")
    train(tiny_config(tmp_path / "whole", *helped))
    with monkeypatch.context() as patch:
        stop_after(3, patch)
        train(tiny_config(tmp_path / "run", *helped))
    newest = newest_state(tmp_path / "run")
    assert newest is not None
    state = load_state(newest)
    objectives = state["method"]["objectives"]
    old = {
        "steps_done": state["steps_done"],
        **{name: state["networks"][name] for name in ("generator", "discriminator", "average")},
        "feature_judge": state["networks"]["feature_discriminator"],
        **{f"{name}_optimiser": state["optimisers"][name] for name in ("generator", "discriminator")},
        "path_length_mean": objectives["path_length"],
        "rates": objectives["rates"],
        "augmentation": state["method"]["augmentation"],
        "reader": None,
        "data_key": state["data_key"],
        "recent": state["recent"],
    }
    model = (newest / "model.safetensors").read_bytes()
    (newest / TRAINING_FILE).write_bytes(b"")  # damaged, so that it is written anew
    save_state(tmp_path / "run", 3, old, lambda path: path.write_bytes(model) and None, keep=2)
    assert "networks" not in torch.load(newest / TRAINING_FILE, weights_only=True)
    assert train(tiny_config(tmp_path / "run", *helped)).finished
    assert_same_run(tmp_path / "run", tmp_path / "whole")
