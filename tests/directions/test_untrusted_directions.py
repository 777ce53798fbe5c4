"""Files of directions, flows, encoders, tunings, scores and labels that are damaged or that somebody else wrote."""

from __future__ import annotations

import json
import os
import pickle
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

import semanticgan as sg
from semanticgan.directions import read_directions
from semanticgan.directions.flow_files import Condition, LoadedFlow, load_flow, save_flow
from semanticgan.directions.labels import MaskLabels
from semanticgan.directions.scored import score_samples
from semanticgan.directions.styleflow import StyleFlow
from semanticgan.directions.tables import read_table
from semanticgan.encoder_files import load_encoder
from semanticgan.errors import InputError
from semanticgan.formats.weights import metadata_sha256, read_weights, sha256_of_tensor, write_weights
from semanticgan.registry import bundled
from semanticgan.tuning_files import Tuning, read_tuning, save_tuning

Read = Callable[[Path], Any]


class Program:
    """A pickle that writes a file when it is opened."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("echo ran > ran",)


@pytest.fixture(scope="module")
def files(tiny_model_file: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, Read]]:
    """A sound file of each kind, and what reads it."""
    folder = tmp_path_factory.mktemp("sound")
    model = sg.load(tiny_model_file, device="cpu")
    flow = StyleFlow(16, 2, (8, 8)).eval()
    conditions = (Condition("age", 10.0, 70.0), Condition("glasses", 0.0, 1.0))
    save_flow(folder / "flow.safetensors", LoadedFlow(flow, conditions, model.rows))
    changes = {"renderer.w": torch.outer(torch.arange(1.0, 65), torch.arange(1.0, 65)) / 4096}
    save_tuning(folder / "tuning.safetensors", Tuning(changes, model.metadata.digest))
    return {
        "directions": (bundled("directions")["portraits-64"], read_directions),
        "flow": (folder / "flow.safetensors", load_flow),
        "encoder": (bundled("encoders")["portraits-64"], load_encoder),
        "tuning": (folder / "tuning.safetensors", read_tuning),
    }


def rewritten(source: Path, path: Path, tensors: dict[str, torch.Tensor] | None = None, **texts: str) -> Path:
    """A copy with other tensors or metadata, whose digests are right: somebody meant it so."""
    with safe_open(source, framework="pt") as file:
        raw, kept = dict(file.metadata()), {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    kept = kept if tensors is None else tensors
    raw |= texts
    raw["sha256"] = json.dumps({name: sha256_of_tensor(tensor) for name, tensor in kept.items()})
    raw["metadata_sha256"] = metadata_sha256(raw)
    save_file(kept, path, raw)
    return path


def refused(read: Read, path: Path) -> str:
    """What is said, at once and in one line."""
    began = time.process_time()
    with pytest.raises(InputError) as caught:
        read(path)
    assert time.process_time() - began < 5 and "\n" not in str(caught.value)
    return str(caught.value)


PETA = {"dtype": "F32", "shape": [2**25, 2**25], "data_offsets": [0, 2**52]}
DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "truncated": lambda content: content[: len(content) // 2],
    "one byte short": lambda content: content[:-1],
    "pickle": lambda content: pickle.dumps(Program()),
    "torch zip": lambda content: b"PK\x03\x04" + content,
    "header of terabytes": lambda content: struct.pack("<Q", 2**43) + content[8:],
    "tensor of petabytes": lambda content: (
        struct.pack("<Q", len(text := json.dumps({"w": PETA}).encode())) + text + bytes(64)
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("kind", ["directions", "flow", "encoder", "tuning"])
def test_damaged_files(
    kind: str, damage: str, files: dict[str, tuple[Path, Read]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    source, read = files[kind]
    path = tmp_path / "a.safetensors"
    path.write_bytes(DAMAGES[damage](source.read_bytes()))
    assert "a.safetensors" in refused(read, path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.safetensors"], "the pickle was run"


@pytest.mark.parametrize("kind", ["directions", "flow", "encoder", "tuning"])
def test_numbers_that_are_not_finite(kind: str, files: dict[str, tuple[Path, Read]], tmp_path: Path) -> None:
    source, read = files[kind]
    with safe_open(source, framework="pt") as file:
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    next(iter(tensors.values())).view(-1)[0] = torch.nan
    assert "not finite" in refused(read, rewritten(source, tmp_path / "a.safetensors", tensors))


FLOW = {"style_dim": 16, "num_conditions": 2, "hidden": [8, 8], "num_blocks": 1}


@pytest.mark.parametrize("change", [{"num_blocks": 10**8}, {"hidden": [1] * 10**5}, {"style_dim": 2**40}], ids=min)
def test_a_flow_of_absurd_size(change: dict[str, Any], files: dict[str, tuple[Path, Read]], tmp_path: Path) -> None:
    refused(load_flow, rewritten(files["flow"][0], tmp_path / "a.safetensors", config=json.dumps({**FLOW, **change})))


def test_a_tuning_that_unfolds_to_more_than_memory(files: dict[str, tuple[Path, Read]], tmp_path: Path) -> None:
    """Two vectors of 200 kB are a matrix of 37 GiB."""
    factors = {"w.left": torch.zeros(10**5, 1).half(), "w.right": torch.zeros(1, 10**5).half()}
    said = refused(read_tuning, rewritten(files["tuning"][0], tmp_path / "a.safetensors", factors))
    assert "more than 268,435,456 numbers" in said


@pytest.mark.parametrize("shape", [(5,), (20, 1), (20, 2, 1)], ids=str)
def test_kept_scores_of_another_shape(shape: tuple[int, ...], tiny_model_file: Path, tmp_path: Path) -> None:
    model, kept = sg.load(tiny_model_file, device="cpu"), tmp_path / "a.scores.safetensors"
    labels = MaskLabels(model)
    score_samples(model, labels, 10, kept=kept)
    about = read_weights(kept, "semanticgan-scores", ())[0]["about"]
    texts = {"description": "", "about": about}
    write_weights(kept, "semanticgan-scores", {"scores": torch.zeros(shape)}, texts, overwrite=True)
    before = kept.read_bytes()
    with pytest.raises(InputError, match="Remove it, and the codes are scored anew"):
        score_samples(model, labels, 20, kept=kept)
    assert kept.read_bytes() == before


@pytest.mark.parametrize("content", [b"name,a\n" + b"x" * 200_000 + b",1\n", b"\xff\xfe\0", b"", b"name,a\n1,1e999\n"])
def test_tables_that_cannot_be_read(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_bytes(content)
    assert "labels.csv" in refused(read_table, path)
