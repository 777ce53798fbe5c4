"""Files of weights come back exactly, describe themselves, and are refused in one clear line when anything is wrong."""

from __future__ import annotations

import json
import os
import pickle
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from semanticgan.checkpoint import load_model, read_metadata, save_model
from semanticgan.errors import ExistingFileError, InputError, MissingFileError, UnwritableError, WeightsError
from semanticgan.formats import weights
from semanticgan.networks.config import DiscriminatorConfig
from semanticgan.networks.discriminator import Discriminator
from semanticgan.networks.generator import Generator
from semanticgan.regions import CELEBAMASK_13, RegionScheme
from tests.conftest import TINY_REGIONS

DISCRIMINATOR = DiscriminatorConfig(32, len(TINY_REGIONS), {4: 8, 8: 8, 16: 8, 32: 8})


@pytest.fixture
def discriminator() -> Discriminator:
    torch.manual_seed(1)
    return Discriminator(DISCRIMINATOR)


def save(path: Path, generator: Generator, **options: Any) -> Path:
    save_model(
        path,
        generator,
        TINY_REGIONS,
        training={"images": 12_000, "hours": 1.5},
        licence="Apache-2.0",
        data_licence="none: random weights",
        description="a tiny model\nfor tests",
        **options,
    )
    return path


