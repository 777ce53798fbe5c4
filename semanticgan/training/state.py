"""Training state: folders ``step-0012000/``, each published by one rename once its files and manifest are on disk.

``training.pt`` holds both networks and optimisers (read back with ``weights_only=True``, so nothing in it is run),
``model.safetensors`` the averaged generator as every other part of the package loads it.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from semanticgan.errors import InputError
from semanticgan.files import folder_written_aside

_FOLDER = re.compile(r"step-(\d{7,})")
_MANIFEST = "manifest.json"
TRAINING_FILE = "training.pt"
MODEL_FILE = "model.safetensors"


def state_folder(run_dir: Path, step: int) -> Path:
    return run_dir / f"step-{step:07d}"


def state_folders(run_dir: Path) -> list[Path]:
    """Folders of published states, oldest first."""
    found = [(int(match[1]), path) for path in run_dir.glob("step-*") if (match := _FOLDER.fullmatch(path.name))]
    return [path for _, path in sorted(found)]


def save_state(run_dir: Path, step: int, state: dict[str, Any], save_model: Callable[[Path], None], keep: int) -> Path:
    """Publish the state after ``step`` steps, then drop all but the ``keep`` newest.

    Args:
        run_dir: the run's folder.
        step: steps done.
        state: tensors, numbers, strings, and lists and dictionaries of them.
        save_model: writes the averaged generator to the path it is given.
        keep: states to keep, at least 1.
    """
    remove_litter(run_dir)
    folder = state_folder(run_dir, step)
    if not folder.exists():
        with folder_written_aside(folder) as aside:
            torch.save(state, aside / TRAINING_FILE)
            save_model(aside / MODEL_FILE)
            digests = {path.name: _digest(path) for path in sorted(aside.iterdir())}
            (aside / _MANIFEST).write_text(json.dumps({"step": step, "sha256": digests}, indent=2) + "\n")
    for old in state_folders(run_dir)[:-keep]:
        _remove_state(old)
    return folder


def newest_state(run_dir: Path) -> Path | None:
    """The newest state whose files are all as its manifest says, or None where there is no state at all.

    Raises:
        InputError: there are states, and every one is damaged.
    """
    folders = state_folders(run_dir)
    for folder in reversed(folders):
        if is_valid(folder):
            return folder
    if folders:
        raise InputError(
            f"every training state in {str(run_dir)!r} is damaged. Move the step-* folders away to start anew."
        )
    return None


def is_valid(folder: Path) -> bool:
    """Whether all files of a state are there and unchanged."""
    try:
        digests = json.loads((folder / _MANIFEST).read_text())["sha256"]
        return all(_digest(folder / name) == digest for name, digest in digests.items())
    except (OSError, ValueError, KeyError):
        return False


def load_state(folder: Path, device: torch.device) -> dict[str, Any]:
    """Read what :func:`save_state` saved."""
    state: dict[str, Any] = torch.load(folder / TRAINING_FILE, map_location=device, weights_only=True)
    return state


def remove_litter(run_dir: Path) -> None:
    """Remove what a killed process left while writing or dropping a state; no other file is touched."""
    for litter in run_dir.glob(".step-*"):
        if litter.is_dir() and re.fullmatch(r"\.step-\d{7,}-.*", litter.name):
            shutil.rmtree(litter, ignore_errors=True)


def _remove_state(folder: Path) -> None:
    """Rename first, so that a kill in the middle leaves litter and no half state."""
    aside = folder.with_name(f".{folder.name}-dropped")
    shutil.rmtree(aside, ignore_errors=True)
    folder.rename(aside)
    shutil.rmtree(aside)


def _digest(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() if hasattr(hashlib, "file_digest") else _read(file)


def _read(file: Any) -> str:
    digest = hashlib.sha256()
    while block := file.read(1 << 20):
        digest.update(block)
    return digest.hexdigest()
