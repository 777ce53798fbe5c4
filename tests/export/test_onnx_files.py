"""Models as ONNX: what onnxruntime computes of the graphs is what PyTorch computes, for any batch of 1 to 16."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import semanticgan as sg
from semanticgan import extras
from semanticgan.errors import InputError
from semanticgan.export.onnx_files import export_onnx, mapping_file
from semanticgan.model import Model
from tests.conftest import Run

Command = Callable[..., Run]

TOLERANCE = 1e-4
LACKING = "onnx, onnxscript and onnxruntime are not installed: pip install 'semanticgan[onnx]'"


@pytest.fixture
def runtime() -> Any:
    for package in ("onnx", "onnxscript"):
        pytest.importorskip(package, reason=LACKING)
    return pytest.importorskip("onnxruntime", reason=LACKING)


def session_of(runtime: Any, path: Path) -> Any:
    options = runtime.SessionOptions()
    options.intra_op_num_threads = 1
    return runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def largest_difference(found: np.ndarray[Any, Any], expected: Tensor) -> float:
    assert found.shape == tuple(expected.shape)
    return float((torch.from_numpy(found) - expected).abs().max())


def require_equal(runtime: Any, model: Model, path: Path, batches: Sequence[int]) -> None:
    """Random z through both graphs and through the model."""
    mapping, generator = session_of(runtime, mapping_file(path)), session_of(runtime, path)
    names = ["image", "segmentation"] if model.rows.regions is not None else ["image"]
    assert [node.name for node in generator.get_outputs()] == names
    assert [node.name for node in generator.get_inputs()] == ["latents"]
    for count in batches:
        z = torch.randn(count, model.generator.latent_dim, generator=torch.Generator().manual_seed(count))
        with torch.no_grad():
            w = model.generator.map(z)
        assert largest_difference(mapping.run(["w"], {"z": z.numpy()})[0], w) < TOLERANCE
        latents = w[:, None].repeat(1, len(model.rows), 1)
        rows = torch.linspace(0.8, 1.2, len(model.rows))[:, None]  # each row another code
        latents = latents * rows
        with torch.no_grad():
            expected = model.generator(latents)
        for name, found in zip(names, generator.run(names, {"latents": latents.numpy()}), strict=True):
            assert largest_difference(found, getattr(expected, name)) < TOLERANCE, (name, count)


@pytest.mark.slow
def test_a_model_of_regions(tiny_model_file: Path, command: Command, runtime: Any) -> None:
    words = ("export", "--model", tiny_model_file, "--format", "onnx", "--out", "tiny.onnx")
    result = command(*words).result
    assert (result["out"], result["mapping"]) == ("tiny.onnx", "tiny-mapping.onnx")
    assert result["bytes"] == Path("tiny.onnx").stat().st_size
    assert {path.name for path in Path().iterdir()} == {"tiny.onnx", "tiny-mapping.onnx"}  # weights are inside
    model = sg.load(tiny_model_file, device="cpu")
    require_equal(runtime, model, Path("tiny.onnx"), (1, 3, 16))

    stored = session_of(runtime, Path("tiny.onnx")).get_modelmeta().custom_metadata_map
    assert json.loads(stored["rows"]) == list(model.rows.names) == result["rows"]
    assert json.loads(stored["regions"]) == list(model.regions.names)
    assert json.loads(stored["mean_latent"]) == pytest.approx(model.generator.mean_latent.tolist())
    assert json.loads(stored["licence"]) == "Apache-2.0"

    before = Path("tiny.onnx").read_bytes()
    assert "exists already" in command(*words).complaint
    assert Path("tiny.onnx").read_bytes() == before


@pytest.mark.slow
def test_a_model_of_layers(tiny_layered_file: Path, tmp_path: Path, runtime: Any) -> None:
    model = sg.load(tiny_layered_file, device="cpu")
    path, second = export_onnx(model, tmp_path / "layered.onnx")
    assert second == mapping_file(path)
    require_equal(runtime, model, path, (1, 3, 16))


@pytest.mark.slow
def test_the_bundled_model(tmp_path: Path, runtime: Any) -> None:
    model = sg.load("portraits-64", device="cpu")
    path, _ = export_onnx(model, tmp_path / "portraits-64.onnx")
    require_equal(runtime, model, path, (1, 16))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--out", "a.onnx"), "a file of weights is made of a run"),
        (("--model", "portraits-64", "--out", "a.safetensors"), "a file of weights is made of a run"),
        (("--format", "onnx", "--out", "a.safetensors"), "Give a name in .onnx"),
        (("--format", "onnx", "--model", "x", "--out", "a.onnx", "run"), "Give one of them"),
        (("--format", "onnx", "--with-discriminator", "--out", "a.onnx"), "--with-discriminator belongs to files"),
        (("--format", "onnx", "--precision", "float16", "--out", "a.onnx"), "--precision belongs to files"),
        (("--format", "onx", "--out", "a.onnx"), "invalid choice"),
    ],
)
def test_wrong_input_is_one_line(words: tuple[str, ...], message: str, command: Command, tmp_path: Path) -> None:
    assert message in command("export", *words).complaint
    assert list(tmp_path.iterdir()) == []


def test_without_the_packages_it_is_one_line(command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(extras, "_why_not", lambda module: "is not installed")
    complaint = command("export", "--format", "onnx", "--out", "a.onnx").complaint
    assert 'needs onnx, which is not installed. Run `pip install "semanticgan[onnx]"`' in complaint
    assert list(tmp_path.iterdir()) == []


def test_an_existing_mapping_is_kept(tmp_path: Path) -> None:
    (tmp_path / "a-mapping.onnx").write_bytes(b"mine")
    with pytest.raises(InputError, match="exists already"):
        export_onnx(sg.load(device="cpu"), tmp_path / "a.onnx")
    assert (tmp_path / "a-mapping.onnx").read_bytes() == b"mine"
