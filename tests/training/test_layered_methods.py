"""The comparison systems by the common loop: what they learn, growth, and a resume that is exact to the bit."""

from __future__ import annotations

import json
import math
import os
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

import semanticgan as sg
from semanticgan.networks.comparison.layered import level_of
from semanticgan.runs.state import load_state, newest_state
from semanticgan.training.config import load_config
from semanticgan.training.layered import at_level
from semanticgan.training.layered_config import GrowingTrainingConfig, LayeredTrainingConfig
from semanticgan.training.loop import train
from tests.programs import run_well
from tests.training.exactness import assert_same, stop_after

STEPS, BATCH = 40, 4
WIDTHS = "{4: 8, 8: 8, 16: 4}"
COMMON = [
    "data.workers=0",
    "size=16",
    f"batch={BATCH}",
    "device=cpu",
    "log_to=[]",
    "data.kind=portraits",
    "data.length=8",
    "seed=3",
]
IN_TWO = ["batch=8", "augmentation.probability=0", "optimiser.learning_rate=0.0001"]
SIZES = ["generator.style_dim=8", "generator.num_mapping_layers=2", f"generator.channels={WIDTHS}"]
OF_DISCRIMINATOR = {"alae": "discriminator.num_layers=2"}
REST = ["ema.half_life=20", "augmentation.probability=0.2"]
SCHEDULE = ["schedule.log_every=1", "schedule.save_every=10", "schedule.sheet_every=20", "schedule.sheet_images=2"]
METHODS: dict[str, list[str]] = {
    "stylegan2": ["loss.path_length_batch_shrink=1"],
    "stylegan": ["growth.first_size=8", "growth.stable_images=80", "growth.fade_images=32", "growth.batch.16=4"],
    "pggan": [
        "generator.num_mapping_layers=0",
        "growth.stable_images=40",
        "growth.fade_images=24",
        "growth.batch.4=8",
        "growth.warm_up_images=16",
    ],
    "alae": ["growth.stable_images=40", "growth.fade_images=24", "growth.batch.4=8", "loss.r1_image=1"],
}


def config_of(method: str, run_dir: Path, images: int = STEPS * BATCH, *more: str) -> LayeredTrainingConfig:
    recipe = run_dir.parent / f"{method}-{os.getpid()}.yaml"  # processes that share a training call this at once
    recipe.write_text(f"method: {method}\nname: test\n")
    keys = [f"run_dir={run_dir}", f"schedule.total_images={images}"]
    keys += [OF_DISCRIMINATOR.get(method, f"discriminator.channels={WIDTHS}")]
    config = load_config(recipe, [*keys, *COMMON, *SIZES, *REST, *SCHEDULE, *METHODS[method], *more])
    assert isinstance(config, LayeredTrainingConfig)
    return config


def ended(run_dir: Path) -> dict[str, object]:
    newest = newest_state(run_dir)
    assert newest is not None
    return load_state(newest)


