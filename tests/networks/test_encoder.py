"""The ReStyle encoder against the reference's outputs with random weights."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

import semanticgan as sg
from semanticgan.encoder_files import LoadedEncoder, load_encoder, save_encoder
from semanticgan.errors import InputError, WeightsError
from semanticgan.networks.encoder import Encoder, EncoderConfig
from semanticgan.reference import ReferenceEncoder, convert_checkpoint
from semanticgan.reference.restyle import encoder_config_from_reference, encoder_from_reference
from semanticgan.rows import Rows
from tests.networks.fixtures import FOLDER, TOLERANCE, Case, needs_fixtures

LEAN = EncoderConfig(
    size=16, num_rows=5, style_dim=8, stem=4, channels=[8, 8], blocks=[1, 1], head_channels=6, head_convolutions=2,
    norm="group",
)  # fmt: skip


def close(found: Tensor, wanted: Tensor) -> bool:
    return float((found - wanted).detach().abs().max()) <= TOLERANCE * float(wanted.abs().max())


def lean() -> Encoder:
    torch.manual_seed(0)
    return Encoder(LEAN).eval()


@pytest.fixture(scope="module")
def tiny() -> tuple[Case, dict[str, Tensor]]:
    case = Case("baselines/restyle_tiny")
    return case, case.starting("sd/")


@needs_fixtures
@pytest.mark.parametrize("size", ["x64", "x112", "x256"])
def test_equal_to_the_reference(tiny: tuple[Case, dict[str, Tensor]], size: str, tmp_path: Path) -> None:
    """Through the importer, the file and ``load``."""
    case, theirs = tiny
    state = {f"encoder.{name}": value for name, value in theirs.items()}
    content = {"state_dict": {**state, "decoder.input.input": torch.zeros(3)}, "latent_avg": torch.ones(4, 32)}
    torch.save(content, tmp_path / "restyle.pt")
    assert isinstance(convert_checkpoint(tmp_path / "restyle.pt", tmp_path / "a.safetensors", True), ReferenceEncoder)
    model = sg.load(tmp_path / "a.safetensors", device="cpu")
    with torch.no_grad():
        assert close(model.encoder(case[f"in/{size}"]), case[f"out/{size}/latents"])
    assert model.rows.names == ("layer.0", "layer.1", "layer.2", "layer.3")
    with pytest.raises(InputError, match="holds an encoder"):
        model.sample(seed=3)


@needs_fixtures
def test_in_training_mode(tiny: tuple[Case, dict[str, Tensor]]) -> None:
    """Batch statistics, running statistics after one call, and gradients."""
    case, theirs = tiny
    config = encoder_config_from_reference(theirs)
    encoder = Encoder(config)
    encoder.load_state_dict(encoder_from_reference(theirs, config), strict=False)
    encoder.train()
    assert close(encoder(case["in/x64"]), case["out/train/latents"])
    running = encoder.state_dict()
    for name in ("running_mean", "running_var"):
        assert close(running[f"stem.1.{name}"], case[f"after/input_layer.1.{name}"])
        assert close(running[f"body.23.residual.4.{name}"], case[f"after/body.23.res_layer.4.{name}"])
        assert close(running[f"body.3.shortcut.1.{name}"], case[f"after/body.3.shortcut_layer.1.{name}"])
    encoder.load_state_dict(encoder_from_reference(theirs, config), strict=False)
    loss = encoder(case["in/train_grad/x"]).square().mean()
    loss.backward()
    assert close(loss.detach(), case["out/train_grad/loss"])
    assert close(encoder.stem[0].weight.grad, case["out/train_grad/input_layer.0.weight"])
    assert close(encoder.body[3].residual[2].weight.grad, case["out/train_grad/body.3.res_layer.2.weight"])
    assert close(encoder.heads.weight.grad[0], case["out/train_grad/styles.0.linear.weight"])


@needs_fixtures
@pytest.mark.by_name
def test_at_full_size() -> None:
    """302 million numbers by the fixture's rule."""
    case = Case("baselines/restyle_full")
    names = [
        line.split("\t")
        for line in (FOLDER.parent / "spec" / "restyle_psp_layout.txt").read_text().splitlines()
        if "\t" in line and not line.startswith("#")
    ]
    shapes = {row[0]: [int(side) for side in row[1].strip("[]").split(",") if side] for row in names}
    weights = {name: by_rule(name, shape, case.meta["seed"]) for name, shape in shapes.items()}
    config = encoder_config_from_reference(weights)
    assert config == EncoderConfig()
    encoder = Encoder(config).eval()
    encoder.load_state_dict(encoder_from_reference(weights, config), strict=False)
    for size in ("x64", "x256"):
        with torch.no_grad():
            assert close(encoder(case[f"in/{size}"]), case[f"out/{size}/latents"])


