"""The package as a user installs it: every example of every ``--help`` runs, far from the checkout.

The sdist is built from the files of the checkout, the wheel from the unpacked sdist, and the wheel is installed in an
environment of its own. Each example runs in a folder that holds the files that it names, and nothing else. What would
take long is shortened by :data:`SHORTER` and :data:`MORE`. What cannot run is in :data:`LISTED`.

A new example needs no line here if its inputs are in :data:`MAKERS`; otherwise its test fails until they are.
"""

from __future__ import annotations

import importlib
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tarfile
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

import semanticgan
from semanticgan.commands import VERBS
from tests.installed import MAKERS, QUICK, SERVER, Installed, names_of, read_by, written_by

pytestmark = [pytest.mark.by_name, pytest.mark.timeout(1800)]

ROOT = Path(__file__).resolve().parents[1]
EXTRAS = "train,metrics,video,perception,directions,align,studio,onnx"
NOWHERE = "http://127.0.0.1:9"  # a proxy that nobody listens at: what is downloaded fails at once

SHORTER: Mapping[str, str] = {
    "--seeds 0-15": "--seeds 0-1",
    "--seeds 0-31": "--seeds 0-1",
    "--seeds 0-99": "--seeds 0-1",
    "--frames 24": "--frames 2",
    "--count 8": "--count 2",
    "--count 2000": "--count 12",
    "--count 30000": "--count 24",
    "--num 2000": "--num 1000",
    "--num-generated 1000": "--num-generated 4",
    "--num-generated 2000": "--num-generated 8",
    "--num-generated 5000": "--num-generated 8",
    "--projections 40": "--projections 4 --projection-steps 2",
    "--steps 2000": "--steps 2",
    "--steps 6000": "--steps 2",
    "--held-out 1000": "--held-out 4",
    "--workers 8": "--workers 1",
    "--size 128": "--size 64",
    "--size 256 --batch 2": "--size 64 --batch 2",
    "--size 256 --batch 4": "--size 64 --batch 1",
    "--size 512": "--size 64",
    "--precision bfloat16": "--precision float32",  # emulated, so slow, on many processors
    "--device cuda": "--device cpu",
    "--port 8000": "--port 0",
    "--host 0.0.0.0": "--host 0.0.0.0 --port 0",
}
"""Words of examples -> what is run in their place."""

SMALL_DATA = "--num-generated 8 --num-real 8"
MORE: Mapping[tuple[str, int], str] = {
    ("benchmark", 0): "--repeats 1",
    ("benchmark", 1): "--repeats 1",
    ("benchmark", 2): "--repeats 1",
    ("compare", 0): "--num-paths 4 --num-edits 2",
    ("compare", 1): f"{SMALL_DATA} --num-paths 4 --num-edits 2",
    ("compare", 2): f"{SMALL_DATA} --num-paths 4 --num-edits 2",
    ("evaluate", 1): "--data-kind portraits --num-real 4 --num-edits 2 --num-variations 2",
    ("interpolate", 1): "--frames 2",
    ("invert", 1): "--steps 2",
    ("train", 0): "schedule.total_images=8",
    ("train", 1): QUICK,
    ("train", 2): f"{QUICK} metrics.every=1 metrics.num_generated=8",
    ("train-classifier", 0): "--count 24 --held-out 8 --steps 2 --batch 4",
    ("train-classifier", 1): "--held-out 8 --batch 4",
    ("train-parser", 0): "--held-out 4 --steps 2 --batch 4",
    ("train-parser", 1): "--batch 4",
}
"""Words after an example, verb and number -> of options that it leaves at their defaults."""

LISTED: Mapping[tuple[str, int], tuple[str, str]] = {
    ("convert-checkpoint", 2): (
        "needs face-api's npm package, 11 MB of another project",
        r"'vladmandic-face-api-1\.7\.15\.tgz' does not exist",
    ),
    ("evaluate", 2): (
        "needs Inception's weights, which the user downloads",
        r"the weights of Inception, .* are not there\. Download https",
    ),
    ("studio", 2): (
        "needs the npm package onnxruntime-web, 100 MB of another project",
        r"'node_modules/onnxruntime-web' is no folder\. Run `npm pack",
    ),
}
"""Examples that cannot run here -> why, and how they are refused."""

