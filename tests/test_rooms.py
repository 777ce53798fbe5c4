"""The rooms of the package: no circle of imports, and none upwards."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import semanticgan

PACKAGE = Path(semanticgan.__file__).parent

# From the ground up: a room imports from itself and from the rooms above it in this list. What stands on one line
# uses each other as little.
ROOMS = (
    ("errors",),
    ("temporary_files",),
    ("files", "torchvision_import", "terminal", "seeds", "regions", "face_points", "choices"),
    ("formats", "extras", "places", "progress", "distributed"),
    ("notebook", "outline", "wrong_arguments"),
    ("rows", "devices"),
    ("latent_files",),
    ("latent_code", "rendering"),
    ("latents",),
    ("portraits",),
    ("data",),
    ("networks",),
    ("checkpoint",),
    ("encoder_files", "tuning_files", "autoencoding"),
    ("reference",),
    ("registry",),
    ("model",),
    ("surgery",),
    ("runs",),
    ("perception",),
    ("editing",),
    ("inversion",),
    ("directions",),
    ("edits",),
    ("metrics",),
    ("training",),
    ("export",),
    ("studio",),
    ("benchmark",),
    ("commands",),
)

# Each inside a method of the facade.
ALLOWED = {("model", "editing"), ("model", "inversion"), ("model", "directions")}

# Imports that are still upwards. This list only shrinks.
STILL: set[tuple[str, str]] = set()


def edges() -> set[tuple[str, str, str]]:
    """(room, imported room, file) of every import, those inside functions and of TYPE_CHECKING too."""
    found = set()
    for path in PACKAGE.rglob("*.py"):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        if len(parts) == 1 and parts[0] in ("__init__", "__main__"):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                assert not node.level, f"{path} imports relatively"
                names = [node.module or ""]
                if names == ["semanticgan"]:
                    names = [f"semanticgan.{alias.name}" for alias in node.names]
            for name in names:
                if name.startswith("semanticgan."):
                    found.add((parts[0], name.split(".")[1], "/".join(parts)))
    return {edge for edge in found if edge[0] != edge[1] and not edge[1].startswith("__")}


LEVEL = {room: level for level, line in enumerate(ROOMS) for room in line}


@pytest.mark.parametrize("room", sorted({edge[0] for edge in edges()}))
def test_no_import_upwards(room: str) -> None:
    upwards = {
        (importing, imported, file)
        for importing, imported, file in edges()
        if importing == room and LEVEL[imported] >= LEVEL[importing] and (importing, imported) not in ALLOWED | STILL
    }
    assert not upwards


def test_exceptions_are_needed() -> None:
    """The list of exceptions only shrinks: whoever removes the last such import removes its line."""
    assert {(importing, imported) for importing, imported, _ in edges()} >= STILL


def test_every_room_is_listed() -> None:
    rooms = {
        path.name.removesuffix(".py")
        for path in PACKAGE.iterdir()
        if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    assert rooms - {"__init__", "__main__"} <= LEVEL.keys()
