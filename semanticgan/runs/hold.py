"""One process per run folder: two would remove each other's unfinished states and mix their logs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from semanticgan import places
from semanticgan.runs.contents import LOCK_FILE


@contextmanager
def held(run_dir: Path) -> Iterator[None]:
    """Hold a run's folder, which is made where it does not exist, until the end of the block or of the process.

    Raises:
        InputError: another process holds it, or its lock is not a file.
    """
    run_dir.mkdir(parents=True, exist_ok=True)
    refusal = f"another process is training in run_dir {str(run_dir)!r}. Wait until it ends, or choose another."
    with places.held(run_dir / LOCK_FILE, refusal):
        yield
