"""Every kind of wrong input through the command line: one clear line, exit code 2, nothing written or lost."""

from __future__ import annotations

import io
import os
import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from semanticgan.data import open_dataset
from semanticgan.regions import PHOTOGRAPHS_11
from tests.networks.fixtures import CHECKPOINT, needs_fixtures

Command = Callable[..., Any]
SIDE = 16


def contents(folder: Path) -> dict[str, bytes | None]:
    """Every file and folder (None) below a folder."""
    return {str(path.relative_to(folder)): None if path.is_dir() else path.read_bytes() for path in folder.rglob("*")}


class Program:
    """A pickle that writes a file when it is opened."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("echo ran > ran",)


def draw_pairs(folder: Path, count: int = 4) -> Path:
    """Pictures of 16 pixels with maps of the 11 regions."""
    random = np.random.default_rng(0)
    for kind in ("image", "label"):
        (folder / kind).mkdir(parents=True)
    for index in range(count):
        picture = random.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
        labels = random.integers(0, len(PHOTOGRAPHS_11), (SIDE, SIDE), dtype=np.uint8)
        Image.fromarray(picture).save(folder / "image" / f"{index}.png")
        Image.fromarray(labels).save(folder / "label" / f"{index}.png")
    return folder


def flip_a_bit(content: bytes) -> bytes:
    damaged = bytearray(content)
    damaged[len(content) * 3 // 4] ^= 1
    return bytes(damaged)


def flip_a_bit_of_a_tensor(content: bytes) -> bytes:
    """One bit in the middle of the largest file of a zip, and so in no padding."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        largest = max(archive.infolist(), key=lambda entry: entry.file_size)
    name, extra = struct.unpack("<HH", content[largest.header_offset + 26 : largest.header_offset + 30])
    damaged = bytearray(content)
    damaged[largest.header_offset + 30 + name + extra + largest.file_size // 2] ^= 1
    return bytes(damaged)


DAMAGES: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "truncated": (lambda content: content[: len(content) // 2], "damaged"),
    "bit-flipped": (flip_a_bit, "not what was saved"),
    "empty": (lambda content: b"", "an empty file"),
    "html": (lambda content: b"<!DOCTYPE html><html>404</html>", "an HTML page"),
    "git-lfs": (lambda content: b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "a git-lfs pointer"),
}

VERBS_WITH_MODEL = {
    "generate": ("--out", "samples"),
    "edit-region": ("--region", "hair", "--from-seed", "8", "--out", "a.png"),
    "interpolate": ("--seeds", "1,2", "--out", "a.gif"),
    "components": ("--out", "a.png"),
    "locality": ("--region", "hair", "--out", "a.json"),
}


@pytest.mark.parametrize("verb", VERBS_WITH_MODEL)
@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_weights(verb: str, damage: str, command: Command, tiny_model_file: Path, tmp_path: Path) -> None:
    change, words = DAMAGES[damage]
    Path("model.safetensors").write_bytes(change(tiny_model_file.read_bytes()))
    before = contents(tmp_path)
    complaint = command(verb, *VERBS_WITH_MODEL[verb], "--model", "model.safetensors", "--device", "cpu").complaint
    assert words in complaint and "model.safetensors" in complaint
    assert contents(tmp_path) == before


@pytest.mark.parametrize("verb", VERBS_WITH_MODEL)
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("none.safetensors", "does not exist"),
        ("folder/none", "does not exist"),
        (".", "is a folder"),
        ("celebamask-512", "unknown model 'celebamask-512'. Did you mean 'celebamask-hq-512'?"),
    ],
)
def test_missing_and_unknown_models(verb: str, name: str, words: str, command: Command, tmp_path: Path) -> None:
    assert words in command(verb, *VERBS_WITH_MODEL[verb], "--model", name).complaint
    assert contents(tmp_path) == {}


