"""The authors' checkpoints are converted exactly, and nothing in them is ever run."""

from __future__ import annotations

import argparse
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from semanticgan.checkpoint import load_model
from semanticgan.errors import ExistingFileError, InputError, MissingFileError, WeightsError
from semanticgan.networks.config import GeneratorConfig, paper_channels
from semanticgan.reference import (
    convert_checkpoint,
    generator_config_from_reference,
    generator_from_reference,
    read_checkpoint,
)
from semanticgan.regions import CELEBAMASK_13, RegionScheme
from tests.networks.fixtures import CHECKPOINT, FOLDER, assert_parity, case, needs_fixtures

LAYOUT = FOLDER.parent / "spec" / "official-checkpoint-layout.txt"


@pytest.fixture(scope="module")
def content() -> dict[str, Any]:
    """What the fixture's .pt holds."""
    if not CHECKPOINT.is_file():
        pytest.skip(f"there is no {CHECKPOINT}")
    with torch.serialization.safe_globals([argparse.Namespace]):
        loaded: dict[str, Any] = torch.load(CHECKPOINT, weights_only=True)
    return loaded


def save_pt(path: Path, content: Any, zipped: bool = True) -> Path:
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    return path


@needs_fixtures
def test_a_training_checkpoint(tmp_path: Path) -> None:
    """Picture, segmentation and score through the converted file equal the reference's."""
    out = tmp_path / "converted.safetensors"
    checkpoint = convert_checkpoint(CHECKPOINT, out, trust=True)
    loaded = load_model(out, with_discriminator=True)
    outputs = case("e_official_checkpoint_000001_outputs")
    assert loaded.discriminator is not None
    with torch.no_grad():
        rendering = loaded.generator(loaded.generator.map(outputs["in/z"]))
        score = loaded.discriminator(rendering.image, rendering.segmentation)
    assert_parity(rendering.image, outputs["out/rgb"])
    assert_parity(rendering.segmentation, outputs["out/seg"])
    assert_parity(score, outputs["out/d_logit"])
    assert loaded.regions == CELEBAMASK_13
    assert loaded.metadata.training["source"] == CHECKPOINT.name
    assert len(loaded.metadata.training["source_sha256"]) == 64
    assert "CC BY-NC-SA" in loaded.metadata.licence

    generator = checkpoint.generator
    z = torch.randn(4096, generator.config.style_dim, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(loaded.generator.mean_latent, generator.map(z).mean(0))


def test_a_released_file_holds_the_generator_only(tmp_path: Path, content: dict[str, Any]) -> None:
    source = save_pt(tmp_path / "a.pt", {"g_ema": content["g_ema"], "args": content["args"]})
    checkpoint = convert_checkpoint(source, tmp_path / "a.safetensors", trust=True)
    assert checkpoint.discriminator is None and checkpoint.iteration is None
    loaded = load_model(tmp_path / "a.safetensors", with_discriminator=True)
    assert loaded.discriminator is None
    state = loaded.generator.state_dict()
    for name, tensor in generator_from_reference(content["g_ema"], loaded.generator.config).items():
        assert torch.equal(state[name], tensor)


def test_legacy_format_iteration_and_options(tmp_path: Path, content: dict[str, Any]) -> None:
    source = save_pt(tmp_path / "012000.pt", content, zipped=False)
    names = RegionScheme(tuple(f"part{k}" for k in range(13)), transparent=("part10", "part12"))
    out = tmp_path / "a.safetensors"
    convert_checkpoint(
        source, out, trust=True, regions=names, include_discriminator=False, precision="float16", licence="mine"
    )
    loaded = load_model(out, with_discriminator=True)
    assert loaded.metadata.training["iteration"] == 12_000
    assert loaded.regions == names and loaded.discriminator is None
    assert loaded.metadata.precision == "float16" and loaded.metadata.licence == "mine"


@pytest.mark.parametrize("arguments", [None, {}, argparse.Namespace()], ids=["none", "empty-dict", "empty-namespace"])
def test_missing_arguments_are_those_of_the_released_models(
    tmp_path: Path, content: dict[str, Any], arguments: Any
) -> None:
    saved = {"g_ema": content["g_ema"]} if arguments is None else {"g_ema": content["g_ema"], "args": arguments}
    config = read_checkpoint(save_pt(tmp_path / "a.pt", saved)).generator.config
    assert config == read_checkpoint(CHECKPOINT).generator.config
    assert config.transparent == (10, 12) and config.num_base_layers == 2 and config.coarse_size == 16


@needs_fixtures
def test_arguments_that_tensors_do_not_tell() -> None:
    fixture = case("b_generator_k5")
    tensors = fixture.starting("sd/")
    config = generator_config_from_reference(
        tensors, {"base_layers": 1, "depth_layers": 4, "residual_refine": False, "transparent_dims": None}
    )
    assert (config.num_base_layers, config.num_structure_layers) == (1, 4)
    assert not config.residual_segmentation and config.transparent == ()
    assert generator_config_from_reference(tensors, {"depth_layers": 4}).transparent == ()


@pytest.mark.skipif(not LAYOUT.is_file(), reason=f"there is no {LAYOUT}")
def test_the_released_layout() -> None:
    """The released 512-pixel generator and discriminator, tensor by tensor, without their numbers."""
    from semanticgan.networks.discriminator import Discriminator
    from semanticgan.networks.generator import Generator
    from semanticgan.reference import discriminator_config_from_reference, discriminator_from_reference

    sections: list[dict[str, Tensor]] = []
    for line in LAYOUT.read_text().splitlines():
        if line.startswith("## "):
            sections.append({})
        elif line.count("\t") == 3:
            name, shape, _, _ = line.split("\t")
            sections[-1][name] = torch.empty(
                [int(side) for side in shape.strip("[]").split(",") if side], device="meta"
            )
    generator_tensors, discriminator_tensors = sections[0], sections[1]
    config = generator_config_from_reference(generator_tensors, {})
    assert config == GeneratorConfig(channels={side: width for side, width in paper_channels(512).items() if side > 16})
    with torch.device("meta"):
        generator = Generator(config)
    ours = generator_from_reference(generator_tensors, config)
    expected = {name: list(tensor.shape) for name, tensor in generator.state_dict().items() if name != "mean_latent"}
    assert {name: list(tensor.shape) for name, tensor in ours.items()} == expected

    discriminator_config = discriminator_config_from_reference(discriminator_tensors)
    with torch.device("meta"):
        discriminator = Discriminator(discriminator_config)
    ours = discriminator_from_reference(discriminator_tensors, discriminator_config)
    expected = {name: list(tensor.shape) for name, tensor in discriminator.state_dict().items()}
    assert {name: list(tensor.shape) for name, tensor in ours.items()} == expected


def test_trust_must_be_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = save_pt(tmp_path / "a.pt", {"g_ema": {}, "args": {}})
    monkeypatch.setattr(torch, "load", lambda *_args, **_options: pytest.fail("opened without trust"))
    with pytest.raises(InputError, match=r"pickle.*--trust"):
        convert_checkpoint(source, tmp_path / "a.safetensors")
    assert sorted(os.listdir(tmp_path)) == ["a.pt"]


class Malicious:
    """Unpickling it makes a file."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return os.system, (f"touch '{self.target}'",)


@pytest.mark.parametrize("where", ["whole", "args", "inside", "bare"])
def test_code_in_a_pickle_is_never_run(tmp_path: Path, where: str) -> None:
    marker = tmp_path / "ran"
    evil = Malicious(marker)
    content: Any = {"whole": evil, "args": {"g_ema": {}, "args": evil}, "inside": {"g_ema": {"w": evil}}, "bare": evil}
    source = tmp_path / "evil.pt"
    if where == "bare":
        source.write_bytes(pickle.dumps(content[where]))
    else:
        save_pt(source, content[where], zipped=where != "inside")
    out = tmp_path / "out.safetensors"
    with pytest.raises(WeightsError, match="nothing in it was run") as caught:
        convert_checkpoint(source, out, trust=True)
    assert "\n" not in str(caught.value)
    assert not marker.exists() and not out.exists()
    assert argparse.Namespace not in torch.serialization.get_safe_globals()
    pickle.loads(pickle.dumps(evil))
    assert marker.exists(), "the test's own pickle does nothing"


def broken(change: Callable[[dict[str, Any]], Any]) -> Callable[[dict[str, Any]], Any]:
    def changed(content: dict[str, Any]) -> Any:
        copy = {"g_ema": dict(content["g_ema"]), "args": argparse.Namespace(**vars(content["args"]))}
        answer = change(copy)
        return answer if isinstance(answer, (dict, list)) else copy

    return changed


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: {"state_dict": {}}, "one of SemanticStyleGAN has 'g_ema' and 'args'"),
        (lambda c: [1, 2], "is no dictionary"),
        (lambda c: {"g_ema": {}}, "no renderer"),
        (lambda c: {"g_ema": 3}, "no dictionary of tensors"),
        (lambda c: c["g_ema"].pop("local_nets.3.linears.2.conv.weight") is None, "lacks the tensor 'local_nets.3"),
        (lambda c: c["g_ema"].update(strange=torch.zeros(2)), r"tensors unknown to SemanticStyleGAN: \['strange'\]"),
        (lambda c: c["g_ema"].update({"style.1.weight": "text"}), "lacks the tensor 'style.1.weight'"),
        (lambda c: c["g_ema"].update({"style.2.bias": torch.zeros(63)}), "has the shape"),
        (lambda c: c["g_ema"].update({"local_nets.0.to_feat.conv.weight": torch.zeros(3)}), "does not have the layout"),
        (lambda c: setattr(c["args"], "base_layers", "two"), "does not have the layout"),
        (lambda c: setattr(c["args"], "depth_layers", 10), "layers must satisfy"),
        (lambda c: setattr(c["args"], "transparent_dims", [99]), "transparent labels"),
    ],
)
def test_other_checkpoints_are_refused(
    tmp_path: Path, content: dict[str, Any], change: Callable[[dict[str, Any]], Any], message: str
) -> None:
    source = save_pt(tmp_path / "a.pt", broken(change)(content))
    with pytest.raises(WeightsError, match=message) as caught:
        convert_checkpoint(source, tmp_path / "a.safetensors", trust=True)
    assert "\n" not in str(caught.value)
    assert sorted(os.listdir(tmp_path)) == ["a.pt"]


def test_a_checkpoint_with_nan_is_refused(tmp_path: Path, content: dict[str, Any]) -> None:
    changed = {**content["g_ema"], "pos_embed.weights": content["g_ema"]["pos_embed.weights"] * float("nan")}
    source = save_pt(tmp_path / "a.pt", {"g_ema": changed, "args": content["args"]})
    with pytest.raises(InputError, match=r"'local.fourier_weight' is not finite"):
        convert_checkpoint(source, tmp_path / "a.safetensors", trust=True)
    assert sorted(os.listdir(tmp_path)) == ["a.pt"]


def test_damaged_files(tmp_path: Path, content: dict[str, Any]) -> None:
    out = tmp_path / "out.safetensors"
    for zipped in (True, False):
        whole = save_pt(tmp_path / "whole.pt", {"g_ema": content["g_ema"]}, zipped).read_bytes()
        for length in (2, 100, len(whole) // 2, len(whole) - 1):
            path = tmp_path / "cut.pt"
            path.write_bytes(whole[:length])
            with pytest.raises(WeightsError) as caught:
                convert_checkpoint(path, out, trust=True)
            assert "\n" not in str(caught.value)
    for start, message in (
        (b"<html></html>", "an HTML page"),
        (b"", "an empty file"),
        (b"version https://git-lfs.github.com/spec/v1\n", "a git-lfs pointer"),
    ):
        path.write_bytes(start)
        with pytest.raises(WeightsError, match=message):
            convert_checkpoint(path, out, trust=True)
    assert not out.exists()


def test_paths(tmp_path: Path, content: dict[str, Any], tiny_model_file: Path) -> None:
    source = save_pt(tmp_path / "a.pt", {"g_ema": content["g_ema"], "args": content["args"]})
    with pytest.raises(MissingFileError, match="does not exist"):
        convert_checkpoint(tmp_path / "none.pt", tmp_path / "a.safetensors", trust=True)
    with pytest.raises(WeightsError, match="safe file of weights already"):
        convert_checkpoint(tiny_model_file, tmp_path / "a.safetensors", trust=True)
    out = tmp_path / "there.safetensors"
    out.write_bytes(b"precious")
    with pytest.raises(ExistingFileError, match="--overwrite"):
        convert_checkpoint(source, out, trust=True)
    assert out.read_bytes() == b"precious"


@needs_fixtures
def test_the_command(command: Callable[..., Any], tmp_path: Path) -> None:
    result = command("convert-checkpoint", CHECKPOINT, "a.safetensors", "--trust").result
    assert result["size"] == 64 and result["num_regions"] == 13 and result["discriminator"] is True
    load_model(tmp_path / "a.safetensors")
    assert "--overwrite" in command("convert-checkpoint", CHECKPOINT, "a.safetensors", "--trust").complaint
    assert "--trust" in command("convert-checkpoint", CHECKPOINT, "b.safetensors").complaint
    refused = command("convert-checkpoint", CHECKPOINT, "b.safetensors", "--trust", "--regions", "celebamask-12")
    assert "celebamask-13" in refused.complaint
    refused = command("convert-checkpoint", CHECKPOINT, "b.safetensors", "--trust", "--regions", "photographs-11")
    assert "13 regions" in refused.complaint
    assert not (tmp_path / "b.safetensors").exists()
    options = ("--trust", "--precision", "float16", "--without-discriminator", "--description", "small")
    assert command("convert-checkpoint", CHECKPOINT, "b.safetensors", *options).result["discriminator"] is False
    assert load_model(tmp_path / "b.safetensors").metadata.description == "small"