PROMISED: Mapping[tuple[str, int], Sequence[str]] = {
    ("edit-region", 0): ("edited-sheet.png",),
    ("export", 2): ("portraits-64-mapping.onnx",),
    ("generate", 0): ("samples/seed-0000.png", "samples/seed-0001.png"),
    ("generate", 1): ("faces/sheet.png", "faces/seed-0024.png", "faces/seed-0024-labels.png"),
    ("generate", 2): ("noise/seed-0003-noise.png", "noise/seed-0003-deviation.png"),
    ("invert", 0): ("inverted/me.safetensors", "inverted/figures.json"),
    ("invert", 1): ("inverted/figures.json",),
    ("label", 0): ("regions/labels.png", "regions/layers.ora"),
    ("label", 1): ("regions/labels.png", "regions/labels-2.png"),
    ("label-regions", 0): ("data/photographs/dataset.json",),
    ("label-regions", 1): ("data/photographs-256/dataset.json",),
    ("mix", 1): ("mixed.png",),
    ("prepare-data", 0): ("data/portraits-64/dataset.json",),
    ("reconstruct", 0): ("reconstructed/sheet.png",),
    ("reconstruct", 1): ("ours/me.png", "ours/her.safetensors"),
    ("train", 0): ("runs/tiny/step-0000002/model.safetensors",),
    ("train", 1): ("runs/portraits/step-0000001/model.safetensors",),
    ("train", 2): ("runs/portraits/step-0000001/model.safetensors", "runs/portraits/stats.jsonl"),
}
"""What examples write beside the files that they name."""

TABLE_ON_STDERR = (("benchmark", 0), ("benchmark", 2), ("compare", 1), ("evaluate", 0), ("evaluate", 1))
EXAMPLES = [
    (verb, number, example)
    for verb in VERBS
    for number, example in enumerate(importlib.import_module(f"semanticgan.commands.{verb.replace('-', '_')}").EXAMPLES)
]
KEYS = [(verb, number) for verb, number, _ in EXAMPLES]


def words_of(verb: str, number: int, example: str) -> list[str]:
    """An example as it is run here."""
    for long, short in SHORTER.items():
        example = re.sub(rf"(?<!\S){re.escape(long)}(?!\S)", short, example)
    return shlex.split(f"{example} {MORE.get((verb, number), '')}")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
    """The release: from the files of the checkout to the installed command."""
    folder = tmp_path_factory.mktemp("installed")
    source, unpacked, home = (folder / name for name in ("source", "unpacked", "home"))
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    files = subprocess.run(listing, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\0")
    for name in filter(None, files):
        if (ROOT / name).is_file():  # not one that is deleted and not committed
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, source / name)
    building = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    building["PIP_DISABLE_PIP_VERSION_CHECK"] = "1"

    def done(command: Sequence[str | Path], where: Path) -> None:
        ended = subprocess.run(command, cwd=where, env=building, capture_output=True, text=True)
        assert ended.returncode == 0, (command, ended.stdout[-2000:] + ended.stderr[-2000:])

    backend = "from setuptools import build_meta; build_meta.build_sdist('..')"
    done([sys.executable, "-c", backend], source)
    (archive,) = folder.glob("*.tar.gz")
    with tarfile.open(archive) as packed:
        packed.extractall(unpacked, filter="data")
    (release,) = unpacked.iterdir()
    wheel = ["wheel", "--no-deps", "--no-build-isolation", "--no-cache-dir", "-w", folder, release]
    done([sys.executable, "-m", "pip", *wheel], folder)
    (built,) = folder.glob("*.whl")
    done([sys.executable, "-m", "venv", folder / "venv"], folder)
    binaries = folder / "venv" / "bin"
    constraints = ["-c", release / "constraints.txt", f"{built}[{EXTRAS}]"]
    done([binaries / "python", "-m", "pip", "install", "--no-compile", *constraints], folder)
    (folder / "shelf").mkdir()
    home.mkdir()
    variables = {
        "PATH": f"{binaries}{os.pathsep}{os.defpath}",
        "HOME": str(home),
        "TMPDIR": str(home),
        "LANG": "C.UTF-8",
        "OMP_NUM_THREADS": "1",
        **dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), NOWHERE),
    }
    held = frozenset(path.relative_to(release).as_posix() for path in release.rglob("*") if path.is_file())
    command, pipes = [binaries / "python", "-I", "-c", SERVER], {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, cwd=home, env=variables, text=True, **pipes) as server:
        yield Installed(binaries / "python", folder / "shelf", variables, held, server)


def test_the_tables_name_examples() -> None:
    """None is left from an example that is gone."""
    for table in (MORE, LISTED, PROMISED, TABLE_ON_STDERR):
        assert set(table) <= set(KEYS), table
    for words in SHORTER:
        assert any(f" {words} " in f" {example} " for _, _, example in EXAMPLES), words
    used = {name for verb, number, example in EXAMPLES for name in names_of(words_of(verb, number, example))}
    assert used | {"runs/woodcut"} >= set(MAKERS)