@pytest.mark.parametrize("form", ["pickle", "torch-zip", "torch-legacy"])
@pytest.mark.parametrize("words", [("generate", "--model"), ("convert-checkpoint", "--trust")], ids=lambda w: w[0])
def test_a_program_in_place_of_weights_is_never_run(
    form: str, words: tuple[str, str], command: Command, tmp_path: Path
) -> None:
    source = Path("model.safetensors" if words[0] == "generate" else "model.pt")
    if form == "pickle":
        source.write_bytes(pickle.dumps(Program()))
    else:
        content = {"g_ema": {"weight": Program()}, "args": Program()}
        torch.save(content, source, _use_new_zipfile_serialization=form == "torch-zip")
    before = contents(tmp_path)
    out = () if words[0] == "generate" else ("out.safetensors",)
    complaint = command(*words, source, *out).complaint
    assert "never opened" in complaint or "nothing in it was run" in complaint
    assert contents(tmp_path) == before, "the program ran, or something was written"
    pickle.loads(pickle.dumps(Program()))
    assert Path("ran").exists(), "the test's own program does nothing"


@needs_fixtures
@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_checkpoints(damage: str, command: Command, tmp_path: Path) -> None:
    change, words = DAMAGES[damage] if damage != "bit-flipped" else (flip_a_bit_of_a_tensor, "not what was saved")
    Path("a.pt").write_bytes(change(CHECKPOINT.read_bytes()))
    Path("out.safetensors").write_bytes(b"mine")
    complaint = command("convert-checkpoint", "a.pt", "out.safetensors", "--trust", "--overwrite").complaint
    assert words in complaint and "a.pt" in complaint
    assert Path("out.safetensors").read_bytes() == b"mine"
    assert sorted(os.listdir(tmp_path)) == ["a.pt", "out.safetensors"]
    assert "does not exist" in command("convert-checkpoint", "none.pt", "new.safetensors", "--trust").complaint


@pytest.mark.parametrize("suffix", ["npy", "safetensors"])
@pytest.mark.parametrize("damage", ["truncated", "html", "git-lfs", "empty"])
def test_damaged_latent_codes(
    suffix: str, damage: str, command: Command, tiny_model_file: Path, tmp_path: Path
) -> None:
    edit = ("edit-region", "--model", tiny_model_file, "--device", "cpu", "--region", "hair", "--from-seed", "8")
    assert command(*edit, "--out", "a.png", "--save-latent", f"whole.{suffix}").code == 0
    change, _ = DAMAGES[damage]
    Path(f"code.{suffix}").write_bytes(change(Path(f"whole.{suffix}").read_bytes()))
    before = contents(tmp_path)
    assert f"code.{suffix}" in command(*edit, "--latent", f"code.{suffix}", "--out", "b.png").complaint
    assert contents(tmp_path) == before


def test_a_latent_code_that_is_a_pickle_is_never_run(command: Command, tiny_model_file: Path, tmp_path: Path) -> None:
    np.save("code.npy", np.array([Program()], dtype=object), allow_pickle=True)
    Path("bare.npy").write_bytes(pickle.dumps(Program()))
    before = contents(tmp_path)
    for name in ("code.npy", "bare.npy"):
        edit = ("edit-region", "--model", tiny_model_file, "--device", "cpu", "--region", "hair", "--from-seed", "8")
        assert "not a readable .npy array" in command(*edit, "--latent", name).complaint
    assert contents(tmp_path) == before


def spoil_label(folder: Path) -> None:
    Image.fromarray(np.full((SIDE, SIDE), 11, np.uint8)).save(folder / "label" / "1.png")


