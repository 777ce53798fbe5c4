"""PyTorch files that somebody else wrote: nothing in them is run, no size in them is believed."""

from __future__ import annotations

import argparse
import collections
import os
import pathlib
import pickle
import subprocess
import sys
import textwrap
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from semanticgan.errors import WeightsError
from semanticgan.formats.archive import load_archive
from semanticgan.networks.config import DiscriminatorConfig
from semanticgan.networks.discriminator import Discriminator
from semanticgan.networks.generator import Generator
from semanticgan.reference import read_checkpoint
from tests.conftest import TINY_CONFIG

ARGUMENTS = {"base_layers": 1, "depth_layers": 3, "coarse_size": 16, "residual_refine": True, "transparent_dims": [4]}


def reference_names(generator: Generator) -> dict[str, Tensor]:
    """The tiny generator as the authors name and shape its tensors."""
    ours, config = generator.state_dict(), generator.config
    theirs: dict[str, Tensor] = {"pos_embed.weights": ours["local.fourier_weight"][..., None, None]}
    for layer in range(config.num_mapping_layers):
        for name in ("weight", "bias"):
            theirs[f"style.{layer + 1}.{name}"] = ours[f"mapping.layers.{layer}.{name}"]
    names = {"weight": "conv.weight", "style_weight": "conv.modulation.weight", "bias": "activate.bias"}
    names["style_bias"] = "conv.modulation.bias"
    for k in range(config.num_regions):
        for layer in range(config.num_local_layers):
            for own, their in names.items():
                tensor = ours[f"local.layers.{layer}.{own}"][k]
                tensor = tensor[None, :, :, None, None] if own == "weight" else tensor
                theirs[f"local_nets.{k}.linears.{layer}.{their}"] = tensor
        for head, their, first in (("local.depth_head", "to_depth", 1), ("fusion.feature_head", "to_feat", 0)):
            if k >= first:
                prefix = f"local_nets.{k}.{their}"
                theirs[f"{prefix}.conv.weight"] = ours[f"{head}.weight"][k - first][:, :, None, None]
                theirs[f"{prefix}.conv.modulation"] = ours[f"{head}.scale"][k - first][None, :, None, None]
                theirs[f"{prefix}.bias"] = ours[f"{head}.bias"][k - first]
    for block in range(2):
        for index, part in ((2 * block, "upsample"), (2 * block + 1, "refine")):
            own, their = f"renderer.blocks.{block}.{part}", f"render_net.convs.{index}"
            theirs[f"{their}.weight"] = ours[f"{own}.conv.weight"]
            theirs[f"{their}.modulation"] = ours[f"{own}.conv.scale"][None, :, None, None]
            theirs[f"{their}.noise.weight"] = ours[f"{own}.noise.weight"].reshape(1)
            theirs[f"{their}.activate.bias"] = ours[f"{own}.bias"]
            theirs[f"render_net.noises.noise_{index}"] = ours[f"renderer.noise_{index}"]
        for own, their in (("to_rgb", "to_rgbs"), ("to_segmentation", "to_segs")):
            head = f"renderer.blocks.{block}.{own}"
            theirs[f"render_net.{their}.{block}.conv.weight"] = ours[f"{head}.conv.weight"]
            theirs[f"render_net.{their}.{block}.conv.modulation"] = ours[f"{head}.conv.scale"][None, :, None, None]
            theirs[f"render_net.{their}.{block}.bias"] = ours[f"{head}.bias"][None, :, None, None]
    return {name: tensor.clone() for name, tensor in theirs.items()}


@pytest.fixture(scope="module")
def weights(tiny_generator: Generator) -> dict[str, Tensor]:
    return reference_names(tiny_generator)


def save(path: Path, content: Any, zipped: bool = True) -> Path:
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    return path


def refused(path: Path) -> str:
    with pytest.raises(WeightsError) as caught:
        read_checkpoint(path)
    message = str(caught.value)
    assert "\n" not in message and message.isprintable() and len(message) < 700, message
    return message


@pytest.mark.parametrize("zipped", [True, False])
def test_the_tiny_generator_comes_back(
    tmp_path: Path, weights: dict[str, Tensor], tiny_generator: Generator, zipped: bool
) -> None:
    path = save(tmp_path / "a.pt", {"g_ema": weights, "args": argparse.Namespace(**ARGUMENTS)}, zipped)
    generator = read_checkpoint(path).generator
    assert generator.config == TINY_CONFIG
    for name, tensor in tiny_generator.state_dict().items():
        if name != "mean_latent":
            assert torch.equal(generator.state_dict()[name], tensor), name


