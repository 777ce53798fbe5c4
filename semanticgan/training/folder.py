"""The folder of a run: whether a training may begin or go on there."""

from __future__ import annotations

import json
from pathlib import Path

from semanticgan.errors import ExistingFileError, InputError
from semanticgan.files import require_free
from semanticgan.places import require_outside
from semanticgan.runs.contents import CONFIG_FILE, LOCK_FILE, require_plain
from semanticgan.training.config import flat, load_config
from semanticgan.training.sections import CommonConfig

# A run may be continued with other values of these; every other key must be what it was.
_FREE_ON_RESUME = (
    "run_dir",
    "device",
    "description",
    "expected",
    "licence",
    "data_licence",
    "accumulate",
    "recompute",
    "compile",
    "log_to",
)
_FREE_SECTIONS_ON_RESUME = {
    "schedule": None,
    "metrics": None,
    "data": ("path", "workers", "cache_gigabytes", "on_error", "max_megapixels"),
}


def require_usable(config: CommonConfig) -> Path:
    """The run's folder, checked without writing anything: data may still turn out to be unusable.

    Raises:
        InputError: no run_dir, one that cannot be written, lies in the data or holds another configuration, or one
            with links, pipes or the like in place of files.
    """
    if not config.run_dir:
        raise InputError("no run folder given. Add run_dir=runs/NAME.")
    run_dir = Path(config.run_dir)
    if run_dir.exists() and not run_dir.is_dir():
        raise ExistingFileError(f"run_dir {str(run_dir)!r} is a file. Choose another.")
    path = require_free(run_dir / CONFIG_FILE, overwrite=True)
    require_plain(run_dir)
    if path.exists():
        changed = _difference(load_config(path), config)
        if changed:
            raise InputError(
                f"run_dir {str(run_dir)!r} holds a run with other values of {', '.join(changed)}. Give the same values "
                "to continue it, or another run_dir."
            )
    elif run_dir.exists() and any(found.name != LOCK_FILE for found in run_dir.iterdir()):
        raise InputError(f"run_dir {str(run_dir)!r} holds files that are not a run of this package. Choose another.")
    if config.data.path is not None:
        require_outside(run_dir, config.data.path, "run_dir")  # its sheets would be pictures of the data
    return run_dir


def _difference(old: CommonConfig, new: CommonConfig) -> list[str]:
    """Keys whose values differ, of those that decide a run's numbers."""
    changed = []
    before, after = flat(old), flat(new)
    for key in sorted(before.keys() | after.keys()):
        section, _, name = key.partition(".")
        if section in _FREE_ON_RESUME:
            continue
        free = _FREE_SECTIONS_ON_RESUME.get(section, ())
        if free is None or name in free:
            continue
        if before.get(key) != after.get(key):
            changed.append(f"{key} ({json.dumps(before.get(key))} there, {json.dumps(after.get(key))} given)")
    return changed