def spoil_shape(folder: Path) -> None:
    Image.new("L", (SIDE, SIDE // 2)).save(folder / "label" / "1.png")


def spoil_picture(folder: Path) -> None:
    path = folder / "image" / "1.png"
    path.write_bytes(path.read_bytes()[:100])


def remove_all(folder: Path) -> None:
    for path in folder.rglob("*.png"):
        path.unlink()


@pytest.mark.parametrize("verb", ["prepare-data", "train"])
@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (spoil_label, "label/1.png' holds the value 11, but its labels are 0 to 10"),
        (lambda folder: (folder / "label" / "1.png").unlink(), "1 picture without label map"),
        (spoil_shape, "image/1.png' is 16x16 but its label map is 16x8"),
        (spoil_picture, "image/1.png' cannot be decoded"),
        (lambda folder: (folder / "image" / "1.png").write_bytes(b"<html>"), "image/1.png' is a web page"),
        (lambda folder: (folder / "image" / "1.png").write_bytes(b"version https://git-lfs"), "git lfs pull"),
        (remove_all, "no pictures in 'faces' (it is empty)"),
    ],
    ids=["label", "no-mask", "shape", "truncated", "html", "git-lfs", "empty-folder"],
)
def test_unusable_data(verb: str, spoil: Callable[[Path], Any], words: str, command: Command, tmp_path: Path) -> None:
    spoil(draw_pairs(Path("faces")))
    before = contents(tmp_path)
    if verb == "train":
        assert words in command(*train("faces")).complaint
        assert contents(tmp_path) == before
    else:
        prepare = ("prepare-data", "folder", "faces", "--scheme", "photographs-11", "--size", SIDE, "--workers", 0)
        assert words in command(*prepare, "--out", "out").complaint
        found = contents(tmp_path)  # and perhaps .out.preparing, from which a repeated command goes on
        assert {name: found[name] for name in found if not name.startswith(".out.preparing")} == before


