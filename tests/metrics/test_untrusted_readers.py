"""Files of parsers and classifiers that somebody else wrote: absurd numbers are refused before a network is built."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from semanticgan.errors import WeightsError
from semanticgan.formats.weights import metadata_sha256
from semanticgan.perception.classifier import load_classifier
from semanticgan.perception.parser import load_parser
from semanticgan.registry import bundled

READERS: list[Any] = [(load_parser, "parsers", "portraits-64"), (load_classifier, "classifiers", "attributes-64")]
CHANGES: list[dict[str, Any]] = [
    {"channels": [2**40, 2**40, 2**40]},
    {"channels": [60_000, 60_000, 60_000]},
    {"channels": [8] * 10**5},
    {"channels": "888"},
    {"channels": [1e400]},
    {"channels": None},
    {"size": 2**40},
    {"size": None},
    {"size": float("nan")},
]


@pytest.mark.parametrize("change", CHANGES, ids=range(len(CHANGES)))
@pytest.mark.parametrize(("read", "kind", "name"), READERS)
def test_absurd_numbers(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    read: Callable[..., Any],
    kind: str,
    name: str,
    change: dict[str, Any],
) -> None:
    with safe_open(bundled(kind)[name], framework="pt") as file:
        raw, tensors = dict(file.metadata()), {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    raw["config"] = json.dumps({**json.loads(raw["config"]), **change})
    raw["metadata_sha256"] = metadata_sha256(raw)
    save_file(tensors, tmp_path / "a.safetensors", raw)
    monkeypatch.setattr(torch.nn.Module, "load_state_dict", lambda *_: pytest.fail("built the network"))
    with pytest.raises(WeightsError) as caught:
        read(tmp_path / "a.safetensors")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("entry", ["config", "training", "sha256"])
@pytest.mark.parametrize("text", ["[" * 100_000, "3", "", "NaN", '{"a": ' * 100 + "1" + "}" * 100])
@pytest.mark.parametrize(("read", "kind", "name"), READERS)
def test_metadata_that_are_no_json_object(
    tmp_path: Path, read: Callable[..., Any], kind: str, name: str, entry: str, text: str
) -> None:
    with safe_open(bundled(kind)[name], framework="pt") as file:
        raw, tensors = dict(file.metadata()), {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    raw[entry] = text
    raw["metadata_sha256"] = metadata_sha256(raw)
    save_file(tensors, tmp_path / "a.safetensors", raw)
    with pytest.raises(WeightsError) as caught:
        read(tmp_path / "a.safetensors")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["parsers", "classifiers"])
def test_bundled_files_load(kind: str) -> None:
    for path in bundled(kind).values():
        (load_parser if kind == "parsers" else load_classifier)(path)
