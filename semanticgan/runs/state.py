"""Training state: folders ``step-0012000/``, each published by one rename once its files and manifest are on disk.

``training.pt`` holds networks and optimisers (read back with ``weights_only=True``, so nothing in it is run),
``model.safetensors`` the averaged generator as every other part of the package loads it.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from semanticgan.errors import InputError
from semanticgan.files import folder_written_aside, sha256_of
from semanticgan.runs.contents import SHEETS_FOLDER, is_plain_file, read_text

_FOLDER = re.compile(r"step-(\d{7,})")
# Names that :mod:`semanticgan.files` and this module give to what is not whole yet, or no more.
_LITTER = re.compile(r"\.step-\d{7,}-.*|\.config-\w{8}(\.partial)?\.yaml")
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
    """Publish the state after ``step`` steps, then drop all but the ``keep`` newest of those up to it.

    A valid state of that step is left as it is, a damaged one replaced.

    Args:
        state: tensors, numbers, strings, and lists and dictionaries of them.
        save_model: writes the averaged generator to the path it is given.
        keep: states to keep, at least 1.
    """
    remove_litter(run_dir)
    folder = state_folder(run_dir, step)
    if not is_valid(folder):
        if folder.exists():
            _remove_state(folder)
        with folder_written_aside(folder) as aside:
            torch.save(state, aside / TRAINING_FILE)
            save_model(aside / MODEL_FILE)
            digests = {path.name: sha256_of(path) for path in sorted(aside.iterdir())}
            manifest = json.dumps({"step": step, "sha256": digests}, indent=2) + "\n"
            (aside / _MANIFEST).write_text(manifest, encoding="utf-8")
    # Later ones, passed over as damaged when the run was resumed, must not push out this one.
    folders = state_folders(run_dir)
    for old in folders[: folders.index(folder) + 1][:-keep]:
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
            f"every training state in {str(run_dir)!r} is damaged. Move the step-* folders away to start again."
        )
    return None


def is_valid(folder: Path) -> bool:
    """Whether all files of a state are there and unchanged."""
    try:
        digests = json.loads(read_text(folder / _MANIFEST))["sha256"]
        return all(
            Path(name).name == name and is_plain_file(folder / name) and sha256_of(folder / name) == digest
            for name, digest in digests.items()
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return False


def load_state(folder: Path) -> dict[str, Any]:
    """Read what :func:`save_state` saved, all tensors on the CPU, where Adam wants its counts of steps."""
    with misfits_named(folder):
        state = torch.load(folder / TRAINING_FILE, map_location="cpu", weights_only=True)
        if not isinstance(state, dict):
            raise TypeError("no dictionary")
        return _upgraded(state) if "generator_optimiser" in state else state


def _upgraded(old: dict[str, Any]) -> dict[str, Any]:
    """A state of version 0.1, whose networks were not in a dictionary of their own, in the layout of today."""
    networks = {name: old[name] for name in ("generator", "discriminator", "average")}
    if old.get("feature_judge") is not None:
        networks["feature_discriminator"] = old["feature_judge"]
    objectives = {"path_length": old["path_length_mean"], "rates": old.get("rates")}
    return {
        "steps_done": old["steps_done"],
        "images_seen": None,  # the steps times the batch
        "networks": networks,
        "optimisers": {name: old[f"{name}_optimiser"] for name in ("generator", "discriminator")},
        "method": {"objectives": objectives, "augmentation": old.get("augmentation"), "reader": old.get("reader")},
        "data_key": old["data_key"],
        "recent": old.get("recent", {}),
    }


@contextmanager
def misfits_named(folder: Path) -> Iterator[None]:
    """Turn what torch says of a state that is not one of this package into one line.

    Raises:
        InputError: the state cannot be read or taken up within the block.
    """
    try:
        yield
    except (InputError, OSError, MemoryError, torch.OutOfMemoryError):
        raise
    except Exception as error:  # what is in the file decides which
        if "allocate memory" in str(error):
            raise
        said = " ".join(str(error).split())[:200]
        raise InputError(
            f"the training state {str(folder)!r} is damaged or not of this run ({type(error).__name__}: {said}). Move "
            "it away to go on from the one before."
        ) from error


def remove_litter(run_dir: Path) -> None:
    """Remove what a killed process left of a state, a sheet or a configuration; no other file is touched."""
    patterns = (".step-*", f"{SHEETS_FOLDER}/.step-*", ".config-*")
    for litter in (path for pattern in patterns for path in run_dir.glob(pattern)):
        if _LITTER.fullmatch(litter.name):
            if litter.is_dir() and not litter.is_symlink():
                shutil.rmtree(litter, ignore_errors=True)
            else:
                litter.unlink(missing_ok=True)


def _remove_state(folder: Path) -> None:
    """Rename first, so that a kill in the middle leaves litter and no half state."""
    aside = folder.with_name(f".{folder.name}-dropped")
    shutil.rmtree(aside, ignore_errors=True)
    folder.rename(aside)
    shutil.rmtree(aside)
