"""Memory that cannot be had is one line that says what to make smaller, whatever library asked for it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from semanticgan.commands import VERBS, build_parser
from semanticgan.commands.memory import SMALLER, out_of_memory_as_a_line
from semanticgan.editing.sheets import require_grid
from semanticgan.errors import InputError, OutOfMemory, WeightsError, is_of_memory

Command = Callable[..., Any]
ROOT = Path(__file__).resolve().parents[2]


def raised(function: Callable[[], Any]) -> Exception:
    try:
        function()
    except Exception as error:
        return error
    raise AssertionError("it was possible")


# Each asks for more than any machine has, of another library.
GREEDY: dict[str, Callable[[], Any]] = {
    "Python": lambda: bytearray(1 << 62),
    "NumPy": lambda: np.empty(1 << 50, np.uint8),
    "NumPy, no such size": lambda: np.empty((1 << 40, 1 << 40), np.uint8),
    "torch": lambda: torch.empty(1 << 50, dtype=torch.uint8),
    "torch, no such size": lambda: torch.empty(1 << 62),
    "a range": lambda: list(range(1 << 62)),
    "a list": lambda: [0] * (1 << 64),
}


@pytest.mark.parametrize("library", GREEDY)
def test_every_library_is_understood(library: str) -> None:
    assert is_of_memory(raised(GREEDY[library]))


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
        RuntimeError("CUDA error: out of memory"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("MPS backend out of memory (MPS allocated: 18.10 GB)"),
        RuntimeError("std::bad_alloc"),
        RuntimeError("can't start new thread"),
        cv2.error("OpenCV(4.10.0) alloc.cpp:73: error: (-4:Insufficient memory) Failed to allocate 10 bytes"),
        OSError(12, "Cannot allocate memory"),
        ImportError("libtorch_cpu.so: failed to map segment from shared object"),
    ],
)
def test_what_devices_and_systems_say_is_understood(error: Exception) -> None:
    assert is_of_memory(error)
    assert not is_of_memory(RuntimeError("shapes do not fit")) and not is_of_memory(KeyboardInterrupt())


def test_every_verb_says_what_to_make_smaller() -> None:
    assert set(SMALLER) == set(VERBS)
    for verb, advice in SMALLER.items():
        options = build_parser(verb, "x")._option_string_actions
        named = [word.strip(",.") for word in advice.split() if word.startswith("--")]
        assert set(named) <= set(options), verb


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_that_has_no_memory_ends_in_a_line(verb: str, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(args: Any) -> None:
        np.empty(1 << 50, np.uint8)

    import importlib

    monkeypatch.setattr(importlib.import_module(f"semanticgan.commands.{verb.replace('-', '_')}"), "run", run)
    needed = {
        "edit-region": ["--region", "hair"],
        "locality": ["--region", "hair"],
        "compare": ["x"],
        "prepare-data": ["portraits"],
        "train-parser": ["portraits", "--out", "x"],
        "label": ["x"],
        "invert": ["x"],
        "reconstruct": ["x"],
        "inspect": ["x"],
        "label-regions": ["x", "--parser", "x", "--out", "y"],
        "train-classifier": ["--out", "x"],
        "train": ["tiny"],
        "report": ["x"],
        "export": ["x", "--out", "y"],
        "blend": ["--with", "x", "--out", "y"],
        "convert-checkpoint": ["x", "y"],
    }
    complaint = command(verb, *needed.get(verb, [])).complaint
    assert "out of memory (Unable to allocate" in complaint and SMALLER[verb] in complaint


def test_memory_that_a_reader_took_for_damage() -> None:
    with pytest.raises(OutOfMemory, match="Close other programs"), out_of_memory_as_a_line("generate"):
        try:
            torch.empty(1 << 50)
        except RuntimeError as error:
            raise WeightsError("the file is damaged") from error
    with pytest.raises(InputError, match=r"^unknown region 'out of memory'"), out_of_memory_as_a_line("generate"):
        raise InputError("unknown region 'out of memory'")
    with pytest.raises(OutOfMemory, match=r"^own advice$"), out_of_memory_as_a_line("train"):
        raise OutOfMemory("own advice")


def test_a_sheet_that_is_too_large_is_told_before_it_is_drawn(command: Command, tmp_path: Path) -> None:
    complaint = command("generate", "--seeds", "0-99999", "--sheet", "--device", "cpu").complaint
    assert "100,000 pictures of 64 pixels are too many for one sheet" in complaint and "--sheet" in complaint
    assert list(tmp_path.iterdir()) == []
    require_grid(255, 512)


@pytest.mark.parametrize("number", ["1000000000000", str(2**63 - 1), "9" * 5000])
@pytest.mark.parametrize(
    "words",
    [
        ("evaluate", "--batch"),
        ("evaluate", "--num-generated"),
        ("evaluate", "--num-edits"),
        ("benchmark", "--batch"),
        ("interpolate", "--frames"),
        ("train-classifier", "--out", "x.safetensors", "--batch"),
        ("train-classifier", "--out", "x.safetensors", "--count"),
        ("train-parser", "portraits", "--out", "x.safetensors", "--batch"),
        ("prepare-data", "portraits", "--out", "x", "--count"),
    ],
)
def test_numbers_that_no_machine_can_hold(words: tuple[str, ...], number: str, command: Command) -> None:
    assert "whole number" in command(*words, number).complaint


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux limits the address space")
def test_a_real_limit(tmp_path: Path) -> None:
    def limit() -> None:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (6 << 30, 6 << 30))

    words = ["--size", "1024", "--batch", "1024", "--repeats", "1", "--precision", "float32", "--device", "cpu"]
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools/benchmark.py"), *words],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        preexec_fn=limit,
    )
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith("error: out of memory") and done.stderr.count("\n") == 1
    assert "--batch or --size" in done.stderr
