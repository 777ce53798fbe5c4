"""Files of weights and codes that somebody else wrote: whatever is in them, a line, fast and in little memory."""

from __future__ import annotations

import json
import os
import pickle
import struct
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from semanticgan.checkpoint import _metadata_sha256, load_model, read_metadata, save_model
from semanticgan.errors import InputError, WeightsError
from semanticgan.formats.tensorfile import LARGEST_HEADER
from semanticgan.latents import LatentCode
from semanticgan.networks.config import DiscriminatorConfig
from semanticgan.networks.discriminator import Discriminator
from semanticgan.networks.generator import Generator
from tests.conftest import TINY_CONFIG, TINY_REGIONS

DEEP = "[" * 100_000 + "]" * 100_000
NOT_QUITE_AS_DEEP = '{"a":' * 200 + "1" + "}" * 200
NO_JSON_OBJECT = ["", "{", "[]", "3", '"text"', "null", "NaN", "{'a': 1}", DEEP, NOT_QUITE_AS_DEEP, "9" * 5000]
SIDES: list[Any] = [2**40, 2**5000, 33, 0, -64, 64.0, True, None, "64", [64], {}, float("nan"), float("inf"), 1e400]
COUNTS: list[Any] = [10**9, 2**70, 0, -1, 2.0, True, None, "2", [2], {}, float("nan"), 256]


def rewrite(path: Path, change: Callable[[dict[str, str]], Any]) -> Path:
    """Change the metadata of a file of weights and make its checksum fit again."""
    with safe_open(path, framework="pt") as file:
        raw, tensors = dict(file.metadata()), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    change(raw)
    raw["metadata_sha256"] = _metadata_sha256(raw)
    save_file(tensors, path, raw)
    return path


@pytest.fixture
def path(tiny_model_file: Path, tmp_path: Path) -> Path:
    copy = tmp_path / "a.safetensors"
    copy.write_bytes(tiny_model_file.read_bytes())
    return copy


def one_line(error: InputError) -> None:
    assert "\n" not in str(error) and len(str(error)) < 700, str(error)


def put(key: str, value: Any) -> Callable[[dict[str, str]], Any]:
    """Replace a number of the generator's config."""

    def change(raw: dict[str, str]) -> None:
        raw["config"] = json.dumps({**json.loads(raw["config"]), key: value})

    return change


def config_cases() -> list[Any]:
    cases = []
    for names, values in (
        (("size", "coarse_size", "min_feature_size"), SIDES),
        (("num_regions", "num_mapping_layers", "num_local_layers", "num_structure_layers"), COUNTS),
        (("style_dim", "local_channels", "feature_channels"), [*COUNTS[:-1], 2**40, 60_000]),
        (("label_channels",), [10**9, -1, 2.0, None, "2", 60_000]),
        (("num_frequencies", "label_size"), [10**9, -1, 2.0, None, "2", True]),
        (("mask_floor",), [2, -1, None, "0", True, [0], float("nan"), 1e400]),
        (("transparent",), [3, "4", [4, 4], [99], [None], ["4"], [True], None, {"4": 1}, [[4]], [2**70]]),
        (("residual_segmentation",), [None, 1, "true", [], 2**70]),
        (("channels",), [3, [8, 8], "8", {"16": "8"}, {"x": 8}, {"16": 2**40, "32": 8}, {"16": 8}, {"9" * 99: 8}]),
        (("depth", ""), [3]),
    ):
        cases += [pytest.param(name, value, id=f"{name}-{i}") for name in names for i, value in enumerate(values)]
    return cases


@pytest.mark.parametrize(("name", "value"), config_cases())
def test_numbers_of_a_config_are_checked_before_the_network_is_built(
    path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: Any
) -> None:
    rewrite(path, put(name, value))
    monkeypatch.setattr(torch, "randn", lambda *sides, **_: torch.empty(*sides, device="meta"))
    monkeypatch.setattr("semanticgan.checkpoint.fill", lambda *_: pytest.fail("built the network"))
    with pytest.raises(WeightsError) as caught:
        load_model(path)
    one_line(caught.value)