def by_rule(name: str, shape: list[int], seed: int) -> Tensor:
    """A tensor by the weight rule in the fixture's meta.json."""
    raw = np.random.PCG64([seed, zlib.crc32(name.encode())]).random_raw(int(np.prod(shape)))
    v = ((raw >> np.uint64(40)).astype(np.float64) / 2**23 - 1) * np.sqrt(3.0)
    v = v.reshape(shape)
    if name.endswith("num_batches_tracked"):
        return torch.zeros((), dtype=torch.int64)
    if name.endswith("running_mean") or name.endswith("bias"):
        v = 0.1 * v
    elif name.endswith("running_var"):
        v = 1 + 0.2 * abs(v)
    elif len(shape) >= 2 and not name.endswith("linear.weight"):
        gain = 3 if name.startswith("styles.") else 4 if ".fc" in name else 1
        v = gain * v / np.sqrt(np.prod(shape[1:]))
    elif len(shape) == 1:
        normed = not (name == "input_layer.2.weight" or name.endswith("res_layer.2.weight"))
        v = 1 + 0.1 * v if normed else 0.25 + 0.05 * v
    return torch.from_numpy(v.astype(np.float32))


def test_stacked_heads_are_heads_of_their_own() -> None:
    """Row r depends on the weights of row r alone, and equals a network with that head only."""
    encoder = lean()
    pair = torch.randn(2, 6, 16, 16, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        whole = encoder(pair)
        x = encoder.body(encoder.stem(pair))
        first, second = encoder.heads.layers
        for row in range(5):
            own = slice(6 * row, 6 * row + 6)
            y = torch.nn.functional.conv2d(x, first.weight[own], first.bias[own], 2, 1)
            y = torch.nn.functional.conv2d(
                torch.nn.functional.leaky_relu(y, 0.01), second.weight[own], second.bias[own], 2, 1
            )
            y = torch.nn.functional.leaky_relu(y, 0.01).flatten(1)
            alone = y @ encoder.heads.weight[row].T / 6**0.5 + encoder.heads.bias[row]
            torch.testing.assert_close(whole[:, row], alone)


def test_group_norm_does_not_mix_pictures() -> None:
    encoder = lean().train()
    pair = torch.randn(3, 6, 16, 16, generator=torch.Generator().manual_seed(2))
    torch.testing.assert_close(encoder(pair)[1:2], encoder(pair[1:2]))


def test_a_file_keeps_everything(tmp_path: Path) -> None:
    rows = Rows.of_layers(5)
    saved = LoadedEncoder(
        lean(), torch.randn(5, 8), rows, {"name": "a", "digest": "0" * 16}, {"images": 3}, "L", "D", "x"
    )
    save_encoder(tmp_path / "e.safetensors", saved)
    loaded = load_encoder(tmp_path / "e.safetensors")
    assert torch.equal(loaded.mean, saved.mean) and loaded.rows == rows and loaded.model == saved.model
    assert (loaded.training, loaded.licence, loaded.data_licence, loaded.description) == ({"images": 3}, "L", "D", "x")
    pair = torch.randn(1, 6, 16, 16)
    assert torch.equal(loaded.encoder(pair), saved.encoder(pair))
    with pytest.raises(InputError, match="needs 5 rows"):
        save_encoder(tmp_path / "f.safetensors", LoadedEncoder(lean(), torch.randn(4, 8), rows))


@pytest.mark.parametrize(
    "sizes, message",
    [
        ({"channels": [8]}, "1 stages"),
        ({"blocks": [1, 0]}, "from 1 on"),
        ({"blocks": [60, 60]}, "at most 64"),
        ({"head_convolutions": 1}, "head_convolutions=2"),
        ({"norm": "layer"}, "norm"),
    ],
)
def test_sizes_that_do_not_fit(sizes: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        EncoderConfig(**{**LEAN.to_dict(), **sizes})


def test_a_picture_that_is_too_large() -> None:
    with pytest.raises(InputError, match="too large"):
        lean()(torch.zeros(1, 6, 64, 64))


@pytest.mark.parametrize(
    "broken, message",
    [
        ({"latent_avg": None}, "latent_avg"),
        ({"latent_avg": torch.zeros(7)}, "latent_avg"),
        ({"state_dict": {"encoder.body.0.x": torch.zeros(1)}}, "no heads or no body"),
    ],
)
@needs_fixtures
def test_checkpoints_of_something_else(
    tiny: tuple[Case, dict[str, Tensor]], broken: dict[str, object], message: str, tmp_path: Path
) -> None:
    state = {f"encoder.{name}": value for name, value in tiny[1].items()}
    torch.save({"state_dict": state, "latent_avg": torch.ones(4, 32), **broken}, tmp_path / "a.pt")
    with pytest.raises(WeightsError, match=message):
        convert_checkpoint(tmp_path / "a.pt", tmp_path / "b.safetensors", True)
    assert not (tmp_path / "b.safetensors").exists()
