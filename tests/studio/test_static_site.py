"""The folder for a web host: what it is refused for, what it holds, and its modules as node runs them."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import semanticgan as sg
from semanticgan import extras
from semanticgan.edits.script import to_json
from semanticgan.errors import ExistingFileError, InputError
from semanticgan.formats.provenance import read_mark
from semanticgan.model import Model
from semanticgan.seeds import stream
from semanticgan.studio import runtime_files, static_site
from semanticgan.studio.runtime_files import BINARY, MODULE, PACKAGE, VERSION, read_runtime
from semanticgan.studio.static_site import LARGEST_SEED, MANIFEST, write_site

Command = Callable[..., Any]
NODE = shutil.which("node")
needs_node = pytest.mark.skipif(NODE is None, reason="needs node (apt-get install nodejs)")
CONTENT = {MODULE: b"export const env = {};", BINARY: b"\0asm"}


def make_runtime(folder: Path, version: str = VERSION, name: str = PACKAGE) -> Path:
    (folder / "dist").mkdir(parents=True)
    (folder / "package.json").write_text(json.dumps({"name": name, "version": version}))
    for file, content in CONTENT.items():
        (folder / "dist" / file).write_bytes(content)
    return folder


@pytest.fixture
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is taken for the pinned package."""
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in CONTENT.items()}
    monkeypatch.setattr(runtime_files, "DIGESTS", MappingProxyType(digests))
    return make_runtime(tmp_path / "runtime")


@pytest.fixture
def quick_export(monkeypatch: pytest.MonkeyPatch) -> None:
    """Graphs that are not computed: what is tested is the folder."""

    def export(model: Model, path: Path) -> None:
        path.write_bytes(b"graph")
        path.with_stem(f"{path.stem}-mapping").write_bytes(b"mapping")

    monkeypatch.setattr(extras, "require", lambda *features: None)
    monkeypatch.setattr(static_site, "export_onnx", export)


@pytest.fixture
def tiny(tiny_model_file: Path) -> Model:
    return sg.load(tiny_model_file, device="cpu")


def test_the_runtime_is_of_one_version_and_content(tmp_path: Path) -> None:
    assert all(len(digest) == 64 for digest in runtime_files.DIGESTS.values())
    with pytest.raises(InputError, match=f"is no folder. Run `npm pack onnxruntime-web@{VERSION}"):
        read_runtime(tmp_path / "none")
    with pytest.raises(InputError, match="is not the folder of the npm package"):
        read_runtime(tmp_path)
    with pytest.raises(InputError, match="is not the folder of the npm package"):
        read_runtime(make_runtime(tmp_path / "other", name="onnxruntime-node"))
    old = make_runtime(tmp_path / "old", "1.17.0")
    with pytest.raises(InputError, match=rf"holds version 1\.17\.0 .* the page needs {VERSION}. Run `npm pack"):
        read_runtime(old)
    changed = make_runtime(tmp_path / "changed")
    with pytest.raises(InputError, match=f"dist/{MODULE} is not the file of .* its SHA-256 differs. Run `npm pack"):
        read_runtime(changed)
    (changed / "dist" / MODULE).unlink()
    with pytest.raises(FileNotFoundError, match=f"lacks dist/{MODULE}"):
        read_runtime(changed)


def test_only_what_is_needed_is_read(runtime: Path) -> None:
    (runtime / "dist" / "ort.webgpu.mjs").write_bytes(b"more")
    assert read_runtime(runtime) == CONTENT


