"""A tiny dataset and recipe, so that a whole run takes seconds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from semanticgan.perception.parser import FaceParser, ParserConfig, ParserNetwork
from semanticgan.regions import PHOTOGRAPHS_11
from semanticgan.training.config import TrainingConfig, load_config


@pytest.fixture(scope="session")
def tiny_pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of 24 random pictures of 16 pixels with the 11 regions."""
    folder = tmp_path_factory.mktemp("pictures")
    random = np.random.default_rng(0)
    for name in ("image", "label"):
        (folder / name).mkdir()
    for index in range(24):
        labels = np.kron(random.integers(0, 11, (4, 4)), np.ones((4, 4))).astype(np.uint8)
        Image.fromarray(random.integers(0, 256, (16, 16, 3), dtype=np.uint8)).save(folder / f"image/{index:04d}.png")
        label = Image.fromarray(labels)
        label.putpalette(PHOTOGRAPHS_11.palette())
        label.save(folder / f"label/{index:04d}.png")
    return folder


@pytest.fixture(scope="module")
def parser_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A parser of 16 pixels that reads region 3 everywhere."""
    path = tmp_path_factory.mktemp("parser") / "parser.safetensors"
    torch.manual_seed(0)
    network = ParserNetwork(ParserConfig(16, 11))
    with torch.no_grad():
        network.head.weight.zero_()
        network.head.bias[3] = 10.0
    FaceParser(network, PHOTOGRAPHS_11, licence="none", data_licence="none").save(path)
    return path


@pytest.fixture
def tiny_config(tiny_pictures: Path) -> Callable[..., TrainingConfig]:
    """``tiny_config(run_dir, *overrides)``: the tiny recipe on the tiny pictures, 40 steps."""

    def make(run_dir: Path, *overrides: str) -> TrainingConfig:
        return load_config("tiny", [*tiny_overrides(tiny_pictures, run_dir), *overrides])

    return make


def tiny_overrides(pictures: Path, run_dir: Path) -> list[str]:
    """The overrides that put the tiny recipe on the tiny pictures."""
    return [
        f"run_dir={run_dir}",
        "data.kind=folder",
        f"data.path={pictures}",
        "data.scheme=photographs-11",
        "data.length=null",
        "device=cpu",
    ]