def test_the_sdist_has_what_a_checkout_has(installed: Installed) -> None:
    """Pages, tools and tests, too: who unpacks it can run the tests."""
    listing = subprocess.run(["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    ours = {name for name in listing.splitlines() if not name.startswith(".") and (ROOT / name).is_file()}
    assert ours <= installed.sdist


def test_the_package_is_the_installed_one(installed: Installed, tmp_path: Path) -> None:
    """Its version, its examples, its terms, and a model opened from Python."""
    asking = (
        "import importlib, json, semanticgan as sg\n"
        "from importlib import metadata\n"
        "from semanticgan.commands import VERBS\n"
        "from semanticgan.training.config import recipes\n"
        "modules = ['semanticgan.commands.' + verb.replace('-', '_') for verb in VERBS]\n"
        "found = [importlib.import_module(name).EXAMPLES for name in modules]\n"
        "terms = [str(path) for path in metadata.files('semanticgan') if path.name == 'LICENSES.md']\n"
        "print(json.dumps({'file': sg.__file__, 'version': metadata.version('semanticgan'), 'terms': len(terms),\n"
        "    'examples': dict(zip(VERBS, found)), 'size': sg.load().size, 'recipes': recipes()}))"
    )
    about = {"cwd": tmp_path, "env": installed.variables, "capture_output": True, "text": True}
    ended = subprocess.run([installed.python, "-c", asking], **about)
    assert ended.returncode == 0, ended.stderr
    for command in ([installed.python.with_name("semanticgan")], [installed.python, "-m", "semanticgan"]):
        shown = subprocess.run([*command, "generate", "--help"], **about).stdout
        assert f"semanticgan generate {EXAMPLES[0][2]}" in shown, shown
    told = json.loads(ended.stdout)
    assert Path(told["file"]).is_relative_to(installed.python.parents[1])
    assert (told["version"], told["terms"], told["size"]) == (semanticgan.__version__, 1, 64)
    assert told["recipes"] == sorted(path.stem for path in (ROOT / "configs").glob("*.yaml"))
    ours = [(verb, number, text) for verb in VERBS for number, text in enumerate(told["examples"][verb])]
    assert ours == EXAMPLES


@pytest.mark.parametrize(("verb", "number", "example"), EXAMPLES, ids=[f"{verb}-{number}" for verb, number in KEYS])
def test_an_example_runs(installed: Installed, tmp_path: Path, verb: str, number: int, example: str) -> None:
    words = words_of(verb, number, example)
    installed.lay_out(read_by(verb, words), tmp_path)
    if (verb, number) in LISTED:
        ended = installed.run([verb, *words], tmp_path)
        _, refusal = LISTED[verb, number]
        complaint = ended.err.splitlines()[-1]
        assert ended.code == 2 and complaint.startswith("error: ") and re.search(refusal, complaint), ended.err
        return
    for word in read_by(verb, words):
        if re.search(r"/|\.(png|jpe?g|pt|pth|zip|tgz|npz|lmdb|safetensors|csv|json|yaml)$", word):
            name = word.rpartition("=")[2]
            assert (tmp_path / name).exists(), f"{name!r} is in no line of MAKERS; or put the example into LISTED"
    if verb == "studio":
        answer_once(installed, words, tmp_path)
        return
    ended = installed.run([verb, *words], tmp_path)
    assert ended.code == 0, ended.err[-3000:]
    assert "Traceback" not in ended.err
    told = json.loads(ended.out)
    assert isinstance(told, dict)
    for name in (*written_by(verb, words), *PROMISED.get((verb, number), ())):
        path = tmp_path / name
        assert any(path.iterdir()) if path.is_dir() else path.stat().st_size, name
    assert ("|---" in ended.err or "| ---" in ended.err) == ((verb, number) in TABLE_ON_STDERR)


def answer_once(installed: Installed, words: Sequence[str], folder: Path) -> None:
    """Start the studio, get its page with what the page loads, and end it by Ctrl-C."""
    with installed.start(["studio", *words], folder) as process:
        try:
            assert process.stderr is not None
            found, said = None, ""
            while found is None and (line := process.stderr.readline()):
                said += line
                found = re.search(r"The studio is at (http://\S+)", line)
            assert found is not None, said
            visitor = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor())
            with visitor.open(found[1], timeout=120) as page:
                text = page.read().decode()
            assert "<html" in text
            linked = re.findall(r'(?:src|href)="/?([\w./-]+\.(?:js|css))"', text)
            assert linked
            base = re.match(r"http://[^/]+/", found[1])
            assert base is not None
            for name in linked:
                with visitor.open(base[0] + name, timeout=120) as file:
                    assert file.status == 200 and file.read()
            process.send_signal(signal.SIGINT)
            assert process.wait(120) in (0, 130)
            assert "Traceback" not in process.stderr.read()
        finally:
            process.kill()