@pytest.mark.parametrize("entry", ["config", "regions", "training", "sha256", "discriminator"])
@pytest.mark.parametrize("text", NO_JSON_OBJECT, ids=range(len(NO_JSON_OBJECT)))
def test_metadata_that_are_no_json_object(path: Path, entry: str, text: str) -> None:
    rewrite(path, lambda raw: raw.update({entry: text}))
    with pytest.raises(WeightsError) as caught:
        load_model(path)
    one_line(caught.value)


@pytest.mark.parametrize(
    "change",
    [
        *[
            lambda raw, key=key: raw.pop(key)
            for key in ("config", "regions", "sha256", "licence", "precision", "format")
        ],
        *[lambda raw, v=v: raw.update(format_version=v) for v in ("", "0", "2", "1.0", "one", "-1", "9" * 1000)],
        *[lambda raw, v=v: raw.update(precision=v) for v in ("", "float8", "F32", "bfloat16")],
        *[
            lambda raw, v=v: raw.update(regions=json.dumps({"names": v}))
            for v in (3, [1, 2], None, "hair", [], {}, [["a"]])
        ],
        *[lambda raw, v=v: raw.update(sha256=json.dumps({"mean_latent": v})) for v in (3, None, [], "00")],
        lambda raw: raw.update(discriminator='{"size": 1099511627776}'),
        lambda raw: raw.update(discriminator='{"size": 32, "num_regions": "5"}'),
        lambda raw: raw.update(discriminator='{"size": 32, "num_regions": 5, "channels": {"4": 1e9}}'),
        lambda raw: raw.update(discriminator='{"size": 32, "num_regions": 5, "depth": 3}'),
    ],
)
def test_metadata_of_the_wrong_kind(path: Path, change: Callable[[dict[str, str]], Any]) -> None:
    rewrite(path, change)
    with pytest.raises(WeightsError) as caught:
        load_model(path)
    one_line(caught.value)


def test_nan_among_training_figures_is_read_as_none(path: Path) -> None:
    rewrite(path, lambda raw: raw.update(training='{"fid": NaN, "kid": [Infinity, 1]}'))
    assert read_metadata(path).training == {"fid": None, "kid": [None, 1]}


def header(tensors: dict[str, Any], metadata: Any = None, data: bytes = b"") -> bytes:
    text = json.dumps({"__metadata__": metadata or {"format": "semanticgan-model"}, **tensors}).encode()
    return struct.pack("<Q", len(text)) + text + data


PETA = {"dtype": "F32", "shape": [2**25, 2**25], "data_offsets": [0, 2**52]}
BAD_HEADERS = {
    "petabytes": header({"w": PETA}, data=bytes(64)),
    "petabytes-empty": header({"w": {**PETA, "data_offsets": [0, 0]}}),
    "overflow": header({"w": {"dtype": "F32", "shape": [2**40, 2**40], "data_offsets": [0, 8]}}, data=bytes(8)),
    "negative": header({"w": {"dtype": "F32", "shape": [-1], "data_offsets": [0, 4]}}, data=bytes(4)),
    "float-shape": header({"w": {"dtype": "F32", "shape": [1.0], "data_offsets": [0, 4]}}, data=bytes(4)),
    "text-shape": header({"w": {"dtype": "F32", "shape": "1", "data_offsets": [0, 4]}}, data=bytes(4)),
    "backwards": header({"w": {"dtype": "F32", "shape": [1], "data_offsets": [4, 0]}}, data=bytes(4)),
    "overlap": header(
        {n: {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]} for n in "ab"},
        data=bytes(4),
    ),
    "hole": header({"w": {"dtype": "F32", "shape": [1], "data_offsets": [4, 8]}}, data=bytes(8)),
    "unknown-type": header({"w": {"dtype": "F7", "shape": [1], "data_offsets": [0, 4]}}, data=bytes(4)),
    "no-offsets": header({"w": {"dtype": "F32", "shape": [1]}}, data=bytes(4)),
    "number-as-tensor": header({"w": 3}),
    "null-as-tensor": header({"w": None}),
    "metadata-number": header({}, metadata=3),
    "metadata-nested": header({}, metadata={"format": {"a": 1}}),
    "list": struct.pack("<Q", 2) + b"[]",
    "deep": struct.pack("<Q", len(DEEP) + 6) + b'{"a": ' + DEEP.encode(),
    "no-utf8": struct.pack("<Q", 4) + b'{"\xff"',
    "large-header": struct.pack("<Q", LARGEST_HEADER + 8) + b"{" + b" " * (LARGEST_HEADER + 7),
    "library-header": struct.pack("<Q", 99_000_000) + b"{" + b" " * 100,
}