PREFIXES: list[Callable[[str], str]] = [
    lambda name: f"module.{name}",
    lambda name: f"_orig_mod.{name}",
    lambda name: f"module._orig_mod.{name}",
    lambda name: f"_orig_mod.module.module.{name}",
    lambda name: name.replace("local_nets.0.", "local_nets.0._orig_mod."),
    lambda name: f"module.{name}" if name.startswith("style") else name,
    lambda name: f"_fsdp_wrapped_module.{name.replace('.conv.', '._checkpoint_wrapped_module.conv.')}",
]


@pytest.mark.parametrize("rename", PREFIXES, ids=range(len(PREFIXES)))
@pytest.mark.parametrize("zipped", [True, False])
def test_prefixes_of_wrappers(
    tmp_path: Path, weights: dict[str, Tensor], rename: Callable[[str], str], zipped: bool
) -> None:
    renamed = collections.OrderedDict((rename(name), tensor) for name, tensor in weights.items())
    content = {"g_ema": renamed, "args": ARGUMENTS, "g": renamed, "g_optim": {"state": {0: {"step": 3}}}}
    assert read_checkpoint(save(tmp_path / "a.pt", content, zipped)).generator.config == TINY_CONFIG


def test_two_tensors_of_one_name(tmp_path: Path, weights: dict[str, Tensor]) -> None:
    doubled = {**weights, "module.style.1.bias": torch.zeros(16)}
    assert "twice" in refused(save(tmp_path / "a.pt", {"g_ema": doubled, "args": ARGUMENTS}))


READ = {
    "numpy": {
        "coarse_size": np.int64(16),
        "base_layers": np.int8(1),
        "depth_layers": np.uint16(3),
        "lr": np.float64(1),
    },
    "numpy-old-scalars": {"residual_refine": np.bool_(True), "name": np.str_("a"), "time": np.datetime64("2020-01-01")},
    "arrays": {
        "transparent_dims": np.array([4]),
        "betas": np.zeros((3, 2)),
        "names": np.array(["a"]),
        "one": np.array(3),
    },
    "big-endian": {"transparent_dims": np.array([4], dtype=">i8"), "coarse_size": np.array(16, dtype=">i4")[()]},
    "paths": {"data": pathlib.PurePosixPath("a/b"), "out": pathlib.Path("c"), "disk": pathlib.PureWindowsPath("d:/e")},
    "torch": {
        "device": torch.device("cpu"),
        "dtype": torch.float32,
        "size": torch.Size([1, 2]),
        "seed": torch.zeros(1),
    },
    "plain": {"none": None, "nested": {"a": [1, (2, {"b": 3.0})]}, "bytes": b"abc", "set": {1, 2}, 3: "number"},
    "namespaces": {"inner": argparse.Namespace(a=argparse.Namespace(b=1))},
}


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("name", READ)
def test_arguments_of_many_types(tmp_path: Path, weights: dict[str, Tensor], name: str, zipped: bool) -> None:
    content = {"g_ema": weights, "args": {**ARGUMENTS, **READ[name]}}
    if name == "plain":
        content["args"] = dict(content["args"])
    path = save(tmp_path / "a.pt", content, zipped)
    assert read_checkpoint(path).generator.config == TINY_CONFIG


@pytest.mark.parametrize(
    "arguments", ["--size 64", ["--size"], 3, 1.5, b"a", (1, 2), True, torch.zeros(2), np.zeros(2)]
)
def test_arguments_that_are_no_table(tmp_path: Path, weights: dict[str, Tensor], arguments: Any) -> None:
    message = refused(save(tmp_path / "a.pt", {"g_ema": weights, "args": arguments}))
    assert "'args'" in message and "Namespace" in message


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *[("coarse_size", value) for value in (1e400, float("nan"), "x", [16], 2**5000)],
        *[("base_layers", value) for value in (10**9, "one", -1, None, [1], {}, float("inf"))],
        *[("depth_layers", value) for value in (10**9, "x", 4, [3], (), float("nan"))],
        *[("transparent_dims", value) for value in ([99], "4x", 7, [[4]], [None], [0], [4, 4], [2**70], {"a": 1})],
    ],
)
def test_absurd_arguments(tmp_path: Path, weights: dict[str, Tensor], key: str, value: Any) -> None:
    refused(save(tmp_path / "a.pt", {"g_ema": weights, "args": {**ARGUMENTS, key: value}}))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_floating_types(tmp_path: Path, weights: dict[str, Tensor], dtype: torch.dtype) -> None:
    content = {"g_ema": {name: tensor.to(dtype) for name, tensor in weights.items()}, "args": ARGUMENTS}
    generator = read_checkpoint(save(tmp_path / "a.pt", content)).generator
    assert {parameter.dtype for parameter in generator.parameters()} == {torch.float32}