def test_the_command_says_what_is_wrong_before_any_work(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("semanticgan.extras.require", lambda *_: None)  # with or without onnx
    assert "--static needs --runtime FOLDER. Run `npm pack" in command("studio", "--static", "site").complaint
    assert "--runtime belongs to --static" in command("studio", "--runtime", "x").complaint
    assert "--overwrite belongs to --static" in command("studio", "--overwrite").complaint
    words = ("studio", "--static", "site", "--runtime", "x")
    assert "--port belongs to the server" in command(*words, "--port", "9000").complaint
    assert "--token belongs to the server" in command(*words, "--token", "a long one").complaint
    assert "takes one model, and 2 were given" in command(*words, "--model", "a", "--model", "b").complaint
    assert "is no folder" in command(*words).complaint
    (tmp_path / "site").mkdir()
    assert "exists already" in command(*words).complaint
    assert [path.name for path in tmp_path.iterdir()] == ["site"]


def test_the_folder(runtime: Path, quick_export: None, tiny: Model, tmp_path: Path) -> None:
    site = tmp_path / "site"
    sizes = write_site(tiny, "tiny", site, runtime)
    assert sizes == {path.name: path.stat().st_size for path in site.iterdir()}
    assert (site / "ort.js").read_bytes() == CONTENT[MODULE] and (site / "ort.wasm").read_bytes() == CONTENT[BINARY]
    told = json.loads((site / MANIFEST).read_text())
    assert set(told["files"]) | {MANIFEST} == set(sizes)
    assert told["rows"] == list(tiny.rows.names) and told["size"] == tiny.size
    assert [step["title"] for step in told["steps"]] == ["Face", "Style", "Colouring", "Details"]
    assert [step["first_seed"] for step in told["steps"]] == [0, 1_000_000, 2_000_000, 3_000_000]
    assert told["steps"][0]["operation"] is None
    assert told["steps"][3]["operation"]["regions"] == ["eye"], "of its own regions only"
    assert "Copyright (c) Microsoft" in (site / "licences.txt").read_text()


def test_the_page_asks_for_what_is_there(runtime: Path, quick_export: None, tiny: Model, tmp_path: Path) -> None:
    """Every import and link, by a relative name; nothing inline, no address of a host."""
    site = tmp_path / "site"
    names = set(write_site(tiny, "tiny", site, runtime))
    page = (site / "index.html").read_text()
    links = set(re.findall(r'(?:src|href)="([^"#]+)"', page))
    assert links and links <= names
    assert not re.findall(r"<script(?![^>]*\ssrc=)|<style|\sstyle=|\son\w+=", page)
    for module in site.glob("*.js"):
        text = module.read_text()
        assert {name.removeprefix("./") for name in re.findall(r'from "([^"]+)"', text)} <= names, module.name
        assert not re.findall(r"https?://", text), module.name
        for shared in re.findall(r'import \* as (\w+) from "\./', text):
            (source,) = re.findall(rf'import \* as {shared} from "\./([^"]+)"', text)
            exported = set(re.findall(r"export (?:async )?(?:function|const) (\w+)", (site / source).read_text()))
            assert source == "ort.js" or set(re.findall(rf"\b{shared}\.(\w+)\(", text)) <= exported, (
                module.name,
                shared,
            )
        for listed, source in re.findall(r'import \{ ([^}]+) \} from "\./([^"]+)"', text):
            for name in listed.split(", "):
                assert re.findall(rf"export (?:async )?(?:function|const) {name}\b", (site / source).read_text()), name


def test_only_an_earlier_site_is_replaced(runtime: Path, quick_export: None, tiny: Model, tmp_path: Path) -> None:
    site = tmp_path / "site"
    write_site(tiny, "tiny", site, runtime)
    with pytest.raises(ExistingFileError, match="exists already"):
        write_site(tiny, "tiny", site, runtime)
    (site / "index.html").write_text("older")
    write_site(tiny, "again", site, runtime, overwrite=True)
    assert json.loads((site / MANIFEST).read_text())["name"] == "again"
    assert (site / "index.html").read_text() != "older"
    (site / "CNAME").write_text("mine")
    with pytest.raises(ExistingFileError, match="holds 'CNAME', which is not of a static studio"):
        write_site(tiny, "tiny", site, runtime, overwrite=True)
    assert (site / "CNAME").read_text() == "mine"
    other = tmp_path / "other"
    other.mkdir()
    (other / "photo.jpg").write_text("mine")
    with pytest.raises(ExistingFileError, match=r"holds 'photo\.jpg'"):
        write_site(tiny, "tiny", other, runtime, overwrite=True)
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ExistingFileError, match="is no folder"):
        write_site(tiny, "tiny", tmp_path / "file", runtime, overwrite=True)
    assert {path.name for path in tmp_path.iterdir()} == {"runtime", "site", "other", "file"}