@pytest.mark.parametrize("name", BAD_HEADERS)
def test_bad_headers(tmp_path: Path, name: str) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(BAD_HEADERS[name])
    for read in (load_model, read_metadata, LatentCode.load):
        with pytest.raises(WeightsError) as caught:
            read(path)
        one_line(caught.value)


TYPES = [torch.float8_e4m3fn, torch.float8_e5m2, torch.bfloat16, torch.complex64, torch.int8, torch.int64, torch.bool]


@pytest.mark.parametrize("dtype", TYPES)
def test_weights_of_other_types(path: Path, dtype: torch.dtype) -> None:
    with safe_open(path, framework="pt") as file:
        raw, tensors = dict(file.metadata()), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    save_file({name: tensor.to(dtype) for name, tensor in tensors.items()}, path, raw)
    with pytest.raises(WeightsError) as caught:
        load_model(path)
    one_line(caught.value)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_codes_of_floating_types_are_read(tmp_path: Path, dtype: torch.dtype) -> None:
    path = tmp_path / "c.safetensors"
    code = LatentCode(torch.randn(2, 11, 16), TINY_REGIONS)
    code.save(path)
    with safe_open(path, framework="pt") as file:
        raw = dict(file.metadata())
    save_file({"latent_code": code.tensor.to(dtype)}, path, raw)
    assert torch.equal(LatentCode.load(path).tensor, code.tensor.to(dtype).float())


def code_with(path: Path, tensors: dict[str, torch.Tensor], **changes: Any) -> Path:
    code = LatentCode(torch.randn(2, 11, 16), TINY_REGIONS)
    code.save(path)
    with safe_open(path, framework="pt") as file:
        raw = {**file.metadata(), **changes}
    save_file(
        tensors or {"latent_code": code.tensor}, path, {key: text for key, text in raw.items() if text is not None}
    )
    return path


@pytest.mark.parametrize(
    ("tensors", "changes"),
    [
        *[({"latent_code": torch.zeros(1, 11, 16).to(dtype)}, {}) for dtype in TYPES if dtype != torch.bfloat16],
        *[({"latent_code": torch.zeros(shape)}, {}) for shape in ((), (0, 11, 16), (11,), (1, 3, 16), (1, 12, 16))],
        ({"latent_code": torch.full((1, 11, 16), float("nan"))}, {}),
        ({"latent_code": torch.full((1, 11, 16), 1e300, dtype=torch.float64)}, {}),
        ({"other": torch.zeros(1, 11, 16)}, {}),
        ({"latent_code": torch.zeros(1, 11, 16), "other": torch.zeros(3)}, {}),
        *[({}, {"regions": text}) for text in NO_JSON_OBJECT],
        *[({}, {"regions": json.dumps({"names": names})}) for names in (3, None, [["a"]] * 5, {})],
        *[({}, {key: None}) for key in ("regions", "format", "format_version")],
        *[({}, {"format_version": text}) for text in ("2", "", "one")],
        *[({}, {"num_base": text}) for text in ("3", "-1", "x", "1e9")],
    ],
)
def test_bad_codes(tmp_path: Path, tensors: dict[str, torch.Tensor], changes: dict[str, Any]) -> None:
    path = code_with(tmp_path / "c.safetensors", tensors, **changes)
    with pytest.raises(InputError) as caught:
        LatentCode.load(path)
    one_line(caught.value)