@pytest.mark.parametrize("dtype", [torch.int8, torch.int64, torch.bool, torch.complex64, torch.float8_e5m2])
@pytest.mark.parametrize("zipped", [True, False])
def test_other_types(tmp_path: Path, weights: dict[str, Tensor], dtype: torch.dtype, zipped: bool) -> None:
    try:
        path = save(tmp_path / "a.pt", {"g_ema": {**weights, "style.1.bias": torch.zeros(16).to(dtype)}}, zipped)
    except RuntimeError:
        pytest.skip("PyTorch does not save this")
    refused(path)


@pytest.mark.parametrize(
    "strange",
    [
        torch.zeros(3, 3).to_sparse(),
        torch.zeros(1).expand(10**6, 10**6),
        torch.quantize_per_tensor(torch.zeros(3), 0.1, 0, torch.qint8),
        torch.zeros(3, device="meta"),
        torch.zeros(()),
        torch.zeros(0, 3),
    ],
)
def test_strange_tensors(tmp_path: Path, weights: dict[str, Tensor], strange: Tensor) -> None:
    refused(save(tmp_path / "a.pt", {"g_ema": {**weights, "style.1.bias": strange}, "args": ARGUMENTS}))


def test_tensors_that_share_memory(tmp_path: Path, weights: dict[str, Tensor]) -> None:
    """Two tied tensors are read; thousands of names for one are not."""
    tied = {**weights, "style.2.bias": weights["style.1.bias"]}
    path = save(tmp_path / "a.pt", {"g_ema": tied, "g": tied, "args": ARGUMENTS})
    assert read_checkpoint(path).generator.config == TINY_CONFIG
    many = {f"w{number}": torch.zeros(1).expand(1) for number in range(3)}
    one = torch.zeros(100_000)
    many |= {f"v{number}": one for number in range(5_000)}
    assert "parts of each other" in refused(save(tmp_path / "b.pt", {"g_ema": many}))


@pytest.mark.parametrize(
    "extra", [{"strange": torch.zeros(3)}, {"discriminator.x": torch.zeros(1)}, {3: torch.zeros(1)}]
)
def test_unknown_tensors(tmp_path: Path, weights: dict[str, Tensor], extra: dict[Any, Tensor]) -> None:
    refused(save(tmp_path / "a.pt", {"g_ema": {**weights, **extra}, "args": ARGUMENTS}))


@pytest.mark.parametrize("given", [None, 3, "text", [], {}, torch.zeros(3), [torch.zeros(3)], {"w": 3}])
def test_weights_that_are_none(tmp_path: Path, weights: dict[str, Tensor], given: Any) -> None:
    refused(save(tmp_path / "a.pt", {"g_ema": given}))
    if given is not None and (isinstance(given, Tensor) or given):
        refused(save(tmp_path / "b.pt", {"g_ema": weights, "args": ARGUMENTS, "d": given}))