def test_a_failure_leaves_the_earlier_site(
    runtime: Path, quick_export: None, tiny: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = tmp_path / "site"
    before = write_site(tiny, "tiny", site, runtime)

    def failing(*_: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(static_site, "export_onnx", failing)
    with pytest.raises(ZeroDivisionError):
        write_site(tiny, "tiny", site, runtime, overwrite=True)
    assert {path.name: path.stat().st_size for path in site.iterdir()} == before
    assert {path.name for path in tmp_path.iterdir()} == {"runtime", "site"}


def test_a_model_of_layers_is_refused(
    runtime: Path, quick_export: None, tiny_layered_file: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="has layers, and the page without a server takes regions"):
        write_site(sg.load(tiny_layered_file, device="cpu"), "layered", tmp_path / "site", runtime)
    assert not (tmp_path / "site").exists()


def run_node(tmp_path: Path, source: str, given: Any = None) -> Any:
    """What a module prints as JSON. It imports the page's modules as ``./NAME.mjs`` and has ``given``."""
    for entry in resources.files("semanticgan.studio").joinpath("static").iterdir():
        if entry.name.endswith(".js"):
            (tmp_path / f"{entry.name[:-3]}.mjs").write_text(entry.read_text(encoding="utf-8"))
    (tmp_path / "given.json").write_text(json.dumps(given))
    head = 'import { readFileSync, writeFileSync } from "node:fs";\n'
    head += 'const given = JSON.parse(readFileSync("given.json", "utf8"));\n'
    (tmp_path / "main.mjs").write_text(head + source)
    assert NODE is not None
    done = subprocess.run([NODE, "main.mjs"], cwd=tmp_path, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@needs_node
def test_the_random_stream_is_pytorchs(tmp_path: Path) -> None:
    """Bit for bit below 16 numbers; from there on PyTorch's logarithm and cosine round otherwise where it has AVX2."""
    seeds = [0, 3, 15, 5489, 1_000_000, 2_000_007, 2**31, LARGEST_SEED]
    sizes = [1, 2, 3, 7, 15, 16, 17, 31, 32, 64, 100, 128, 512, 1000]
    asked = [(size, seed) for size in sizes for seed in seeds]
    source = 'import { randn } from "./torch_random.mjs";\n'
    source += "console.log(JSON.stringify(given.map(([size, seed]) => [...randn(size, seed)])));"
    for (size, seed), found in zip(asked, run_node(tmp_path, source, asked), strict=True):
        expected = torch.randn(1, size, generator=stream(seed))[0]
        difference = (torch.tensor(found, dtype=torch.float32) - expected).abs().max().item()
        assert difference <= (0.0 if size < 16 else 2e-6), (size, seed, difference)


@needs_node
def test_codes_are_those_of_the_edit(tiny: Model, tmp_path: Path) -> None:
    mean = tiny.generator.mean_latent
    about = {"rows": list(tiny.rows.names), "style_dim": len(mean), "mean_latent": [mean.tolist()]}
    edit = sg.Edit(3, truncation=0.8).swap(["eye", "hair"], 8, what="structure", include_base=True)
    edit = edit.swap("hair", 9, what="texture").swap("face", 10)
    script = json.loads(to_json(edit))
    width = tiny.generator.latent_dim
    mapped = {seed: tiny.generator.map(torch.randn(1, width, generator=stream(seed)))[0] for seed in (3, 8, 9, 10)}
    given = {"about": about, "script": script, "w": {seed: w.tolist() for seed, w in mapped.items()}}
    source = """import { codeOf, seedsOf } from "./codes.mjs";
const code = codeOf(given.about, given.script, (seed) => Float32Array.from(given.w[seed]));
console.log(JSON.stringify({ seeds: seedsOf(given.script), code: [...code] }));"""
    found = run_node(tmp_path, source, given)
    assert found["seeds"] == [3, 8, 9, 10]
    expected = edit.apply(tiny).code.tensor.flatten()
    assert torch.tensor(found["code"]).sub(expected).abs().max() < 1e-6


@needs_node
def test_files_to_save(runtime: Path, quick_export: None, tiny: Model, tmp_path: Path) -> None:
    write_site(tiny, "tiny", tmp_path / "site", runtime)
    pixels = np.random.default_rng(0).integers(0, 256, (tiny.size, tiny.size, 3), dtype=np.uint8)
    code = tiny.sample(seed=3)
    given = {
        "about": json.loads((tmp_path / "site" / MANIFEST).read_text()),
        "pixels": pixels.flatten().tolist(),
        "size": tiny.size,
        "code": code.tensor.flatten().tolist(),
        "script": {"source": {"seed": 3}, "note": "<&> \u00e9"},
    }
    source = """import { base64, marked, png, safetensors } from "./files.mjs";
const bytes = await png(Uint8Array.from(given.pixels), given.size);
writeFileSync("plain.png", bytes);
writeFileSync("marked.png", marked(bytes, given.about, given.script));
writeFileSync("code.safetensors", safetensors(given.about, Float32Array.from(given.code)));
console.log(JSON.stringify(base64(bytes) === Buffer.from(bytes).toString("base64")));"""
    assert run_node(tmp_path, source, given) is True
    for name in ("plain.png", "marked.png"):
        with Image.open(tmp_path / name) as picture:
            picture.load()
            assert picture.mode == "RGB" and np.array_equal(np.asarray(picture), pixels)
    mark = read_mark(tmp_path / "marked.png")
    assert mark is not None and mark.kind == "generated" and mark.model == tiny.metadata.description
    assert json.loads(mark.script) == given["script"]
    assert sg.LatentCode.load(tmp_path / "code.safetensors") == code
