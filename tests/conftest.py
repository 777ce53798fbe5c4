"""What several rooms' tests share: a tiny model, and the command line run as a user runs it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

# Networks of the tests are tiny: threads that wait for each other cost more than they compute.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch

from semanticgan.commands import main
from semanticgan.networks.config import GeneratorConfig
from semanticgan.networks.generator import Generator
from semanticgan.regions import RegionScheme

TINY_REGIONS = RegionScheme(("background", "face", "eye", "hair", "glasses"), transparent=("glasses",))

TINY_CONFIG = GeneratorConfig(
    size=32,
    style_dim=16,
    num_mapping_layers=2,
    num_regions=len(TINY_REGIONS),
    coarse_size=16,
    min_feature_size=8,
    num_local_layers=4,
    local_channels=8,
    feature_channels=16,
    num_base_layers=1,
    num_structure_layers=3,
    transparent=TINY_REGIONS.transparent_indices,
    channels={16: 8, 32: 8},
)


@pytest.fixture(scope="session")
def tiny_generator() -> Generator:
    """A generator with random weights, 32 pixels and 5 regions."""
    torch.manual_seed(0)
    generator = Generator(TINY_CONFIG).eval().requires_grad_(False)
    generator.estimate_mean_latent(256)
    return generator


@pytest.fixture(scope="session")
def tiny_model_file(tiny_generator: Generator, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny generator as a file of weights."""
    from semanticgan.checkpoint import save_model

    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    save_model(
        path, tiny_generator, TINY_REGIONS, training={}, licence="Apache-2.0", data_licence="none: random weights"
    )
    return path


@pytest.fixture(scope="session")
def tiny_layered_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A StyleGAN2 with random weights, 32 pixels, whose noise counts, as a file of weights."""
    from semanticgan.checkpoint import save_model
    from semanticgan.networks.comparison.stylegan2 import StyleGAN2Config, StyleGAN2Generator

    widths = dict.fromkeys((4, 8, 16, 32), 8)
    config = StyleGAN2Config(size=32, style_dim=16, num_mapping_layers=2, channels=widths)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        generator = StyleGAN2Generator(config).eval().requires_grad_(False)
    for name, weight in generator.named_parameters():
        if name.endswith("noise.weight"):
            weight.fill_(0.3)
    generator.estimate_mean_latent(256)
    path = tmp_path_factory.mktemp("weights") / "layered.safetensors"
    about = {"training": {"images": 24}, "licence": "Apache-2.0", "data_licence": "none: random weights"}
    save_model(path, generator, None, **about)
    return path


@pytest.fixture(scope="session")
def tiny_alae_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A StyleALAE of 16 pixels and 6 layers with random weights, as a file of weights."""
    from tests import alae

    path = tmp_path_factory.mktemp("weights") / "alae.safetensors"
    alae.write(path)
    return path


@dataclass(frozen=True)
class Run:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def result(self) -> dict[str, Any]:
        """The one JSON line on stdout."""
        assert self.code == 0, self.err
        assert self.out.count("\n") == 1
        return json.loads(self.out)

    @property
    def complaint(self) -> str:
        """The one line on stderr of a refused command."""
        assert self.code == 2, self.out + self.err
        assert self.out == ""
        assert self.err.startswith("error: ") and self.err.count("\n") == 1, self.err
        return self.err


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Run]:
    """Run ``semanticgan ARGUMENTS`` in an empty folder: ``command("generate", "--seeds", "0-3")``."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str | Path) -> Run:
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Run(code, captured.out, captured.err)

    return run


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of one step on drawn portraits of 16 pixels."""
    from semanticgan.training.config import load_config
    from semanticgan.training.loop import train

    run_dir = tmp_path_factory.mktemp("runs") / "tiny"
    train(load_config("tiny", [f"run_dir={run_dir}", "schedule.total_images=4", "log_to=[]", "device=cpu"]))
    return run_dir