class Call:
    """Unpickling it calls a function."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return self.call


def _tuples(depth: int) -> bytes:
    return b"\x80\x02}" + b")" + b"\x85" * depth + b"K\x01s."


PROGRAMS = {
    "deep-tuple-as-key": _tuples(200_000),
    "deep-lists": b"\x80\x02" + b"]" * 100_000 + b"a" * 99_999 + b".",
    "deep-dicts": b"\x80\x02" + b"}K\x01" * 50_000 + b"}" + b"s" * 50_000 + b".",
    "memo-index": b"\x80\x02]r\xff\xff\xff\xffj\xff\xff\xff\xff.",
    "memo-missing": b"\x80\x02h\x05.",
    "memo-doubling": b"\x80\x02]q\x00"
    + b"".join(b"](h%ch%ce" % (n, n) + b"q" + bytes([n + 1]) for n in range(100))
    + b".",
    "many-empty": b"\x80\x02(" + b"}" * 1_000_000 + b"l.",
    "bytearray": b"\x80\x02cbuiltins\nbytearray\n\x8a\x05\x00\x00\x00\x00\x10\x85R.",
    "long-text": b"\x80\x02X\xff\xff\xff\x7fabc.",
    "long-number": b"\x80\x02\x8b\xff\xff\xff\x7f.",
    "eval": b"\x80\x02cbuiltins\neval\nX\x01\x00\x00\x001\x85R.",
    "getattr": b"\x80\x02cbuiltins\ngetattr\nctorch\nload\nX\x01\x00\x00\x00a\x86R.",
    "stack-global": b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x04true\x85R.",
    "inst": b"\x80\x02(X\x04\x00\x00\x00trueios\nsystem\n.",
    "obj": b"\x80\x02(cos\nsystem\nX\x04\x00\x00\x00trueo.",
    "numpy-load": b"\x80\x02cnumpy\nload\nX\x01\x00\x00\x00a\x85R.",
    "namespace-method": b"\x80\x02cargparse\nNamespace.__init__.__globals__\n)R.",
    "empty-stack": b"\x80\x02.",
    "only-marks": b"\x80\x02(((((t.",
    "no-end": b"\x80\x02]",
    "unknown-instruction": b"\x80\x02\xfe.",
}


def zip_with(path: Path, program: bytes, compression: int = zipfile.ZIP_STORED, extra: bytes = b"") -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("archive/data.pkl", program)
        archive.writestr("archive/version", b"3\n")
        if extra:
            archive.writestr("archive/data/0", extra)
    return path


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("name", PROGRAMS)
def test_hostile_programs(tmp_path: Path, name: str, zipped: bool) -> None:
    path = tmp_path / "a.pt"
    if zipped:
        zip_with(path, PROGRAMS[name])
    else:
        parts = [pickle.dumps(part, 2) for part in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True})]
        path.write_bytes(b"".join(parts) + PROGRAMS[name] + pickle.dumps([], 2))
    refused(path)


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize("where", ["g_ema", "args", "inside", "state"])
def test_nothing_is_run(tmp_path: Path, weights: dict[str, Tensor], zipped: bool, protocol: int, where: str) -> None:
    marker = tmp_path / "ran"
    evil = Call(os.system, f"touch '{marker}'")
    content: dict[str, Any] = {"g_ema": weights, "args": argparse.Namespace(a=1), "extra": 3}
    content |= {"inside": {"args": argparse.Namespace(a=[evil])}, "state": {"extra": (1, {evil: evil})}}.get(
        where, {where: evil}
    )
    path = tmp_path / "a.pt"
    torch.save(content, path, pickle_protocol=protocol, _use_new_zipfile_serialization=zipped)
    assert "nothing in it was run" in refused(path)
    assert not marker.exists()


def test_sizes_in_the_program_are_compared_with_the_file(tmp_path: Path) -> None:
    """A storage of a petabyte in a file of a kilobyte, in both formats."""
    for zipped in (True, False):
        path = save(tmp_path / "a.pt", {"g_ema": {"w": torch.zeros(77)}}, zipped)
        whole = path.read_bytes()
        small, large = b"KM", b"\x8a\x06\x00\x00\x00\x00\x00\x04"  # 77, 2^42
        if zipped:
            with zipfile.ZipFile(path) as archive:
                program = next(archive.read(name) for name in archive.namelist() if name.endswith("data.pkl"))
            zip_with(path, program.replace(small, large), extra=bytes(308))
        else:
            path.write_bytes(whole.replace(small, large))
        assert "promises tensors of" in refused(path)


def test_zips_that_lie(tmp_path: Path, weights: dict[str, Tensor]) -> None:
    program = pickle.dumps({"g_ema": {}}, 2)
    assert "compressed" in refused(zip_with(tmp_path / "a.pt", program, zipfile.ZIP_DEFLATED, bytes(1_000_000)))
    assert "compressed" in refused(zip_with(tmp_path / "a.pt", program, zipfile.ZIP_LZMA, bytes(1_000_000)))
    assert "not one of PyTorch" in refused(zip_with(tmp_path / "a.pt", b"x" * 16_000_001))
    with zipfile.ZipFile(tmp_path / "a.pt", "w") as archive:
        archive.writestr("readme.txt", b"no checkpoint")
    assert "not one of PyTorch" in refused(tmp_path / "a.pt")
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(tmp_path / "a.pt", "w") as archive:
        for _ in range(2):
            archive.writestr("archive/data.pkl", program)
    assert "same name" in refused(tmp_path / "a.pt")
    with zipfile.ZipFile(tmp_path / "a.pt", "w") as archive:
        for number in range(50_001):
            archive.writestr(str(number), b"")
    assert "entries" in refused(tmp_path / "a.pt")

    whole = save(tmp_path / "b.pt", {"g_ema": weights, "args": ARGUMENTS}).read_bytes()
    sizes = [whole.find(b"PK\x01\x02") + place for place in (20, 24)]  # stored and full size of the first entry
    for value in (2**31, 0):
        lying = bytearray(whole)
        for place in sizes:
            lying[place : place + 4] = value.to_bytes(4, "little")
        (tmp_path / "b.pt").write_bytes(lying)
        refused(tmp_path / "b.pt")


@pytest.mark.parametrize("zipped", [True, False])
def test_truncated_files(tmp_path: Path, weights: dict[str, Tensor], zipped: bool) -> None:
    path = save(tmp_path / "a.pt", {"g_ema": weights, "args": argparse.Namespace(**ARGUMENTS)}, zipped)
    whole = path.read_bytes()
    random = np.random.default_rng(0)
    for length in (1, 2, 3, 50, *random.integers(4, len(whole), 20), len(whole) - 1):
        path.write_bytes(whole[:length])
        refused(path)


def test_flipped_bits_never_leave_a_traceback(tmp_path: Path, weights: dict[str, Tensor]) -> None:
    path = save(tmp_path / "a.pt", {"g_ema": weights, "args": argparse.Namespace(**ARGUMENTS)})
    whole = path.read_bytes()
    random = np.random.default_rng(0)
    start = whole.find(b"data.pkl")
    for place in [*random.integers(start, start + 3_000, 40), *random.integers(0, len(whole), 40)]:
        damaged = bytearray(whole)
        damaged[place] ^= 1 << int(random.integers(8))
        path.write_bytes(damaged)
        try:
            read_checkpoint(path)  # padding between entries has no checksum
        except WeightsError as error:
            assert "\n" not in str(error)


def test_other_archives_of_pytorch(tmp_path: Path) -> None:
    torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), str(tmp_path / "script.pt"))
    refused(tmp_path / "script.pt")
    torch.save(torch.nn.Linear(2, 2), tmp_path / "module.pt")
    assert "torch.nn.modules.linear.Linear" in refused(tmp_path / "module.pt")


def test_a_training_file_with_optimisers(tmp_path: Path, weights: dict[str, Tensor]) -> None:
    discriminator = Discriminator(DiscriminatorConfig(32, 5, {4: 8, 8: 8, 16: 8, 32: 8}))
    optimiser = torch.optim.Adam(discriminator.parameters())
    discriminator(torch.zeros(4, 3, 32, 32)).sum().backward()
    optimiser.step()
    content = {"g": weights, "g_ema": weights, "d_optim": optimiser.state_dict(), "args": ARGUMENTS, "iter": 3}
    path = save(tmp_path / "a.pt", content)
    assert "d_optim" in load_archive(path)
    assert read_checkpoint(path).generator.config == TINY_CONFIG


def test_refusals_take_a_second_and_no_more_memory_than_the_file(tmp_path: Path, weights: dict[str, Tensor]) -> None:
    """In a process of its own: the peak of its memory grows by less than 1.5 files."""
    large = torch.zeros(15_000_000)
    names = ["extra.pt", "old.pt", "compressed.pt", "nested.pt", "args.pt"]
    save(tmp_path / "extra.pt", {"g_ema": {**weights, "extra": large}, "args": ARGUMENTS})
    save(tmp_path / "old.pt", {"g_ema": {**weights, "extra": large}, "args": ARGUMENTS}, zipped=False)
    save(tmp_path / "args.pt", {"g_ema": {**weights, "extra": large}, "args": "--size 64"})
    zip_with(tmp_path / "compressed.pt", pickle.dumps({}, 2), zipfile.ZIP_DEFLATED, os.urandom(10**6) + bytes(10**8))
    zip_with(tmp_path / "nested.pt", _tuples(200_000), extra=bytes(10**7))
    program = """
        import resource, sys, time
        from pathlib import Path
        import torch
        from semanticgan.errors import WeightsError
        from semanticgan.reference import read_checkpoint
        from semanticgan.networks.generator import Generator
        from semanticgan.networks.config import GeneratorConfig
        first, *paths = map(Path, sys.argv[1:])
        read_checkpoint(first)  # imports what reading needs
        for path in paths:
            before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
            try:
                read_checkpoint(path)
            except WeightsError:
                grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
                assert grown < 1.5 * path.stat().st_size, (path, grown)
                assert time.process_time() - began < 1, (path, time.process_time() - began)
            else:
                raise SystemExit(f"read {path}")
    """
    first = save(tmp_path / "first.pt", {"g_ema": weights, "args": ARGUMENTS})
    arguments = [sys.executable, "-c", textwrap.dedent(program), str(first), *(str(tmp_path / name) for name in names)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    done = subprocess.run(arguments, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