def train(data: str, *overrides: str) -> tuple[str, ...]:
    """A training of two steps on pairs of :func:`draw_pairs`."""
    given = ("run_dir=run", "device=cpu", "data.kind=folder", "data.scheme=photographs-11", "data.length=null")
    return ("train", "tiny", *given, f"data.path={data}", "schedule.total_images=8", *overrides)


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (("run_dir=",), "the value of run_dir is empty"),
        (("data.path=nowhere",), "data 'nowhere' does not exist"),
        (("data.path=null",), "Add data.path=FOLDER_OR_ZIP"),
        (("data.scheme=null",), "does not say what its labels mean"),
        (("data.scheme=photographs-12",), "Did you mean 'photographs-11'"),
        (("size=20",), "size must be a power of two"),
        (("size=64",), "lacks the width at side 32"),
        (("batch=3",), "multiple of loss.path_length_batch_shrink"),
        (("seed=-1",), "seed must be 0 or more"),
        (("generator.style_dim=0",), "generator.style_dim must be 1 or more"),
        (("generator.channels={8: 0, 16: 8}",), "generator.channels must be 1 or more"),
        (("optimizer.beta1=0",), "Did you mean 'optimiser"),
        (("device=gpu",), "unknown device 'gpu'"),
        (("run_dir=faces/image/0.png",), "is a file"),
        (("run_dir=faces/image/0.png/run",), "cannot write to"),
        (("run_dir=faces",), "holds files that are not a run of this package"),
        (("--overwrite",), "unrecognized arguments: --overwrite"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_unusable_trainings(overrides: tuple[str, ...], words: str, command: Command, tmp_path: Path) -> None:
    draw_pairs(Path("faces"))
    before = contents(tmp_path)
    assert words in command(*train("faces", *overrides)).complaint
    assert contents(tmp_path) == before


@pytest.mark.parametrize("recipe", ["tinny", "none.yaml", "binary.yaml", "list.yaml"])
def test_unusable_recipes(recipe: str, command: Command, tmp_path: Path) -> None:
    Path("binary.yaml").write_bytes(struct.pack("<d", -1.0))
    Path("list.yaml").write_text("- 1\n- 2\n")
    before = contents(tmp_path)
    assert recipe in command("train", recipe, "run_dir=run").complaint
    assert contents(tmp_path) == before


def test_a_training_that_diverged_says_so_in_one_line(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    from semanticgan.training import loop

    step = loop.Trainer.step

    def diverging(self: Any, image: torch.Tensor, segmentation: torch.Tensor) -> dict[str, torch.Tensor]:
        return {**step(self, image, segmentation), "loss/generator": torch.tensor(float("nan"))}

    monkeypatch.setattr(loop.Trainer, "step", diverging)
    draw_pairs(Path("faces"))
    ended = command(*train("faces"))
    assert ended.code == 1 and ended.out == ""
    assert ended.err.splitlines()[-1].startswith("error: training diverged: loss/generator not finite at step 1.")
    assert "Traceback" not in ended.err


def save_kinds(folder: Path) -> dict[str, np.ndarray]:
    """Pictures of every kind, all meant to be seen as the same soft ramp; returns that, uint8 [32, 32, 3], by name."""
    draw_pairs(folder, 0)
    grey = np.repeat(np.linspace(20, 230, 32).round().astype(np.uint8)[None], 32, 0)  # [32, 32], darker at the left
    picture = Image.fromarray(grey)
    picture.save(folder / "image" / "grey.png")
    Image.fromarray(grey.astype(np.uint16) * 257).save(folder / "image" / "deep.png")
    ink = Image.merge("CMYK", [Image.new("L", (32, 32), 0)] * 3 + [Image.fromarray(255 - grey)])
    ink.save(folder / "image" / "cmyk.jpg", quality=98)
    exif = Image.Exif()
    exif[0x0112] = 6  # stored on its side, to be turned by 90 degrees when seen
    stored = picture.convert("RGB").transpose(Image.Transpose.ROTATE_90)
    stored.save(folder / "image" / "turned.jpg", exif=exif.tobytes(), quality=98)
    names = ("cmyk", "deep", "grey", "turned")
    for name in names:
        Image.fromarray(np.zeros((32, 32), np.uint8)).save(folder / "label" / f"{name}.png")
    return dict.fromkeys(names, np.repeat(grey[..., None], 3, 2))


def test_pictures_of_every_kind_are_read_as_they_are_meant(command: Command) -> None:
    expected = save_kinds(Path("faces"))
    prepare = ("prepare-data", "folder", "faces", "--scheme", "photographs-11", "--size", 32, "--workers", 0)
    assert command(*prepare, "--out", "out").result["count"] == 4
    for pair, (name, seen) in zip(open_dataset("folder", "out", 32), expected.items(), strict=False):
        off = np.abs(pair.image.permute(1, 2, 0).numpy().astype(int) - seen)
        assert off.max() <= 6, name


WRITING = {
    **VERBS_WITH_MODEL,
    "prepare-data": ("portraits", "--size", "16", "--count", "1", "--workers", "0", "--out", "data"),
    "train": ("tiny", "run_dir=run", "device=cpu", "schedule.total_images=4"),
    "convert-checkpoint": (str(CHECKPOINT), "new.safetensors", "--trust"),
}


@pytest.mark.parametrize("verb", WRITING)
def test_unwritable_folders(
    verb: str, command: Command, tiny_model_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it is told to a user who is not root: no folder may be written."""
    if verb == "convert-checkpoint" and not CHECKPOINT.is_file():
        pytest.skip(f"there is no {CHECKPOINT}")
    model = ("--model", str(tiny_model_file), "--device", "cpu") if verb in VERBS_WITH_MODEL else ()
    with monkeypatch.context() as patch:
        patch.setattr(os, "access", lambda path, mode, **_: mode != os.W_OK)
        complaint = command(verb, *model, *WRITING[verb]).complaint
    assert f"cannot write to {str(tmp_path)!r}" in complaint
    assert contents(tmp_path) == {}


def test_what_the_system_refuses_is_one_line(
    command: Command, tiny_model_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device", "a.png")

    monkeypatch.setattr(os, "fsync", full)
    words = ("components", "--model", tiny_model_file, "--device", "cpu", "--out", "a.png")
    assert "the system refuses 'a.png': No space left on device." in command(*words).complaint
    assert contents(tmp_path) == {}


def test_a_folder_is_never_replaced_by_a_file(command: Command, tiny_model_file: Path, tmp_path: Path) -> None:
    Path("a.png").mkdir()
    Path("a.png/mine.txt").write_text("mine")
    before = contents(tmp_path)
    words = ("components", "--model", tiny_model_file, "--device", "cpu", "--out", "a.png", "--overwrite")
    assert "'a.png' is a folder" in command(*words).complaint
    assert contents(tmp_path) == before
