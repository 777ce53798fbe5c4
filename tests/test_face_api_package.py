"""The npm package of face-api: what its bytes mean, and that a hostile or damaged one is refused in a line."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open

from semanticgan.errors import WeightsError
from semanticgan.formats.weights import read_weights
from semanticgan.reference import FaceApi, convert_checkpoint, face_api
from semanticgan.reference.face_api import FORMAT, Member, decoded_tensors, to_torch
from tests.conftest import Run
from tests.perception.published import FACE_API, needs_face_api, needs_outputs, outputs

PACKAGE = Path(os.environ.get("SEMANTICGAN_TEST_FACE_API_PACKAGE") or "vladmandic-face-api-1.7.15.tgz")
LIST, NUMBERS = "package/model/tiny_model-weights_manifest.json", "package/model/tiny_model.bin"

MANIFEST = [
    {
        "paths": ["tiny_model.bin"],
        "weights": [
            {
                "name": "a/conv0/depthwise_filter",
                "shape": [1, 2, 3, 1],
                "dtype": "float32",
                "quantization": {"dtype": "uint8", "scale": 0.1, "min": -0.2},
            },
            {"name": "a/conv0/bias", "shape": [2], "dtype": "float32"},
            {"name": "fc/weights", "shape": [1, 2], "dtype": "float32"},
        ],
    }
]
BYTES = bytes([0, 1, 2, 3, 4, 255]) + np.array([1.5, -2.0, 7.0, 8.0], "<f4").tobytes()
CONTENT = {LIST: json.dumps(MANIFEST).encode(), NUMBERS: BYTES}


def packed(path: Path, content: Mapping[str, bytes | tarfile.TarInfo], more: int = 0) -> Path:
    """A gzipped tar of these members, in order; a TarInfo is a member without content."""
    with tarfile.open(path, "w:gz") as archive:
        for index in range(more):
            archive.addfile(tarfile.TarInfo(f"package/{index}"))
        for name, data in content.items():
            if isinstance(data, tarfile.TarInfo):
                archive.addfile(data)
                continue
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """The package has one network of three tensors."""
    members = tuple(Member(len(CONTENT[name]), hashlib.sha256(CONTENT[name]).hexdigest()) for name in (LIST, NUMBERS))
    monkeypatch.setattr(face_api, "NETWORKS", {"tiny": members})


def test_tensors_are_unpacked_and_renamed(tmp_path: Path) -> None:
    source = packed(tmp_path / "a.tgz", {"package/README.md": b"read me", **CONTENT})
    found = convert_checkpoint(source, tmp_path / "a.safetensors")  # no trust is needed
    assert isinstance(found, FaceApi) and found.num_parameters == 10
    raw, tensors = read_weights(tmp_path / "a.safetensors", FORMAT, ("licence", "data_licence"))
    assert tensors.keys() == {
        "tiny.a.conv0.depthwise.weight",
        "tiny.a.conv0.pointwise.bias",
        "tiny.fc.weight",
    }
    expected = [[-0.2, 0.1], [-0.1, 0.2], [0.0, 25.3]]  # [H, W, ch, 1] -> [ch, 1, H, W], q * 0.1 - 0.2
    depthwise = tensors["tiny.a.conv0.depthwise.weight"]
    torch.testing.assert_close(depthwise, torch.tensor(expected)[:, None, None], rtol=0, atol=1e-6)
    assert tensors["tiny.a.conv0.pointwise.bias"].tolist() == [1.5, -2.0]
    assert tensors["tiny.fc.weight"].tolist() == [[7.0], [8.0]]
    assert raw["licence"].startswith("MIT")


def hostile(tmp_path: Path, kind: str) -> Path:
    """A package that is not what it should be."""
    path, link = tmp_path / "hostile.tgz", tarfile.TarInfo(NUMBERS)
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    if kind == "cut":
        packed(path, CONTENT)
        path.write_bytes(path.read_bytes()[:-60])
    elif kind == "no tar":
        path.write_bytes(gzip.compress(b"something else" * 100))
    elif kind == "no gzip":
        path.write_bytes(b"\x1f\x8b" + bytes(200))
    elif kind == "bomb":
        packed(path, {"package/zeros": bytes(200_000), **CONTENT})
    elif kind == "long name":  # the tar reader would take all of it into memory
        info = tarfile.TarInfo("x" * 200_000)
        with tarfile.open(path, "w:gz", format=tarfile.PAX_FORMAT) as archive:
            archive.addfile(info)
    elif kind == "twice":
        with tarfile.open(path, "w:gz") as archive:
            for name in (LIST, NUMBERS, LIST):
                info = tarfile.TarInfo(name)
                info.size = len(CONTENT[name])
                archive.addfile(info, io.BytesIO(CONTENT[name]))
    else:
        members: dict[str, Mapping[str, bytes | tarfile.TarInfo]] = {
            "lacking": {LIST: CONTENT[LIST]},
            "other": {LIST: CONTENT[LIST], NUMBERS: BYTES[:-1] + b"\0"},
            "longer": {LIST: CONTENT[LIST], NUMBERS: BYTES + b"\0"},
            "link": {LIST: CONTENT[LIST], NUMBERS: link},
            "elsewhere": {LIST: CONTENT[LIST], f"../{NUMBERS}": BYTES},
        }
        packed(path, members.get(kind, CONTENT), more=20 if kind == "many" else 0)
    return path


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("cut", "end-of-stream"),
        ("no tar", "not @vladmandic/face-api"),
        ("no gzip", "not @vladmandic/face-api"),
        ("bomb", "unpacks to more than 100,000 bytes"),
        ("long name", "unpacks to more than 100,000 bytes"),
        ("twice", "comes twice"),
        ("lacking", "it lacks 'package/model/tiny_model.bin'"),
        ("other", "has the SHA-256"),
        ("longer", "is not a file of 22 bytes"),
        ("link", "is not a file of 22 bytes"),
        ("elsewhere", "it lacks 'package/model/tiny_model.bin'"),
        ("many", "more than 10 members"),
    ],
)
def test_a_hostile_package_is_refused_in_a_line(
    kind: str, told: str, command: Callable[..., Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(face_api, "_MOST_BYTES", 100_000)
    monkeypatch.setattr(face_api, "_MOST_MEMBERS", 10)
    complaint = command("convert-checkpoint", hostile(tmp_path, kind), "out.safetensors").complaint
    assert told in complaint and "npm pack @vladmandic/face-api@1.7.15" in complaint, complaint
    assert [path.name for path in tmp_path.iterdir()] == ["hostile.tgz"]


@pytest.mark.parametrize(
    "manifest",
    [
        {},
        [{"weights": [{"name": "a/bias", "shape": [7]}]}],
        [{"weights": [{"name": "a/bias", "shape": [-1]}]}],
        [{"weights": [{"name": "a/bias", "shape": [2**70]}]}],
        [{"weights": [{"name": "a/bias", "shape": [1], "quantization": {"dtype": "uint16", "scale": 1, "min": 0}}]}],
    ],
)
def test_a_list_that_does_not_fit_is_refused(manifest: object) -> None:
    with pytest.raises(WeightsError, match=r"package 'x'.*npm pack"):
        decoded_tensors(manifest, bytes(20), "package 'x'")


@needs_face_api
@needs_outputs
def test_the_converted_file_holds_what_the_original_decodes() -> None:
    expected = outputs("face_api_weights")
    with safe_open(FACE_API, framework="pt") as file:
        for network in ("face_recognition", "age_gender", "face_expression", "face_landmark_68"):
            names, shapes, totals, absolute = (
                expected[f"{network}_model/{part}"] for part in ("names", "shapes", "sum", "abs_sum")
            )
            blank = {
                str(name): np.zeros([int(side) for side in str(shape).split(",")], np.float32)
                for name, shape in zip(names, shapes, strict=True)
            }
            for (name, like), total, size in zip(to_torch(blank).items(), totals, absolute, strict=True):
                tensor = file.get_tensor(f"{network}.{name}").double()
                assert tensor.shape == like.shape
                assert float(tensor.sum()) == pytest.approx(total, abs=1e-6 * max(1, size))
                assert float(tensor.abs().sum()) == pytest.approx(size, rel=1e-6)


@pytest.mark.skipif(not PACKAGE.is_file(), reason=f"the package is not at {PACKAGE}")
def test_the_package_itself_converts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    found = convert_checkpoint(PACKAGE, tmp_path / "a.safetensors")
    assert isinstance(found, FaceApi) and found.num_parameters == 6_716_850
