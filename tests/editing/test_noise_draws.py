"""What noise alone changes: the formula in numpy, models with and without noise, and the command's files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import semanticgan as sg
from semanticgan.checkpoint import save_model
from semanticgan.editing.noise_draws import draw_noise
from semanticgan.errors import InputError
from semanticgan.networks.comparison.pggan import PGGANConfig, PGGANGenerator
from tests.conftest import Run

Command = Callable[..., Run]


@pytest.mark.parametrize("kind", ["tiny_layered_file", "tiny_model_file"])
def test_the_deviation_is_numpy_s(kind: str, request: pytest.FixtureRequest) -> None:
    model = sg.load(request.getfixturevalue(kind), device="cpu")
    for name, weight in model.generator.named_parameters():
        if name.endswith("noise.weight"):
            weight.fill_(0.3)  # noise begins with no effect
    code = model.sample(seed=5)
    drawn = draw_noise(model, code, 6, seed=5)
    assert len(drawn.pictures) == 6 and drawn.deviation.shape == (32, 32)
    pictures = np.stack([np.asarray(picture, dtype=np.float64) for picture in drawn.pictures])  # rounded to levels
    expected = pictures.std(axis=0, ddof=1).mean(axis=-1)
    assert np.abs(drawn.deviation.numpy() - expected).max() < 0.8 and expected.max() > 2
    shown = np.asarray(drawn.deviation_picture(), dtype=np.float64)
    assert shown.max() == 255 and np.abs(shown - 255 * drawn.deviation.numpy() / drawn.largest).max() <= 0.5
    few = draw_noise(model, code, 2, seed=5)
    assert all(one.tobytes() == other.tobytes() for one, other in zip(few.pictures, drawn.pictures, strict=False))
    fixed = model.render(code).to_pil()[0].tobytes()
    assert len({fixed, *(picture.tobytes() for picture in drawn.pictures)}) == 7


def test_noise_without_effect_is_black(tiny_model_file: Path) -> None:
    model = sg.load(tiny_model_file, device="cpu")
    drawn = draw_noise(model, model.sample(seed=1), 2)
    assert drawn.largest == 0 and not np.asarray(drawn.deviation_picture()).any()


def test_what_cannot_be_drawn_is_said(tiny_layered_file: Path) -> None:
    model = sg.load(tiny_layered_file, device="cpu")
    with pytest.raises(InputError, match="count is a whole number, at least 2"):
        draw_noise(model, model.sample(seed=1), 1)
    with pytest.raises(InputError, match="the code of one image, got 2"):
        draw_noise(model, model.sample(seeds=[1, 2]), 4)


def test_pggan_has_no_noise(command: Command) -> None:
    generator = PGGANGenerator(PGGANConfig(size=8, style_dim=4, channels={4: 4, 8: 4}))
    save_model("pggan.safetensors", generator, None, training={}, licence="CC0", data_licence="none")
    complaint = command("generate", "--model", "pggan.safetensors", "--noise", "random", "--out", "m").complaint
    assert "'pggan of 8 pixels' has no noise: each code has one picture" in complaint and not Path("m").exists()


def test_the_command_writes_rows_and_deviations(command: Command, tiny_layered_file: Path) -> None:
    words = ("generate", "--model", tiny_layered_file, "--noise", "random")
    result = command(*words, "--seeds", "3,4", "--count", 3, "--out", "n").result
    model = sg.load(tiny_layered_file, device="cpu")
    for index, seed in enumerate((3, 4)):
        drawn = draw_noise(model, model.sample(seed=seed), 3, seed)
        assert result["largest_deviation"][index] == pytest.approx(drawn.largest, rel=1e-6)
        with Image.open(result["deviations"][index]) as picture:
            assert picture.size == (32, 32) and np.array_equal(np.asarray(picture), drawn.deviation_picture())
        with Image.open(result["rows"][index]) as row:
            assert row.width > 4 * 160
        assert command("inspect", result["rows"][index]).result["mark"]["kind"] == "generated"
    assert "exists already" in command(*words, "--seed", 3, "--out", "n").complaint
    assert command(*words, "--seed", 3, "--out", "n", "--overwrite").result["count"] == 8
    assert "Add --noise random" in command("generate", "--count", 3).complaint
    assert "Leave out --labels" in command(*words, "--labels", "--out", "m").complaint
    assert "from 2 to 1000" in command(*words, "--count", 1).complaint