@pytest.fixture(scope="module", params=METHODS)
def whole(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    run_dir = tmp_path_factory.mktemp(request.param) / "whole"
    assert train(config_of(request.param, run_dir)).finished
    return request.param, run_dir


@pytest.mark.parametrize("stop", [17, 27])
def test_resumes_to_the_bit(
    whole: tuple[str, Path], tmp_path: Path, stop: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a method grows, it does so between the two."""
    method, expected = whole
    with monkeypatch.context() as patch:
        stop_after(stop, patch)
        assert not train(config_of(method, tmp_path / "run")).finished
    assert train(config_of(method, tmp_path / "run")).finished
    assert_same(ended(tmp_path / "run"), ended(expected))
    assert (tmp_path / "run" / "stats.jsonl").read_bytes() == (expected / "stats.jsonl").read_bytes()


def test_what_a_run_leaves(whole: tuple[str, Path]) -> None:
    method, run_dir = whole
    lines = [json.loads(line) for line in (run_dir / "stats.jsonl").read_text().splitlines()]
    assert len(lines) >= STEPS * 3 // 4 and all(np.isfinite(list(line.values())).all() for line in lines)
    model = sg.load(run_dir, device="cpu")
    assert model.metadata.architecture == method and model.size == 16 and model.rows.regions is None
    code = model.sample(seeds=[1, 2])
    pictures = model.render(code).to_uint8()
    assert pictures.shape == (2, 3, 16, 16) and not torch.equal(pictures[0], pictures[1])
    assert model.generator.mean_latent.any() or method == "pggan"
    sheet = np.asarray(Image.open(max((run_dir / "sheets").glob("*.png"))))
    assert sheet.shape == (48 if method == "alae" else 16, 32, 3)  # it has rows of pictures and reconstructions, too
    state = ended(run_dir)
    generator, average = state["networks"]["generator"], state["networks"]["average"]
    assert any(not torch.equal(value, average[name]) for name, value in generator.items())


def test_two_processes_train_as_one(whole: tuple[str, Path], tmp_path: Path) -> None:
    """Each takes four of eight pictures, as one process does in two parts; 12 steps move a weight by up to 0.0012."""
    method, _ = whole
    assert train(config_of(method, tmp_path / "one", 96, *IN_TWO, "accumulate=2")).finished
    run_well(["-m", "tests.training.test_layered_methods", method, str(tmp_path / "two")], 2)
    one, two = ended(tmp_path / "one"), ended(tmp_path / "two")
    assert one["steps_done"] == two["steps_done"]
    for name, network in one["networks"].items():
        for path, weight in network.items():
            torch.testing.assert_close(two["networks"][name][path], weight, rtol=0, atol=1e-4)


def test_starts_from_a_run_and_refuses_other_networks(whole: tuple[str, Path], tmp_path: Path) -> None:
    method, run_dir = whole
    train(config_of(method, tmp_path / "next", BATCH, f"start={run_dir}", "optimiser.learning_rate=0"))
    weights, before = ended(tmp_path / "next")["networks"], ended(run_dir)["networks"]
    for name in ("generator", "discriminator"):
        for path, value in before[name].items():
            assert torch.equal(weights[name][path], value), (name, path)
    with pytest.raises(sg.InputError, match="does not have the networks of this recipe: style_dim"):
        train(config_of(method, tmp_path / "other", BATCH, f"start={run_dir}", "generator.style_dim=12"))


@pytest.mark.parametrize(
    "images", [0, 1, 599_999, 600_000, 900_000, 1_200_000, 4_200_001, 9_300_000, 9_600_000, 12_000_000]
)
def test_the_papers_schedule_of_growth(tmp_path: Path, images: int) -> None:
    """The level of the published code: 600,000 images at each resolution, 600,000 of fading, from 4 to 1024 pixels."""
    recipe = tmp_path / "pggan.yaml"
    recipe.write_text("method: pggan\nsize: 1024\n")
    config = load_config(recipe)
    assert isinstance(config, GrowingTrainingConfig)
    stage = config.stage_at(images, config.stages())
    phase, rest = divmod(images / 1000, 1200)
    expected = max(math.log2(1024) - 2 - phase - max(rest - 600, 0) / 600, 0)
    assert level_of(1024, stage.size, stage.fade) == pytest.approx(expected, abs=1e-9)
    resolutions = round(math.log2(1024 >> math.floor(expected))) - 1
    first_step = expected == int(expected) and stage.fade == 0.0  # of a fade: the new layers do not show yet
    assert f"generator.blocks.{resolutions - 1 + first_step}" in stage.in_use
    assert f"generator.blocks.{resolutions + first_step}" not in stage.in_use
    assert stage.anew == ("generator", "discriminator")


def test_batch_and_rate_by_resolution_and_warm_up(tmp_path: Path) -> None:
    recipe = tmp_path / "pggan.yaml"
    recipe.write_text("method: pggan\nsize: 16\nbatch: 4\n")
    growth = ["growth.batch={4: 16, 8: 8}", "growth.rate={16: 2.0}", "growth.warm_up_images=80"]
    config = load_config(recipe, [*growth, "growth.stable_images=160", "growth.fade_images=160"])
    assert isinstance(config, GrowingTrainingConfig)
    schedule = config.stages()
    assert list(schedule) == [0, 160, 320, 480, 640]
    found = [config.stage_at(images, schedule) for images in (0, 152, 160, 200, 320, 480, 520, 640, 10_000)]
    assert [stage.batch for stage in found] == [16, 16, 8, 8, 8, 4, 4, 4, 4]
    assert [stage.size for stage in found] == [4, 4, 8, 8, 8, 16, 16, 16, 16]
    assert [stage.fade for stage in found] == [1, 1, 0, 0.25, 1, 0, 0.25, 1, 1]
    assert [stage.rate for stage in found] == pytest.approx([1, 1, 0.1, 0.6, 0.1, 0.1, 1.1, 0.1, 2])


def test_learns_from_a_folder_of_pictures_alone(tmp_path: Path) -> None:
    """Without label maps and without a scheme; few of them, with adaptive augmentation, from a model's weights."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for index in range(6):
        Image.fromarray(np.full((32, 32, 3), 40 * index, np.uint8)).save(folder / f"{index}.png")
    data = ["data.kind=pictures", f"data.path={folder}", "data.length=null", "augmentation.adaptive=true"]
    assert train(config_of("stylegan2", tmp_path / "run", 16, *data)).finished
    again = train(config_of("stylegan2", tmp_path / "next", 16, *data, f"start={tmp_path / 'run'}"))
    assert again.finished and sg.load(again.model, device="cpu").size == 16


def test_real_pictures_at_a_level() -> None:
    picture = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert torch.equal(at_level(picture, 0.0), picture)
    half = picture.view(2, 3, 8, 2, 8, 2).mean((3, 5))
    torch.testing.assert_close(at_level(picture, 1.0), half)
    enlarged = half.repeat_interleave(2, 2).repeat_interleave(2, 3)
    torch.testing.assert_close(at_level(picture, 0.25), 0.75 * picture + 0.25 * enlarged)
    assert at_level(picture, 1.5).shape[-1] == 8
    torch.testing.assert_close(at_level(picture, 2.0), F.avg_pool2d(picture, 4))


if __name__ == "__main__":
    train(config_of(sys.argv[1], Path(sys.argv[2]), 96, *IN_TWO))
