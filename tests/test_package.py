"""The package as it is installed: metadata, contents, the public names, and what importing costs."""

from __future__ import annotations

import configparser
import email
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import semanticgan
from semanticgan.commands import VERBS

ROOT = Path(__file__).resolve().parents[1]


def setup_cfg() -> configparser.ConfigParser:
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    return config


def test_public_names_are_there_and_listed() -> None:
    assert len(semanticgan.__all__) == 15
    for name in semanticgan.__all__:
        assert getattr(semanticgan, name) is not None
        assert name in dir(semanticgan)
    with pytest.raises(AttributeError, match="public names: Discriminator"):
        semanticgan.nothing  # noqa: B018


def test_importing_the_package_brings_in_nothing_slow() -> None:
    """And so adds next to nothing to ``import torch``."""
    importing = (
        "import sys, time; start = time.perf_counter(); import semanticgan, semanticgan.commands; "
        "print(time.perf_counter() - start); "
        "print([m for m in ('torch', 'numpy', 'cv2', 'PIL', 'torchvision', 'yaml') if m in sys.modules])"
    )
    ended = subprocess.run([sys.executable, "-c", importing], capture_output=True, text=True, check=True, cwd=ROOT)
    assert ended.stdout.splitlines()[1] == "[]"


def test_no_help_imports_pytorch() -> None:
    """Which takes ten times as long as all the rest of ``semanticgan VERB --help``."""
    asking = (
        "import sys; from semanticgan.commands import VERBS, build_parser\n"
        "for verb in VERBS:\n"
        "    build_parser(verb, verb).format_help()\n"
        "    print(verb, [name for name in ('torch', 'cv2', 'PIL') if name in sys.modules])"
    )
    ended = subprocess.run([sys.executable, "-c", asking], capture_output=True, text=True, check=True, cwd=ROOT)
    lines = ended.stdout.splitlines()
    assert len(lines) == len(VERBS) and all(line.endswith(" []") for line in lines), ended.stdout


def test_an_edit_imports_what_it_uses(tmp_path: Path) -> None:
    """torch._dynamo and sympy, which arithmetic on the device "meta" brings in, take longer to import than PyTorch.

    Inversion and perception are for photographs, paintings and texts.
    """
    unused = ("torch._dynamo", "torch._inductor", "sympy", "scipy", "yaml", "semanticgan.perception")
    unused += ("semanticgan.inversion.inversion", "semanticgan.directions.painting", "semanticgan.editing.sheets")
    editing = (
        "import sys; from semanticgan.commands import main\n"
        f"main(['edit-region', '--region', 'hair', '--from-seed', '8', '--out', {str(tmp_path / 'a.png')!r}])\n"
        f"print([name for name in {unused} if name in sys.modules])"
    )
    ended = subprocess.run([sys.executable, "-c", editing], capture_output=True, text=True, check=True, cwd=ROOT)
    assert ended.stdout.splitlines()[-1] == "[]" and (tmp_path / "a.png").is_file()


def test_optional_packages_are_imported_only_where_they_are_used() -> None:
    importing = (
        "import sys, semanticgan; [getattr(semanticgan, name) for name in semanticgan.__all__]; "
        "import semanticgan.editing.sheets; "
        "slow = ('torchvision', 'lpips', 'scipy', 'matplotlib', 'imageio', 'tensorboard', 'lmdb', 'fastapi'); "
        "print([name for name in slow if name in sys.modules])"
    )
    ended = subprocess.run([sys.executable, "-c", importing], capture_output=True, text=True, check=True, cwd=ROOT)
    assert ended.stdout.strip() == "[]"


def test_every_folder_of_the_package_is_listed() -> None:
    listed = set(setup_cfg()["options"]["packages"].split())
    folders = {".".join(path.parent.relative_to(ROOT).parts) for path in (ROOT / "semanticgan").rglob("__init__.py")}
    assert listed == folders | {"semanticgan.configs"}


def test_versions_agree() -> None:
    assert setup_cfg()["metadata"]["version"] == semanticgan.__version__
    assert f"version: {semanticgan.__version__}" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"## {semanticgan.__version__}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_wheel_says_and_holds_what_it_should(tmp_path: Path) -> None:
    pytest.importorskip("setuptools", minversion="77")
    source = tmp_path / "source"
    shutil.copytree(ROOT / "semanticgan", source / "semanticgan", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "configs", source / "configs", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE", "LICENSES.md"):
        shutil.copy(ROOT / name, source)
    build = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        str(tmp_path),
        str(source),
    ]
    subprocess.run(build, check=True, capture_output=True, env={**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"})
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        about = f"semanticgan-{semanticgan.__version__}.dist-info"
        metadata = email.message_from_bytes(archive.read(f"{about}/METADATA"))
        entry_points = archive.read(f"{about}/entry_points.txt").decode()
    assert metadata["Name"] == "semanticgan" and metadata["License-Expression"] == "Apache-2.0"
    assert metadata["Requires-Python"] == ">=3.10"
    assert set(metadata.get_all("License-File", [])) == {"LICENSE", "LICENSES.md"}
    extras = {"train", "metrics", "perception", "video", "align", "heic", "studio", "hub", "test", "dev"}
    extras |= {"directions", "text", "flow", "onnx", "notebook", "docs"}
    assert set(metadata.get_all("Provides-Extra", [])) == extras
    assert "torch>=2.6" in metadata.get_all("Requires-Dist", [])
    assert "semanticgan = semanticgan.commands:main" in entry_points
    expected = {str(path.relative_to(ROOT)) for path in (ROOT / "semanticgan").rglob("*.py")}
    expected |= {str(path.relative_to(ROOT)) for path in (ROOT / "semanticgan" / "weights").glob("*.safetensors")}
    expected |= {f"semanticgan/configs/{path.name}" for path in (ROOT / "configs").glob("*.yaml")}
    for page in ("page", "static"):
        folder = ROOT / "semanticgan" / "studio" / page
        expected |= {str(path.relative_to(ROOT)) for path in folder.iterdir() if path.is_file()}
    assert expected | {"semanticgan/py.typed", "semanticgan/configs/__init__.py"} <= names
    assert not any(name.startswith(("tests", "tools", "configs", "docs")) for name in names)