def rewrite(
    path: Path,
    tensors: Callable[[dict[str, Any]], None] = lambda tensors: None,
    metadata: Callable[[dict[str, str]], None] = lambda metadata: None,
) -> None:
    """Change a file of weights and make its checksums fit again, as a careful forger or another program would."""
    with safe_open(path, framework="pt") as file:
        raw, content = dict(file.metadata()), {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
    tensors(content)
    raw["sha256"] = json.dumps({name: weights.sha256_of_tensor(tensor) for name, tensor in content.items()})
    metadata(raw)
    raw["metadata_sha256"] = weights.metadata_sha256(raw)
    save_file(content, path, raw)


def test_networks_that_a_model_learnt_from_are_recorded(tmp_path: Path, tiny_generator: Generator) -> None:
    path = save(tmp_path / "a.safetensors", tiny_generator, perception=["tutor-b", "lite0", "tutor-b"])
    assert load_model(path).metadata.perception == read_metadata(path).perception == ("lite0", "tutor-b")
    plain = save(tmp_path / "b.safetensors", tiny_generator)
    assert read_metadata(plain).perception == ()
    with safe_open(plain, framework="pt") as file:  # as files were before
        assert "perception" not in file.metadata()
    for wrong in ('{"lite0": 1}', "[1]", "lite0", '"lite0"'):
        rewrite(path, metadata=lambda raw, wrong=wrong: raw.update(perception=wrong))  # type: ignore[misc]
        with pytest.raises(WeightsError, match=r"a\.safetensors' cannot be used"):
            read_metadata(path)


def test_round_trip(tmp_path: Path, tiny_generator: Generator, discriminator: Discriminator) -> None:
    path = save(tmp_path / "a.safetensors", tiny_generator, discriminator=discriminator)
    loaded = load_model(path, with_discriminator=True)
    for network, saved in ((loaded.generator, tiny_generator), (loaded.discriminator, discriminator)):
        assert network is not None and not network.training
        state = network.state_dict()
        assert state.keys() == saved.state_dict().keys()
        assert all(torch.equal(state[name], tensor) for name, tensor in saved.state_dict().items())
    assert loaded.regions == TINY_REGIONS
    assert loaded.generator.config == tiny_generator.config
    assert loaded.metadata == read_metadata(path)
    assert loaded.metadata.description == "a tiny model for tests"
    assert loaded.metadata.training == {"images": 12_000, "hours": 1.5}
    assert loaded.metadata.licence == "Apache-2.0"
    assert loaded.metadata.data_licence == "none: random weights"
    assert loaded.metadata.discriminator == DISCRIMINATOR
    assert load_model(path).discriminator is None
    assert sorted(os.listdir(tmp_path)) == ["a.safetensors"]


def test_loading_leaves_the_random_state(tmp_path: Path, tiny_generator: Generator) -> None:
    path = save(tmp_path / "a.safetensors", tiny_generator)
    state = torch.get_rng_state()
    load_model(path)
    assert torch.equal(torch.get_rng_state(), state)


def test_float16_is_half_as_large_and_close(tmp_path: Path, tiny_generator: Generator) -> None:
    long = save(tmp_path / "long.safetensors", tiny_generator)
    short = save(tmp_path / "short.safetensors", tiny_generator, precision="float16")
    loaded = load_model(short)
    assert loaded.metadata.precision == "float16"
    for name, tensor in loaded.generator.state_dict().items():
        expected = tiny_generator.state_dict()[name]
        assert tensor.dtype == torch.float32
        torch.testing.assert_close(tensor, expected, rtol=1e-3, atol=1e-6)

    def tensor_bytes(path: Path) -> int:
        with open(path, "rb") as file:
            return path.stat().st_size - 8 - struct.unpack("<Q", file.read(8))[0]

    assert tensor_bytes(short) * 2 == tensor_bytes(long)


def test_saving_refuses(tmp_path: Path, tiny_generator: Generator) -> None:
    path = save(tmp_path / "a.safetensors", tiny_generator)
    before = path.read_bytes()
    with pytest.raises(ExistingFileError, match="--overwrite"):
        save(path, tiny_generator)
    assert path.read_bytes() == before
    save(path, tiny_generator, overwrite=True)
    with pytest.raises(InputError, match=r"ends in .safetensors"):
        save(tmp_path / "a.pt", tiny_generator)
    with pytest.raises(InputError, match="unknown precision 'float8'"):
        save(tmp_path / "b.safetensors", tiny_generator, precision="float8")
    with pytest.raises(InputError, match="Give the scheme"):
        save_model(tmp_path / "b.safetensors", tiny_generator, CELEBAMASK_13, training={}, licence="", data_licence="")
    solid = RegionScheme(TINY_REGIONS.names)
    with pytest.raises(InputError, match="Give the scheme"):
        save_model(tmp_path / "b.safetensors", tiny_generator, solid, training={}, licence="", data_licence="")
    with pytest.raises(UnwritableError, match="cannot write to"):
        save(path / "below" / "b.safetensors", tiny_generator)
    assert sorted(os.listdir(tmp_path)) == ["a.safetensors"]


@pytest.mark.parametrize(("value", "message"), [(float("nan"), "not finite"), (1e6, "exceeds float16")])
def test_weights_that_cannot_be_kept_are_not_saved(
    tmp_path: Path, tiny_generator: Generator, value: float, message: str
) -> None:
    broken = Generator(tiny_generator.config)
    with torch.no_grad():
        broken.local.fourier_weight[0, 0] = value
    with pytest.raises(InputError, match=rf"'local.fourier_weight' .*{message}"):
        save(tmp_path / "a.safetensors", broken, precision="float16")
    assert not os.listdir(tmp_path)


def test_missing_file(tmp_path: Path) -> None:
    for read in (load_model, read_metadata):
        with pytest.raises(MissingFileError, match="does not exist"):
            read(tmp_path / "none.safetensors")
        with pytest.raises(MissingFileError, match="is a folder"):
            read(tmp_path)


def test_truncated_files(tmp_path: Path, tiny_generator: Generator) -> None:
    whole = save(tmp_path / "a.safetensors", tiny_generator).read_bytes()
    path = tmp_path / "cut.safetensors"
    for length in (0, 1, 7, 8, 9, 100, 5_000, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(WeightsError) as caught:
            load_model(path)
        assert "\n" not in str(caught.value) and "cut.safetensors" in str(caught.value)
    path.write_bytes(whole + b"more")
    with pytest.raises(WeightsError, match="truncated or damaged"):
        load_model(path)


def test_a_flipped_bit_in_a_tensor_names_it(tmp_path: Path, tiny_generator: Generator) -> None:
    path = save(tmp_path / "a.safetensors", tiny_generator)
    whole = bytearray(path.read_bytes())
    header = json.loads(whole[8 : 8 + struct.unpack("<Q", whole[:8])[0]])
    start = len(whole) - max(entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__")
    for name in ("local.layers.1.weight", "mean_latent", "renderer.blocks.0.to_rgb.bias"):
        damaged = bytearray(whole)
        damaged[start + header[name]["data_offsets"][0]] ^= 1
        path.write_bytes(damaged)
        with pytest.raises(WeightsError, match=f"tensor '{name}' is not what was saved"):
            load_model(path)


def test_a_flipped_bit_anywhere_is_found(tmp_path: Path, tiny_generator: Generator) -> None:
    path = save(tmp_path / "a.safetensors", tiny_generator)
    whole = path.read_bytes()
    header_end = 8 + struct.unpack("<Q", whole[:8])[0]
    random = np.random.default_rng(0)
    places = [*range(16), *random.integers(8, header_end, 150), *random.integers(header_end, len(whole), 50)]
    for place in places:
        damaged = bytearray(whole)
        damaged[place] ^= 1 << int(random.integers(8))
        path.write_bytes(damaged)
        with pytest.raises(WeightsError):
            load_model(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"<!DOCTYPE html>\n<html><body>Not Found</body></html>", "is an HTML page.*Download the file itself"),
        (b"\n  <html lang='en'>", "is an HTML page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n", "git-lfs pointer.*git lfs pull"),
        (b"", "is an empty file"),
        (b"just some text that is long enough", "is not a file of weights"),
        (struct.pack("<Q", 2**60) + b"{" + b" " * 100, "is not a file of weights"),
        (struct.pack("<Q", 90_000_000) + b"{" + b" " * 100, "truncated or damaged"),
        (pickle.dumps({"g_ema": 1}), "pickle, which is never opened.*semanticgan convert-checkpoint .* --trust"),
    ],
    ids=["html", "html-later", "git-lfs", "empty", "text", "huge-header", "long-header", "pickle"],
)
def test_other_files_in_place_of_weights(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(content)
    for read in (load_model, read_metadata):
        with pytest.raises(WeightsError, match=message):
            read(path)


def test_torch_files_are_never_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = {"weight": torch.zeros(3)}
    for name, zipped in (("new.pt", True), ("old.pt", False)):
        torch.save(content, tmp_path / name, _use_new_zipfile_serialization=zipped)
        monkeypatch.setattr(torch, "load", lambda *_args, **_options: pytest.fail("opened a pickle"))
        with pytest.raises(WeightsError, match="pickle, which is never opened"):
            load_model(tmp_path / name)


def test_safetensors_of_something_else(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    for metadata in (None, {"format": "pt"}):
        save_file({"weight": torch.zeros(3)}, path, metadata)
        with pytest.raises(WeightsError, match="of something else"):
            load_model(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda raw: raw.update(format_version="99"), "format version '99'.*Update semanticgan"),
        (lambda raw: raw.pop("regions"), "lacks regions"),
        (lambda raw: raw.update(config="{"), "cannot be used"),
        (lambda raw: raw.update(config='{"depth": 3}'), "cannot be used"),
        (lambda raw: raw.update(config=raw["config"].replace('"style_dim": 16', '"style_dim": 24')), "config asks for"),
        (
            lambda raw: raw.update(config=raw["config"].replace('"num_local_layers": 4', '"num_local_layers": 5')),
            "lacks t",
        ),
        (lambda raw: raw.update(config=raw["config"].replace('"size": 32', '"size": 33')), "power of two"),
        (lambda raw: raw.update(regions=json.dumps(CELEBAMASK_13.to_dict())), "Give the scheme"),
        (lambda raw: raw.update(precision="float16"), "is not what was saved"),
    ],
    ids=["version", "missing", "not-json", "unknown-key", "width", "layers", "side", "regions", "precision"],
)
def test_metadata_that_does_not_fit(
    tmp_path: Path, tiny_generator: Generator, change: Callable[[dict[str, str]], None], message: str
) -> None:
    path = save(tmp_path / "a.safetensors", tiny_generator)
    rewrite(path, metadata=change)
    with pytest.raises(WeightsError, match=message):
        load_model(path)


def put_nan(tensors: dict[str, torch.Tensor]) -> None:
    tensors["mean_latent"][3] = float("nan")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda tensors: tensors.pop("mean_latent"), "lacks tensors: mean_latent"),
        (lambda tensors: tensors.update(extra=torch.zeros(3)), "unknown tensors: extra"),
        (lambda tensors: tensors.update({"discriminator.x": torch.zeros(3)}), "unknown tensors: discriminator.x"),
        (lambda tensors: tensors.update(mean_latent=torch.zeros(15)), r"'mean_latent' has the shape \[15\].*\[16\]"),
        (lambda tensors: tensors.update(mean_latent=torch.zeros(16).double()), "'mean_latent' is not what was saved"),
        (put_nan, "'mean_latent' holds numbers that are not finite"),
    ],
    ids=["missing", "extra", "discriminator", "shape", "dtype", "nan"],
)
def test_tensors_that_do_not_fit(
    tmp_path: Path, tiny_generator: Generator, change: Callable[[dict[str, Any]], None], message: str
) -> None:
    path = save(tmp_path / "a.safetensors", tiny_generator)
    rewrite(path, tensors=change)
    with pytest.raises(WeightsError, match=message):
        load_model(path)


def test_a_tensor_without_hash_is_refused(tmp_path: Path, tiny_generator: Generator) -> None:
    path = save(tmp_path / "a.safetensors", tiny_generator)

    def forget(raw: dict[str, str]) -> None:
        hashes = json.loads(raw["sha256"])
        del hashes["mean_latent"]
        raw["sha256"] = json.dumps(hashes)

    rewrite(path, metadata=forget)
    with pytest.raises(WeightsError, match="unknown tensor 'mean_latent'"):
        load_model(path)