def npy(text: str, data: bytes = b"", version: bytes = b"\x01\x00") -> bytes:
    body = text.encode() + b"\n"
    return b"\x93NUMPY" + version + struct.pack("<H" if version[0] == 1 else "<I", len(body)) + body + data


def described(shape: str, kind: str = "'<f4'", data: bytes = b"", order: str = "False") -> bytes:
    return npy(f"{{'descr': {kind}, 'fortran_order': {order}, 'shape': {shape}, }}", data)


ROW = bytes(4 * 11 * 16)
BAD_ARRAYS = {
    "petabytes": described(f"({2**40}, 11, 16)", data=ROW),
    "overflow": described(f"({2**62}, {2**62}, 16)", data=ROW),
    "wraps-to-0": described(f"({2**32}, {2**32}, 1)", data=ROW),
    "beyond-64-bits": described(f"({2**80}, 1, 1)", data=ROW),
    "negative": described("(-1, 11, 16)", data=ROW),
    "no-dimension": described("()", data=ROW[:4]),
    "one-dimension": described("(176,)", data=ROW),
    "four-dimensions": described("(1, 1, 11, 16)", data=ROW),
    "empty": described("(0, 11, 16)"),
    "truncated": described("(1, 11, 16)", data=ROW[:-1]),
    "float-shape": described("(1.0, 11, 16)", data=ROW),
    "objects": described("(1, 11, 16)", "'|O'", data=pickle.dumps([0])),
    "structured": described("(1, 11, 16)", "[('a', '<f4')]", data=ROW),
    "texts": described("(1, 11, 16)", "'<U1'", data=ROW),
    "whole": described("(1, 11, 16)", "'<i4'", data=ROW),
    "complex": described("(1, 11, 8)", "'<c8'", data=ROW),
    "long-double": described("(1, 11, 4)", "'<f16'", data=ROW),
    "switches": described("(1, 11, 64)", "'|b1'", data=ROW),
    "unknown-type": described("(1, 11, 16)", "'<z4'", data=ROW),
    "no-header": b"\x93NUMPY\x01\x00",
    "header-longer-than-file": b"\x93NUMPY\x02\x00" + struct.pack("<I", 2**31) + b"{",
    "long-header": npy("{" + " " * 200_000 + "}", version=b"\x02\x00"),
    "deep-header": npy("(" * 5_000 + ")" * 5_000),
    "program-in-header": npy("__import__('os').system('exit 1')"),
    "other-version": npy("{}", version=b"\x09\x00"),
    "zip": b"PK\x03\x04" + bytes(100),
    "pickle": pickle.dumps([0.0]),
    "nan": described("(1, 11, 16)", data=np.full(176, np.nan, np.float32).tobytes()),
    "too-large": described("(1, 11, 16)", "'<f8'", data=np.full(176, 1e300).tobytes()),
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", BAD_ARRAYS)
def test_bad_arrays(tmp_path: Path, name: str) -> None:
    path = tmp_path / "c.npy"
    path.write_bytes(BAD_ARRAYS[name])
    with pytest.raises(InputError) as caught:
        LatentCode.load(path, TINY_REGIONS, 1)
    one_line(caught.value)


def test_arrays_of_several_values_in_one_file(tmp_path: Path) -> None:
    np.savez(tmp_path / "c.npz", code=np.zeros((1, 11, 16), np.float32))
    with pytest.raises(InputError, match=r"Use \.safetensors or \.npy"):
        LatentCode.load(tmp_path / "c.npz", TINY_REGIONS)
    (tmp_path / "c.npy").write_bytes((tmp_path / "c.npz").read_bytes())
    with pytest.raises(InputError, match="not a readable"):
        LatentCode.load(tmp_path / "c.npy", TINY_REGIONS)


@pytest.mark.parametrize("kind", ["<f2", "<f4", ">f4", "<f8"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_arrays_in_any_order_of_bytes_and_axes(tmp_path: Path, kind: str, order: Any) -> None:
    values = np.random.default_rng(0).standard_normal((2, 11, 16)).astype(kind)
    np.save(tmp_path / "c.npy", np.asarray(values, order=order))
    read = LatentCode.load(tmp_path / "c.npy", TINY_REGIONS, 1)
    assert np.array_equal(read.tensor.numpy(), values.astype(np.float32))
    read.tensor.add_(1)  # memory of its own, not that of the file
    assert np.array_equal(np.load(tmp_path / "c.npy"), values)


def test_bits_of_the_whole_file(tmp_path: Path, tiny_generator: Generator) -> None:
    """One flipped bit in header, metadata, either network's tensors or their last byte is always found."""
    path = tmp_path / "a.safetensors"
    discriminator = Discriminator(DiscriminatorConfig(32, 5, {4: 8, 8: 8, 16: 8, 32: 8}))
    facts = {"training": {"hours": 1.5}, "licence": "mine", "data_licence": "none"}
    save_model(path, tiny_generator, TINY_REGIONS, discriminator=discriminator, precision="float16", **facts)
    whole = path.read_bytes()
    start = 8 + int.from_bytes(whole[:8], "little")
    random = np.random.default_rng(1)
    places = [*range(9), *random.integers(8, start, 100), *random.integers(start, len(whole), 100), len(whole) - 1]
    for place in places:
        damaged = bytearray(whole)
        damaged[place] ^= 1 << int(random.integers(8))
        path.write_bytes(damaged)
        with pytest.raises(WeightsError):
            load_model(path)
    path.write_bytes(whole)
    load_model(path)


def test_refusals_take_a_second_and_no_more_memory_than_the_file(tmp_path: Path, tiny_generator: Generator) -> None:
    """In a process of its own: the peak of its memory grows by less than 1.5 files."""
    large = 60_000_000
    tensors = {name: tensor.clone() for name, tensor in tiny_generator.state_dict().items()}
    facts: dict[str, Any] = {"training": {}, "licence": "", "data_licence": ""}
    save_model(tmp_path / "a.safetensors", tiny_generator, TINY_REGIONS, **facts)
    with safe_open(tmp_path / "a.safetensors", framework="pt") as file:
        raw = dict(file.metadata())
    save_file({**tensors, "discriminator.w": torch.zeros(large // 4)}, tmp_path / "extra.safetensors", raw)
    wide = json.dumps({**TINY_CONFIG.to_dict(), "style_dim": 20_000, "local_channels": 4_000})
    raw["config"] = wide
    raw["metadata_sha256"] = _metadata_sha256(raw)
    save_file({**tensors, "mapping.layers.0.weight": torch.zeros(large // 4)}, tmp_path / "wide.safetensors", raw)
    (tmp_path / "code.npy").write_bytes(described(f"({2**35}, 11, 16)", data=bytes(large)))
    program = """
        import resource, sys, time
        import torch
        from pathlib import Path
        from semanticgan.checkpoint import load_model
        from semanticgan.errors import InputError
        from semanticgan.latents import LatentCode
        from semanticgan.regions import CELEBAMASK_13
        from semanticgan.registry import bundled
        load_model(bundled()["portraits-64"])  # imports what loading needs
        for path in map(Path, sys.argv[1:]):
            before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
            try:
                LatentCode.load(path, CELEBAMASK_13) if path.suffix == ".npy" else load_model(path)
            except InputError:
                grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
                assert grown < 1.5 * path.stat().st_size, (path, grown)
                assert time.process_time() - began < 1, (path, time.process_time() - began)
            else:
                raise SystemExit(f"read {path}")
    """
    names = ["extra.safetensors", "wide.safetensors", "code.npy"]
    arguments = [sys.executable, "-c", textwrap.dedent(program), *(str(tmp_path / name) for name in names)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    done = subprocess.run(arguments, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
