"""A run with a trained discriminator, as small as can be."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of one step on drawn portraits of 16 pixels."""
    from semanticgan.training.config import load_config
    from semanticgan.training.loop import train

    run_dir = tmp_path_factory.mktemp("runs") / "tiny"
    train(load_config("tiny", [f"run_dir={run_dir}", "schedule.total_images=4", "log_to=[]", "device=cpu"]))
    return run_dir
