"""Runs compared bit for bit, and stopped where a test wants it."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
import torch

from semanticgan.checkpoint import load_model
from semanticgan.runs.state import load_state, newest_state
from semanticgan.training import loop


def assert_same(found: object, expected: object, where: str = "state") -> None:
    """Equal bit for bit, through dictionaries and lists."""
    if isinstance(expected, torch.Tensor):
        assert isinstance(found, torch.Tensor) and found.dtype == expected.dtype, where
        assert torch.equal(found, expected), where
    elif isinstance(expected, dict):
        assert isinstance(found, dict) and found.keys() == expected.keys(), where
        for key in expected:
            assert_same(found[key], expected[key], f"{where}.{key}")
    elif isinstance(expected, (list, tuple)):
        assert isinstance(found, (list, tuple)) and len(found) == len(expected), where
        for index, (one, other) in enumerate(zip(found, expected, strict=True)):
            assert_same(one, other, f"{where}[{index}]")
    else:
        assert found == expected, where


def assert_same_run(found: Path, expected: Path) -> None:
    """Weights, EMA, optimisers, path mean, augmentation, logs, the last sheet and the exported model."""
    newest_found, newest_expected = newest_state(found), newest_state(expected)
    assert newest_found is not None and newest_expected is not None
    assert newest_found.name == newest_expected.name
    assert_same(load_state(newest_found), load_state(newest_expected))
    for name in ("stats.jsonl", f"sheets/{newest_expected.name}.png"):
        assert (found / name).read_bytes() == (expected / name).read_bytes(), name
    models = [load_model(newest / "model.safetensors") for newest in (newest_found, newest_expected)]
    assert models[0].metadata == models[1].metadata
    assert_same(*(dict(model.generator.state_dict()) for model in models))


def stop_after(steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Send this process SIGTERM once ``steps`` steps of a run are done."""
    step = loop.Trainer.step

    def counted(self, *batch):  # type: ignore[no-untyped-def]
        values = step(self, *batch)
        if self.steps_done == steps:
            os.kill(os.getpid(), signal.SIGTERM)
        return values

    monkeypatch.setattr(loop.Trainer, "step", counted)


def litter(run_dir: Path) -> list[str]:
    """What is left of saves that did not end."""
    return sorted(path.name for path in run_dir.glob(".step-*"))
